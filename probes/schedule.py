"""When beats fall due: a grid per target, spread by the target's name, stable over restarts."""

from __future__ import annotations

import zlib

TICK_S = 0.02
"""What falls due within it happens together. To wake up for each of 2,000 pings or beats a second costs more than they
do: 46 us of CPU for a ping at 10 ms, 35 at 20, 28 at 50, where bursts begin to fill Debian's receive buffer."""


def first_due(name: str, now: float, interval_s: float) -> float:
    """The first beat after `now` on the grid of `name`; the names are spread over the interval, by ticks."""
    offset = zlib.crc32(name.encode()) / 2**32 * interval_s // TICK_S * TICK_S
    beats = (now - offset) // interval_s + 1
    return offset + beats * interval_s


def next_due(due: float, now: float, interval_s: float) -> tuple[float, int]:
    """The beat after `due` that is not yet past, and how many were skipped: a slow run never piles up beats."""
    skipped = max(0, int((now - due) // interval_s))
    return due + (skipped + 1) * interval_s, skipped
