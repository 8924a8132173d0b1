"""What an SNMP agent sends, with its types, by pysnmp: for people who debug, as gufo-snmp tells no types; slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from probes.ports import SnmpAgent, SnmpError
from probes.protocols import snmp_second
from probes.protocols.snmp_opinion import question_of, reason_of_answer
from probes.results import Reason

AT_ONCE, ROWS = 10, 20
"""Objects of one GET, rows of one GETBULK: their answers fit into one packet."""
WAIT_S, RETRIES = 2.0, 3
NOTHING = frozenset({"NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null"})
"""Types of what is no value (RFC 3416, 3)."""
_SAME: Mapping[str, str] = MappingProxyType(
    {"Integer": "Integer32", "Unsigned32": "Gauge32", "Bits": "OctetString", "ObjectIdentity": "ObjectIdentifier"}
)
"""Types that look the same on the wire."""


class Found(NamedTuple):
    """One object as it was sent: its type as SNMPv2-SMI (RFC 2578) calls it, or one of `NOTHING`."""

    oid: str
    type: str
    value: int | bytes | str
    """A number, octets, or an object identifier or IP address as text."""


class RawSnmp:
    """Asks one agent, whose address is no host name. Use as a context manager inside a running loop."""

    def __init__(self, agent: SnmpAgent) -> None:
        self._agent = agent
        self._question = {**question_of(agent, (), WAIT_S, walk=False), "retries": RETRIES}
        self._elsewhere: list[str] = []
        self._rows = ROWS
        self._engine: Any = None
        self._pysnmp: Any = None

    def __enter__(self) -> RawSnmp:
        """Load pysnmp, which takes a while."""
        from pysnmp.hlapi.v3arch import asyncio as pysnmp  # noqa: PLC0415  # only who debugs needs it

        self._pysnmp = pysnmp
        self._engine = pysnmp.SnmpEngine()
        return self

    def __exit__(self, *_: object) -> None:
        """Close its sockets."""
        self._engine.close_dispatcher()

    async def get(self, oids: Sequence[str]) -> list[Found]:
        """The objects in the order given; one that is not there has a type of `NOTHING`. Raises `SnmpError`."""
        found: list[Found] = []
        most = 1 if self._agent.version == "v1" else AT_ONCE  # in v1 a missing object empties the whole answer
        items = iter(oids)
        while part := list(islice(items, most)):
            try:
                found += await self._ask("get_cmd", part)
            except SnmpError as error:
                if error.reason not in {Reason.TOO_BIG, Reason.GEN_ERR, Reason.NO_SUCH_OBJECT}:
                    raise
                found += await self._one_by_one(part, error)
        return found

    async def _one_by_one(self, oids: Sequence[str], error: SnmpError) -> list[Found]:
        if len(oids) == 1:
            if error.reason is Reason.NO_SUCH_OBJECT:
                return [Found(oids[0], "NoSuchObject", "")]
            raise error
        return [item for oid in oids for item in await self.get([oid])]

    async def walk(self, oid: str, limit: int) -> AsyncIterator[Found]:
        """The objects below `oid`, or itself, at most `limit`; raises `SnmpError`, also where they stop increasing."""
        prefix = last = _arcs(oid)
        told = 0
        while answer := await self._after(last):
            for item in answer:
                arcs = _arcs(item.oid)
                if item.type in NOTHING or arcs[: len(prefix)] != prefix or told >= limit:
                    answer = []
                    break
                if arcs <= last:
                    raise SnmpError(Reason.LOOP, f"after {_spelled(last)} comes {item.oid}")
                last = arcs
                yield item
                told += 1
            if not answer:
                break
        if not told:  # a leaf, as `snmpwalk` takes it
            for item in await self.get([oid]):
                if item.type not in NOTHING:
                    yield item

    async def _after(self, arcs: Sequence[int]) -> list[Found]:
        """The next rows, as many as the agent can send; none at the end in v1."""
        while True:
            try:
                if self._agent.version == "v1":
                    return await self._ask("next_cmd", [_spelled(arcs)])
                return await self._ask("bulk_cmd", [_spelled(arcs)], 0, self._rows)
            except SnmpError as error:
                if error.reason is Reason.NO_SUCH_OBJECT:
                    return []
                if error.reason is not Reason.TOO_BIG or self._rows == 1:
                    raise
                self._rows //= 2

    async def _ask(self, command: str, oids: Sequence[str], *options: int) -> list[Found]:
        pysnmp = self._pysnmp
        trouble, status, _, found = await getattr(pysnmp, command)(
            self._engine,
            snmp_second.user(pysnmp, self._question),
            await snmp_second.target(pysnmp, self._question, self._elsewhere),
            pysnmp.ContextData(),
            *options,
            *(pysnmp.ObjectType(pysnmp.ObjectIdentity(oid)) for oid in oids),
            lookupMib=False,
        )
        await asyncio.sleep(0)
        if trouble is not None or int(status):
            name = None if trouble is None else type(trouble).__name__
            answer = {"trouble": name, "status": int(status), "elsewhere": bool(self._elsewhere)}
            raise SnmpError(reason_of_answer(answer) or Reason.TIMEOUT)
        return list(_read(found))


def _read(pairs: Sequence[tuple[Any, Any]]) -> Iterator[Found]:
    for name, value in pairs:
        kind = type(value).__name__
        kind = _SAME.get(kind, kind)
        oid = _spelled(tuple(name))
        if kind in NOTHING:
            yield Found(oid, kind, "")
        elif kind == "ObjectIdentifier":
            yield Found(oid, kind, _spelled(tuple(value)))
        elif kind == "IpAddress":
            yield Found(oid, kind, ".".join(map(str, value.asOctets())))
        elif kind in {"OctetString", "Opaque"}:
            yield Found(oid, kind, bytes(value.asOctets()))
        else:
            yield Found(oid, kind, int(value))


def _arcs(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))


def _spelled(arcs: Sequence[int]) -> str:
    return ".".join(map(str, arcs))
