"""What devices tell without being asked: traps and informs become counters, evidence, and a beat at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

from agent.diagnosis import Trap
from agent.series import SeriesTable
from probes import metrics
from probes.kinds.snmp import SnmpSettings
from probes.metrics import PREFIX
from probes.model import Traps, is_address
from probes.ports import Clock, Names, SnmpAgent
from probes.protocols.snmp import SnmpSessions
from probes.protocols.trap_decoder import Decoder
from probes.protocols.trap_filter import Dropped, Sender
from probes.protocols.trap_socket import TrapsUnavailable, handed_in, opened
from probes.protocols.traps import Told, TrapReceiver
from probes.results import Reading, Target
from probes.traps import UNKNOWN, catalogue

log = logging.getLogger(__name__)

LOOK_S = 30.0
"""How often host names of devices are looked up again, and engines that the poller has met are taken over."""
MOST_NAMED = 200
"""Unknown traps that are named in the log."""
_ENGINE = bytes.fromhex("80004fb804")
"""SnmpEngineID (RFC 3411): pysnmp's enterprise, as it is the engine, and format 4, text."""


def engine_id(province: str) -> bytes:
    """Our engine's id, which some devices must be told before they send informs; the same after every start."""
    return _ENGINE + f"lienxa-{province}".encode()


def trap_socket(wanted: Traps) -> socket.socket | None:
    """The socket that systemd hands in, or one of our own; none where none can be had, which is told in the log."""
    try:
        found = handed_in(os.environ)
        if not wanted.receive:
            return None
        if found is not None:
            log.info("traps: received at the socket that systemd handed in")
            return found
        made = opened(wanted.address, wanted.port)
    except TrapsUnavailable as error:
        log.warning("traps: none are received: %s", error)
        return None
    log.info("traps: received at UDP port %d", made.getsockname()[1])
    return made


class TrapDesk:
    """Takes traps in for the devices of an inventory; `told` takes the evidence, `hasten` a device's target."""

    def __init__(
        self,
        sock: socket.socket | None,
        province: str,
        table: SeriesTable,
        clock: Clock,
        names: Names,
        sessions: SnmpSessions,
        told: Callable[[Trap], None],
        hasten: Callable[[str], None],
    ) -> None:
        """Without a socket nothing is received; `run` closes it at its end."""
        self._sock = sock
        self._table = table
        self._names = names
        self._sessions = sessions
        self._told = told
        self._hasten = hasten
        self._devices: dict[str, Target] = {}
        self._resolved: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._named: set[tuple[str, str]] = set()
        self._changed = asyncio.Event()
        self._receiver: TrapReceiver | None = None
        if sock is not None:
            decoder = Decoder(engine_id(province), clock.wall)
            self._receiver = TrapReceiver(sock, decoder, self.take, clock.monotonic)

    async def run(self) -> None:
        """Receive until cancelled."""
        if self._receiver is None or self._sock is None:
            return
        catalogue()
        with self._sock:
            await self._receive(self._receiver)

    async def _receive(self, receiver: TrapReceiver) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(receiver.run())
            tasks.create_task(self._know(receiver))

    def update(self, targets: Iterable[Target]) -> None:
        """Go on with these targets: devices that are gone are forgotten with their counters."""
        self._devices = {target.id: target for target in targets if isinstance(target.settings, SnmpSettings)}
        for gone in self._counts.keys() - self._devices.keys():
            del self._counts[gone]
            self._table.drop(f"traps/{gone}")
        self._changed.set()

    async def _know(self, receiver: TrapReceiver) -> None:
        """Keep the filter's addresses and engines up to date; nobody waits for the names of others."""
        while True:
            self._changed.clear()
            self._hand_over(receiver)
            named = [target for target in self._devices.values() if not is_address(_agent(target).address)]
            if named:
                await asyncio.gather(*map(self._look_up, named))
                self._hand_over(receiver)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()

    def _hand_over(self, receiver: TrapReceiver) -> None:
        senders: list[tuple[str, Sender]] = []
        places: dict[tuple[str, int], str] = {}
        for target in self._devices.values():
            agent = _agent(target)
            address = agent.address if is_address(agent.address) else self._resolved.get(agent.address)
            if address is not None:
                senders.append((address, Sender(target.id, agent)))
                places[address, agent.port] = target.id
        engines = {engine: places[at] for engine, at in self._sessions.engines().items() if at in places}
        receiver.filter.know(senders, engines)

    async def _look_up(self, target: Target) -> None:
        host = _agent(target).address
        try:
            self._resolved[host] = await self._names.address(host)
        except socket.gaierror:  # it is told where the device is asked
            self._resolved.pop(host, None)

    def take(self, told: Told) -> None:
        """Count one trap that is believed, hand it on, and have the device asked at once."""
        target = self._devices.get(told.target)
        if target is None:  # it left the inventory while its trap was being decoded
            return
        trap = catalogue().find(told.oid, told.objects)
        name = UNKNOWN if trap is None else trap.name
        counts = self._counts.setdefault(target.id, Counter())
        counts[name] += 1
        readings = (Reading(metrics.DEVICE_TRAPS, count, (what,)) for what, count in counts.items())
        self._table.put(f"traps/{target.id}", target.labels, readings)
        if trap is not None:
            log.info("%s told: %s (%s)", target.id, name, trap.object)
            values = {PREFIX + family: value for family, value in trap.values.items()}
            self._told(Trap(target.id, told.at, trap.sign, values))
        elif (target.id, told.oid) not in self._named and len(self._named) < MOST_NAMED:
            self._named.add((target.id, told.oid))
            log.info("%s sent a trap that no file names: %s", target.id, told.oid)
        self._hasten(target.id)

    def readings(self) -> Iterator[Reading]:
        """The agent's own series about it."""
        dropped: Mapping[Dropped, int] = {} if self._receiver is None else self._receiver.dropped
        yield Reading(metrics.TRAPS_LISTENING, float(self._receiver is not None))
        for reason in Dropped:
            yield Reading(metrics.TRAPS_DROPPED, dropped.get(reason, 0), (reason,))


def _agent(target: Target) -> SnmpAgent:
    return cast(SnmpSettings, target.settings).agent  # see `TrapDesk.update`
