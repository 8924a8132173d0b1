"""The ICMP engine and its kind, on real packets: loopback, and namespaces of the tests' own."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from probes import metrics
from probes.kinds.icmp import IcmpSettings, check
from probes.ports import PingWindow
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.icmp import engine as icmp
from probes.protocols.icmp.packet import PACKET_BYTES, TURNS, Echo, EchoV4, Identity
from probes.protocols.icmp.raw import RawEdge
from probes.protocols.icmp.transmit import SendDelays
from probes.results import Reason, Result
from tests.probes.conftest import TestNet, beat, in_namespace, value

IDENTITY = Identity(random.randrange(1, 2**16), random.randrange(2**64))
"""Drawn anew, as another run of these tests may share loopback."""
TARGET = "127.4.0.9"
Runner = Callable[[Coroutine[Any, Any, None]], None]
RUNNERS = [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]
"""asyncio looks for packets before it looks at timers, uvloop the other way round."""


def an_engine(timeout_s: float = 0.5) -> IcmpEngine:
    """An engine whose identity the test knows, open."""
    pings = IcmpEngine(timeout_s=timeout_s, identity=IDENTITY)
    try:
        pings.open()
    except IcmpUnavailable as error:
        pytest.skip(str(error))
    return pings


def send_reply(packet: bytes, source: str) -> None:
    """Put an echo reply on loopback, to where the engine listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as forger:
        forger.bind((source, 0))
        forger.sendto(packet, ("127.0.0.1", 0))


def reply_to(number: int, key: int, identity: Identity = IDENTITY) -> bytes:
    """The reply that a target gives to the engine's packet of that number."""
    request = EchoV4(identity).request(number, key)
    # RFC 1624: a type of 0 in place of 8 takes 0x0800 from the sum, so the checksum is that much larger
    checksum = int.from_bytes(request[2:4], "big") + 0x0800
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    return bytes([0, 0]) + checksum.to_bytes(2, "big") + request[4:]


def an_error_about(request: bytes) -> bytes:
    """A host unreachable that quotes a request to the target, as a router sends it."""
    header = bytes([0x45, *bytes(8), 1, *bytes(6)]) + socket.inet_aton(TARGET)
    message = bytes([3, 1, *bytes(6)]) + header + request
    checksum = 65535 - int.from_bytes(message, "big") % 65535
    return message[:2] + checksum.to_bytes(2, "big") + message[4:]


def answer_no_more(*, silent: bool = True) -> None:
    """Let this namespace's own addresses ignore echo requests."""
    Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text(str(int(silent)), encoding="ascii")


async def probe(pings: IcmpEngine, *, address: str = TARGET, continuous: bool = True, pace: float = 50.0) -> Result:
    """One beat of the kind."""
    settings = IcmpSettings(address=address, packets_per_s=pace)
    return await check(settings, TestNet(pings=pings), beat(continuous=continuous))


async def test_a_host_that_answers_passes_with_every_reading(engine: IcmpEngine) -> None:
    result = await probe(engine)
    assert result.reason is None
    assert value(result, metrics.LINK_SENT) == value(result, metrics.LINK_RECEIVED) == 5
    assert value(result, metrics.LINK_LOSS) == 0
    for family in (metrics.LINK_RTT_MEAN, metrics.LINK_RTT_P95, metrics.LINK_RTT_P99):
        rtt = value(result, family)
        assert rtt is not None
        assert 0 < rtt < 0.005
    assert value(result, metrics.LINK_JITTER) is not None
    assert [value(result, family) for family in (metrics.LINK_LATE, metrics.LINK_DUPLICATES, metrics.LINK_ERRORS)] == [
        0,
        0,
        0,
    ]
    (distribution,) = result.distributions
    assert distribution.family is metrics.LINK_RTT
    assert sum(distribution.counts) + engine.unsure_sends == 5  # a busy machine may make a send stamp unsure
    assert 0 < distribution.total < 0.025


