"""Echo packets as bytes, and the statistics over their fates."""

from __future__ import annotations

import math
import operator
import re
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.metrics import RTT_BUCKETS_S
from probes.ports import PingErrorKind, PingOptions
from probes.protocols.icmp import bpf
from probes.protocols.icmp.datagram import read_error
from probes.protocols.icmp.edge import ancillary
from probes.protocols.icmp.packet import PACKET_BYTES, TURNS, Echo, EchoV4, EchoV6, Identity, Quote
from probes.protocols.icmp.series import RECENT_S, VOID, PingSeries, jitter, round_trip_s
from probes.schedule import next_due

IDENTITY = Identity(0x1234, 0x0123456789ABCDEF)
OTHER = Identity(0x1234, 0xFEDCBA9876543210)
numbers = st.integers(0, 2**64 - 1)
keys = st.integers(0, 2**32 - 1)
identities = st.builds(Identity, st.integers(0, 0xFFFF), numbers)


def ip_header(options: int = 0, destination: str = "10.4.1.1") -> bytes:
    """An IPv4 header with `options` words of options, protocol ICMP."""
    return bytes([0x45 + options, *[0] * 8, 1, *[0] * 6]) + socket.inet_aton(destination) + bytes(4 * options)


def as_reply(codec: Echo, number: int, key: int) -> bytes:
    """What the raw socket would read of the answer to a request."""
    packet = codec.request(number, key)
    if isinstance(codec, EchoV6):
        return bytes([129]) + packet[1:]
    return ip_header() + summed(bytes([0]) + packet[1:])


def summed(message: bytes) -> bytes:
    """An ICMP message with its right checksum."""
    blank = message[:2] + bytes(2) + message[4:]
    return blank[:2] + (0xFFFF - ones_complement_sum(blank + bytes(len(blank) % 2))).to_bytes(2, "big") + blank[4:]


def as_error(type_: int, code: int, quote: bytes, *, rest: bytes = bytes(4), destination: str = "10.4.9.9") -> bytes:
    """What the raw socket would read of an ICMP error; IP options in both headers."""
    return ip_header(1) + summed(bytes([type_, code, 0, 0]) + rest + ip_header(2, destination) + quote)


def as_error_v6(type_: int, code: int, quote: bytes, *, rest: bytes = bytes(4)) -> bytes:
    """The same over IPv6."""
    header = bytes([0x60, *[0] * 5, 58, 64]) + bytes(16) + socket.inet_pton(socket.AF_INET6, "fd00::9")
    return bytes([type_, code, 0, 0]) + rest + header + quote


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(identities, numbers, keys)
def test_a_request_has_the_length_of_pings_and_a_right_checksum(identity: Identity, number: int, key: int) -> None:
    packet = EchoV4(identity).request(number, key)
    assert len(packet) == PACKET_BYTES
    assert ones_complement_sum(packet) == 0xFFFF


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(number=numbers, key=keys)
def test_a_reply_gives_back_number_and_key(family: type[EchoV4 | EchoV6], number: int, key: int) -> None:
    codec = family(IDENTITY)
    assert codec.reply(as_reply(codec, number, key)) == (number, key, PACKET_BYTES)
    assert family(OTHER).reply(as_reply(codec, number, key)) is None


def test_options_in_the_ip_header_move_the_reply() -> None:
    reply = as_reply(EchoV4(IDENTITY), 7, 3)[20:]
    assert EchoV4(IDENTITY).reply(ip_header(options=10) + reply) == (7, 3, PACKET_BYTES)


@pytest.mark.parametrize("change", [-1, 1, 900])
def test_a_reply_of_another_length_tells_its_own(change: int) -> None:
    """Zeros do not change the checksum: the engine compares with what the stream has sent."""
    reply = as_reply(EchoV4(IDENTITY), 7, 3)
    told = EchoV4(IDENTITY).reply(reply[:change] if change < 0 else reply + bytes(change))
    assert told == (7, 3, PACKET_BYTES + change)


