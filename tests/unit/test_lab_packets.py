"""Packets as the lab's routers leave them, against checksums computed anew."""

from __future__ import annotations

import ipaddress
import struct

from hypothesis import given
from hypothesis import strategies as st

from deploy.lab import packets

HOP_V4 = ipaddress.ip_address("10.200.0.254").packed
HOP_V6 = ipaddress.ip_address("fd00:200::fe").packed
ECHO_REQUEST = b"\x08\x00\x00\x00\x12\x34\x00\x01payload"


def reference_checksum(data: bytes) -> int:
    """RFC 1071's sum as the RFC's own C code writes it: word after word, carry by carry."""
    total = 0
    for place in range(0, len(data) - 1, 2):
        total += data[place] * 256 + data[place + 1]
        if total > 0xFFFF:
            total -= 0xFFFF
    if len(data) % 2:
        total += data[-1] * 256
        if total > 0xFFFF:
            total -= 0xFFFF
    return 0xFFFF - total


def ipv4(body: bytes, *, ttl: int = 64, protocol: int = 1, fragment: int = 0, identity: int = 7) -> bytes:
    source, target = (ipaddress.ip_address(text).packed for text in ("10.200.0.1", "10.4.1.1"))
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), identity, fragment, ttl, protocol, 0, source, target)
    return header[:10] + struct.pack(">H", reference_checksum(header)) + header[12:] + body


def ipv6(body: bytes, *, hops: int = 64, following: int = 58) -> bytes:
    source, target = (ipaddress.ip_address(text).packed for text in ("fd00:200::1", "fd00:4::1"))
    return struct.pack(">IHBB16s16s", 6 << 28, len(body), following, hops, source, target) + body


@given(st.binary(max_size=2000))
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    assert packets.checksum(data) == reference_checksum(data) or {packets.checksum(data), reference_checksum(data)} == {
        0,
        0xFFFF,
    }


@given(st.integers(2, 255), st.integers(0, 255), st.integers(0, 0xFFFF), st.data())
def test_a_packet_that_passed_hops_has_the_checksum_of_one_sent_so(
    ttl: int, protocol: int, identity: int, data: st.DataObject
) -> None:
    hops = data.draw(st.integers(1, ttl - 1))
    before = ipv4(ECHO_REQUEST, ttl=ttl, protocol=protocol, identity=identity)
    assert packets.after_hops(before, hops) == ipv4(ECHO_REQUEST, ttl=ttl - hops, protocol=protocol, identity=identity)


def test_the_hop_limit_counts_down_and_nothing_else_changes() -> None:
    assert packets.after_hops(ipv6(ECHO_REQUEST, hops=9), 4) == ipv6(ECHO_REQUEST, hops=5)


def test_time_exceeded_quotes_the_packet_and_comes_from_the_hop() -> None:
    sent = ipv4(ECHO_REQUEST, ttl=1)
    error = packets.time_exceeded(sent, HOP_V4, HOP_V6)
    assert error is not None
    assert (packets.source(error), packets.destination(error)) == (HOP_V4, packets.source(sent))
    assert packets.version(error) == 4
    assert struct.unpack(">H", error[2:4])[0] == len(error)
    assert reference_checksum(error[:20]) == 0
    assert error[20:22] == b"\x0b\x00"
    assert reference_checksum(error[20:]) == 0
    assert error[28:] == sent


def test_host_unreachable_is_type_3_code_1() -> None:
    error = packets.host_unreachable(ipv4(ECHO_REQUEST), HOP_V4, HOP_V6)
    assert error is not None
    assert error[20:22] == b"\x03\x01"


def test_errors_of_ipv6_carry_the_checksum_of_their_pseudo_header() -> None:
    sent = ipv6(b"\x80\x00\x00\x00\x12\x34\x00\x01payload")
    for error, kind in (
        (packets.time_exceeded(sent, HOP_V4, HOP_V6), b"\x03\x00"),
        (packets.host_unreachable(sent, HOP_V4, HOP_V6), b"\x01\x03"),
    ):
        assert error is not None
        assert (packets.source(error), packets.destination(error)) == (HOP_V6, packets.source(sent))
        assert error[40:42] == kind
        assert error[48:] == sent
        pseudo_header = error[8:40] + struct.pack(">II", len(error) - 40, 58)
        assert reference_checksum(pseudo_header + error[40:]) == 0


def test_long_packets_are_quoted_in_part() -> None:
    v4 = packets.time_exceeded(ipv4(bytes(1400)), HOP_V4, HOP_V6)
    v6 = packets.time_exceeded(ipv6(bytes([128]) + bytes(1400)), HOP_V4, HOP_V6)
    assert v4 is not None
    assert len(v4) == 576
    assert v6 is not None
    assert len(v6) == 1280


def test_no_error_answers_an_error_or_a_later_fragment() -> None:
    assert packets.time_exceeded(ipv4(b"\x0b\x00" + bytes(30)), HOP_V4, HOP_V6) is None
    assert packets.time_exceeded(ipv6(b"\x01\x03" + bytes(30)), HOP_V4, HOP_V6) is None
    assert packets.time_exceeded(ipv4(ECHO_REQUEST, fragment=100), HOP_V4, HOP_V6) is None


def test_multicast_and_link_local_addresses_leave_no_link() -> None:
    for text, leaves in (
        ("10.4.1.1", True),
        ("fd00:4::1", True),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("169.254.1.1", False),
        ("ff02::2", False),
        ("fe80::1", False),
    ):
        assert packets.for_one_host(ipaddress.ip_address(text).packed) is leaves, text


def test_what_is_too_short_for_its_header_has_no_version() -> None:
    assert [packets.version(data) for data in (b"", b"\x45" + bytes(18), b"\x60" + bytes(38), b"\x60" + bytes(39))] == [
        0,
        0,
        0,
        6,
    ]
