"""Proof of innocence on real packets: what the agent does to itself is neither a link's loss nor its delay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.health import Health
from probes.ports import PingWindow
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.icmp.health import Doubt
from probes.protocols.icmp.watch import clock_offset_ns
from tests.probes.conftest import SystemClock, in_namespace, ip
from tests.system import capture

TINY_BUFFER_BYTES = 4608
PACE = 20.0
DEAD = "10.9.0.2"


@contextlib.contextmanager
def an_engine(timeout_s: float = 0.5) -> Iterator[IcmpEngine]:
    """An engine, open."""
    pings = IcmpEngine(timeout_s)
    try:
        pings.open()
    except IcmpUnavailable as error:
        pytest.skip(str(error))
    try:
        yield pings
    finally:
        pings.close()


def shrink(pings: IcmpEngine) -> None:
    """Leave the receive buffer room for five replies."""
    for edge in pings._edges.values():
        with socket.socket(fileno=os.dup(edge.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_BUFFER_BYTES // 2)
    assert pings.receive_buffer_bytes == TINY_BUFFER_BYTES


def answer_no_more() -> None:
    """Let this namespace's own addresses ignore echo requests."""
    Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1", encoding="ascii")


def bring_up_a_dead_link() -> None:
    """What is sent to `DEAD` is lost, and no error is told."""
    ip("link", "add", "near0", "type", "veth", "peer", "name", "far0")
    ip("addr", "add", "10.9.0.1/24", "dev", "near0")
    for end in ("near0", "far0"):
        ip("link", "set", end, "up")
    ip("neigh", "add", DEAD, "lladdr", "02:00:00:00:00:02", "dev", "near0")


async def windows(pings: IcmpEngine, count: int, pace: float = PACE) -> list[PingWindow]:
    """Close the windows of so many streams to this machine."""
    hosts = [f"127.4.2.{number + 1}" for number in range(count)]
    return await asyncio.gather(*(pings.window(host, host, pace) for host in hosts))


def test_replies_that_our_own_socket_drops_make_windows_suspect_and_no_loss() -> None:
    async def scenario() -> tuple[list[PingWindow], int, int, dict[Doubt, str]]:
        with an_engine() as pings:
            await windows(pings, 100)
            shrink(pings)
            await asyncio.sleep(2.0)  # rounds of some twenty replies, and room for five
            closed = await windows(pings, 100)
            return closed, pings.socket_drops, pings.health.excused, pings.health.doubts(time.monotonic())

    closed, drops, excused, doubts = in_namespace(scenario)
    assert drops > 100
    assert sum(window.sent - window.received for window in closed) == 0
    assert sum(window.total_sent - window.total_received for window in closed) == 0
    assert 0 < excused <= drops
    suspect = [window.suspect for window in closed if window.suspect]
    assert len(suspect) > 50
    assert all(why.startswith("the agent's own socket lost ") for why in suspect)
    assert list(doubts) == [Doubt.SOCKET_DROPS]


def test_loss_that_is_real_is_none_of_our_making() -> None:
    async def scenario() -> tuple[PingWindow, PingWindow, dict[Doubt, str]]:
        with an_engine() as pings:
            bring_up_a_dead_link()
            dead, alive, _ = await asyncio.gather(
                pings.window("dead", DEAD, PACE), pings.window("alive", "127.4.2.1", PACE), pings.loopback()
            )
            return dead, alive, pings.health.doubts(time.monotonic())

    dead, alive, doubts = in_namespace(scenario)
    assert (dead.sent, dead.received, dead.suspect) == (5, 0, None)
    assert (alive.sent, alive.received, alive.suspect) == (5, 5, None)
    assert doubts == {}


async def stall_again_and_again(seconds: float, *, times: int = 10) -> None:
    """Hold the event loop, with a little air in between."""
    for _ in range(times):
        await asyncio.sleep(0.02)
        time.sleep(seconds)  # noqa: ASYNC251  # the very thing under test


