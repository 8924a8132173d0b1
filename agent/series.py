"""The series table: every line of the page, rendered when its owner's result arrives; a scrape only joins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import NamedTuple

from probes import metrics
from probes.metrics import Family
from probes.results import Distribution, Reading

Labels = Mapping[str, str]
_Key = tuple[Family, tuple[str, ...] | None]
"""A family and the own labels of one of its series; None for a histogram."""


class _Plan(NamedTuple):
    """How an owner's lines look, all but their numbers: what stays the same from result to result is spelled once."""

    labels: Labels
    keys: list[_Key]
    """In the order of the values."""
    order: list[int] | None
    """Where each number of the template stands among the values; None where they are in order."""
    template: str
    """The text of each family, with a `%r` for each number, and `_BETWEEN` families."""
    families: tuple[str, ...]
    """Their names."""


_BETWEEN = "\0"


class SeriesTable:
    """Lines by family and owner. An owner (a target, a commune, the agent) replaces all of its own lines at once.

    Text format 0.0.4 of Prometheus. Families without a line are left out, help and type included.
    """

    def __init__(self, province: str) -> None:
        """`province` is the first label of every series."""
        self._province = province
        self._lines: dict[str, dict[str, str]] = {name: {} for name in metrics.FAMILIES}
        self._plans: dict[str, _Plan] = {}

    def put(
        self, owner: str, labels: Labels, readings: Iterable[Reading], distributions: Iterable[Distribution] = ()
    ) -> None:
        """Replace an owner's lines. `labels` is its identity; families take from it what they declare."""
        readings = list(readings)
        values = [reading.value for reading in readings]
        if bool in map(type, values):
            values = [+value for value in values]
        finite = _all_finite(values)
        if not finite:  # rarely: what is no number of Prometheus's has no line
            readings = [reading for reading in readings if _is_number(reading.value)]
            values = [+reading.value for reading in readings]
        keys: list[_Key] = [(family, own) for family, _, own in readings]
        for family, counts, total in distributions:
            if len(counts) != len(family.buckets) + 1:
                raise ValueError(
                    f"{family.name} has {len(family.buckets)} buckets and a rest, not {len(counts)} counts"
                )
            keys.append((family, None))
            finite = finite and math.isfinite(total)
            below = list(accumulate(counts))
            values += (*below, total, below[-1])
        before = plan = self._plans.get(owner)
        if plan is None or plan.keys != keys or plan.labels != labels:  # a reload may give a target another medium
            plan = self._planned(labels, keys)
        if plan.order is not None:
            values = [values[place] for place in plan.order]
        texts = _filled(plan.template, values, finite=finite)
        lines = self._lines
        if plan is not before:  # nothing is changed before everything is spelled
            self._plans[owner] = plan
            for name in {*before.families}.difference(plan.families) if before is not None else ():
                del lines[name][owner]
        for name, text in zip(plan.families, texts, strict=True):
            lines[name][owner] = text

    def drop(self, owner: str) -> None:
        """Remove an owner's lines."""
        for name in self._plans.pop(owner).families:
            del self._lines[name][owner]

    def page(self) -> str:
        """The whole page."""
        parts = []
        for name, family in metrics.FAMILIES.items():
            lines = self._lines[name]
            if lines:
                parts.append(f"# HELP {name} {_escaped_help(family.help)}\n# TYPE {name} {family.type}\n")
                parts.extend(lines.values())
        return "".join(parts)

    def _planned(self, labels: Labels, keys: list[_Key]) -> _Plan:
        """Spell everything but the numbers; what belongs to one family comes together."""
        places: dict[str, list[int]] = {}
        texts: dict[str, list[str]] = {}
        place = 0
        for family, own in keys:
            lines = (
                self._histogram(labels, family) if own is None else [family.name + self._spelled(labels, family, own)]
            )
            texts.setdefault(family.name, []).extend(f"{line.replace('%', '%%')} %r\n" for line in lines)
            places.setdefault(family.name, []).extend(range(place, place + len(lines)))
            place += len(lines)
        order = [place for found in places.values() for place in found]
        template = _BETWEEN.join("".join(lines) for lines in texts.values())
        return _Plan(labels, keys, None if order == sorted(order) else order, template, tuple(texts))

    def _spelled(self, labels: Labels, family: Family, own: tuple[str, ...], extra: str = "") -> str:
        pairs = [("province", self._province)]
        pairs += [(name, labels[name]) for name in family.subject if labels.get(name)]
        pairs += [(name, value) for name, value in zip(family.own, own, strict=True) if value]
        return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + extra + "}"

    def _histogram(self, labels: Labels, family: Family) -> list[str]:
        whole = self._spelled(labels, family, ())
        bounds = (f"{bound:g}" for bound in family.buckets)
        buckets = [self._spelled(labels, family, (), f',le="{bound}"') for bound in (*bounds, "+Inf")]
        return [
            *(f"{family.name}_bucket{bucket}" for bucket in buckets),
            f"{family.name}_sum{whole}",
            f"{family.name}_count{whole}",
        ]


def _filled(template: str, values: list[float], *, finite: bool) -> list[str]:
    """The text of each family. Only a number ends a line, so that `1.0` is shortened, and infinity named, at once."""
    if not template:
        return []
    text = (template % tuple(values)).replace(".0\n", "\n")
    if not finite:
        text = text.replace(" inf\n", " +Inf\n").replace(" -inf\n", " -Inf\n")
    return text.split(_BETWEEN)


def _all_finite(values: list[float]) -> bool:
    try:
        return math.isfinite(sum(values))
    except OverflowError:  # an integer beyond every float
        return False


def _is_number(value: float) -> bool:
    """Whether Prometheus has a number for it; infinity is one."""
    try:
        return not math.isnan(value)
    except OverflowError:
        return False


def _escaped(value: str) -> str:
    return value.replace(_BETWEEN, "").replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _escaped_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
