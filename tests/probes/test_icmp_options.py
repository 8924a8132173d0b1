"""How requests look on the wire, whose ids they carry, and what routers and interfaces say of them; real packets."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from probes import metrics
from probes.kinds.icmp import IcmpSettings, check
from probes.ports import PLAIN_PING, PingOptions, PingWindow
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.icmp.engine import LEAST_BURST
from probes.protocols.icmp.packet import TURNS
from probes.protocols.icmp.refusal import refusal_of
from probes.results import Reason, Result
from probes.schedule import TICK_S
from tests.probes.conftest import TestNet, beat, in_namespace, ip, other_namespace, value

TARGET = "127.4.0.9"
SO_TIMESTAMPNS = 35  # linux/asm-generic/socket.h


@contextmanager
def an_engine(timeout_s: float = 0.5, rotation_s: float = 300.0) -> Iterator[IcmpEngine]:
    """An engine, open."""
    pings = IcmpEngine(timeout_s=timeout_s, rotation_s=rotation_s)
    try:
        pings.open()
    except IcmpUnavailable as error:
        pytest.skip(str(error))
    try:
        yield pings
    finally:
        pings.close()


@dataclass(frozen=True)
class Seen:
    """A request as it was on the wire; `at` by the kernel's stamp."""

    at: float
    source: str
    dscp: int
    ttl: int
    dont_fragment: bool
    size: int
    ident: int


def write(setting: str, value: str) -> None:
    """Set a kernel setting of this network namespace."""
    Path("/proc/sys", setting).write_text(value, encoding="ascii")