@pytest.mark.parametrize("timeout_s", [2.0, 0.2])
def test_a_blocked_loop_is_neither_loss_nor_doubt_where_all_is_well(timeout_s: float) -> None:
    """Blocked for 0.1 to 0.3 s, less than a request may take and more: the replies wait with their stamps."""

    async def scenario() -> tuple[list[PingWindow], IcmpEngine]:
        with an_engine(timeout_s) as pings:
            await windows(pings, 50)
            for seconds in (0.1, 0.2, 0.3):
                await stall_again_and_again(seconds, times=5)
            await asyncio.sleep(0.05)
            return await windows(pings, 50), pings

    closed, pings = in_namespace(scenario)
    assert all(window.sent == window.received > 0 for window in closed)
    assert not [window.suspect for window in closed if window.suspect and window.rtts_s]
    rtts = sorted(rtt for window in closed for rtt in window.rtts_s)
    assert rtts[len(rtts) * 99 // 100] < 0.0002
    assert pings.health.excused == 0
    assert pings.health.lag_sum_s > 1.0
    assert sum(pings.lateness_counts[4:]) > 50, "late by more than 0.05 s"
    assert (Doubt.LOOP_STALL in pings.health.doubts(time.monotonic())) == (timeout_s < 0.3)


def test_what_is_lost_while_the_loop_stood_still_for_longer_than_the_time_out_is_suspect() -> None:
    async def scenario() -> tuple[PingWindow, PingWindow]:
        with an_engine(timeout_s=0.2) as pings:
            bring_up_a_dead_link()
            await pings.window("link", DEAD, 5.0)
            await asyncio.sleep(0.3)
            await pings.window("link", DEAD, 5.0)
            await asyncio.sleep(0.25)
            time.sleep(0.6)  # noqa: ASYNC251  # the very thing under test
            await asyncio.sleep(0.02)
            stalled = await pings.window("link", DEAD, 5.0)
            await asyncio.sleep(1.5)
            return stalled, await pings.window("link", DEAD, 5.0)

    stalled, after = in_namespace(scenario)
    assert (stalled.suspect or "").startswith("the event loop stood still for 0.")
    assert stalled.sent < 3
    assert after.sent >= 4, "what went out after it proves the silence"
    assert (after.received, after.suspect) == (0, None)


@dataclass
class Settable:
    """A clock that can be set."""

    by_ns: int = 0

    def offset_ns(self) -> int:
        """Realtime minus monotonic."""
        return clock_offset_ns() + self.by_ns


async def test_a_clock_that_is_set_voids_times_and_neither_invents_loss_nor_passes_judgement_on_latency() -> None:
    clock = Settable()
    pings = IcmpEngine(0.5, offset_ns=clock.offset_ns)
    try:
        pings.open()
    except IcmpUnavailable as error:
        pytest.skip(str(error))
    try:
        first = await pings.window("here", "127.4.2.1", PACE)
        assert (first.received, first.suspect) == (5, None)
        for _ in range(3):
            clock.by_ns += 3_200_000_000
            await asyncio.sleep(0.2)
        after = await pings.window("here", "127.4.2.1", PACE)
        assert after.received == after.sent >= 8
        assert pings.health.clock_steps == 3
        assert pings.health.doubts(time.monotonic()) == {Doubt.CLOCK_STEP: "the clock was set by +9.6 s"}
        assert after.rtts_s == [], "sent by a clock that nobody has set, and received by one that somebody has"
        assert "the clock was set by +9.6 s" in (after.suspect or "")
        assert pings.health.excused == 0
    finally:
        pings.close()


def test_a_loopback_that_loses_puts_the_vantage_in_doubt_and_is_told_everywhere() -> None:
    async def scenario() -> tuple[dict[str, float], dict[str, object], PingWindow]:
        with an_engine(timeout_s=0.2) as pings:
            health = Health(pings, SystemClock())
            watching = asyncio.create_task(health.watch())
            await asyncio.sleep(1.5)
            answer_no_more()
            await asyncio.sleep(2.5)
            window = await pings.window("link", "127.4.2.1", PACE)
            await asyncio.sleep(1.0)
            watching.cancel()
            shown = {"/".join((item.family.name, *item.labels)): item.value for item in health.readings()}
            return shown, health.status(), window

    shown, status, window = in_namespace(scenario)
    assert shown["lienxa_vantage_suspect/loopback_loss"] == 1
    assert shown["lienxa_vantage_suspect/socket_drops"] == 0
    assert 0 < shown["lienxa_loopback_loss_ratio/127.0.0.1"] < 1
    assert shown["lienxa_loopback_rtt_max_seconds/127.0.0.1"] < 0.005
    assert "this machine lost" in json.dumps(status)
    assert window.suspect is not None
    assert "to itself" in window.suspect


@dataclass
class Truth:
    """RTTs by a packet capture of this network namespace, in seconds."""

    seconds: float
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        """Begin, once the capture stands."""
        argv = [sys.executable, capture.__file__, "lo", "127.4.2.1", str(self.seconds)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "capturing\n"

    def rtts(self) -> list[float]:
        """In the order of their replies."""
        lines, _ = self.process.communicate(timeout=self.seconds + 10)
        return [json.loads(line)["rtt_s"] for line in lines.splitlines()]


BURN = "while True: pass"


@pytest.mark.timeout(60)
def test_with_every_core_saturated_and_the_loop_blocked_the_times_are_those_of_a_packet_capture() -> None:
    """DESIGN, budgets: p99 of the error below 0.2 ms, no loss invented."""

    async def scenario() -> tuple[PingWindow, list[float], int]:
        with an_engine(timeout_s=2.0) as pings:
            burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)]  # noqa: ASYNC220  # at once
            try:
                await pings.window("here", "127.4.2.1", 100.0)
                truth = Truth(8.0)
                await pings.window("here", "127.4.2.1", 100.0)
                until = time.monotonic() + 7.0
                turn = 0
                while time.monotonic() < until:
                    turn += 1
                    await asyncio.sleep(0.3)
                    time.sleep(0.1 * (turn % 3 + 1))  # noqa: ASYNC251  # the very thing under test
                await asyncio.sleep(0.1)
                window = await pings.window("here", "127.4.2.1", 100.0)
            finally:
                for burner in burners:
                    burner.kill()
                    burner.wait()
            return window, truth.rtts(), pings.unsure_sends

    window, captured, unsure = in_namespace(scenario)
    assert window.sent == window.received > 200
    assert len(window.rtts_s) + unsure >= window.sent
    assert len(captured) >= len(window.rtts_s)
    ours, theirs = sorted(window.rtts_s), sorted(captured)
    errors = [abs(_share(ours, part / 100) - _share(theirs, part / 100)) for part in range(100)]
    assert max(errors) < 0.0002, f"p99 {_share(ours, 0.99):.6f} s, captured {_share(theirs, 0.99):.6f} s"


def _share(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]
