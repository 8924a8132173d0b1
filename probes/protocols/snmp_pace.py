"""How a device is asked over the link that it lies behind: waits, retries and sizes of questions; pure."""

from __future__ import annotations

from dataclasses import dataclass

from probes.results import Conditions

MANY_ROWS, SOME_ROWS, FEW_ROWS = 25, 15, 10
"""Rows asked at once. 25 of them fit into one packet; on a link that loses, an answer in fragments rarely arrives."""
LOSSY, VERY_LOSSY, DEAD = 0.02, 0.1, 0.9
FAR_S = 0.3
ATTEMPTS, ATTEMPTS_LOSSY, ATTEMPTS_VERY_LOSSY = 3, 4, 5
BACK_OFF = 1.4
LONGEST_FACTOR = 4.0
"""A call takes at most this many times the time-out that it was given."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits in seconds, one for each time a request is sent; the end of a whole call; rows per request of a walk."""

    waits_s: tuple[float, ...]
    call_s: float
    rows: int


def pace_of(timeout_s: float, conditions: Conditions) -> Pace:
    """Sends again sooner than it gives up: one request may take `timeout_s`, longer where the link needs it.

    With 10 % loss in each direction a request fails 19 times in 100 and five of them once in 4,000. A wait is never
    shorter than two round trips: what is only late need not be sent again. A link that nobody has measured yet may be
    a lossy one: one attempt more, within the same time.
    """
    rtt_s, loss = conditions.rtt_s or 0.0, conditions.loss_ratio or 0.0
    few = ATTEMPTS_LOSSY if conditions.loss_ratio is None else ATTEMPTS
    if loss >= DEAD:  # patience is for links that carry something
        loss = 0.0
    attempts = ATTEMPTS_VERY_LOSSY if loss >= VERY_LOSSY else ATTEMPTS_LOSSY if loss >= LOSSY else few
    whole = sum(BACK_OFF**attempt for attempt in range(attempts))
    first_s = max(timeout_s / whole, min(2 * rtt_s + 0.1, timeout_s))
    longest_s = timeout_s * LONGEST_FACTOR
    waits = tuple(min(first_s * BACK_OFF**attempt, longest_s) for attempt in range(attempts))
    bad = loss >= LOSSY or rtt_s >= FAR_S
    rows = FEW_ROWS if loss >= VERY_LOSSY else SOME_ROWS if bad else MANY_ROWS
    return Pace(waits, min(longest_s, max(timeout_s, sum(waits)) * (2 if bad else 1)), rows)


class Tokens:
    """A bucket that fills with time: `take` says whether one more is allowed now."""

    def __init__(self, per_s: float, burst: float) -> None:
        """Full at first."""
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        if self._at is not None:
            self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
