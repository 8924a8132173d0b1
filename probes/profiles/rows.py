"""Rows of tables bound to their object identifiers, and what a group's values become; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from statistics import fmean

from probes import metrics
from probes.metrics import PREFIX, Family
from probes.profiles.compiled import Column, CompiledGroup, CompiledTable, Get, Labels, Make, Part, labelled, made
from probes.profiles.model import Limits
from probes.profiles.values import Raw, Read, number, text
from probes.results import Reading

Rows = Mapping[str, Raw]
"""One column by index."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One family of one row, whatever it takes to make it."""

    column: int
    make: Make
    labels: Labels | Callable[[Get], Labels]
    places: int
    """Power of ten that its value is multiplied by."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, bound to its object identifiers.

    `plain` are cells that need one object and nothing else: (object identifier, how it is read, family, labels).
    """

    index: str
    name: str
    oids: tuple[str, ...]
    plain: tuple[tuple[str, Read, Family, Labels], ...]
    cells: tuple[Cell, ...]


Statics = Mapping[str, Rows]
"""The columns that are read only when rows are learnt."""


def named(rows: Rows, read: Callable[[Raw], str] = text) -> dict[str, str]:
    """Names by index; those that are empty or not alone get their index."""
    names = {index: read(raw) for index, raw in rows.items()}
    times = Counter(names.values())
    return {index: name if name and times[name] == 1 else f"{name}#{index}" for index, name in names.items()}


def looked_up(rows: Mapping[str, str], columns: Sequence[tuple[str, Callable[[Raw], str]]], get: Get) -> dict[str, str]:
    """Names by index, where `rows` tells by index the row of these columns that has the name."""
    names = {}
    for index, row in rows.items():
        for oid, read in columns:
            raw = get(f"{oid}.{row}")
            if raw is not None and (name := read(raw)):
                names[index] = name
                break
    return names


def reached(indexes: Iterable[str], interfaces: Rows, masks: Rows) -> dict[str, str]:
    """By which row of the interfaces the address is reached that each index ends in; own addresses are the rows' index.

    Of several networks that hold it, the smallest.
    """
    networks = []
    for address, raw in interfaces.items():
        try:
            networks.append((IPv4Network(f"{address}/{text(masks.get(address))}", strict=False), text(raw)))
        except ValueError:
            continue
    networks = sorted((item for item in networks if item[0].prefixlen), key=lambda item: -item[0].prefixlen)
    found = {}
    for index in indexes:
        try:
            hop = IPv4Address(".".join(index.split(".")[-4:]))
        except ValueError:
            continue
        row = next((row for network, row in networks if hop in network), "")
        if row:
            found[index] = row
    return found


def bound(table: CompiledTable, names: Mapping[str, str], statics: Statics) -> tuple[Row, ...]:
    """The rows that count."""
    where = table.where
    indexes = [index for index in names if where is None or where.accepts(statics.get(where.oid, {}).get(index))]
    rows = (_row(table, index, table.prefix + names[index], statics, {}) for index in indexes)
    return tuple(row for row in rows if row.oids)


def settled(table: CompiledTable, rows: Sequence[Row], statics: Statics, get: Get) -> tuple[Row, ...]:
    """The rows that have a value, each without the alternatives that it does not need: the first with one stays."""
    alternatives = any(len(column.parts) > 1 and column.join is None for column in table.columns)
    return tuple(
        _row(table, row.index, row.name, statics, _choices(table, row.index, get)) if alternatives else row
        for row in rows
        if any(get(oid) is not None for oid in row.oids)
    )


def _choices(table: CompiledTable, index: str, get: Get) -> dict[int, Part]:
    chosen = {}
    for place, column in enumerate(table.columns):
        if len(column.parts) > 1 and column.join is None:
            for part in column.parts:
                raw = get(f"{part.oid}.{index}")
                if raw is not None and part.read(raw) is not None:
                    chosen[place] = part
                    break
    return chosen


def _row(table: CompiledTable, index: str, name: str, statics: Statics, choices: Mapping[int, Part]) -> Row:
    oids: list[str] = []
    plain: list[tuple[str, Read, Family, Labels]] = []
    cells: list[Cell] = []
    for place, column in enumerate(table.columns):
        if column.where is not None and not column.where.accepts(statics.get(column.where.oid, {}).get(index)):
            continue
        places = 0 if column.decimals is None else _places(column.decimals, statics, index)
        if places is None:
            continue
        parts = (choices[place],) if place in choices else column.parts
        labels = labelled(column.labels, name, f".{index}")
        oids += [f"{part.oid}.{index}" for part in parts]
        oids += [f"{item[0]}.{index}" for item in column.labels if isinstance(item, tuple)]
        simple = len(parts) == 1 and column.join is None and column.reduce is None and column.zero_needs is None
        if simple and not places and isinstance(labels, tuple):
            plain.append((f"{parts[0].oid}.{index}", parts[0].read, column.family, labels))
        else:
            cells.append(Cell(place, made(parts, column.join, f".{index}"), labels, places))
    return Row(index, name, tuple(dict.fromkeys(oids)), tuple(plain), tuple(cells))


