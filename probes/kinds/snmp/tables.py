"""Rows of tables: learnt once, then asked by object identifier until a sign says that they are others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from probes.kinds.snmp.memory import Learnt, Place
from probes.kinds.snmp.questions import MAX_OBJECTS, SILENT, Questions, parts
from probes.ports import SnmpError, SnmpValue
from probes.profiles.compiled import CompiledTable
from probes.profiles.rows import Reader, Row, bound, looked_up, named, reached, settled
from probes.results import Reason

MOST_ADDRESSES = 64
"""Of a device's own that are looked at for the network of a next hop."""
RELEARN_BEATS = 60
"""After how many beats rows are learnt anew without any sign."""
PUT_OFF_BEATS = 5
"""The same where that has failed: what is known is good until then."""


class Tables:
    """The tables of one device; `known` is what the next beat should have."""

    def __init__(self, ask: Questions, known: Mapping[Place, Learnt]) -> None:
        """`known` is what the last beat has left."""
        self.known = dict(known)
        self._ask = ask

    def forget(self, places: Iterable[Place] | None = None) -> None:
        """These must be learnt again, or all."""
        for place in list(self.known) if places is None else places:
            self.known.pop(place, None)

    async def read(
        self, reader: Reader, place: Place, table: CompiledTable, values: dict[str, SnmpValue]
    ) -> SnmpError | None:
        """Read one table; what came before a failure is kept."""
        signs = tuple(_number(values.get(oid)) for oid, _ in table.signs)
        before = self.known.get(place)
        changed = before is None or _changed(table, before.signs, signs)
        learnt, failed = before, None
        if learnt is None or changed or not learnt.beats:
            try:
                learnt = await self._learn(table, values, signs)
            except SnmpError as error:
                if before is None or changed:
                    return error
                learnt = replace(before, beats=PUT_OFF_BEATS)
                failed = await self._values(table, learnt.asks, values)
        else:
            failed = await self._values(table, learnt.asks, values)
        answered = reader.rows(table, learnt.rows)
        if failed is not None:
            return failed
        if answered == len(learnt.rows) and (learnt.rows or not table.lookup):
            beats = 0 if table.lookup else learnt.beats - 1
            self.known[place] = replace(learnt, signs=signs, beats=beats)
        else:  # a row that is gone: they are learnt again next time
            self.known.pop(place, None)
        return None

    async def _learn(
        self, table: CompiledTable, values: dict[str, SnmpValue], signs: tuple[float | None, ...]
    ) -> Learnt:
        """Which rows there are, by their names, and which of several columns each of them has."""
        names = await self._looked_up(table) if table.lookup else {}
        for oid, read in () if table.lookup else table.names:
            names = named(await self._column(oid, table), read)
            if any(name != f"#{index}" for index, name in names.items()):
                break
        for oid in () if table.names else dict.fromkeys(oid for item in table.columns for oid in item.oids):
            names = {index: index for index in await self._column(oid, table)}
            if names:
                break
        statics = {oid: await self._column(oid, table) for oid in table.static} if names else {}
        rows = bound(table, names, statics)
        if failed := await self._values(table, _asks(rows), values):
            raise failed
        rows = settled(table, rows, statics, values.get)
        return Learnt(rows, _asks(rows), signs, RELEARN_BEATS)

    async def _looked_up(self, table: CompiledTable) -> dict[str, str]:
        """Names that lie in another table, which this one only tells the row of."""
        oid, read = table.names[0]
        told = {index: read(raw) for index, raw in (await self._column(oid, table)).items()}
        if table.next_hop is not None and (unknown := [index for index, row in told.items() if not row]):
            interfaces, masks = [await self._ask.column(column, MOST_ADDRESSES) for column in table.next_hop]
            told |= reached(unknown, interfaces, masks)
        rows = {index: row for index, row in told.items() if row.isascii() and row.isdigit() and int(row) < 2**32}
        found: dict[str, SnmpValue] = {}
        asked = [f"{column}.{row}" for row in dict.fromkeys(rows.values()) for column, _ in table.lookup]
        failed = await self._ask.into(found, parts(asked))
        if failed is not None and failed.reason is not Reason.NO_SUCH_OBJECT:
            raise failed
        return looked_up(rows, table.lookup, found.get)

    async def _column(self, oid: str, table: CompiledTable) -> dict[str, SnmpValue]:
        return await self._ask.column(oid, table.limit, table.within)

    async def _values(
        self, table: CompiledTable, asks: Sequence[tuple[str, ...]], values: dict[str, SnmpValue]
    ) -> SnmpError | None:
        """By object identifier; walked column by column where the device refuses several objects at once."""
        failed = await self._ask.into(values, asks)
        if failed is None or failed.reason in SILENT:
            return failed
        for oid in dict.fromkeys(oid for column in table.columns for oid in column.oids):
            try:
                values |= await self._ask.walk(oid + table.within, table.limit)
            except SnmpError as error:
                values |= error.found
                return error
        return None


def _asks(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """Requests for all rows: whole rows together, as many as fit."""
    asks: list[list[str]] = []
    for row in rows:
        for part in parts(row.oids):
            if not asks or len(asks[-1]) + len(part) > MAX_OBJECTS:
                asks.append([])
            asks[-1] += part
    return tuple(map(tuple, asks))


def _number(value: SnmpValue | None) -> float | None:
    return value if isinstance(value, (int, float)) else None


def _changed(table: CompiledTable, before: Sequence[float | None], now: Sequence[float | None]) -> bool:
    return any(
        (new or 0.0) < (old or 0.0) if falls else new != old
        for (_, falls), old, new in zip(table.signs, before, now, strict=True)
    )
