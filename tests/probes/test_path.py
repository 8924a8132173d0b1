"""Traces: requests that load balancers send one way, and routes over real routers in network namespaces."""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.ports import PingErrorKind, PingOptions
from probes.protocols.icmp.datagram import read_error
from probes.protocols.icmp.packet import TURNS, Identity, Quote
from probes.protocols.path import trace
from probes.protocols.path_packet import PORT, UDP_BYTES, SteadyEchoV4, SteadyEchoV6, SteadyUdp
from probes.protocols.path_route import Route
from tests.probes.conftest import in_namespace, ip
from tests.probes.test_icmp_access import NO_NET_RAW, run_in_user_namespace
from tests.probes.test_icmp_options import a_router, inside
from tests.probes.test_icmp_packet import as_error

numbers = st.integers(0, 499)
identities = st.builds(Identity, st.integers(TURNS, 0xFFFF), st.integers(0, 2**64 - 1))
pytestmark = pytest.mark.timeout(60)


def words(data: bytes) -> int:
    """The sum of all 16-bit words modulo 65535: 0 where a checksum is right (RFC 1071)."""
    return sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)) % 65535


@given(identities, numbers, numbers)
def test_what_balancers_look_at_is_the_same_in_all_echoes_of_a_trace(identity: Identity, one: int, other: int) -> None:
    echo = SteadyEchoV4(identity)
    first, second = echo.request(one, 0), echo.request(other, 0)
    assert first[:6] == second[:6]  # type, code, checksum, id
    assert first[:2] == b"\x08\x00"
    assert words(first) == words(second) == 0
    assert (first == second) == (one == other)


@given(identities, numbers, numbers)
def test_the_kernel_gives_all_ipv6_echoes_of_a_trace_one_checksum(identity: Identity, one: int, other: int) -> None:
    echo = SteadyEchoV6(identity)
    first, second = ([packet[:2], packet[4:]] for packet in (echo.request(one, 0), echo.request(other, 0)))
    assert first[0] == second[0] == b"\x80\x00"
    assert first[1][:2] == second[1][:2]  # id
    assert words(first[1]) == words(second[1])  # the kernel leaves the checksum's own field out


def udp(version: int, base: int = 1000) -> SteadyUdp:
    identity = Identity(1000, 1)
    if version == 4:
        return SteadyUdp(SteadyEchoV4(identity), "10.0.0.1", "10.4.4.1", (50_000, PORT), base)
    return SteadyUdp(SteadyEchoV6(identity), "fd00::1", "fd00::4:1", (50_000, PORT), base)


@pytest.mark.parametrize("version", [4, 6])
@given(number=numbers, other=numbers, base=st.integers(0, 64_999))
def test_udp_keeps_its_ports_and_has_a_right_checksum_that_is_its_number(
    version: int, number: int, other: int, base: int
) -> None:
    requests = udp(version, base)
    packet = requests.request(number)
    assert packet[:6] == requests.request(other)[:6]
    assert int.from_bytes(packet[:2], "big") == 50_000
    addresses = ("10.0.0.1", "10.4.4.1") if version == 4 else ("fd00::1", "fd00::4:1")
    pseudo = b"".join(socket.inet_pton(requests.family, address) for address in addresses)
    assert words(pseudo + len(packet).to_bytes(4, "big") + bytes([0, 0, 0, 17]) + packet) == 0
    quote = requests.quoted(packet[:8], "10.4.4.1", PingErrorKind.TTL_EXCEEDED, None)
    assert quote is not None
    assert quote.sequence == number


@given(st.binary(max_size=64))
def test_no_quoted_packet_breaks_the_reading_of_udp(data: bytes) -> None:
    quote = udp(4).quoted(data, "10.4.4.1", PingErrorKind.TTL_EXCEEDED, None)
    assert quote is None or (data[:4] == udp(4).request(0)[:4] and 0 <= quote.sequence < 500)


@pytest.mark.parametrize("family", [SteadyEchoV4, SteadyEchoV6])
@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_echoes(family: type[SteadyEchoV4 | SteadyEchoV6], data: bytes) -> None:
    codec = family(Identity(0x4321, 0x0123456789ABCDEF))
    assert codec.reply(data) is None
    quote = codec.error(data)
    assert quote is None or isinstance(quote, Quote)


