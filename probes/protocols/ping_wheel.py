"""When each stream's next request is due: a timing wheel, so that ten thousand streams cost no more each than ten."""

from __future__ import annotations

import math
from heapq import heappop, heappush

from probes.protocols.ping_stream import PingStream
from probes.schedule import TICK_S


class Wheel:
    """Streams by the tick that their next request falls into; times are monotonic seconds, as in `PingStream.due`."""

    def __init__(self) -> None:
        """Empty."""
        self._slots: dict[int, list[PingStream]] = {}
        self._ticks: list[int] = []  # the keys of `_slots`, a heap
        self._due: list[PingStream] = []  # whose tick has begun

    def put(self, stream: PingStream) -> None:
        """Its next request falls due at `stream.due`."""
        tick = int(stream.due / TICK_S)
        slot = self._slots.get(tick)
        if slot is None:
            self._slots[tick] = [stream]
            heappush(self._ticks, tick)
        else:
            slot.append(stream)

    def take(self, now: float, most: int) -> list[PingStream]:
        """Up to `most` streams whose tick has begun, the longest overdue first; they leave the wheel."""
        due = self._due
        while self._ticks and self._ticks[0] * TICK_S <= now and len(due) < most:
            due += self._slots.pop(heappop(self._ticks))
        self._due = due[most:]
        return due[:most]

    def first(self) -> float:
        """When the first tick begins that holds a stream; infinite where none does."""
        if self._due:
            return -math.inf
        return self._ticks[0] * TICK_S if self._ticks else math.inf

    def clear(self) -> None:
        """Forget all streams."""
        self._slots.clear()
        self._ticks.clear()
        self._due.clear()
