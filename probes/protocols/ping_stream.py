"""One address that the ICMP engine asks at its own pace: when its next request is due, and when its burst is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from probes.protocols.icmp_socket import EchoSocket
from probes.protocols.ping_series import PingSeries
from probes.schedule import first_due, next_due

BURST = 5
"""Requests with which a stream begins, so that its first window says something."""
BURST_GAP_S = 0.2
WINDOWS_KEPT = 3
"""A stream ends when nobody has asked for so many windows' time."""
FIRST_WINDOWS_S = 900.0
"""The same for a stream that was asked only once, whose windows' time is not known yet."""
MIN_WINDOW_S = 3.0


@dataclass(slots=True, eq=False)
class PingStream:
    """A stream as the engine keeps it; times in seconds, monotonic."""

    name: str
    key: int
    address: str
    interval_s: float
    edge: EchoSocket | None
    """None where this machine lacks the address's family."""
    series: PingSeries
    asked: float
    """When somebody last asked for a window."""
    until: float
    """When the stream ends unless somebody asks again."""
    running: bool = True
    burst: set[int] | None = field(default_factory=set)
    """Numbers of the first requests that have no fate yet; None once all have one."""
    burst_unsent: int = BURST
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the burst is over."""

    def ask(self, now: float) -> None:
        """Somebody asks for a window again."""
        self.until = now + WINDOWS_KEPT * max(MIN_WINDOW_S, now - self.asked)
        self.asked = now

    def began(self, number: int) -> None:
        """A request of the burst is on its way."""
        self.burst_unsent -= 1
        if self.burst is not None:
            self.burst.add(number)

    def final(self, number: int) -> None:
        """A request has got its fate; the burst is over when all of its requests have."""
        if self.burst is not None:
            self.burst.discard(number)
            if not self.burst and not self.burst_unsent:
                self.burst = None
                self.settled.set()

    def next_due(self, due: float, now: float) -> float:
        """The next request's time: the burst's gap, then a grid whose phase follows from the stream's name."""
        if self.burst is None:
            return next_due(due, now, self.interval_s)[0]
        if self.burst_unsent:
            return now + min(BURST_GAP_S, self.interval_s)
        return first_due(self.name, now, self.interval_s)
