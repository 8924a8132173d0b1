"""The series table: every line of the page, rendered when its owner's result arrives; a scrape only joins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from probes import metrics
from probes.metrics import Family
from probes.results import Distribution, Reading

Labels = Mapping[str, str]
_Key = tuple[str, tuple[str, ...]]
"""A family's name and the own labels of one of its series."""


class SeriesTable:
    """Lines by family and owner. An owner (a target, a commune, the agent) replaces all of its own lines at once.

    Text format 0.0.4 of Prometheus. Families without a line are left out, help and type included.
    """

    def __init__(self, province: str) -> None:
        """`province` is the first label of every series."""
        self._province = province
        self._lines: dict[str, dict[str, str]] = {name: {} for name in metrics.FAMILIES}
        self._owned: dict[str, frozenset[str]] = {}
        self._prefixes: dict[str, tuple[Labels, dict[_Key, str]]] = {}

    def put(
        self, owner: str, labels: Labels, readings: Iterable[Reading], distributions: Iterable[Distribution] = ()
    ) -> None:
        """Replace an owner's lines. `labels` is its identity; families take from it what they declare."""
        fresh: dict[str, list[str]] = {}
        identity, known = self._prefixes.get(owner, (labels, {}))
        if identity != labels:  # a reload may give a target another medium or path
            known = {}
        used: dict[_Key, str] = {}
        for reading in readings:
            if not math.isnan(reading.value):
                key = (reading.family.name, reading.labels)
                prefix = used[key] = known.get(key) or self._prefix(labels, reading.family, reading.labels)
                fresh.setdefault(reading.family.name, []).append(f"{prefix} {_number(reading.value)}\n")
        for distribution in distributions:
            fresh[distribution.family.name] = self._histogram(labels, distribution, known, used)
        self._prefixes[owner] = (labels, used)
        for name in self._owned.get(owner, frozenset()) - fresh.keys():
            del self._lines[name][owner]
        for name, lines in fresh.items():
            self._lines[name][owner] = "".join(lines)
        self._owned[owner] = frozenset(fresh)

    def drop(self, owner: str) -> None:
        """Remove an owner's lines."""
        self.put(owner, {}, ())
        del self._owned[owner], self._prefixes[owner]

    def page(self) -> str:
        """The whole page."""
        parts = []
        for name, family in metrics.FAMILIES.items():
            lines = self._lines[name]
            if lines:
                parts.append(f"# HELP {name} {_escaped_help(family.help)}\n# TYPE {name} {family.type}\n")
                parts.extend(lines.values())
        return "".join(parts)

    def _prefix(self, labels: Labels, family: Family, own: tuple[str, ...]) -> str:
        return family.name + self._spelled(labels, family, own)

    def _spelled(self, labels: Labels, family: Family, own: tuple[str, ...], extra: str = "") -> str:
        pairs = [("province", self._province)]
        pairs += [(name, labels[name]) for name in family.subject if labels.get(name)]
        pairs += [(name, value) for name, value in zip(family.own, own, strict=True) if value]
        return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + extra + "}"

    def _histogram(
        self, labels: Labels, distribution: Distribution, known: Mapping[_Key, str], used: dict[_Key, str]
    ) -> list[str]:
        family = distribution.family
        below = 0
        lines = []
        for bound, count in zip((*family.buckets, math.inf), distribution.counts, strict=True):
            below += count
            le = _number(bound)
            key = (family.name, (le,))
            prefix = used[key] = known.get(key) or f"{family.name}_bucket" + self._spelled(
                labels, family, (), f',le="{le}"'
            )
            lines.append(f"{prefix} {below}\n")
        whole: _Key = (family.name, ())
        plain = used[whole] = known.get(whole) or self._spelled(labels, family, ())
        lines.append(f"{family.name}_sum{plain} {_number(distribution.total)}\n{family.name}_count{plain} {below}\n")
        return lines


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _escaped_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
