"""Questions to one device within the time of a beat; what came before a failure is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from probes.kinds.snmp.settings import SnmpSettings
from probes.ports import Net, SnmpError, SnmpValue
from probes.results import Beat, Reason

MAX_OBJECTS = 36
"""In one request: the answer stays below 1,500 bytes."""
MAX_OBJECTS_V1 = 6
"""SNMPv1 is asked object by object, and so many must fit the time of one call."""
SHARE_OF_BEAT, LONGEST_S = 0.8, 35.0
"""Of the interval, after which nothing more is asked; the runner ends every attempt after 60 s, and what was read with
it, and a patient request may take 20."""

SILENT = frozenset(
    {
        *(Reason.TIMEOUT, Reason.REFUSED, Reason.UNREACHABLE, Reason.DNS_ERROR),
        *(Reason.NO_ACCESS, Reason.UNKNOWN_USER, Reason.WRONG_DIGEST, Reason.DECRYPTION_ERROR),
        *(Reason.UNSUPPORTED_LEVEL, Reason.NOT_IN_TIME_WINDOW, Reason.UNKNOWN_ENGINE, Reason.OTHER_ADDRESS),
    }
)
"""What every other question would meet as well: nothing came back, or our credentials are of no use."""
MISSING = frozenset({Reason.PROTOCOL_ERROR, Reason.NO_SUCH_OBJECT})
"""What a device answers of objects that it does not have."""


class Questions:
    """How one device is asked during one beat."""

    def __init__(self, settings: SnmpSettings, net: Net, beat: Beat) -> None:
        """The time of the beat begins now."""
        self._settings = settings
        self._snmp = net.snmp
        self._clock = net.clock
        self._conditions = beat.conditions
        budget_s = min(LONGEST_S, max(settings.timeout_s, SHARE_OF_BEAT * beat.interval_s))
        self._end = net.clock.monotonic() + budget_s
        self.cut: SnmpError | None = None
        """Why the last walk that did ended before its time; its rows are used all the same."""

    async def get(self, oids: Sequence[str]) -> Mapping[str, SnmpValue]:
        """The objects that there are; raises `SnmpError`."""
        if self._settings.agent.version != "v1" or len(oids) <= MAX_OBJECTS_V1:
            return await self._get(oids)
        found: dict[str, SnmpValue] = {}
        missing = None
        for start in range(0, len(oids), MAX_OBJECTS_V1):
            try:
                found |= await self._get(oids[start : start + MAX_OBJECTS_V1])
            except SnmpError as error:
                found |= error.found
                if error.reason is not Reason.NO_SUCH_OBJECT:
                    raise SnmpError(error.reason, error.detail, found) from None
                missing = error
        if not found and missing is not None:
            raise missing
        return found

    async def _get(self, oids: Sequence[str]) -> Mapping[str, SnmpValue]:
        self._in_time()
        settings = self._settings
        return await self._snmp.get(settings.agent, oids, settings.timeout_s, conditions=self._conditions)

    async def walk(self, oid: str, limit: int) -> Mapping[str, SnmpValue]:
        """The rows below `oid`; raises `SnmpError`."""
        self._in_time()
        settings = self._settings
        rows = await self._snmp.walk(settings.agent, oid, settings.timeout_s, limit, conditions=self._conditions)
        if rows.reason is not None:
            self.cut = SnmpError(rows.reason)
        return rows

    async def column(self, oid: str, limit: int, within: str = "") -> dict[str, SnmpValue]:
        """A column by index, of the rows whose index begins `within` alone; raises `SnmpError`."""
        start = len(oid) + 1
        rows = await self.walk(oid + within, limit)
        return {name[start:]: value for name, value in rows.items() if name[start:]}

    async def into(self, values: dict[str, SnmpValue], asks: Iterable[tuple[str, ...]]) -> SnmpError | None:
        """Ask for all parts; what came before a failure is in `values`."""
        try:
            for oids in asks:
                values |= await self.get(oids)
        except SnmpError as error:
            values |= error.found
            return error
        return None

    def _in_time(self) -> None:
        if self._clock.monotonic() > self._end:
            raise SnmpError(Reason.TIMEOUT, "no time left in this beat")


def parts(oids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """As many at once as a request may have."""
    items = iter(oids)
    while part := tuple(islice(items, MAX_OBJECTS)):
        yield part
