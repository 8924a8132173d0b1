"""One address that the ICMP engine asks at its own pace: when its next request is due, and when its burst is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from probes.ports import PingOptions
from probes.protocols.icmp.edge import Edge, Send
from probes.protocols.icmp.packet import TURNS
from probes.protocols.icmp.series import PingSeries
from probes.schedule import first_due, next_due

BURST = 5
"""Requests with which a stream begins, so that its first window says something."""
BURST_GAP_S = 0.2
WINDOWS_KEPT = 3
"""A stream ends when nobody has asked for so many windows' time."""
FIRST_WINDOWS_S = 900.0
"""The same for a stream that was asked only once, whose windows' time is not known yet."""
MIN_WINDOW_S = 3.0
SILENT, STILL_SILENT = 3, 10
"""Requests lost in a row after which a stream turns to another id, and again after each so many more.

A firewall or address translator remembers a conversation by its id; one that died there would stay dead as long as we
keep it alive with the same id.
"""


@dataclass(slots=True, eq=False)
class PingStream:
    """A stream as the engine keeps it; times in seconds, monotonic."""

    name: str
    key: int
    address: str
    """As asked for."""
    host: str
    """The address in its usual spelling, as replies name it."""
    interval_s: float
    options: PingOptions
    edge: Edge | None
    """None where nothing can be sent."""
    send: Send | None
    refusal: str
    """Why nothing can be sent."""
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
    silent: int = 0
    """Requests lost in a row."""
    turn: int = 0
    """Which id of the engine's block its requests carry."""
    due: float = field(init=False)
    """When the next request is."""
    destination: tuple[str, int] = field(init=False)
    size: int = field(init=False)
    version: int = field(init=False)
    """Of IP."""

    def __post_init__(self) -> None:
        """What is needed for each packet; the first is due at once."""
        self.due = self.asked
        self.destination = (self.host, 0)
        self.size = self.options.size_bytes
        self.version = 6 if ":" in self.host else 4

    def lost(self, now: float) -> None:
        """A request is lost; a stream that is silent turns to another id."""
        self.series.lost(now)
        self.silent += 1
        if self.silent >= SILENT and (self.silent - SILENT) % STILL_SILENT == 0:
            self.turn = (self.turn + 1) % TURNS

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

    def go_on(self, now: float) -> None:
        """A request has left: the next is due after the burst's gap, then on a grid whose phase is the name's."""
        if self.burst is None:
            self.due += self.interval_s
            if self.due <= now:
                self.due = next_due(self.due - self.interval_s, now, self.interval_s)[0]
        elif self.burst_unsent:
            self.due = now + min(BURST_GAP_S, self.interval_s)
        else:
            self.due = first_due(self.name, now, self.interval_s)
