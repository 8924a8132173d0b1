"""Good devices among dead and slow ones, as the agent's runner beats them: how late beats are, and how long they take.

`measured(…)` for tests and `rows()` for `make bench`; the good ones are one snmpd on many addresses of loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import uvloop
from pydantic import SecretStr

from agent.runner import Runner
from agent.series import SeriesTable
from probes import metrics
from probes.kinds import snmp
from probes.ports import SnmpAgent
from probes.protocols.snmp import SnmpSessions
from probes.results import Result, Target
from tests.bench.ping_load import cpu_s
from tests.bench.snmp_poll import agents, descriptors, snmpd
from tests.bench.table import Row
from tests.probes.conftest import SystemClock, TestNet

GOOD, DEAD = 2_000, 200
SLOW_S = 20.0
"""How long a slow device takes for an answer; nobody waits so long for it."""
PUNCTUAL_S = 0.1


def dead_address(number: int) -> str:
    """One that a dead device has: silent the even ones, slow the odd ones."""
    return f"127.2.{number // 250}.{number % 250 + 1}"


class Dead(asyncio.DatagramProtocol):
    """A device that hears and says nothing, or what an agent at 127.0.0.1 answers in its place `SLOW_S` later."""

    def __init__(self, slow: bool, port: int) -> None:
        """`port` is the agent's."""
        self._slow, self._agent = slow, ("127.0.0.1", port)
        self._asker: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From whoever asks, or from the agent."""
        if not self._slow:
            return
        if addr == self._agent:
            asyncio.get_running_loop().call_later(SLOW_S, self._answer, data, self._asker)
        else:
            self._asker = addr
            self._transport.sendto(data, self._agent)

    def _answer(self, data: bytes, asker: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, asker)


def _same(device: Dead) -> Dead:
    return device


@contextlib.contextmanager
def dead_devices(count: int, agent_port: int) -> Iterator[int]:
    """So many, in a thread of their own; gives the port that they have."""
    loop = asyncio.new_event_loop()

    async def opened() -> tuple[list[asyncio.DatagramTransport], int]:
        found: list[asyncio.DatagramTransport] = []
        port = 0  # the first one takes any
        for number in range(count):
            transport, _ = await loop.create_datagram_endpoint(
                partial(Dead, number % 2 == 1, agent_port), local_addr=(dead_address(number), port)
            )
            port = transport.get_extra_info("sockname")[1]
            found.append(transport)
        return found, port

    transports, port = loop.run_until_complete(opened())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port
    finally:
        for transport in transports:
            loop.call_soon_threadsafe(transport.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def targets(good: int, dead: int, ports: tuple[int, int], beat_s: float, timeout_s: float) -> list[Target]:
    """All devices, as a plan has them."""
    every = agents("v2c", ports[0], good)
    every += [SnmpAgent(dead_address(number), ports[1], "v2c", community=SecretStr("public")) for number in range(dead)]
    return [
        Target(
            f"device/{number:05}/router",
            "snmp",
            snmp.SnmpSettings.model_validate({"agent": agent, "timeout_s": timeout_s}),
            beat_s,
            {"commune": f"{number:05}", "device": "router"},
        )
        for number, agent in enumerate(every)
    ]


async def load(
    good: int, dead: int, ports: tuple[int, int], beat_s: float, timeout_s: float, beats: float
) -> dict[str, Any]:
    """Run so many beats of all devices; `ports` are those of the good and of the dead ones."""
    sessions, table, clock = SnmpSessions(), SeriesTable("04"), SystemClock()
    took_s: list[float] = []
    outcomes: dict[str, int] = {}
    most = {"sockets": 0}
    first_dead = f"device/{good:05}/"

    def report(target: Target, result: Result, started: float) -> None:
        table.put(target.id, target.labels, result.readings, result.distributions)
        alive = target.id < first_dead
        key = f"{'good' if alive else 'dead'} {result.reason or 'ok'}"
        outcomes[key] = outcomes.get(key, 0) + 1
        if alive:
            took_s.append(clock.monotonic() - started)
        most["sockets"] = max(most["sockets"], len(sessions))

    runner = Runner({"snmp": snmp.KIND}, TestNet(snmp=sessions), clock, report)
    used = cpu_s()
    running = asyncio.create_task(runner.run(targets(good, dead, ports, beat_s, timeout_s)))
    await asyncio.sleep(beats * beat_s)
    counts = runner.tally.lateness_counts
    told = {
        "beats": sum(counts),
        "punctual": sum(
            count for count, bound in zip(counts, metrics.LATENESS_BUCKETS_S, strict=False) if bound <= PUNCTUAL_S
        ),
        "outcomes": outcomes,
        "p99_s": sorted(took_s)[len(took_s) * 99 // 100],
        "core": (cpu_s() - used) / (beats * beat_s),
        "sockets": most["sockets"],
        "descriptors": descriptors(),
    }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sessions.close()
    return told


def measured(good: int, dead: int, beat_s: float, timeout_s: float, beats: float) -> dict[str, Any]:
    """`load` in a process of its own, devices and all."""
    with snmpd() as port, dead_devices(dead, port) as dead_port:
        figures = (good, dead, port, dead_port, beat_s, timeout_s, beats)
        argv = [sys.executable, "-m", "tests.bench.snmp_crowd", *map(str, figures)]
        return dict(json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout))


def rows(dead: Sequence[int] = (DEAD, 1_000)) -> list[Row]:
    """Two beats of 30 s each; there is no peer that schedules by itself."""
    found = []
    for count in dead:
        told = measured(GOOD, count, 30.0, 5.0, 2.0)
        outcomes = told["outcomes"]
        lost = sum(number for key, number in outcomes.items() if key.startswith("good ") and key != "good ok")
        what = f"{GOOD} good devices at 30 s among {count} dead or slow ones, v2c, page not read"
        ours = (
            f"{told['punctual'] / told['beats']:.2%} of {told['beats']} beats at most {PUNCTUAL_S * 1000:.0f} ms late "
            f"(target ≥ 99%), a good one takes {told['p99_s'] * 1000:.0f} ms (p99), {lost} of them failed; "
            f"{told['core']:.0%} of a core, {told['descriptors']} descriptors"
        )
        found.append(Row(what, ours))
    return found


def main(argv: Sequence[str]) -> None:
    """Print the rows, or as a load: `GOOD DEAD PORT DEAD_PORT BEAT_S TIMEOUT_S BEATS`."""
    if not argv:
        for row in rows():
            print(f"{row.what}: {row.ours}")
        return
    good, dead, port, dead_port = map(int, argv[:4])
    print(json.dumps(uvloop.run(load(good, dead, (port, dead_port), *map(float, argv[4:])))))


if __name__ == "__main__":
    main(sys.argv[1:])