@pytest.mark.parametrize("run", RUNNERS)
def test_two_hundred_streams_lose_nothing_and_invent_no_delay(run: Runner) -> None:
    """What the machine does to the test itself (a lost turn) makes fewer times, never wrong ones: see `UNSURE_NS`."""

    async def scenario() -> None:
        pings = an_engine()
        try:

            async def window(number: int) -> PingWindow:
                return await pings.window(f"link-{number}", f"127.4.1.{number + 1}", 5.0)

            await asyncio.gather(*map(window, range(200)))
            began = time.monotonic()
            await asyncio.sleep(2)
            windows = await asyncio.gather(*map(window, range(200)))
            beats = (time.monotonic() - began) * 5.0
            assert all(window.sent == window.received for window in windows)
            assert all(0 < window.sent <= beats + 2 for window in windows)
            assert sum(window.sent for window in windows) > 200  # a stalled machine skips beats, and loses none
            rtts = sorted(rtt for window in windows for rtt in window.rtts_s)
            assert len(rtts) + pings.unsure_sends >= sum(window.sent for window in windows)
            assert rtts[len(rtts) * 99 // 100] < 0.001
            assert (pings.stray, pings.forged, pings.socket_drops, pings.send_errors) == (0, 0, 0, 0)
            assert pings.receive_buffer_replies > 200
        finally:
            pings.close()

    run(scenario())


async def block_each_turn(seconds: float) -> None:
    """Hold the loop in each of its turns, so that replies wait while it is held."""
    for _ in range(8):
        await asyncio.sleep(0)
        time.sleep(seconds)  # noqa: ASYNC251  # the very thing under test


@pytest.mark.parametrize("run", RUNNERS)
@pytest.mark.parametrize("timeout_s", [2.0, 0.1])
def test_a_blocked_loop_is_neither_delay_nor_loss(run: Runner, timeout_s: float) -> None:
    async def scenario() -> None:
        pings = an_engine(timeout_s)
        try:
            await probe(pings)
            await block_each_turn(0.2)
            await asyncio.sleep(0.05)
            window = await pings.window("here", TARGET, 50.0)
            assert window.received == window.sent >= 3
            assert len(window.rtts_s) + pings.unsure_sends >= window.received
            assert max(window.rtts_s, default=0) < 0.005
        finally:
            pings.close()

    run(scenario())


async def test_a_stream_asked_once_by_hand_does_not_go_on(engine: IcmpEngine) -> None:
    for _ in range(2):
        window = await engine.window("here", TARGET, 50.0, continuous=False)
        assert (window.sent, window.total_sent) == (5, 5)


async def test_an_address_that_changes_begins_anew(engine: IcmpEngine) -> None:
    await engine.window("here", TARGET, 50.0)
    window = await engine.window("here", "127.4.0.10", 50.0)
    assert (window.sent, window.total_sent) == (5, 5)


async def test_a_pace_that_changes_keeps_the_counts(engine: IcmpEngine) -> None:
    await engine.window("here", TARGET, 50.0)
    await engine.window("here", TARGET, 10.0)
    await asyncio.sleep(0.5)
    window = await engine.window("here", TARGET, 10.0)
    assert window.total_sent > 5
    assert 3 <= window.sent <= 7


async def test_a_window_without_any_fate_is_suspect(engine: IcmpEngine) -> None:
    await probe(engine, pace=0.1)
    result = await probe(engine, pace=0.1)
    assert result.reason is Reason.SUSPECT
    assert value(result, metrics.LINK_SENT) == 5


async def test_closing_releases_whoever_waits() -> None:
    pings = an_engine()
    waiting = asyncio.create_task(pings.window("here", TARGET, 1.0))
    await asyncio.sleep(0.1)
    pings.close()
    assert (await waiting).sent < 5


async def test_cancelling_one_who_waits_does_not_disturb_the_other(engine: IcmpEngine) -> None:
    first, second = (asyncio.create_task(engine.window("here", TARGET, 10.0)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second).sent == 5


async def test_ipv6_is_asked_as_well(engine: IcmpEngine) -> None:
    result = await probe(engine, address="::1")
    if result.reason is Reason.SUSPECT:
        pytest.skip(f"no IPv6 on loopback: {result.detail}")
    assert result.reason is None
    assert value(result, metrics.LINK_LOSS) == 0


async def test_stray_and_forged_replies_are_told_apart_and_not_believed() -> None:
    pings = an_engine()
    try:
        await pings.window("here", TARGET, 50.0, continuous=True)
        genuine = reply_to(1, 1)
        forged = [
            reply_to(1, 1, Identity(IDENTITY.ident, IDENTITY.nonce ^ 1)),  # wrong nonce
            genuine[:2] + bytes(2) + genuine[4:],  # wrong checksum
            genuine[:-1] + bytes([1]),  # the same, by its payload
            genuine[:20],  # truncated
            genuine[:9],
        ]
        stray = [
            (reply_to(2**40, 1), TARGET),  # a number never sent
            (reply_to(0, 1), TARGET),
            (reply_to(1, 2**31), TARGET),  # a stream that is none
            (genuine, "127.4.0.8"),  # another source
        ]
        for packet in forged:
            send_reply(packet, TARGET)
        for packet, source in stray:
            send_reply(packet, source)
        send_reply(genuine[:6], TARGET)  # the kernel keeps a header that ends too early away
        send_reply(reply_to(1, 1, Identity(IDENTITY.ident ^ TURNS, IDENTITY.nonce)), TARGET)  # the filter keeps it away
        await asyncio.sleep(0.2)
        window = await pings.window("here", TARGET, 50.0)
        assert pings.forged == len(forged)
        assert pings.stray == len(stray)
        assert window.sent == window.received
        assert (window.total_late, window.total_duplicates) == (0, 0)
    finally:
        pings.close()


@pytest.mark.parametrize("length", [40, PACKET_BYTES + 1, PACKET_BYTES + 40_000])
def test_a_reply_of_another_length_does_not_answer_the_request(length: int) -> None:
    """Truncated or padded by zeros, its checksum is right all the same."""

    async def scenario() -> tuple[PingWindow, int]:
        answer_no_more()
        pings = an_engine(timeout_s=0.3)
        try:
            first = asyncio.create_task(pings.window("here", TARGET, 50.0))
            await asyncio.sleep(0.05)
            send_reply((reply_to(1, 1) + bytes(length))[:length], TARGET)
            return await first, pings.forged
        finally:
            pings.close()

    window, forged = in_namespace(scenario)
    assert (window.received, window.total_late, forged) == (0, 0, 1)


@pytest.mark.parametrize(("held_up", "times"), [("before it leaves", 0), ("after it has left", 5)])
async def test_a_sending_that_is_held_up_has_a_time_only_if_the_request_had_left(
    held_up: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HeldUp(SendDelays):
        def __init__(self, echo: Echo) -> None:
            super().__init__(echo)
            sendto = self.send

            def send(packet: bytes, destination: tuple[str, int]) -> int:
                until = time.monotonic() + 0.001
                sent = sendto(packet, destination) if times else 0
                while time.monotonic() < until:
                    pass
                return sent or sendto(packet, destination)

            self.send = send

    monkeypatch.setattr(icmp, "SendDelays", HeldUp)
    monkeypatch.setattr(icmp, "SAMPLE_NS", 0)
    pings = an_engine()
    try:
        window = await pings.window("here", TARGET, 50.0)
        if not pings.raw:
            pytest.skip("no transmit stamps without raw sockets")
        assert window.received == 5
        assert len(window.rtts_s) + pings.unsure_sends == 5
        assert len(window.rtts_s) <= times
        assert bool(window.rtts_s) == bool(times)  # a busy machine may hold up one more
    finally:
        pings.close()


FLOOD_S = 2.0
OURS = Identity(IDENTITY.ident, IDENTITY.nonce)
FOREIGN = Identity(IDENTITY.ident ^ TURNS, IDENTITY.nonce)
GUESSED = Identity(IDENTITY.ident, IDENTITY.nonce ^ 1)


@pytest.mark.parametrize(
    ("packet", "counted"),
    [
        pytest.param(reply_to(2**40, 1, OURS), "stray", id="replies to nothing"),
        pytest.param(reply_to(1, 1, OURS), "duplicate", id="a reply replayed"),
        pytest.param(reply_to(1, 1, GUESSED), "forged", id="replies with our id alone"),
        pytest.param(an_error_about(EchoV4(GUESSED).request(1, 1)), "forged", id="errors with our id alone"),
        pytest.param(an_error_about(EchoV4(OURS).request(2**40, 1)), "stray", id="errors about nothing"),
        pytest.param(reply_to(2**40, 1, FOREIGN), "", id="kept away by the kernel"),
    ],
)
def test_a_flood_costs_bounded_time_and_no_request(packet: bytes, counted: str) -> None:
    """Of packets with our id, the worst case; those with another one the kernel throws away. Times are of CPU."""

    async def scenario() -> tuple[PingWindow, int, list[float], int, int, int]:
        pings = an_engine()
        flood: subprocess.Popen[bytes] | None = None
        try:
            await pings.window("here", TARGET, 50.0)
            flood = subprocess.Popen(  # noqa: ASYNC220  # it starts at once
                [sys.executable, "-c", FLOOD, packet.hex(), TARGET, str(FLOOD_S)],
                stdout=subprocess.PIPE,
            )
            turns = []
            until = time.monotonic() + 10
            while flood.poll() is None and time.monotonic() < until:
                began = time.thread_time()
                await asyncio.sleep(0.005)
                turns.append(time.thread_time() - began)
            told, _ = flood.communicate(timeout=1)
            await asyncio.sleep(0.6)  # the time-out: what was sent in the flood has its fate
            window = await pings.window("here", TARGET, 50.0)
            came = {"stray": pings.stray, "forged": pings.forged, "duplicate": window.total_duplicates}
            assert all(not count for what, count in came.items() if what != counted)
            return window, pings.health.excused, turns, int(told), came.get(counted, 0), pings.socket_drops
        finally:
            if flood is not None:
                flood.kill()
            pings.close()

    window, excused, turns, sent, came, drops = in_namespace(scenario)
    assert sent > 10_000
    assert window.received == window.sent
    assert (window.total_late, window.total_errors) == (0, 0)
    assert window.sent + excused > 20 * FLOOD_S  # sending went on
    assert max(turns) < 0.25, "others have waited too long: 0.1 s on a quiet machine"
    if counted:
        assert 10_000 < came <= sent <= came + drops  # each one read, or told to be dropped
        assert sum(turns) < 16e-6 * came, "4 to 8 us each on a quiet machine"
    else:
        assert (came, drops, excused) == (0, 0, 0)
        assert sum(turns) < FLOOD_S / 4


FLOOD = """
import socket, sys, time
packet, source, end = bytes.fromhex(sys.argv[1]), sys.argv[2], time.monotonic() + float(sys.argv[3])
flood = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
flood.bind((source, 0))
sent = 0
while time.monotonic() < end:
    for _ in range(100):
        flood.sendto(packet, ("127.0.0.1", 0))
    sent += 100
print(sent)
"""


async def test_a_reply_that_comes_again_is_a_duplicate() -> None:
    pings = an_engine()
    try:
        await pings.window("here", TARGET, 50.0)
        send_reply(reply_to(1, 1), TARGET)
        await asyncio.sleep(0.05)
        window = await pings.window("here", TARGET, 50.0)
        assert (window.total_duplicates, window.total_late, pings.stray) == (1, 0, 0)
        assert window.sent == window.received
    finally:
        pings.close()


def test_a_silent_host_times_out_and_a_late_reply_is_counted_as_late() -> None:
    async def scenario() -> tuple[Result, PingWindow, int]:
        answer_no_more()
        pings = an_engine(timeout_s=0.3)
        try:
            result = await probe(pings)
            send_reply(reply_to(1, 1), TARGET)
            send_reply(reply_to(1, 1), TARGET)
            await asyncio.sleep(0.05)
            return result, await pings.window("here", TARGET, 50.0), pings.stray
        finally:
            pings.close()

    result, window, stray = in_namespace(scenario)
    assert result.reason is Reason.TIMEOUT
    assert re.fullmatch(r"0 of \d+ answered", result.detail)
    assert value(result, metrics.LINK_LOSS) == 1
    assert value(result, metrics.LINK_RTT_MEAN) is None
    assert value(result, metrics.LINK_JITTER) is None
    assert (window.total_received, window.total_late, window.total_duplicates, stray) == (0, 1, 1, 0)


def test_loss_is_told_once_it_lasts_over_several_beats() -> None:
    async def scenario() -> list[Result]:
        pings = an_engine(timeout_s=0.1)
        settings, memory, results = IcmpSettings(address=TARGET, packets_per_s=50.0, loss_ratio=0.1), None, []
        try:
            for lossy in (False, True, True, True, True, True):
                answer_no_more(silent=lossy)
                await asyncio.sleep(0.1)
                answer_no_more(silent=False)
                await asyncio.sleep(0.2)
                results.append(await check(settings, TestNet(pings=pings), beat(memory)))
                memory = results[-1].memory
            return results
        finally:
            pings.close()

    results = in_namespace(scenario)
    assert [result.reason for result in results[:5]] == [None] * 5
    assert results[5].reason is Reason.LOSS
    assert re.fullmatch(r"\d+ of \d+ answered; \d+ of the last \d+ lost; .*", results[5].detail)
    loss = value(results[5], metrics.LINK_LOSS)
    assert loss is not None
    assert 0.1 < loss < 0.7


@pytest.mark.parametrize(("after_s", "received", "late"), [(0.01, 1, 0), (0.6, 0, 1)])
def test_a_reply_that_waited_behind_a_crowd_is_judged_by_when_it_came(after_s: float, received: int, late: int) -> None:
    def crowd() -> None:
        for _ in range(1000):
            send_reply(reply_to(2**40, 1), TARGET)
        send_reply(reply_to(1, 1), TARGET)

    async def scenario() -> tuple[PingWindow, int]:
        answer_no_more()
        pings = an_engine(timeout_s=0.6)
        try:
            first = asyncio.create_task(pings.window("here", TARGET, 50.0))
            await asyncio.sleep(0.12)
            replies = threading.Timer(after_s, crowd)
            replies.start()
            replies.join()
            time.sleep(0.7)  # noqa: ASYNC251  # every time-out passes before the loop looks
            return await first, pings.stray
        finally:
            pings.close()

    window, stray = in_namespace(scenario)
    assert (window.received, window.total_received, window.total_late) == (received, received, late)
    assert stray == 1000


def test_an_answer_from_another_address_leaves_the_request_open() -> None:
    async def scenario() -> tuple[PingWindow, int]:
        answer_no_more()
        pings = an_engine(timeout_s=0.3)
        try:
            first = asyncio.create_task(pings.window("here", TARGET, 50.0))
            await asyncio.sleep(0.15)
            send_reply(reply_to(1, 1), "127.4.0.8")
            return await first, pings.stray
        finally:
            pings.close()

    window, stray = in_namespace(scenario)
    assert (window.received, window.total_late, stray) == (0, 0, 1)


def test_without_a_way_out_nothing_is_the_links_loss() -> None:
    async def scenario() -> tuple[Result, int]:
        pings = an_engine()
        try:
            return await probe(pings, address="192.0.2.1"), pings.send_errors
        finally:
            pings.close()

    result, send_errors = in_namespace(scenario)
    assert (result.reason, result.detail) == (Reason.SUSPECT, "Network is unreachable")
    assert value(result, metrics.LINK_SENT) == 0
    assert value(result, metrics.LINK_LOSS) is None
    assert send_errors == 5


def test_replies_that_the_kernel_drops_are_counted() -> None:
    async def scenario() -> tuple[int, int]:
        edge = RawEdge(EchoV4(IDENTITY))
        sent = edge.buffer_bytes // 512
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as flood:
            for _ in range(sent):
                flood.sendto(reply_to(1, 1), ("127.0.0.1", 0))
        counted = edge.drops  # before anything is read
        received = drain(edge)
        edge.close()
        return sent - received, counted

    dropped, counted = in_namespace(scenario)
    assert counted == dropped > 0


def drain(edge: RawEdge) -> int:
    """How many packets wait."""
    count = 0
    while arrivals := edge.read():
        count += len(arrivals)
    return count
