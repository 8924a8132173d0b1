"""What becomes of each request, without any packet: which replies and errors are believed, and what they count."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.ports import PLAIN_PING, PingErrorKind, PingWindow
from probes.protocols.icmp.fates import Fates
from probes.protocols.icmp.packet import PACKET_BYTES, TURNS, Quote
from probes.protocols.icmp.series import PingSeries
from probes.protocols.icmp.stream import SILENT, STILL_SILENT, PingStream

HOST, HOP = "10.4.1.1", "10.0.0.1"
SENT_NS = 1_800_000_000_000_000_000
RTT_NS = 20_000_000


def a_stream() -> PingStream:
    """A stream that nothing sends."""
    return PingStream("here", 1, HOST, HOST, 1.0, PLAIN_PING, None, None, "", PingSeries(1.0), 0.0, math.inf)


@dataclass
class Case:
    """Fates with requests of one stream, all sent now."""

    open_requests: int = 1
    sure: bool = True
    first: int = 1
    stream: PingStream = field(default_factory=a_stream)
    fates: Fates = field(default_factory=lambda: Fates(2.0))

    def __post_init__(self) -> None:
        """Send."""
        self.now_ns = time.monotonic_ns()
        self.fates.streams[1] = self.stream
        for number in range(self.first, self.first + self.open_requests):
            self.fates.outstanding[number] = (self.stream, SENT_NS, self.now_ns, self.sure)
        self.fates.number = self.first + self.open_requests

    def answer(self, number: int = 1, *, source: str = HOST, size: int = PACKET_BYTES, after_ns: int = RTT_NS) -> None:
        """A reply comes."""
        offset_ns = SENT_NS - self.now_ns
        self.fates.take([((number, 1, size), source, SENT_NS + after_ns, 60)], 1.0, offset_ns)

    def fail(self, quote: Quote) -> None:
        """An error comes."""
        self.fates.take([(quote, HOP, None, None)], 1.0, 0)

    def window(self) -> PingWindow:
        """Close."""
        return self.stream.series.close(1.0)


def test_a_reply_counts_with_its_time_and_ttl() -> None:
    case = Case()
    case.answer()
    window = case.window()
    assert (window.sent, window.received, window.rtts_s, window.reply_ttl) == (1, 1, [0.02], 60)


def test_a_send_stamp_that_is_not_sure_voids_the_time_and_not_the_reply() -> None:
    case = Case(sure=False)
    case.answer()
    window = case.window()
    assert (window.sent, window.received, window.rtts_s) == (1, 1, [])


def test_an_unsure_send_stamp_still_tells_a_late_reply() -> None:
    case = Case(sure=False)
    case.answer(after_ns=3_000_000_000)
    window = case.window()
    assert (window.sent, window.received, window.total_late) == (1, 0, 1)


@pytest.mark.parametrize(
    ("change", "counted"),
    [({"source": "10.4.1.2"}, "stray"), ({"size": PACKET_BYTES + 1}, "forged"), ({"number": 9}, "stray")],
)
def test_what_is_not_believed_leaves_the_request_open(change: dict[str, str | int], counted: str) -> None:
    case = Case()
    case.answer(**change)  # type: ignore[arg-type]  # each under its own name
    assert (case.fates.stray, case.fates.forged) == ((1, 0) if counted == "stray" else (0, 1))
    case.answer()
    assert case.window().received == 1


@pytest.mark.parametrize("first", [1, 0xFFFE, 0x12FFFE])
def test_an_error_that_quotes_8_bytes_finds_its_request_by_the_sequence_number(first: int) -> None:
    case = Case(open_requests=5, first=first)
    for number in range(first, first + 5):
        quote = Quote(number & 0xFFFF, HOST, None, PingErrorKind.PROHIBITED)
        case.fail(quote)
    window = case.window()
    assert (window.sent, window.errors, window.error_hop) == (5, 5, HOP)
    assert window.error_kind is PingErrorKind.PROHIBITED
    assert case.fates.stray == 0


def test_an_error_about_another_host_is_stray() -> None:
    case = Case()
    case.fail(Quote(1, "10.4.1.2", 1, PingErrorKind.PROHIBITED))
    assert (case.fates.stray, case.window().sent) == (1, 0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 8),
            st.sampled_from([HOST, "10.4.1.2"]),
            st.sampled_from([PACKET_BYTES, 28]),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_whatever_comes_in_whatever_order_each_request_counts_at_most_once(
    arrivals: list[tuple[int, str, int, bool]],
) -> None:
    case = Case(open_requests=5)
    for number, source, size, error in arrivals:
        if error:
            quote = Quote(number, source, number, PingErrorKind.UNREACHABLE)
            case.fail(quote)
        else:
            case.answer(number, source=source, size=size)
    window = case.window()
    told = window.total_late + window.total_duplicates + case.fates.stray + case.fates.forged
    assert window.sent <= 5
    assert window.received <= window.sent
    assert window.sent + told + window.errors >= len(arrivals)


def test_a_silent_stream_turns_to_another_id_again_and_again_until_it_is_answered() -> None:
    stream = a_stream()
    turns = []
    for _ in range(SILENT + STILL_SILENT * TURNS):
        stream.lost(1.0)
        turns.append(stream.turn)
    assert turns[SILENT - 2 : SILENT + 1] == [0, 1, 1]
    assert turns[SILENT + STILL_SILENT - 1] == 2
    assert set(turns) == set(range(TURNS))


def test_single_losses_turn_nothing() -> None:
    case = Case(open_requests=20)
    for number in range(1, 21):
        if number % SILENT:
            case.fail(Quote(number, HOST, number, PingErrorKind.UNREACHABLE))
        else:
            case.answer(number)
    assert case.stream.turn == 0
