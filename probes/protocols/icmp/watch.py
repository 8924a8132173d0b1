"""Looks at ourselves while pings run: a timer's lateness, what the sockets have dropped, whether the clock was set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from probes.protocols.icmp.edge import Edge
from probes.protocols.icmp.health import LOOK_S, PingHealth


def clock_offset_ns() -> int:
    """Realtime minus monotonic; read again where we were interrupted between the two."""
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        if time.monotonic_ns() - before < 100_000:
            break
    return wall - before


class Watch:
    """Keeps `health` informed, ten times a second and whenever asked."""

    def __init__(self, health: PingHealth, edges: Mapping[int, Edge], offset_ns: Callable[[], int]) -> None:
        """`edges` are by IP version, and may come and go; `offset_ns` is as `clock_offset_ns`."""
        self._health, self._edges, self._offset_ns = health, edges, offset_ns
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin."""
        self._health.due = time.monotonic() + LOOK_S
        self._timer = loop.call_later(LOOK_S, self._called, loop)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self, *, called: bool = False) -> None:
        """The latest, before anything is judged by it."""
        drops = {version: edge.drops for version, edge in self._edges.items()}
        self._health.look(time.monotonic(), self._offset_ns(), drops, called=called)

    def _called(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self.look(called=True)
        finally:  # whatever it finds, it looks again
            self.start(loop)
