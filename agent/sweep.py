"""Asks address after address, at a pace: first pings, then those that answered by SNMP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from agent.attempt import attempt
from agent.credentials import Credentials
from agent.net import through
from agent.proposal import Seen
from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.model import Device
from probes.ports import NO_CONDITIONS, Net, PingWindow, Snmp, SnmpAgent, SnmpError, SnmpRows
from probes.profiles import Library
from probes.results import Beat, Conditions, Reading, Reason, Result

PINGS = 5
"""Sent to each address: a stream of the ICMP engine begins with so many, and a poor link loses one or two."""
PINGS_PER_S = 5.0
MOST_WAITED = 1024
"""Addresses that are waited for at one time."""
SNMP_AT_ONCE = 8
SNMP_TIMEOUT_S = 2.0
BEAT_S = 60.0
SYS_SERVICES = "1.3.6.1.2.1.1.7.0"
TELLING = (Reason.REFUSED, Reason.UNREACHABLE, Reason.TIMEOUT)
"""Reasons that say less than any other."""


class Pace:
    """So many packets a second, whoever sends them."""

    def __init__(self, packets_per_s: float) -> None:
        self._per_s = packets_per_s
        self._free = 0.0

    async def turn(self, packets: int) -> None:
        """Wait until so many more may be sent."""
        loop = asyncio.get_running_loop()
        begin = max(self._free, loop.time())
        self._free = begin + packets / self._per_s
        await asyncio.sleep(begin - loop.time())


class PacedSnmp:
    """Implements `probes.ports.Snmp` over another, at a pace."""

    def __init__(self, snmp: Snmp, pace: Pace) -> None:
        self._snmp = snmp
        self._pace = pace

    async def get(
        self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, *, conditions: Conditions = NO_CONDITIONS
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        await self._pace.turn(1)
        return await self._snmp.get(agent, oids, timeout_s, conditions=conditions)

    async def walk(
        self,
        agent: SnmpAgent,
        oid: str,
        timeout_s: float,
        max_rows: int,
        *,
        conditions: Conditions = NO_CONDITIONS,
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        await self._pace.turn(1)
        return await self._snmp.walk(agent, oid, timeout_s, max_rows, conditions=conditions)


@dataclass(frozen=True)
class How:
    """How addresses are asked: with which credentials, in turn; without pings every address is asked by SNMP."""

    credentials: Credentials
    names: Sequence[str]
    library: Library
    port: int
    pings: bool
    packets_per_s: float


@dataclass
class Sweep:
    """What has been found so far, in the order of the answers, and how many addresses are done with."""

    how: How
    seen: list[Seen] = field(default_factory=list)
    done: int = 0

    async def run(self, net: Net, addresses: Iterable[str], advance: Callable[[], None]) -> None:
        """Ask all of them. `advance` is called after each; it must not block."""
        pace = Pace(self.how.packets_per_s)
        paced = through(net, PacedSnmp(net.snmp, pace))
        waited = asyncio.Semaphore(MOST_WAITED)
        asked = asyncio.Semaphore(SNMP_AT_ONCE)

        async def one(address: str) -> None:
            try:
                window = None
                if self.how.pings:
                    window = await net.pings.window(f"discover/{address}", address, PINGS_PER_S, continuous=False)
                if window is None or window.received:
                    async with asked:
                        found = await _asked(self.how, paced, address, window)
                    if window is not None or found.credential or found.reason not in TELLING:
                        self.seen.append(found)
                self.done += 1
                advance()
            finally:
                waited.release()

        async with asyncio.TaskGroup() as tasks:
            for address in addresses:
                await waited.acquire()
                if self.how.pings:
                    await pace.turn(PINGS)
                tasks.create_task(one(address), name=address)


async def _asked(how: How, net: Net, address: str, window: PingWindow | None) -> Seen:
    """What an address says over SNMP, with the first credential that it takes."""
    conditions, rtt_s = NO_CONDITIONS, None
    if window is not None:
        rtt_s = sum(window.rtts_s) / len(window.rtts_s) if window.rtts_s else None
        conditions = Conditions(rtt_s, 1 - window.received / max(window.sent, 1))
    reason = None
    for name in how.names:
        device = Device.model_validate(
            {"id": "device", "role": "router", "address": address, "credential": name, "port": how.port}
        )
        agent = how.credentials.ask(device)
        settings = SnmpSettings.model_validate(
            {
                "agent": agent,
                "groups": ("system",),
                "recognise": True,
                "library": how.library,
                "timeout_s": SNMP_TIMEOUT_S,
            }
        )
        result = await attempt(check, settings, net, Beat(address, BEAT_S, conditions=conditions, continuous=False))
        if any(item.family is metrics.DEVICE_GROUP_OK and item.value for item in result.readings):
            return _seen(address, rtt_s, name, result, await _services(net, agent))
        if reason is None or reason in TELLING:
            reason = result.reason
        if result.reason is Reason.REFUSED:  # nothing listens: no other credential would help
            break
    return Seen(address, rtt_s, reason=reason)


async def _services(net: Net, agent: SnmpAgent) -> int | None:
    try:
        value = (await net.snmp.get(agent, [SYS_SERVICES], SNMP_TIMEOUT_S)).get(SYS_SERVICES)
    except SnmpError:
        return None
    return value if isinstance(value, int) else None


def _seen(address: str, rtt_s: float | None, credential: str, result: Result, services: int | None) -> Seen:
    info = _labels(result.readings, metrics.DEVICE_INFO.name, 3)
    model = _labels(result.readings, metrics.DEVICE_MODEL_INFO.name, 3)
    return Seen(
        address,
        rtt_s,
        credential,
        name=info[2],
        description=info[0],
        profile=_labels(result.readings, metrics.DEVICE_PROFILE_INFO.name, 1)[0],
        model=" ".join(part for part in model[:2] if part),
        families=frozenset(item.family.name for item in result.readings),
        services=services,
    )


def _labels(readings: Sequence[Reading], family: str, size: int) -> tuple[str, ...]:
    return next((item.labels for item in readings if item.family.name == family), ("",) * size)
