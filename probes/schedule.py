"""When beats fall due: a grid per target, spread by the target's name, stable over restarts."""

from __future__ import annotations

import zlib


def first_due(name: str, now: float, interval_s: float) -> float:
    """The first beat after `now` on the grid of `name`; grids of different names are spread over the interval."""
    offset = zlib.crc32(name.encode()) / 2**32 * interval_s
    beats = (now - offset) // interval_s + 1
    return offset + beats * interval_s


def next_due(due: float, now: float, interval_s: float) -> tuple[float, int]:
    """The beat after `due` that is not yet past, and how many were skipped: a slow run never piles up beats."""
    skipped = max(0, int((now - due) // interval_s))
    return due + (skipped + 1) * interval_s, skipped
