"""What one stream of echo requests has seen: fates in, windows out; no clock of its own."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from probes.metrics import RTT_BUCKETS_S
from probes.ports import PingWindow

RECENT_S = 60.0
VOID = math.nan
"""The RTT of a reply that came, while our clock was set: the reply counts, its time does not."""
_MAX_RECENT = 20_000


CLOCK_STEP_NS = 1_000_000


def round_trip_s(sent_ns: int, stamp_ns: int | None, step_ns: int) -> float:
    """Seconds from sending to the kernel's stamp, both on the realtime clock.

    VOID without a stamp, or where somebody set the clock: `step_ns` is how much realtime minus monotonic has changed.
    """
    if stamp_ns is None or stamp_ns < sent_ns or abs(step_ns) > CLOCK_STEP_NS:
        return VOID
    return (stamp_ns - sent_ns) / 1e9


def jitter(rtts_s: Sequence[float]) -> float | None:
    """Interarrival jitter of RFC 3550, 6.4.1, with D = |RTT_i - RTT_{i-1}|; none below two values. Unit as given."""
    if len(rtts_s) < 2:
        return None
    value = 0.0
    for earlier, later in pairwise(rtts_s):
        value += (abs(later - earlier) - value) / 16
    return value


class PingSeries:
    """Counts each request once, when its fate is final; times in seconds, `now` monotonic."""

    def __init__(self, packets_per_s: float) -> None:
        """`packets_per_s` bounds what is remembered."""
        self._recent: deque[tuple[float, float | None]] = deque(maxlen=_recent_length(packets_per_s))
        self._rtts: list[float] = []
        self._received = self._lost = self._errors = 0
        self._error_hop: str | None = None
        self._send_error: str | None = None
        self._total_sent = self._total_received = self._total_errors = 0
        self._late = self._duplicates = 0
        self._counts = [0] * (len(RTT_BUCKETS_S) + 1)
        self._sum = 0.0

    def resize(self, packets_per_s: float) -> None:
        """Go on at another pace."""
        self._recent = deque(self._recent, maxlen=_recent_length(packets_per_s))

    def answered(self, now: float, rtt_s: float) -> None:
        """A reply came in time; `rtt_s` may be VOID."""
        self._received += 1
        self._rtts.append(rtt_s)
        self._recent.append((now, rtt_s))

    def lost(self, now: float) -> None:
        """The time-out passed."""
        self._lost += 1
        self._recent.append((now, None))

    def failed(self, hop: str) -> None:
        """An ICMP error from `hop` explains a loss, which is counted by `lost`."""
        self._errors += 1
        self._error_hop = hop

    def late(self) -> None:
        """A reply came after its request had been counted as lost."""
        self._late += 1

    def duplicate(self) -> None:
        """A reply came again."""
        self._duplicates += 1

    def unsent(self, why: str) -> None:
        """A request could not leave this machine: nobody's loss."""
        self._send_error = why

    def close(self, now: float) -> PingWindow:
        """End the window, and begin the next."""
        recent = self._recent
        while recent and recent[0][0] < now - RECENT_S:
            recent.popleft()
        answered = [rtt for _, rtt in recent if rtt is not None]
        recent_rtts = [rtt for rtt in answered if not math.isnan(rtt)]
        rtts = [rtt for rtt in self._rtts if not math.isnan(rtt)]
        for rtt in rtts:
            self._counts[bisect_left(RTT_BUCKETS_S, rtt)] += 1
        self._sum += sum(rtts)
        sent = self._received + self._lost
        self._total_sent += sent
        self._total_received += self._received
        self._total_errors += self._errors
        window = PingWindow(
            sent=sent,
            received=self._received,
            errors=self._errors,
            error_hop=self._error_hop,
            rtts_s=rtts,
            recent_sent=len(recent),
            recent_received=len(answered),
            recent_rtts_s=recent_rtts,
            jitter_s=jitter(recent_rtts),
            total_sent=self._total_sent,
            total_received=self._total_received,
            total_late=self._late,
            total_duplicates=self._duplicates,
            total_errors=self._total_errors,
            rtt_counts=tuple(self._counts),
            rtt_sum_s=self._sum,
            send_error=self._send_error,
        )
        self._rtts = []
        self._received = self._lost = self._errors = 0
        self._error_hop = self._send_error = None
        return window


def _recent_length(packets_per_s: float) -> int:
    """Fates that 60 s can bring, the first burst and one second's catching up included."""
    return min(_MAX_RECENT, math.ceil((RECENT_S + 1) * packets_per_s) + 5)
