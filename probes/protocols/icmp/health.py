"""Whether our own measuring can be trusted: what went wrong with us, when, and which losses that excuses.

A blocked event loop alone spoils nothing: replies wait in the kernel's buffer with their stamps, and are read before
a request expires. What does spoil is named by `Doubt`; a request that such trouble touched and that has no reply is
nobody's loss.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from probes.metrics import LATENESS_BUCKETS_S
from probes.protocols.icmp.series import CLOCK_STEP_NS, PingSeries

LOOK_S = 0.1
"""How often we look at ourselves, and so how exactly a trouble is placed in time."""
TOLD_S = 60.0
"""How long a trouble is told of: as long as it touches figures of the last 60 s, so that no scrape misses it."""
WITNESS_REACH_S = 1.5
"""A lost loopback request speaks for what is lost so long after it: its own pace, and half as much again."""
WITNESS_HEARD_S = 60.0
"""A loopback that has been silent for longer excuses nothing: somebody has forbidden it to answer, as with
`net.ipv4.icmp_echo_ignore_all`, and real outages must not hide behind that."""


class Doubt(StrEnum):
    """Why our own measuring is in doubt; label-safe. Add, never rename."""

    SOCKET_DROPS = "socket_drops"
    """The kernel dropped replies, as our receive buffer was full: loss may be invented."""
    LOOP_STALL = "loop_stall"
    """Nothing of ours ran for longer than a request may take; whoever held us may have held the whole machine, and a
    kernel that does not run neither receives nor stamps."""
    CLOCK_STEP = "clock_step"
    """The clock was set: times that span it are void, loss stays valid."""
    LOOPBACK_LOSS = "loopback_loss"
    """This machine lost what it sent to itself, and nothing else explains it: a full connection table, a firewall."""


_ANY, _LATE = frozenset(Doubt) - {Doubt.CLOCK_STEP}, frozenset({Doubt.LOOP_STALL})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that went wrong between two moments, monotonic seconds; replies, seconds or requests by its doubt."""

    doubt: Doubt
    since: float
    until: float
    amount: float
    versions: tuple[int, ...] = (4, 6)
    """IP versions whose losses it may excuse."""


