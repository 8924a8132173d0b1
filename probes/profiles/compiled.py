"""Profiles made quick: groups as plain tuples and closures, rows bound to their object identifiers; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from probes.metrics import FAMILIES, PREFIX, Family
from probes.profiles.model import Group, Limits, Object, Share, Table, Where
from probes.profiles.model import Reading as Fed
from probes.profiles.values import Raw, Read, chooser, label_reader, reader

Get = Callable[[str], Raw | None]
"""A value by its object identifier."""
Make = Callable[[Get], float | None]
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One object and how it is read."""

    oid: str
    read: Read


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows that count, by a column's value."""

    oid: str
    accepts: Callable[[Raw | None], bool]


@dataclass(frozen=True, slots=True)
class Column:
    """One family that is fed, by a scalar or by the rows of a table.

    `parts` are its objects; with `join` their values become one, without it the first that has one counts.
    """

    family: Family
    parts: tuple[Part, ...]
    join: Callable[[Sequence[float | None]], float | None] | None
    labels: tuple[str | tuple[str, Callable[[Raw], str]] | None, ...]
    """A fixed text, an object, or none for the row's name."""
    reduce: str | None
    where: Filter | None
    decimals: tuple[Part, Part] | None
    zero_needs: Family | None
    limits: Limits | None
    make: Make
    """The value of a scalar."""
    told: Labels | Callable[[Get], Labels]
    """The labels of a scalar, or of what the rows of a table become."""

    @property
    def oids(self) -> tuple[str, ...]:
        """Everything that is asked for it, labels included."""
        return tuple(part.oid for part in self.parts) + tuple(
            item[0] for item in self.labels if isinstance(item, tuple)
        )


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """Rows: how they are learnt, and the columns that are asked."""

    names: tuple[tuple[str, Callable[[Raw], str]], ...]
    """Columns with the rows' names, and how they are read; without any, rows are named by their index."""
    within: str
    """A beginning of the index, with the dot before it; empty where all rows are read."""
    lookup: tuple[tuple[str, Callable[[Raw], str]], ...]
    """Columns of another table that hold the names of what `names` tells a row of."""
    next_hop: tuple[str, str] | None
    """Columns with the row and the mask of the device's own addresses."""
    otherwise: bool
    """Asked only where the tables before it have said nothing."""
    prefix: str
    signs: tuple[tuple[str, bool], ...]
    """Scalars, and whether only their fall counts."""
    limit: int
    up_to: Part | None
    where: Filter | None
    columns: tuple[Column, ...]

    @property
    def static(self) -> tuple[str, ...]:
        """Columns that are read only when rows are learnt."""
        filters = [column.where.oid for column in self.columns if column.where]
        scales = [part.oid for column in self.columns if column.decimals for part in column.decimals]
        return tuple(dict.fromkeys([*([self.where.oid] if self.where else []), *filters, *scales]))


@dataclass(frozen=True, slots=True)
class CompiledGroup:
    """What is asked together."""

    name: str
    big: bool
    refresh_s: float | None
    scalars: tuple[Column, ...]
    tables: tuple[CompiledTable, ...]
    oids: tuple[str, ...]
    """Every scalar, signs and numbers of rows included."""
    families: tuple[str, ...]
    """Names of the families that it feeds, as often as scalars and tables do."""
    cellular: bool
    """It speaks of a modem: see `probes.profiles.signal`."""


def compiled(group: Group) -> CompiledGroup:
    """A group, ready to be read."""
    scalars = tuple(_column(reading) for reading in group.scalars)
    tables = tuple(_table(table) for table in group.tables)
    oids = [oid for column in scalars for oid in column.oids]
    for table in tables:
        oids += [oid for oid, _ in table.signs]
        oids += [table.up_to.oid] if table.up_to else []
    families = [column.family.name for column in scalars]
    own = (table for table in tables if not table.otherwise)
    families += [name for table in own for name in {column.family.name for column in table.columns}]
    return CompiledGroup(
        name=group.name,
        big=group.big,
        refresh_s=group.refresh_s,
        scalars=scalars,
        tables=tables,
        oids=tuple(dict.fromkeys(oids)),
        families=tuple(families),
        cellular=any(name.startswith(PREFIX + "cell_") for name in families),
    )


def _table(table: Table) -> CompiledTable:
    columns = () if table.names is None or table.names == "index" else table.names
    return CompiledTable(
        names=_texts(columns),
        within=f".{table.within}" if table.within else "",
        lookup=_texts(table.lookup),
        next_hop=(table.next_hop.interface.oid, table.next_hop.mask.oid) if table.next_hop else None,
        otherwise=table.otherwise,
        prefix=f"{table.prefix} " if table.prefix else "",
        signs=tuple((sign.oid, sign.falls) for sign in table.signs),
        limit=table.limit,
        up_to=_part(table.up_to) if table.up_to else None,
        where=_filter(table.where),
        columns=tuple(_column(column) for column in table.columns),
    )