@given(at=st.integers(0, PACKET_BYTES - 1), byte=st.integers(1, 255))
def test_a_reply_with_a_wrong_checksum_is_not_believed(at: int, byte: int) -> None:
    reply = bytearray(as_reply(EchoV4(IDENTITY), 7, 3))
    reply[20 + at] ^= byte
    assert EchoV4(IDENTITY).reply(bytes(reply)) is None


@pytest.mark.parametrize(("quoted", "number"), [(8, None), (PACKET_BYTES, 70_000)])
def test_an_error_names_the_request_as_far_as_the_router_quotes_it(quoted: int, number: int | None) -> None:
    codec = EchoV4(IDENTITY)
    error = as_error(3, 1, codec.request(70_000, 3)[:quoted])
    assert codec.error(error) == Quote(70_000 & 0xFFFF, "10.4.9.9", number, PingErrorKind.HOST_UNREACHABLE)
    assert codec.error(error[:-1] + bytes([error[-1] ^ 1])) is None  # a wrong checksum


@pytest.mark.parametrize(
    ("type_", "code", "kind"),
    [
        (3, 0, "net_unreachable"),
        (3, 1, "host_unreachable"),
        (3, 3, "port_unreachable"),
        (3, 4, "fragmentation_needed"),
        (3, 9, "prohibited"),
        (3, 10, "prohibited"),
        (3, 13, "prohibited"),
        (3, 99, "unreachable"),
        (11, 0, "ttl_exceeded"),
        (11, 1, "reassembly_exceeded"),
        (5, 0, None),
    ],
)
def test_an_error_says_what_happened(type_: int, code: int, kind: str | None) -> None:
    codec = EchoV4(IDENTITY)
    quote = codec.error(as_error(type_, code, codec.request(5, 3), rest=bytes([0, 0, 5, 120])))
    assert (quote and quote.kind) == kind
    assert (quote and quote.mtu) == (1400 if kind == "fragmentation_needed" else None)


@pytest.mark.parametrize(
    ("type_", "code", "kind"),
    [
        (1, 0, "net_unreachable"),
        (1, 1, "prohibited"),
        (1, 3, "host_unreachable"),
        (1, 99, "unreachable"),
        (2, 0, "fragmentation_needed"),
        (3, 0, "ttl_exceeded"),
        (4, 0, None),
    ],
)
def test_an_error_over_ipv6_says_what_happened(type_: int, code: int, kind: str | None) -> None:
    codec = EchoV6(IDENTITY)
    quote = codec.error(as_error_v6(type_, code, codec.request(5, 1), rest=bytes([0, 0, 5, 0])))
    if kind is None:
        assert quote is None
    else:
        assert quote == Quote(5, "fd00::9", 5, PingErrorKind(kind), 1280 if type_ == 2 else None)


def test_errors_that_quote_somebody_elses_request_are_not_ours() -> None:
    codec = EchoV4(IDENTITY)
    assert codec.error(as_error(11, 0, EchoV4(OTHER).request(1, 1))) is None
    assert codec.error(as_error(11, 0, EchoV4(Identity(0x4321, 1)).request(1, 1)[:8])) is None
    assert codec.error(as_error(11, 0, bytes([0]) + codec.request(1, 1)[1:])) is None


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
def test_after_a_rotation_the_block_before_is_still_ours_and_the_one_before_that_is_not(
    family: type[EchoV4 | EchoV6],
) -> None:
    codec = family(IDENTITY)
    first = codec.request(1, 1, turn=TURNS - 1)
    codec.rotate(0x5550)
    second = codec.request(2, 1)
    wrap = as_error if isinstance(codec, EchoV4) else as_error_v6
    assert (second[4:6], first[4:6]) == (bytes([0x55, 0x50]), bytes([0x12, 0x3F]))
    assert codec.error(wrap(3, 0, first))
    assert codec.error(wrap(3, 0, second))
    codec.rotate(0x6660)
    assert codec.error(wrap(3, 0, first)) is None
    assert codec.error(wrap(3, 0, second))