@pytest.mark.parametrize("version", [4, 6])
@given(
    number=numbers,
    at=st.integers(0, UDP_BYTES - 1),
    byte=st.integers(0, 255),
    cut=st.integers(0, UDP_BYTES),
    type_=st.integers(0, 255),
    code=st.integers(0, 255),
    origin=st.integers(0, 5),
    hop=st.binary(max_size=40),
)
def test_whatever_the_error_queue_says_of_udp_is_about_a_request_of_this_trace_or_nothing(
    version: int, number: int, at: int, byte: int, cut: int, type_: int, code: int, origin: int, hop: bytes
) -> None:
    requests = udp(version)
    echo = bytearray(requests.request(number))
    echo[at] = byte
    told = struct.pack("@IBBBxII", 113, origin, type_, code, 0, 0) + hop
    quote, said = read_error(requests, bytes(echo[:cut]), told, "10.4.4.1")
    if quote is not None:
        assert echo[:4] == requests.request(0)[:4]
        assert 0 <= quote.sequence < 500
        assert quote.kind == requests.kind(type_, code)
        assert origin in {2, 3}, "said by ICMP, not by this machine"
    assert not said or ip_address(said).version == version


def test_eight_quoted_bytes_of_an_echo_tell_which_it_was() -> None:
    echo = SteadyEchoV4(Identity(0x4321, 99))
    quote = echo.error(as_error(11, 0, echo.request(77, 0)[:8]))
    assert quote == Quote(77, "10.4.9.9", None, PingErrorKind.TTL_EXCEEDED)


async def test_this_machine_is_one_hop_away_from_itself() -> None:
    began = time.monotonic()
    found = await trace("127.0.0.1")
    assert found.reached
    assert [hop.address for hop in found.hops] == ["127.0.0.1"]
    assert found.hops[0].rtt_s is not None
    assert 0 < found.hops[0].rtt_s < 0.1
    assert time.monotonic() - began < 1


async def test_an_address_of_nobody_is_refused() -> None:
    found = await trace("224.0.0.1")
    assert (found.hops, found.reached) == ((), False)
    assert "no single host" in found.problem


async def test_a_source_that_is_not_ours_is_told() -> None:
    assert (await trace("127.0.0.1", PingOptions(source="192.0.2.77"))).problem


def routes(*addresses: str) -> list[Route]:
    """Traces from one network namespace over the router in another."""

    async def traced() -> list[Route]:
        with a_router():
            return [await trace(address) for address in addresses]

    return in_namespace(traced)


def test_a_real_router_is_a_hop_and_what_it_refuses_ends_there() -> None:
    itself, unreachable, prohibited = routes("10.77.0.2", "10.78.1.1", "10.78.2.1")
    assert (itself.reached, [hop.address for hop in itself.hops]) == (True, ["10.77.0.2"])
    for found, kind in (
        (unreachable, PingErrorKind.HOST_UNREACHABLE),
        (prohibited, PingErrorKind.PROHIBITED),
    ):
        assert (found.reached, [hop.addresses for hop in found.hops]) == (False, [("10.77.0.2",)])
        assert found.hops[0].kind is kind


def test_where_echoes_are_filtered_udp_tells() -> None:
    async def traced() -> Route:
        with a_router() as far:
            inside(far, "echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all")
            return await trace("10.77.0.2", PingOptions(source="10.77.0.1"))

    found = in_namespace(traced)
    assert (found.reached, [hop.address for hop in found.hops]) == (True, ["10.77.0.2"])
    assert found.hops[0].kind is PingErrorKind.PORT_UNREACHABLE
    assert found.hops[0].rtt_s is not None
    assert found.hops[0].rtt_s < 0.1


def test_a_route_into_nothing_ends_after_its_last_hop_within_bounded_time() -> None:
    began = time.monotonic()
    (found,) = routes("10.78.0.9")
    assert not found.reached
    assert [hop.address for hop in found.hops] == ["10.77.0.2"]
    assert time.monotonic() - began < 6


def test_without_any_route_that_is_told() -> None:
    async def traced() -> Route:
        ip("route", "flush", "table", "main")
        return await trace("10.99.0.1")

    found = in_namespace(traced)
    assert (found.reached, found.hops) == (False, ())
    assert "unreachable" in found.problem


UNPRIVILEGED = """
import asyncio, json
from probes.protocols.path import trace
found = asyncio.run(trace("127.4.0.9"))
print(json.dumps([found.reached, [hop.address for hop in found.hops], found.hops[0].rtt_s]))
"""


def test_without_the_right_to_raw_sockets_echoes_still_trace() -> None:
    done = run_in_user_namespace(*NO_NET_RAW, sys.executable, "-c", UNPRIVILEGED)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    assert told[:2] == [True, ["127.4.0.9"]]
    assert 0 < told[2] < 0.1
