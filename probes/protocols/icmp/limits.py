"""When a link that answers counts as degraded: judged over several beats, and cleared only when clearly better."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from probes import quality
from probes.ports import PingWindow
from probes.protocols.icmp.series import percentile
from probes.results import Reason

LOSS_BEATS = 30
"""Loss is judged over so many beats: five minutes by default, 300 packets."""
LOSSY_BEATS, STILL_LOSSY_BEATS = 5, 2
"""So many of them must have lost something; so many where loss is already told."""
OUTAGE_BEATS = 3
"""So many silent beats in a row are an outage: it is told as such, and is nobody's loss afterwards."""
SETTLED_BEATS = 3
"""Jitter is the least that so many beats in a row have seen."""
STEADY_REPLIES = 20
"""Fewer replies within 60 s tell no jitter: RFC 3550 forgets a sixteenth with each."""
SLOW_REPLIES = 2
"""So many replies must be slow: below 20 a window's 95th percentile is its slowest one."""
HANDFUL = 2
"""Of a single window so many must be lost."""
CLEAR, CLEAR_LOSS = 0.8, 0.5
"""What is already told goes on down to this share of its threshold. Loss is a count of few, and swings more by chance:
over three hours at the very threshold its state changes 8 times in place of 40."""
CLEAR_MOS = 0.2
"""Or up to so much above the least score."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond these a link that answers is degraded: loss from, the others above, the mean opinion score below."""

    loss_ratio: float
    latency_s: float
    jitter_s: float
    mos: float


class Course:
    """What is remembered of a link's latest beats. One lost or slow packet alone never degrades a link.

    - Loss: of 60 packets one is 1.7 %, so a limit of 1 % says nothing about a minute. It is judged over 30 beats (300
      packets by default), of which five must have lost something. An interruption of some seconds touches two; random
      loss of 0.2 %, as mobile links have it on good days, reaches five in 300 once in a week; 2 % reaches them within
      five minutes, 20 % within five beats.
    - Latency: the 95th percentile of the last 60 s, which four slow packets of 60 reach; two at least.
    - Jitter: RFC 3550's follows a single late packet for up to 40 more; so the least of three beats counts.
    - Mean opinion score: of the mean delay with that jitter and that loss.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._sent, self._lost = array("I"), array("I")  # of each beat
        self._silent = 0  # beats in a row
        self._jitters: tuple[float, ...] = ()
        self._told: frozenset[Reason] = frozenset()

    def take(self, window: PingWindow) -> None:
        """One more beat, whose requests have their fates."""
        if window.received:
            self._silent = 0
        else:
            self._silent += 1
        if self._silent >= OUTAGE_BEATS:
            self._forget_loss()
            return
        self._sent.append(window.sent)
        self._lost.append(window.sent - window.received)
        del self._sent[:-LOSS_BEATS], self._lost[:-LOSS_BEATS]
        if window.jitter_s is not None and len(window.recent_rtts_s) >= STEADY_REPLIES:
            self._jitters = (*self._jitters, window.jitter_s)[-SETTLED_BEATS:]

    def alive(self) -> None:
        """A beat without a reply to a ping, which answered otherwise: pings are filtered, and say nothing."""
        self._silent = 0
        self._forget_loss()

    def _forget_loss(self) -> None:
        del self._sent[:], self._lost[:]
        self._jitters, self._told = (), frozenset()

    def judge(self, window: PingWindow, limits: Limits, *, once: bool = False) -> list[tuple[Reason, str]]:
        """What the link is beyond, worst first, in words; `once` for a probe by hand, which has but this window."""
        found = [
            (reason, words)
            for reason, words in (
                (Reason.LOSS, self._loss(window, limits.loss_ratio) if not once else _lost_by(window, limits)),
                (Reason.LATENCY, self._latency(window.recent_rtts_s, limits.latency_s)),
                (Reason.JITTER, self._jitter(limits.jitter_s)),
                (Reason.QUALITY, self._quality(window.recent_rtts_s, limits.mos)),
            )
            if words
        ]
        self._told = frozenset(reason for reason, _ in found)
        return found

    def _share(self, reason: Reason, clear: float = CLEAR) -> float:
        return clear if reason in self._told else 1.0

    def _loss_ratio(self, needed: int) -> float:
        """Loss over the beats that count; 0 where too few of them have lost anything."""
        if len(self._lost) - self._lost.count(0) < needed:
            return 0.0
        return sum(self._lost) / sum(self._sent)

    def _loss(self, window: PingWindow, limit: float) -> str:
        ratio = self._loss_ratio(STILL_LOSSY_BEATS if Reason.LOSS in self._told else LOSSY_BEATS)
        if ratio < limit * self._share(Reason.LOSS, CLEAR_LOSS) or not ratio:
            return ""
        return f"{sum(self._lost)} of the last {sum(self._sent)} lost"

    def _latency(self, rtts_s: Sequence[float], limit: float) -> str:
        limit *= self._share(Reason.LATENCY)
        if not rtts_s or max(rtts_s) <= limit:
            return ""
        ordered = sorted(rtts_s)
        p95 = percentile(ordered, 0.95)
        slow = len(ordered) >= SLOW_REPLIES and min(p95, ordered[-SLOW_REPLIES]) > limit
        return f"95 % within {p95 * 1000:.0f} ms" if slow else ""

    def _jitter(self, limit: float) -> str:
        settled = self._settled_jitter()
        return f"jitter {settled * 1000:.0f} ms" if settled > limit * self._share(Reason.JITTER) else ""

    def _settled_jitter(self) -> float:
        return min(self._jitters) if len(self._jitters) == SETTLED_BEATS else 0.0

    def _quality(self, rtts_s: Sequence[float], limit: float) -> str:
        if len(rtts_s) < SLOW_REPLIES:
            return ""
        delay_s = quality.heard_delay_s(sum(rtts_s) / len(rtts_s), self._settled_jitter())
        score = quality.mos(quality.g107_r(delay_s, self._loss_ratio(LOSSY_BEATS)))
        needed = limit + (CLEAR_MOS if Reason.QUALITY in self._told else 0.0)
        return f"mean opinion score {score:.1f}" if score < needed else ""


def _lost_by(window: PingWindow, limits: Limits) -> str:
    lost = window.sent - window.received
    return f"{lost} of {window.sent} lost" if lost >= max(HANDFUL, limits.loss_ratio * window.sent) else ""
