"""Echo packets as bytes, and the statistics over their fates."""

from __future__ import annotations

import math
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.metrics import RTT_BUCKETS_S
from probes.protocols.icmp_packet import PACKET_BYTES, Echo, EchoV4, EchoV6, Identity, Quote
from probes.protocols.ping_series import RECENT_S, VOID, PingSeries, jitter, round_trip_s
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
    return ip_header() + bytes([0]) + packet[1:]


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
    assert codec.reply(as_reply(codec, number, key)) == (number, key)
    assert family(OTHER).reply(as_reply(codec, number, key)) is None


def test_options_in_the_ip_header_move_the_reply() -> None:
    reply = bytes([0]) + EchoV4(IDENTITY).request(7, 3)[1:]
    assert EchoV4(IDENTITY).reply(ip_header(options=10) + reply) == (7, 3)


@pytest.mark.parametrize("change", [-1, 1, 900])
def test_a_reply_of_another_length_is_not_believed(change: int) -> None:
    reply = as_reply(EchoV4(IDENTITY), 7, 3)
    assert EchoV4(IDENTITY).reply(reply[:change] if change < 0 else reply + bytes(change)) is None


@pytest.mark.parametrize(("quoted", "number"), [(8, None), (PACKET_BYTES, 70_000)])
def test_an_error_names_the_request_as_far_as_the_router_quotes_it(quoted: int, number: int | None) -> None:
    codec = EchoV4(IDENTITY)
    quote = codec.request(70_000, 3)[:quoted]
    error = ip_header() + bytes([3, 1, *[0] * 6]) + ip_header(options=2, destination="10.4.9.9") + quote
    assert codec.error(error) == Quote(70_000 & 0xFFFF, "10.4.9.9", number)


def test_an_error_over_ipv6_names_the_request() -> None:
    codec = EchoV6(IDENTITY)
    header = bytes([0x60, *[0] * 5, 58, 64]) + bytes(16) + socket.inet_pton(socket.AF_INET6, "fd00::9")
    assert codec.error(bytes([3, *[0] * 7]) + header + codec.request(5, 1)) == Quote(5, "fd00::9", 5)


def test_errors_that_quote_somebody_elses_request_are_not_ours() -> None:
    codec = EchoV4(IDENTITY)
    head = ip_header() + bytes([11, *[0] * 7]) + ip_header()
    assert codec.error(head + EchoV4(OTHER).request(1, 1)) is None
    assert codec.error(head + EchoV4(Identity(1, 1)).request(1, 1)[:8]) is None
    assert codec.error(head + bytes([0]) + codec.request(1, 1)[1:]) is None


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(data=st.binary(max_size=256))
def test_no_bytes_upset_the_parser(family: type[EchoV4 | EchoV6], data: bytes) -> None:
    codec = family(IDENTITY)
    assert codec.reply(data) is None
    quote = codec.error(data)
    assert quote is None or isinstance(quote, Quote)


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(at=st.integers(0, 130), byte=st.integers(0, 255), cut=st.integers(0, 130))
def test_a_damaged_reply_or_error_upsets_nobody(family: type[EchoV4 | EchoV6], at: int, byte: int, cut: int) -> None:
    codec = family(IDENTITY)
    for whole in (as_reply(codec, 9, 9), ip_header() + bytes([3, *[0] * 7]) + ip_header() + codec.request(9, 9)):
        damaged = bytearray(whole)
        damaged[at % len(damaged)] = byte
        codec.reply(bytes(damaged[:cut]))
        codec.error(bytes(damaged[:cut]))


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
    series.failed("10.0.0.1")
    first = series.close(3.0)
    assert (first.sent, first.received, first.errors, first.error_hop) == (2, 1, 1, "10.0.0.1")
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
    assert (window.recent_sent, window.recent_rtts_s, window.total_sent) == (1, [0.020], 2)


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