def _texts(columns: Sequence[Object]) -> tuple[tuple[str, Callable[[Raw], str]], ...]:
    return tuple((item.oid, label_reader(item.values, item.pattern, item.absent)) for item in columns)


def _column(fed: Fed) -> Column:
    family = FAMILIES[PREFIX + fed.family]
    parts, join = _parts(fed)
    labels = tuple(_label(fed.labels.get(name), family.unit == "info") for name in family.own)
    return Column(
        family=family,
        parts=parts,
        join=join,
        labels=labels,
        reduce=fed.reduce,
        where=_filter(fed.where),
        decimals=(_part(fed.decimals.scale), _part(fed.decimals.precision)) if fed.decimals else None,
        zero_needs=FAMILIES[PREFIX + fed.zero_needs] if fed.zero_needs else None,
        limits=fed.limits,
        make=made(parts, join),
        told=labelled(labels, ""),
    )


def _label(given: str | Object | None, info: bool) -> str | tuple[str, Callable[[Raw], str]] | None:
    if isinstance(given, Object):
        return given.oid, label_reader(given.values, given.pattern, given.absent)
    return "" if given is None and info else given


def _parts(fed: Fed) -> tuple[tuple[Part, ...], Callable[[Sequence[float | None]], float | None] | None]:
    counter = FAMILIES[PREFIX + fed.family].type == "counter"
    if fed.oid is not None:
        return (Part(fed.oid, _read(fed, counter)),), None
    if fed.first:
        return tuple(_part(item, counter) for item in fed.first), None
    if fed.any:
        return tuple(_part(item) for item in fed.any), _any
    if fed.share is not None:
        share = fed.share
        return tuple(_part(item) for item in (*share.part, *share.minus, *share.whole)), _share(share)
    return (), _one


def _part(item: Object, counter: bool = False) -> Part:
    return Part(item.oid, _read(item, counter))


def _read(item: Object | Fed, counter: bool) -> Read:
    low, high = item.range if item.range is not None else (0.0 if counter else None, None)
    return reader(
        item.type,
        scale=item.scale,
        low=low,
        high=high,
        absent=item.absent,
        flag=item.flag,
        above=item.above,
        values=item.values,
        pattern=item.pattern,
    )


def _one(_: Sequence[float | None]) -> float | None:
    return 1.0


def _any(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _share(share: Share) -> Callable[[Sequence[float | None]], float | None]:
    first, second = len(share.part), len(share.part) + len(share.minus)

    def join(values: Sequence[float | None]) -> float | None:
        if None in values[:first] or None in values[second:]:
            return None
        total = sum(value or 0.0 for value in values[second:])
        if total <= 0:
            return None
        ratio = (
            sum(value or 0.0 for value in values[:first]) - sum(value or 0.0 for value in values[first:second])
        ) / total
        return ratio if 0 <= ratio <= 1 else None

    return join


def _filter(where: Where | None) -> Filter | None:
    if where is None:
        return None
    find = chooser(dict.fromkeys(where.values, 1))
    return Filter(where.oid, lambda raw: raw is not None and find(raw) is not None)


def made(
    parts: Sequence[Part], join: Callable[[Sequence[float | None]], float | None] | None, suffix: str = ""
) -> Make:
    reads = tuple((part.oid + suffix, part.read) for part in parts)
    if join is not None:
        together = join

        def joined(get: Get) -> float | None:
            return together([None if (raw := get(oid)) is None else read(raw) for oid, read in reads])

        return joined

    def first(get: Get) -> float | None:
        for oid, read in reads:
            raw = get(oid)
            if raw is not None and (value := read(raw)) is not None:
                return value
        return None

    return first


def labelled(
    labels: Sequence[str | tuple[str, Callable[[Raw], str]] | None], name: str, suffix: str = ""
) -> Labels | Callable[[Get], Labels]:
    if not any(isinstance(item, tuple) for item in labels):
        return tuple(item if isinstance(item, str) else name for item in labels)
    items = tuple((item[0] + suffix, item[1]) if isinstance(item, tuple) else item for item in labels)

    def read(get: Get) -> Labels:
        return tuple(
            ("" if (raw := get(item[0])) is None else item[1](raw)) if isinstance(item, tuple)
            else name if item is None else item
            for item in items
        )  # fmt: skip

    return read
