"""What one stream of echo requests has seen: fates in, windows and five-minute figures out; no clock of its own."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from probes import quality
from probes.metrics import RTT_BUCKETS_S
from probes.ports import PingErrorKind, PingFigures, PingWindow

RECENT_S = 60.0
FIGURES_S = 300.0
VOID = math.nan
"""The RTT of a reply that came, while our clock was set: the reply counts, its time does not."""
LOST = -1.0
"""In place of the RTT of a reply that did not come."""
_TICKS_PER_S = 10
"""Times are kept in tenths of a second, 13 years of which fit 32 bits."""
CERTAIN_SILENCE = 3
"""Losses without any answer, and without any excuse, that a window proves whatever else is in doubt in it."""
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


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by `share` of all (nearest rank); raises `IndexError` without any."""
    return ordered[math.ceil(share * len(ordered)) - 1]


class PingSeries:
    """Counts each request once, when its fate is final; times in seconds, `now` monotonic.

    What happened within five minutes is kept in eight bytes for each request: ten thousand links at one packet a
    second need 24 MB for it.
    """

    def __init__(self, packets_per_s: float) -> None:
        """`packets_per_s` bounds what is remembered."""
        self._packets_per_s = packets_per_s
        # the window that is open, in full; an append each is all that a packet costs
        self._times: list[float] = []
        self._fates: list[float] = []
        # those before it: tenths of a second, and RTT in seconds (VOID, LOST) to seven digits
        self._past_times = array("I")
        self._past = array("f")
        self._errors = 0
        self._error: tuple[str, PingErrorKind, int | None] | None = None
        self._reply_ttl: int | None = None
        self._send_error: str | None = None
        self._excuse: str | None = None
        self._total_sent = self._total_received = self._total_errors = 0
        self._late = self._duplicates = 0
        self._counts = [0] * (len(RTT_BUCKETS_S) + 1)
        self._sum = 0.0

    def resize(self, packets_per_s: float) -> None:
        """Go on at another pace."""
        self._packets_per_s = packets_per_s

    def answered(self, now: float, rtt_s: float, ttl: int | None = None) -> None:
        """A reply came in time; `rtt_s` may be VOID, `ttl` is what was left of its hops."""
        self._reply_ttl = ttl
        self._times.append(now)
        self._fates.append(rtt_s)

    def lost(self, now: float) -> None:
        """The time-out passed."""
        self._times.append(now)
        self._fates.append(LOST)

    def failed(self, hop: str, kind: PingErrorKind, mtu: int | None = None) -> None:
        """An ICMP error from `hop` explains a loss, which is counted by `lost`."""
        self._errors += 1
        self._error = (hop, kind, mtu)

    def late(self) -> None:
        """A reply came after its request had been counted as lost."""
        self._late += 1

    def duplicate(self) -> None:
        """A reply came again."""
        self._duplicates += 1

    def unsent(self, why: str) -> None:
        """A request could not leave this machine: nobody's loss."""
        self._send_error = why

    def excused(self, why: str) -> None:
        """A request has no reply, of our own making perhaps: nobody's loss, but the window knows less."""
        self._excuse = why

    def close(self, now: float) -> PingWindow:
        """End the window, and begin the next."""
        rtts = [rtt for rtt in self._fates if rtt >= 0]  # neither LOST nor VOID, which is no number
        sent = len(self._fates)
        received = sent - self._fates.count(LOST)
        for rtt in rtts:
            self._counts[bisect_left(RTT_BUCKETS_S, rtt)] += 1
        self._sum += sum(rtts)
        self._store(now)
        recent = self._since(now, RECENT_S)
        recent_rtts = [rtt for rtt in recent if rtt >= 0]
        hop, kind, mtu = self._error or (None, None, None)
        self._total_sent += sent
        self._total_received += received
        self._total_errors += self._errors
        window = PingWindow(
            sent=sent,
            received=received,
            errors=self._errors,
            error_hop=hop,
            rtts_s=rtts,
            recent_sent=len(recent),
            recent_received=len(recent) - recent.count(LOST),
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
            error_kind=kind,
            error_mtu=mtu,
            reply_ttl=self._reply_ttl,
            suspect=None if not received and sent >= CERTAIN_SILENCE else self._excuse,
        )
        self._errors = 0
        self._error = self._send_error = self._excuse = None
        return window

    def figures(self, now: float) -> PingFigures:
        """What the last five minutes say, the window that is still open included."""
        fates = [*self._since(now, FIGURES_S), *self._fates]
        rtts = [rtt for rtt in fates if rtt >= 0]
        sent, received = len(fates), len(fates) - fates.count(LOST)
        if not rtts:
            return PingFigures(FIGURES_S, sent, received)
        ordered = sorted(rtts)
        mean, unsteady = fmean(rtts), jitter(rtts)
        return PingFigures(
            FIGURES_S,
            sent,
            received,
            rtt_s=(ordered[0], mean, percentile(ordered, 0.95), percentile(ordered, 0.99), ordered[-1]),
            jitter_s=unsteady,
            r_factors={} if unsteady is None else quality.r_factors(mean, unsteady, 1 - received / sent),
        )

    def _store(self, now: float) -> None:
        """The open window joins what lies before it, and what is too old or too much goes."""
        times, past = self._past_times, self._past
        times.extend([int(time * _TICKS_PER_S) for time in self._times])
        past.extend(self._fates)
        self._times.clear()
        self._fates.clear()
        old = max(bisect_left(times, int((now - FIGURES_S) * _TICKS_PER_S)), len(past) - self._most(FIGURES_S))
        if old > 0:
            del times[:old], past[:old]

    def _since(self, now: float, seconds: float) -> array[float]:
        """The fates of the last so many seconds before the open window."""
        first = bisect_left(self._past_times, int((now - seconds) * _TICKS_PER_S))
        return self._past[max(first, len(self._past) - self._most(seconds)) :]

    def _most(self, seconds: float) -> int:
        """Fates that so many seconds can bring, the first burst and one second's catching up included."""
        return math.ceil((seconds + 1) * self._packets_per_s) + 5