Registers = tuple[int, int]
"""A and X of the filter machine."""
COMPUTED: dict[int, Callable[[bytes, int, int, int], Registers]] = {
    0xB1: lambda packet, a, _, k: (a, (packet[k] & 0xF) << 2),
    0x30: lambda packet, _, x, k: (packet[k], x),
    0x50: lambda packet, _, x, k: (packet[x + k], x),
    0x48: lambda packet, _, x, k: (struct.unpack_from("!H", packet, x + k)[0], x),
    0x01: lambda _, a, __, k: (a, k),
    0x54: lambda _, a, x, k: (a & k, x),
    0x64: lambda _, a, x, k: (a << k, x),
    0x0C: lambda _, a, x, __: (a + x, x),
    0x04: lambda _, a, x, k: (a + k, x),
    0x07: lambda _, a, __, ___: (a, a),
}
"""The instructions of linux/filter.h that ours use, on a packet, A, X and a constant."""
COMPARED: dict[int, Callable[[int, int], bool]] = {0x15: operator.eq, 0x25: operator.gt}


def passes(programme: bytes, packet: bytes) -> bool:
    """What the kernel's filter machine decides; a load beyond the end drops."""
    a = x = at = 0
    while True:
        code, true, false, k = struct.unpack_from("HBBI", programme, at * 8)
        at += 1
        if code == 0x06:
            return bool(k)
        if code in COMPARED:
            at += true if COMPARED[code](a, k) else false
            continue
        try:
            a, x = COMPUTED[code](packet, a, x, k)
        except (IndexError, struct.error):
            return False


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
def test_the_filter_lets_pass_our_replies_and_errors_of_two_blocks_and_nothing_else(
    family: type[EchoV4 | EchoV6],
) -> None:
    codec = family(IDENTITY)
    version_4 = isinstance(codec, EchoV4)
    wrap = as_error if version_4 else as_error_v6
    old, old_error = as_reply(codec, 1, 1), wrap(3, 0, codec.request(1, 1, turn=5))
    codec.rotate(0x5550)
    programme = bpf.ours(codec)
    foreign = family(Identity(0x7777, IDENTITY.nonce))
    echo = codec.request(1, 1)
    for packet in (old, old_error, as_reply(codec, 1, 1), wrap(3 if version_4 else 1, 0, echo)):
        assert passes(programme, packet)
    request = ip_header() + echo if version_4 else echo
    for packet in (
        request,
        request[:9],
        b"",
        as_reply(foreign, 1, 1),
        wrap(3, 0, foreign.request(1, 1)),
        wrap(5, 0, echo),
        wrap(0 if not version_4 else 12, 0, echo),
        wrap(3, 0, echo)[:50],
    ):
        assert not passes(programme, packet)
    assert not passes(bpf.nothing(), old)


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(data=st.binary(max_size=200))
def test_no_bytes_upset_the_filter(family: type[EchoV4 | EchoV6], data: bytes) -> None:
    codec = family(IDENTITY)
    passed = passes(bpf.ours(codec), data)
    assert passed or (codec.reply(data) is None and codec.error(data) is None)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dscp": 64}, "dscp must be 0 to 63, not 64"),
        ({"dscp": -1}, "dscp must be 0 to 63, not -1"),
        ({"size_bytes": 27}, "size_bytes must be 28 to 65507, not 27"),
        ({"size_bytes": 65_508}, "size_bytes must be 28 to 65507, not 65508"),
        ({"ttl": 0}, "ttl must be 1 to 255, not 0"),
        ({"source": "here"}, "'here' does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_options_that_no_packet_can_carry_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        PingOptions(**values)


def test_options_become_control_messages() -> None:
    options = PingOptions(dscp=46, ttl=3, source="10.0.0.9")
    four = struct.Struct("@i").pack
    assert ancillary(EchoV4(IDENTITY), options) == [
        (0, 1, four(46 << 2)),
        (0, 2, four(3)),
        (0, 8, bytes(4) + socket.inet_aton("10.0.0.9") + bytes(4)),
    ]
    six = PingOptions(dscp=8, source="fd00::9")
    assert ancillary(EchoV6(IDENTITY), six) == [
        (41, 67, four(32)),
        (41, 52, four(64)),
        (41, 50, socket.inet_pton(socket.AF_INET6, "fd00::9") + bytes(4)),
    ]


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(data=st.binary(max_size=256))
def test_no_bytes_upset_the_parser(family: type[EchoV4 | EchoV6], data: bytes) -> None:
    codec = family(IDENTITY)
    assert codec.reply(data) is None
    quote = codec.error(data)
    assert quote is None or isinstance(quote, Quote)


@given(
    words=st.integers(1, 15),
    type_=st.just(0) | st.integers(0, 255),
    nonce=st.sampled_from([IDENTITY.nonce, OTHER.nonce]),
    number=numbers,
    key=keys,
    more=st.binary(max_size=100),
    right=st.booleans(),
)
def test_a_reply_is_believed_with_our_nonce_and_a_right_checksum_alone(
    words: int, type_: int, nonce: int, number: int, key: int, more: bytes, right: bool
) -> None:
    message = struct.pack("!BBHHHQQI", type_, 0, 0, IDENTITY.ident, number & 0xFFFF, nonce, number, key) + more
    message = summed(message)
    if not right:
        message = message[:2] + bytes([message[2] ^ 0x10]) + message[3:]
    data = bytes([0x40 + words]) + bytes(4 * words - 1) + message
    believed = type_ == 0 and nonce == IDENTITY.nonce and right
    assert EchoV4(IDENTITY).reply(data) == ((number, key, len(message)) if believed else None)


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(
    who=st.sampled_from([IDENTITY, OTHER, Identity(IDENTITY.ident ^ TURNS, IDENTITY.nonce)]),
    number=numbers,
    length=st.integers(0, 64),
    code=st.integers(0, 255),
    damage=st.none() | st.integers(0, 7),
)
def test_an_error_is_believed_as_far_as_it_quotes_what_we_sent(
    family: type[EchoV4 | EchoV6], who: Identity, number: int, length: int, code: int, damage: int | None
) -> None:
    quoted = family(who).request(number, 7)[:length]
    whole = as_error(3, code, quoted) if family is EchoV4 else as_error_v6(1, code, quoted)
    if damage is not None and family is EchoV4:  # the kernel looks at ICMPv6 checksums itself
        whole = whole[:26] + bytes([whole[26] ^ 1 << damage]) + whole[27:]
    ours = who.block == IDENTITY.block and (length < 28 or who.nonce == IDENTITY.nonce)
    quote = family(IDENTITY).error(whole)
    if length < 8 or not ours or (damage is not None and family is EchoV4):
        assert quote is None
    else:
        assert quote is not None
        assert (quote.sequence, quote.number) == (number & 0xFFFF, number if length >= 28 else None)


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(at=st.integers(0, 130), byte=st.integers(0, 255), cut=st.integers(0, 130))
def test_a_damaged_reply_or_error_upsets_nobody(family: type[EchoV4 | EchoV6], at: int, byte: int, cut: int) -> None:
    codec = family(IDENTITY)
    for whole in (as_reply(codec, 9, 9), as_error(3, 4, codec.request(9, 9)), as_error_v6(2, 0, codec.request(9, 9))):
        damaged = bytearray(whole)
        damaged[at % len(damaged)] = byte
        reply, quote = codec.reply(bytes(damaged[:cut])), codec.error(bytes(damaged[:cut]))
        assert reply is None or family is EchoV6 or reply[:2] == (9, 9)
        assert quote is None or isinstance(quote, Quote)


@given(echo=st.binary(max_size=80), told=st.binary(max_size=60), type_=st.integers(0, 255), code=st.integers(0, 255))
def test_no_bytes_from_an_error_queue_upset_anybody(echo: bytes, told: bytes, type_: int, code: int) -> None:
    for codec in (EchoV4(IDENTITY), EchoV6(IDENTITY)):
        assert codec.quoted(echo[:7], "10.0.0.1", PingErrorKind.UNREACHABLE, None) is None
        codec.quoted(echo, "10.0.0.1", PingErrorKind.UNREACHABLE, None)
        what, hop = read_error(codec, echo, told, "10.0.0.1")
        assert what is None or isinstance(what, Quote)
        assert isinstance(hop, str)
        whole = struct.pack("@IBBBxII", 113, 2, type_, code, 1400, 0)
        what, _ = read_error(codec, echo, whole + told, "10.0.0.1")
        assert what is None or what.kind == codec.kind(type_, code)


@pytest.mark.parametrize(
    ("rtts", "expected"),
    [
        ([], None),
        ([20], None),
        ([20, 20, 20], 0),
        ([10, 30] * 8, 12.4038),
        ([20, 25, 20, 25, 20], 1.1376),
    ],
)
def test_jitter_follows_rfc_3550(rtts: list[float], expected: float | None) -> None:
    assert jitter(rtts) == (None if expected is None else pytest.approx(expected, abs=1e-4))


def test_a_window_counts_each_fate_once_and_totals_grow() -> None:
    series = PingSeries(1.0)
    series.answered(1.0, 0.010)
    series.lost(2.0)
    series.failed("10.0.0.1", PingErrorKind.FRAGMENTATION_NEEDED, 1400)
    first = series.close(3.0)
    assert (first.sent, first.received, first.errors, first.error_hop) == (2, 1, 1, "10.0.0.1")
    assert (first.error_kind, first.error_mtu) == (PingErrorKind.FRAGMENTATION_NEEDED, 1400)
    series.answered(4.0, 0.030)
    series.late()
    series.duplicate()
    second = series.close(5.0)
    assert (second.sent, second.received, second.errors, second.error_hop) == (1, 1, 0, None)
    assert (second.total_sent, second.total_received, second.total_errors) == (3, 2, 1)
    assert (second.total_late, second.total_duplicates) == (1, 1)
    assert (second.recent_sent, second.recent_received) == (3, 2)
    assert second.rtt_sum_s == pytest.approx(0.04)


def test_what_is_older_than_a_minute_is_not_recent() -> None:
    series = PingSeries(1.0)
    series.answered(0.0, 0.010)
    series.answered(50.0, 0.020)
    window = series.close(RECENT_S + 1)
    assert (window.recent_sent, window.total_sent) == (1, 2)
    assert list(window.recent_rtts_s) == pytest.approx([0.020])


def test_a_void_time_does_not_void_the_reply() -> None:
    series = PingSeries(1.0)
    series.answered(1.0, VOID)
    window = series.close(2.0)
    assert (window.sent, window.received, window.recent_received) == (1, 1, 1)
    assert not window.rtts_s
    assert not window.recent_rtts_s
    assert not any(window.rtt_counts)
    assert not math.isnan(window.rtt_sum_s)


@pytest.mark.parametrize(
    ("stamp", "step", "expected"),
    [
        (1_020_000_000, 0, 0.02),
        (1_020_000_000, 999_999, 0.02),
        (1_020_000_000, 1_000_001, None),
        (1_020_000_000, -5_000_000_000, None),
        (999_999_999, 0, None),
        (None, 0, None),
    ],
)
def test_a_clock_that_was_set_meanwhile_voids_the_time(stamp: int | None, step: int, expected: float | None) -> None:
    rtt = round_trip_s(1_000_000_000, stamp, step)
    assert math.isnan(rtt) if expected is None else rtt == expected


def test_a_bucket_holds_its_own_bound_and_the_last_one_holds_the_rest() -> None:
    series = PingSeries(1.0)
    for rtt in (*RTT_BUCKETS_S, 3.0):
        series.answered(0.0, rtt)
    assert series.close(1.0).rtt_counts == (1,) * (len(RTT_BUCKETS_S) + 1)


def test_memory_is_bounded_by_the_pace() -> None:
    series = PingSeries(1.0)
    for _ in range(10_000):
        series.answered(0.0, 0.001)
    assert series.close(0.0).recent_sent < 100


@given(st.floats(0.001, 60), st.floats(0, 1e9), st.lists(st.floats(0, 200), max_size=50))
def test_the_sequence_of_sendings_always_moves_on_and_never_piles_up(
    interval_s: float, start: float, delays: list[float]
) -> None:
    due, now = start, start
    for delay in delays:
        now = max(now, due) + delay
        later, _ = next_due(due, now, interval_s)
        assert later > due
        assert later >= now - interval_s * 1e-3 - 1e-6
        due = later
