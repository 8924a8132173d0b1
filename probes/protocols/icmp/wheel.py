"""When each stream's next request is due: a timing wheel, so that ten thousand streams cost no more each than ten."""

from __future__ import annotations

import math
from heapq import heappop, heappush

from probes.protocols.icmp.stream import PingStream

SLOT_S = 0.01
"""No stream sends faster."""


class Wheel:
    """Streams by the slot of time that their next request falls into; monotonic seconds, as in `PingStream.due`."""

    def __init__(self) -> None:
        """Empty."""
        self._slots: dict[int, list[PingStream]] = {}
        self._numbers: list[int] = []  # the keys of `_slots`, a heap
        self._due: list[PingStream] = []  # whose slot has begun

    def put(self, stream: PingStream) -> None:
        """Its next request falls due at `stream.due`."""
        number = int(stream.due / SLOT_S)
        slot = self._slots.get(number)
        if slot is None:
            self._slots[number] = [stream]
            heappush(self._numbers, number)
        else:
            slot.append(stream)

    def take(self, now: float, most: int) -> list[PingStream]:
        """Up to `most` streams whose slot has begun, the longest overdue first; they leave the wheel."""
        due = self._due
        while self._numbers and self._numbers[0] * SLOT_S <= now and len(due) < most:
            due += self._slots.pop(heappop(self._numbers))
        self._due = due[most:]
        return due[:most]

    def first(self) -> float:
        """When the first slot begins that holds a stream; infinite where none does."""
        if self._due:
            return -math.inf
        return self._numbers[0] * SLOT_S if self._numbers else math.inf

    def clear(self) -> None:
        """Forget all streams."""
        self._slots.clear()
        self._numbers.clear()
        self._due.clear()