@contextmanager
def wire() -> Iterator[socket.socket]:
    """A socket that reads all ICMP of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        listening.setblocking(False)
        yield listening


def requests(listening: socket.socket) -> list[Seen]:
    """The echo requests that have passed, in order."""
    seen: list[Seen] = []
    while True:
        try:
            data, messages, _, source = listening.recvmsg(70_000, 100)
        except BlockingIOError:
            return seen
        if data[20] == 8:
            seconds, nanoseconds = struct.unpack("@ll", messages[0][2])
            (ident,) = struct.unpack_from("!H", data, 24)
            fragments = data[6] & 0x40 != 0
            at = seconds + nanoseconds / 1e9
            seen.append(Seen(at, source[0], data[1] >> 2, data[8], fragments, len(data) - 20, ident))


def test_a_streams_options_are_what_its_packets_carry() -> None:
    options = PingOptions(dscp=46, size_bytes=1200, dont_fragment=True, source="127.0.0.5", ttl=9)

    async def scenario() -> tuple[list[Seen], list[PingWindow]]:
        with an_engine() as pings, wire() as listening:
            windows = [
                await pings.window("plain", TARGET, 50.0, continuous=False),
                await pings.window("special", TARGET, 50.0, continuous=False, options=options),
                await pings.window("small", TARGET, 50.0, continuous=False, options=PingOptions(size_bytes=28)),
                await pings.window("huge", TARGET, 50.0, continuous=False, options=PingOptions(size_bytes=65_507)),
            ]
            assert (pings.stray, pings.forged, pings.send_errors) == (0, 0, 0)
            return requests(listening), windows

    seen, windows = in_namespace(scenario)
    assert all(window.received == window.sent == 5 for window in windows)
    looks = [(item.source, item.dscp, item.ttl, item.dont_fragment, item.size) for item in seen]
    assert set(looks[:5]) == {("127.0.0.1", 0, 64, False, 64)}
    assert set(looks[5:10]) == {("127.0.0.5", 46, 9, True, 1200)}
    assert [size for *_, size in looks[10:]] == [28] * 5 + [65_507] * 5


def test_over_ipv6_options_reach_the_packets_as_well() -> None:
    async def scenario() -> tuple[bytes, list[tuple[int, int, bytes]], PingWindow]:
        with an_engine() as pings, socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as listening:
            listening.setblocking(False)
            for name in (socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT):
                listening.setsockopt(socket.IPPROTO_IPV6, name, 1)
            options = PingOptions(dscp=10, size_bytes=1000, ttl=7, dont_fragment=True, source="::1")
            window = await pings.window("here", "::1", 50.0, options=options)
            if window.send_error:
                pytest.skip(f"no IPv6 on loopback: {window.send_error}")
            data, messages, _, _ = listening.recvmsg(2000, 200)
            return data, messages, window

    data, messages, window = in_namespace(scenario)
    assert window.received == window.sent == 5
    assert (data[0], len(data)) == (128, 1000)
    assert {kind: int.from_bytes(told, "little") for _, kind, told in messages} == {67: 10 << 2, 52: 7}


async def test_the_last_replys_ttl_is_a_reading(engine: IcmpEngine) -> None:
    for address in (TARGET, "::1"):
        settings = IcmpSettings(address=address, packets_per_s=50.0)
        result = await check(settings, TestNet(pings=engine), beat(target=address))
        if result.reason is Reason.SUSPECT:
            pytest.skip(f"no IPv6 on loopback: {result.detail}")
        assert value(result, metrics.LINK_REPLY_TTL) == 64


async def test_other_options_begin_the_stream_anew(engine: IcmpEngine) -> None:
    await engine.window("here", TARGET, 50.0)
    window = await engine.window("here", TARGET, 50.0, options=PingOptions(dscp=8))
    assert (window.sent, window.total_sent) == (5, 5)
    assert IcmpSettings(address=TARGET).options is PLAIN_PING


def test_ids_rotate_while_running_and_nothing_is_lost_or_stray() -> None:
    async def scenario() -> tuple[list[int], PingWindow]:
        with an_engine(rotation_s=0.2) as pings, wire() as listening:
            await pings.window("here", TARGET, 100.0)
            await asyncio.sleep(1)
            window = await pings.window("here", TARGET, 100.0)
            assert (pings.stray, pings.forged) == (0, 0)
            return [item.ident for item in requests(listening)], window

    idents, window = in_namespace(scenario)
    blocks = list(dict.fromkeys(ident // TURNS for ident in idents))
    assert 4 <= len(blocks) <= 10
    assert window.total_received == window.total_sent > 50
    assert (window.total_late, window.total_duplicates) == (0, 0)


def test_a_silent_stream_turns_to_another_id_at_once_and_others_keep_theirs() -> None:
    async def scenario() -> tuple[list[Seen], PingWindow]:
        write("net/ipv4/icmp_echo_ignore_all", "1")
        with an_engine(timeout_s=0.1) as pings, wire() as listening:
            await pings.window("here", TARGET, 50.0)
            await asyncio.sleep(0.5)
            write("net/ipv4/icmp_echo_ignore_all", "0")
            await pings.window("here", TARGET, 50.0, continuous=False)
            other = await pings.window("other", "127.4.0.10", 50.0)
            return requests(listening), other

    seen, other = in_namespace(scenario)
    idents = list(dict.fromkeys(item.ident for item in seen))
    assert len(idents) >= 3
    assert len({ident // TURNS for ident in idents}) == 1
    assert other.received == 5
    assert idents[0] % TURNS == seen[-1].ident % TURNS == 0  # the other stream begins with the first id


def test_after_a_stall_requests_are_caught_up_without_a_burst() -> None:
    streams, pace = 300, 10.0
    most = LEAST_BURST + 2 * streams * pace * TICK_S

    async def scenario() -> list[float]:
        with an_engine() as pings, wire() as listening:

            async def window(number: int) -> None:
                await pings.window(str(number), f"127.4.1.{number % 250 + 1}", pace)

            await asyncio.gather(*map(window, range(streams)))
            await asyncio.sleep(0.3)
            requests(listening)
            time.sleep(0.3)  # noqa: ASYNC251  # the very thing under test
            await asyncio.sleep(0.3)
            return [item.at for item in requests(listening)]

    stamps = in_namespace(scenario)
    rounds = [1]
    for earlier, later in pairwise(stamps):
        if later - earlier < TICK_S / 2:
            rounds[-1] += 1
        else:
            rounds.append(1)
    assert sum(rounds) > streams
    assert max(rounds) <= most


async def test_transmit_stamps_tell_how_long_sending_takes(engine: IcmpEngine) -> None:
    await engine.window("here", TARGET, 50.0)
    await asyncio.sleep(0.5)
    counts, total_s = engine.send_delay
    assert sum(counts) >= 4
    assert 0 < total_s / sum(counts) < 0.01


@contextmanager
def a_router() -> Iterator[str]:
    """A network behind a veth pair: 10.77.0.2 answers, and forwards to 10.78.0.0/16, which it does in several ways."""
    with other_namespace() as far:
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far)
        ip("addr", "add", "10.77.0.1/24", "dev", "near")
        ip("link", "set", "near", "up")
        for command in (
            "ip link set lo up",
            "ip addr add 10.77.0.2/24 dev far",
            "ip link set far up",
            "echo 1 >/proc/sys/net/ipv4/ip_forward",
            "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit",
            "ip link add narrow type veth peer name end",
            "ip link set end mtu 1300 up",
            "ip link set narrow mtu 1300 up",
            "ip route add 10.78.0.0/24 dev narrow",
            "ip route add unreachable 10.78.1.0/24",
            "ip route add prohibit 10.78.2.0/24",
        ):
            inside(far, command)
        ip("route", "add", "10.78.0.0/16", "via", "10.77.0.2")
        yield far


def inside(namespace: str, command: str) -> None:
    """Run a shell command in another network namespace."""
    subprocess.run(["nsenter", "--target", namespace, "--net", "sh", "-c", command], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("address", "options", "said"),
    [
        ("10.78.1.1", {}, "host unreachable"),
        ("10.78.2.1", {}, "prohibited"),
        ("10.78.0.1", {"ttl": 1}, "ttl exceeded"),
        (
            "10.78.0.1",
            {"size_bytes": 1400, "dont_fragment": True},
            "fragmentation needed for an MTU of 1300 bytes",
        ),
    ],
)
def test_an_error_on_the_way_names_its_kind_and_the_hop_that_sent_it(
    address: str, options: dict[str, int | bool], said: str
) -> None:
    async def scenario() -> Result:
        with a_router(), an_engine(timeout_s=1) as pings:
            settings = IcmpSettings.model_validate({"address": address, "packets_per_s": 50.0, **options})
            return await check(settings, TestNet(pings=pings), beat())

    result = in_namespace(scenario)
    assert result.reason is Reason.UNREACHABLE
    # a busy machine sends on
    assert re.fullmatch(rf"0 of \d+ answered; {said}, says 10\.77\.0\.2", result.detail)
    assert value(result, metrics.LINK_ERRORS) >= 1  # type: ignore[operator]  # there is one


def test_an_interface_that_disappears_is_nobodys_loss_and_comes_back_by_itself() -> None:
    async def scenario() -> list[PingWindow]:
        windows = []
        with an_engine() as pings:
            with a_router():
                windows.append(await pings.window("here", "10.77.0.2", 50.0))
                ip("link", "del", "near")
                await asyncio.sleep(0.7)
                await pings.window("here", "10.77.0.2", 50.0)  # what was on its way then may be lost
                await asyncio.sleep(0.3)
                windows.append(await pings.window("here", "10.77.0.2", 50.0))
            with a_router():
                await asyncio.sleep(0.8)
                await pings.window("here", "10.77.0.2", 50.0)
                await asyncio.sleep(0.3)
                windows.append(await pings.window("here", "10.77.0.2", 50.0))
        return windows

    before, without, after = in_namespace(scenario)
    assert before.received == before.sent == 5
    assert (without.sent, without.send_error) == (0, "Network is unreachable")
    assert after.received == after.sent > 5
    assert after.send_error is None


@pytest.mark.parametrize(
    ("address", "options", "said"),
    [
        ("127.4.0.9", {"size_bytes": 1500, "dont_fragment": True}, "a request of 1500 bytes is larger than the .* MTU"),
        (
            "127.4.0.9",
            {"source": "192.0.2.7"},
            "the source address 192.0.2.7 is none of this machine, or has no route to .*",
        ),
        ("127.4.0.9", {"source": "::1"}, "the source address ::1 is of another IP version than 127.4.0.9"),
        ("224.0.0.1", {}, "224.0.0.1 is no single host's address"),
        ("ff02::1", {}, "ff02::1 is no single host's address"),
        ("0.0.0.0", {}, "0.0.0.0 is no single host's address"),
        ("::", {}, ":: is no single host's address"),
        ("255.255.255.255", {}, "255.255.255.255 is no single host's address"),
        ("127.255.255.255", {}, "127.255.255.255 is a broadcast address"),
        ("192.0.2.1", {}, "Network is unreachable"),
        ("::1", {}, "Cannot assign requested address|Network is unreachable"),
    ],
)
def test_what_cannot_leave_this_machine_says_why_and_is_nobodys_loss(
    address: str, options: dict[str, Any], said: str
) -> None:
    async def scenario() -> tuple[PingWindow, int]:
        ip("link", "set", "lo", "mtu", "1400")
        write("net/ipv6/conf/all/disable_ipv6", "1")
        with an_engine() as pings:
            window = await pings.window("here", address, 50.0, options=PingOptions(**options))
            return window, pings.send_errors

    window, send_errors = in_namespace(scenario)
    assert re.fullmatch(said, str(window.send_error))
    assert (window.sent, window.recent_sent, send_errors) == (0, 0, 5)


def test_a_subnets_broadcast_address_says_so_and_is_nobodys_loss() -> None:
    async def scenario() -> tuple[Result, Result]:
        with a_router(), an_engine() as pings:
            net = TestNet(pings=pings)
            one, all_ = (IcmpSettings(address=f"10.77.0.{last}", packets_per_s=50.0) for last in (2, 255))
            return await check(one, net, beat(target="one")), await check(all_, net, beat(target="all"))

    one, all_ = in_namespace(scenario)
    assert one.reason is None
    assert (all_.reason, all_.detail) == (Reason.SUSPECT, "10.77.0.255 is a broadcast address")


def test_over_ipv6_a_router_names_the_mtu_that_is_too_small() -> None:
    async def scenario() -> Result:
        with a_router() as far, an_engine(timeout_s=1) as pings:
            ip("addr", "add", "fd77::1/64", "dev", "near", "nodad")
            for command in (
                "ip addr add fd77::2/64 dev far nodad",
                "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
                "echo 0 >/proc/sys/net/ipv6/icmp/ratelimit",
                "ip route add fd78::/64 dev narrow",
            ):
                inside(far, command)
            ip("route", "add", "fd78::/64", "via", "fd77::2")
            settings = IcmpSettings(address="fd78::1", packets_per_s=50.0, size_bytes=1400, dont_fragment=True)
            return await check(settings, TestNet(pings=pings), beat())

    result = in_namespace(scenario)
    assert result.reason is Reason.UNREACHABLE, result.detail
    assert re.fullmatch(
        r"0 of \d+ answered; fragmentation needed for an MTU of 1300 bytes, says fd77::2", result.detail
    )


def test_without_ipv6_on_this_machine_that_is_said() -> None:
    assert refusal_of(ip_address("2001:db8::1"), PLAIN_PING, {4}) == "no IPv6 on this machine"
    assert refusal_of(ip_address("10.4.1.1"), PLAIN_PING, {4}) == ""


def test_what_is_larger_than_the_mtu_is_fragmented_unless_forbidden() -> None:
    async def scenario() -> PingWindow:
        ip("link", "set", "lo", "mtu", "1400")
        with an_engine() as pings:
            return await pings.window("here", TARGET, 50.0, options=PingOptions(size_bytes=5000))

    window = in_namespace(scenario)
    assert window.received == window.sent == 5
