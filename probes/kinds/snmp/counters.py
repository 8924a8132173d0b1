"""Counters that go back a little: a device that answers from another copy of its tables, not one that began anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probes.metrics import Family
from probes.results import Reading

Counters = Mapping[tuple[Family, tuple[str, ...]], float]
"""The latest value of each counter, by its family and labels."""


def held(before: Counters, readings: Sequence[Reading]) -> tuple[list[Reading], Counters]:
    """The readings, and the counters to be remembered: those of the last beat that read any.

    Prometheus takes every step back for a reset, and counts the whole value again: five packets less of a billion would
    be a billion more. A counter that was reset loses at least half, and one that ran over nearly all, unless a beat
    moves half of its range; one that loses less stays as it was until it is beyond that. A restart begins with none.
    """
    told = list(readings)
    counters: dict[tuple[Family, tuple[str, ...]], float] = {}
    for place, (family, value, labels) in enumerate(told):
        if family.type != "counter":
            continue
        known = before.get((family, labels), 0.0)
        if known / 2 < value < known:
            told[place] = Reading(family, known, labels)
        counters[family, labels] = told[place].value
    return told, counters or before