def _places(decimals: tuple[Part, Part], statics: Statics, index: str) -> int | None:
    """EntitySensorDataScale counts in thousands, units are 9; EntitySensorPrecision in decimal places (RFC 3433)."""
    scale, precision = (number(statics.get(part.oid, {}).get(index)) for part in decimals)
    if scale is None or not 1 <= scale <= 17:
        return None
    return round(3 * (scale - 9) - (precision if precision is not None and -8 <= precision <= 9 else 0))


class Reader:
    """Collects what one group says, family by family."""

    def __init__(self, group: CompiledGroup, get: Get) -> None:
        """`get` finds every value that the device gave."""
        self._group = group
        self._get = get
        self.readings: list[Reading] = []
        self._worst: dict[tuple[str, Limits], float] = {}

    def scalars(self) -> None:
        """All scalars; a zero is judged when the flags are known."""
        late = []
        for column in self._group.scalars:
            value = column.make(self._get)
            if value == 0 and column.zero_needs is not None:
                late.append((column, value))
            else:
                self._keep(column, value, column.told)
        for column, value in late:
            if self._says(column.zero_needs):
                self._keep(column, value, column.told)

    def rows(self, table: CompiledTable, rows: Iterable[Row]) -> int:
        """All rows; returns how many of them had any value."""
        get, append = self._get, self.readings.append
        lines = None if table.up_to is None or (raw := get(table.up_to.oid)) is None else table.up_to.read(raw)
        gathered: dict[tuple[int, Labels], list[float]] = {}
        answered = 0
        for row in rows:
            before = len(self.readings)
            if lines is not None and int(row.index.split(".", 1)[0]) > lines:
                answered += 1
                continue
            for oid, read, family, labels in row.plain:
                raw = get(oid)
                if raw is not None and (value := read(raw)) is not None:
                    append(Reading(family, value, labels))
            for cell in row.cells:
                self._cell(table.columns[cell.column], cell, gathered)
            answered += len(self.readings) > before or any(get(oid) is not None for oid in row.oids)
        for (place, labels), values in gathered.items():
            column = table.columns[place]
            self._keep(column, _REDUCE[column.reduce or "first"](values), labels if column.family.own else column.told)
        for column in table.columns:
            if column.limits is not None and column.reduce is None:
                for reading in self.readings:
                    if reading.family is column.family:
                        self._judge(column, reading.value)
        return answered

    def _cell(self, column: Column, cell: Cell, gathered: dict[tuple[int, Labels], list[float]]) -> None:
        value = cell.make(self._get)
        if value is None or (value == 0 and column.zero_needs is not None and not self._says(column.zero_needs)):
            return
        if cell.places:  # 282 / 10 is 28.2, and 282 * 0.1 is not
            value = value * 10**cell.places if cell.places > 0 else value / 10**-cell.places
        if column.reduce is not None:
            labels = cell.labels if isinstance(cell.labels, tuple) else cell.labels(self._get)
            gathered.setdefault((cell.column, labels), []).append(value)
        else:
            self._keep(column, value, cell.labels, judge=False)

    def _keep(
        self, column: Column, value: float | None, labels: Labels | Callable[[Get], Labels], *, judge: bool = True
    ) -> None:
        if value is None:
            return
        told = labels if isinstance(labels, tuple) else labels(self._get)
        if column.family.unit == "info" and not self._worth(column, told):
            return
        self.readings.append(Reading(column.family, value, told))
        if judge:
            self._judge(column, value)

    def _worth(self, column: Column, told: Labels) -> bool:
        """Whether the device itself said anything, and nobody has told it already."""
        said = any(label and isinstance(item, tuple) for item, label in zip(column.labels, told, strict=True))
        return said and not any(item.family is column.family and item.labels == told for item in self.readings)

    def _says(self, family: Family | None) -> bool:
        return any(reading.family is family and reading.value == 1 for reading in self.readings)

    def _judge(self, column: Column, value: float) -> None:
        if column.limits is not None:
            key = (column.family.name.removeprefix(PREFIX), column.limits)
            worse = max if column.limits.critical >= column.limits.warning else min
            self._worst[key] = worse(self._worst.get(key, value), value)

    def limits(self) -> Iterator[Reading]:
        """For each reading with limits: whether it is beyond them."""
        for (name, limits), value in self._worst.items():
            sign = 1 if limits.critical >= limits.warning else -1
            for state, limit in (("warning", limits.warning), ("critical", limits.critical)):
                yield Reading(metrics.DEVICE_BEYOND_LIMIT, float(sign * value >= sign * limit), (name, state))


_REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "min": min,
    "mean": fmean,
    "sum": sum,
    "first": lambda values: values[0],
}