class PingHealth:
    """Keeps the last minute's troubles; has no clock of its own, `now` is monotonic seconds."""

    def __init__(self, timeout_s: float) -> None:
        """`timeout_s` is how long a request may take."""
        self._timeout_s = timeout_s
        self._troubles: deque[Trouble] = deque()  # in the order of their end
        self._looked = -math.inf
        self._offset_ns: int | None = None
        self._drops: dict[int, int] = {}
        self._heard: dict[int, float] = {}  # IP version -> when its loopback last answered
        self.due = math.inf
        """When the event loop is to call us next."""
        self.lag_counts = [0] * (len(LATENESS_BUCKETS_S) + 1)
        self.lag_sum_s = 0.0
        self.clock_steps = 0
        self.excused = 0
        """Requests without a reply whose loss may be of our own making."""

    def look(self, now: float, offset_ns: int, drops: Mapping[int, int], *, called: bool = False) -> None:
        """Take in realtime minus monotonic and, by IP version, what the sockets have dropped so far.

        `called` by the event loop's timer, or in between by whoever needs the latest.
        """
        while self._troubles and self._troubles[0].until < now - TOLD_S:
            self._troubles.popleft()
        if self.due < math.inf and (called or now > self.due):
            self._lagged(now, max(0.0, now - self.due))
            self.due = math.inf
        step_ns = 0 if self._offset_ns is None else offset_ns - self._offset_ns
        if abs(step_ns) > CLOCK_STEP_NS or self._offset_ns is None:  # slewing changes both clocks alike
            self._offset_ns = offset_ns
        if abs(step_ns) > CLOCK_STEP_NS:
            self.clock_steps += 1
            self._troubles.append(Trouble(Doubt.CLOCK_STEP, self._looked, now, step_ns / 1e9))
        for version, dropped in drops.items():
            more = dropped - self._drops.get(version, 0)
            self._drops[version] = dropped
            if more > 0:
                self._troubles.append(Trouble(Doubt.SOCKET_DROPS, self._looked, now, more, (version,)))
        self._looked = now

    def _lagged(self, now: float, lag_s: float) -> None:
        self.lag_counts[bisect_left(LATENESS_BUCKETS_S, lag_s)] += 1
        self.lag_sum_s += lag_s
        if lag_s > self._timeout_s:
            self._troubles.append(Trouble(Doubt.LOOP_STALL, self._looked, now, lag_s))

    def witness(self, version: int, now: float, *, answered: bool) -> None:
        """The fate of a loopback request that nothing else explains. One that never answered is no witness."""
        heard = self._heard.get(version)
        if answered:
            self._heard[version] = now
        elif heard is not None:
            speaks_for = (version,) if now - heard < WITNESS_HEARD_S else ()
            self._troubles.append(Trouble(Doubt.LOOPBACK_LOSS, now, now, 1, speaks_for))

    def excuse(self, version: int, sent: float, now: float, *, witness: bool = False, late: bool = False) -> str | None:
        """Why a request that was sent then, and has no reply (or a `late` one), is no proof of loss; None if it is.

        What the loopback lost excuses others, not the loopback (`witness`) itself.
        """
        able = _LATE if late else _ANY - {Doubt.LOOPBACK_LOSS} if witness else _ANY
        found = []
        for trouble in reversed(self._troubles):
            if trouble.until < min(sent, now - WITNESS_REACH_S):
                break
            touches = (
                trouble.until >= now - WITNESS_REACH_S
                if trouble.doubt is Doubt.LOOPBACK_LOSS
                else trouble.until >= sent and trouble.since <= sent + self._timeout_s
            )
            if touches and trouble.doubt in able and version in trouble.versions:
                found.append(trouble)
        if not found:
            return None
        self.excused += 1
        return next(iter(_told(found).values()))

    def why_untimed(self, now: float) -> str:
        """Why no reply that came until now has a time."""
        clock = self.doubts(now).get(Doubt.CLOCK_STEP)
        return f"all replies came, and none with a time that is sure: {clock or 'this machine is too busy'}"

    def doubts(self, now: float) -> dict[Doubt, str]:
        """What went wrong in the last minute, in words."""
        return _told([trouble for trouble in self._troubles if trouble.until >= now - TOLD_S])


def _told(troubles: list[Trouble]) -> dict[Doubt, str]:
    """In the order of `Doubt`, what explains most first."""
    amounts = {
        doubt: [trouble.amount for trouble in troubles if trouble.doubt is doubt]
        for doubt in Doubt
        if any(trouble.doubt is doubt for trouble in troubles)
    }
    return {doubt: _in_words(doubt, found) for doubt, found in amounts.items()}


def _in_words(doubt: Doubt, amounts: list[float]) -> str:
    match doubt:
        case Doubt.SOCKET_DROPS:
            return f"the agent's own socket lost {_counted(sum(amounts), 'reply', 'replies')}"
        case Doubt.LOOP_STALL:
            return f"the event loop stood still for {max(amounts):.1f} s"
        case Doubt.CLOCK_STEP:
            return f"the clock was set by {sum(amounts):+.3g} s"
        case Doubt.LOOPBACK_LOSS:
            return f"this machine lost {_counted(len(amounts), 'request', 'requests')} to itself"


def _counted(count: float, one: str, many: str) -> str:
    return f"{count:.0f} {one if count == 1 else many}"


class WitnessSeries(PingSeries):
    """The series of a loopback stream: what becomes of its requests speaks for our own condition."""

    def __init__(self, packets_per_s: float, version: int, health: PingHealth) -> None:
        """`health` is told each fate."""
        super().__init__(packets_per_s)
        self._version, self._health = version, health

    def answered(self, now: float, rtt_s: float, ttl: int | None = None) -> None:
        """See `PingSeries`."""
        super().answered(now, rtt_s, ttl)
        self._health.witness(self._version, now, answered=True)

    def lost(self, now: float) -> None:
        """See `PingSeries`."""
        super().lost(now)
        self._health.witness(self._version, now, answered=False)
