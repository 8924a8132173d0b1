"""What a device says of itself over SNMP, as its profile reads it; each group succeeds or fails alone."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Annotated

from pydantic import ConfigDict, Field, InstanceOf, model_validator

from probes import metrics
from probes.model import Identifier, Settings, Several, Timeout
from probes.ports import Kind, Net, SnmpAgent, SnmpError, SnmpValue
from probes.profiles import Asked, Library, Plan, Profile, shipped
from probes.profiles.age import WRAP_S, Age, aged
from probes.profiles.compiled import CompiledGroup, CompiledTable
from probes.profiles.rows import Reader, Row, bound, looked_up, named, reached, settled
from probes.profiles.signal import Band, judged
from probes.protocols.tcp import meaning
from probes.results import Beat, Conditions, Reading, Reason, Result

MOST_ADDRESSES = 64
"""Of a device's own that are looked at for the network of a next hop."""
MAX_OBJECTS = 36
"""In one request: the answer stays below 1,500 bytes."""
HEALTHY_LOSS, HEALTHY_RTT_S = 0.3, 2.0
"""Up to where a link carries the big tables as well."""
ABSENT_BEATS, RELEARN_BEATS = 30, 60
"""After how many beats a group that the device lacks is looked for, and rows are learnt anew without any sign."""
SILENT_GROUPS = 2
"""After so many groups in a row without an answer the others are not waited for."""
SHARE_OF_BEAT, LONGEST_S = 0.8, 35.0
"""Of the interval, after which nothing more is asked; the runner ends every attempt after 60 s, and what was read with
it, and a patient request may take 20."""
SYSTEM = "system"

SILENT = frozenset(
    {
        *(Reason.TIMEOUT, Reason.REFUSED, Reason.UNREACHABLE, Reason.DNS_ERROR),
        *(Reason.NO_ACCESS, Reason.UNKNOWN_USER, Reason.WRONG_DIGEST, Reason.DECRYPTION_ERROR),
        *(Reason.UNSUPPORTED_LEVEL, Reason.NOT_IN_TIME_WINDOW, Reason.UNKNOWN_ENGINE, Reason.OTHER_ADDRESS),
    }
)
"""What every other group would meet as well: nothing came back, or our credentials are of no use."""
MISSING = frozenset({Reason.PROTOCOL_ERROR, Reason.NO_SUCH_OBJECT})
"""What a device answers of objects that it does not have."""


class SnmpSettings(Settings):
    """`groups` must be answered; what a profile adds to them may be missing. `timeout_s` is for each request."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    agent: SnmpAgent
    groups: Annotated[Several[Identifier], Field(min_length=1)] = ("system", "interfaces")
    extras: Several[Identifier] = ()
    """General groups that are asked as well, and may be missing."""
    profiles: Several[Identifier] = ()
    """The device's profiles, where they are known beforehand."""
    recognise: bool = False
    """Find the profile by what the device says of itself, unless `profiles` names it."""
    library: InstanceOf[Library] = Field(default_factory=shipped, exclude=True, repr=False)
    timeout_s: Timeout = 5

    @model_validator(mode="after")
    def _known_names(self) -> SnmpSettings:
        if unknown := [name for name in self.profiles if name not in self.library.profiles]:
            raise ValueError(f"profiles: no profile {unknown[0]!r} (known: {', '.join(self.library.profiles)})")
        own = {group.name for name in self.profiles for group in self.library.profiles[name].groups}
        asked = [*(name for name in self.groups if name not in own), *self.extras]
        if unknown := [name for name in asked if name not in self.library.general]:
            raise ValueError(f"groups: no group {unknown[0]!r} (known: {', '.join(sorted(self.library.general))})")
        return self


@dataclass(frozen=True, slots=True)
class Learnt:
    """The rows of one table, what they are asked for, and the signs under which they were learnt."""

    rows: tuple[Row, ...]
    asks: tuple[tuple[str, ...], ...]
    signs: tuple[float | None, ...]
    beats: int


@dataclass(frozen=True, slots=True)
class Known:
    """What one beat leaves to the next."""

    object_id: str = ""
    profile: Profile | None = None
    recognised: bool = False
    replaced: int = 0
    age: Age | None = None
    band: Band | None = None
    tables: Mapping[tuple[str, int], Learnt] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    """Groups that have answered: from then on, they must."""
    absent: Mapping[str, int] = field(default_factory=dict)
    """Groups that the device lacks, and in how many beats they are looked for again."""
    told: Mapping[str, tuple[float, tuple[Reading, ...]]] = field(default_factory=dict)
    """Until when (monotonic) the readings of a group are told again."""


async def check(settings: SnmpSettings, net: Net, beat: Beat) -> Result:
    """Ask group by group. A device that does not answer the first one is not asked for the others."""
    try:
        address = await net.names.address(settings.agent.address)
    except socket.gaierror as error:  # the resolver's fault, or the inventory's, not the device's
        return Result(Reason.DNS_ERROR, detail=meaning(error), memory=beat.memory, blameless=True)
    if address != settings.agent.address:
        settings = settings.model_copy(update={"agent": replace(settings.agent, address=address)})
    device = _Device(settings, net, beat)
    await device.ask_all()
    return device.result()


class _Device:
    """One device during one beat: how it is asked, and what has been read."""

    def __init__(self, settings: SnmpSettings, net: Net, beat: Beat) -> None:
        self._settings = settings
        self._snmp = net.snmp
        self._clock = net.clock
        self._known = beat.memory if isinstance(beat.memory, Known) else Known()
        self._tables = dict(self._known.tables)
        self._absent = {name: beats - 1 for name, beats in self._known.absent.items() if beats > 1}
        self._told = dict(self._known.told)
        self._started = net.clock.monotonic()
        self._budget_s = min(LONGEST_S, max(settings.timeout_s, SHARE_OF_BEAT * beat.interval_s))
        self._conditions = beat.conditions
        self._healthy = _healthy(beat.conditions)
        self._readings: list[Reading] = []
        self._ok: dict[str, bool] = {}
        self._failures: dict[str, SnmpError] = {}
        self._left_out: list[str] = []
        self._silent = 0
        self._cut: SnmpError | None = None
        """Why a walk ended before its time; its rows are used all the same."""
        self._answered = False
        self._contested: frozenset[str] = frozenset()

    async def ask_all(self) -> None:
        """Every group in its order; after the first, what the device is decides about the others."""
        plan = self._plan()
        rest = plan.asked
        if rest[0].group.name == SYSTEM:
            await self._ask(rest[0])
            if self._settings.recognise and not self._settings.profiles and self._answered:
                await self._recognise()
            plan = self._plan()
            rest = plan.asked[1:]
        self._contested = plan.contested
        for asked in rest:
            await self._ask(asked)

    def _plan(self) -> Plan:
        settings = self._settings
        groups = settings.groups
        profiles = settings.profiles
        if settings.recognise and not profiles:
            groups = groups if SYSTEM in groups else (SYSTEM, *groups)
            profiles = (self._known.profile.id,) if self._known.profile is not None else ()
        return settings.library.plan(groups, profiles, whole=settings.recognise, extras=settings.extras)

    # One group

    async def _ask(self, asked: Asked) -> None:
        group = asked.group
        name = group.name
        demanded = name in self._settings.groups or name in self._known.seen
        if not demanded and name in self._absent:
            return
        if group.big and not self._healthy:
            self._left_out.append(name)
            return
        if self._silent and (not self._answered or self._silent >= SILENT_GROUPS):
            if demanded:
                self._fail(name, next(reversed(self._failures.values())))
            return
        now = self._clock.monotonic()
        if name in self._told and now < self._told[name][0]:
            self._readings += self._told[name][1]
            self._ok[name] = True
            return
        readings, error = await self._read(group)
        self._readings += readings
        if error is not None:
            self._refused(name, error, demanded)
            return
        self._answered = True
        self._silent = 0
        self._ok[name] = True
        self._absent.pop(name, None)
        if group.refresh_s is not None:
            self._told[name] = (now + group.refresh_s, tuple(readings))

    def _refused(self, name: str, error: SnmpError, demanded: bool) -> None:
        if error.reason in SILENT:
            self._silent += 1
            self._fail(name, error)
            return
        self._silent = 0
        if demanded or error.reason not in MISSING:
            self._fail(name, error)
        else:
            self._absent[name] = ABSENT_BEATS

    def _fail(self, name: str, error: SnmpError) -> None:
        self._ok[name] = False
        self._failures[name] = error

    async def _read(self, group: CompiledGroup) -> tuple[list[Reading], SnmpError | None]:
        """Its readings, and why they are not all there."""
        values: dict[str, SnmpValue] = {}
        self._cut = None
        failed = await self._into(values, _parts(group.oids))
        if failed is not None and (failed.reason is not Reason.NO_SUCH_OBJECT or not group.tables):
            return [], failed
        reader = Reader(group, values.get)
        reader.scalars()
        missing, failed = failed, None
        for place, table in self._to_ask(group):
            if table.otherwise and reader.readings:
                continue
            failed = failed or await self._rows(reader, (group.name, place), table, values)
        readings = reader.readings
        failed = failed or self._cut
        if not readings:
            for place in range(len(group.tables)):
                self._tables.pop((group.name, place), None)
            nothing = SnmpError(Reason.NO_SUCH_OBJECT, "an answer without any of the objects")
            return [], failed or missing or nothing
        readings += reader.limits()
        if group.cellular:
            readings, self._known = self._signal(readings)
        return (self._system(readings) if group.name == SYSTEM else readings), failed

    def _to_ask(self, group: CompiledGroup) -> list[tuple[int, CompiledTable]]:
        """Its tables by their place; where some stand in for others, those that spoke last time, as long as they do."""
        tables = list(enumerate(group.tables))
        if any(table.otherwise for table in group.tables):
            return [item for item in tables if (group.name, item[0]) in self._tables] or tables
        return tables

    def _signal(self, readings: Sequence[Reading]) -> tuple[list[Reading], Known]:
        kept, band = judged(readings, self._known.band)
        return kept, replace(self._known, band=band)

    # Tables

    async def _rows(
        self, reader: Reader, key: tuple[str, int], table: CompiledTable, values: dict[str, SnmpValue]
    ) -> SnmpError | None:
        """Read one table; what came before a failure is kept."""
        signs = tuple(_number(values.get(oid)) for oid, _ in table.signs)
        learnt = self._tables.get(key)
        failed = None
        if learnt is None or not learnt.beats or _changed(table, learnt.signs, signs):
            try:
                learnt = await self._learn(table, values, signs)
            except SnmpError as error:
                return error
        else:
            failed = await self._values(table, learnt.asks, values)
        answered = reader.rows(table, learnt.rows)
        if failed is not None:
            return failed
        if answered == len(learnt.rows) and (learnt.rows or not table.lookup):
            beats = 0 if table.lookup else learnt.beats - 1
            self._tables[key] = replace(learnt, signs=signs, beats=beats)
        else:  # a row that is gone: they are learnt again next time
            self._tables.pop(key, None)
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
        for oid in () if table.names else dict.fromkeys(oid for column in table.columns for oid in column.oids):
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
            interfaces, masks = [await self._own_addresses(column) for column in table.next_hop]
            told |= reached(unknown, interfaces, masks)
        rows = {index: row for index, row in told.items() if row.isascii() and row.isdigit() and int(row) < 2**32}
        found: dict[str, SnmpValue] = {}
        asked = [f"{column}.{row}" for row in dict.fromkeys(rows.values()) for column, _ in table.lookup]
        failed = await self._into(found, _parts(asked))
        if failed is not None and failed.reason is not Reason.NO_SUCH_OBJECT:
            raise failed
        return looked_up(rows, table.lookup, found.get)

    async def _own_addresses(self, oid: str) -> dict[str, SnmpValue]:
        """A column of ipAddrTable, by address."""
        return {name[len(oid) + 1 :]: value for name, value in (await self._walk(oid, MOST_ADDRESSES)).items()}

    async def _values(
        self, table: CompiledTable, asks: Sequence[tuple[str, ...]], values: dict[str, SnmpValue]
    ) -> SnmpError | None:
        """By object identifier; walked column by column where the device refuses several objects at once."""
        failed = await self._into(values, asks)
        if failed is None or failed.reason in SILENT:
            return failed
        for oid in dict.fromkeys(oid for column in table.columns for oid in column.oids):
            try:
                values |= await self._walk(oid + table.within, table.limit)
            except SnmpError as error:
                values |= error.found
                return error
        return None

    async def _into(self, values: dict[str, SnmpValue], asks: Iterable[tuple[str, ...]]) -> SnmpError | None:
        """Ask for all parts; what came before a failure is kept."""
        try:
            for oids in asks:
                values |= await self._get(oids)
        except SnmpError as error:
            values |= error.found
            return error
        return None

    async def _column(self, oid: str, table: CompiledTable) -> dict[str, SnmpValue]:
        """A column by index."""
        start = len(oid) + 1
        rows = await self._walk(oid + table.within, table.limit)
        return {name[start:]: value for name, value in rows.items() if name[start:]}

    async def _get(self, oids: Sequence[str]) -> Mapping[str, SnmpValue]:
        self._in_time()
        settings = self._settings
        return await self._snmp.get(settings.agent, oids, settings.timeout_s, conditions=self._conditions)

    async def _walk(self, oid: str, limit: int) -> Mapping[str, SnmpValue]:
        self._in_time()
        settings = self._settings
        rows = await self._snmp.walk(settings.agent, oid, settings.timeout_s, limit, conditions=self._conditions)
        if rows.reason is not None:
            self._cut = SnmpError(rows.reason)
        return rows

    def _in_time(self) -> None:
        if self._clock.monotonic() - self._started > self._budget_s:
            raise SnmpError(Reason.TIMEOUT, "no time left in this beat")

    # What the device is

    def _system(self, readings: list[Reading]) -> list[Reading]:
        """Uptime across its wraps, restarts; and whether this is still the same sort of device."""
        said = {reading.family.name: reading.value for reading in readings if not reading.labels}
        age = aged(self._known.age, said, self._clock.monotonic())
        info = next((reading.labels for reading in readings if reading.family is metrics.DEVICE_INFO), ("", "", ""))
        object_id = info[1].lstrip(".")
        other = bool(self._known.object_id and object_id and object_id != self._known.object_id)
        replaced = self._known.replaced + other
        if other or age.restarted:
            self._tables.clear()
            self._absent.clear()
            self._told.clear()
            self._known = replace(self._known, recognised=False, seen=frozenset(), band=None)
        self._known = replace(self._known, object_id=object_id or self._known.object_id, age=age, replaced=replaced)
        told = [
            Reading(reading.family, reading.value + age.wraps * WRAP_S)
            if reading.family is metrics.DEVICE_UPTIME
            else reading
            for reading in readings
        ]
        told.append(Reading(metrics.DEVICE_RESTARTS, age.restarts))
        told.append(Reading(metrics.DEVICE_REPLACED, replaced))
        return told

    async def _recognise(self) -> None:
        """The first candidate whose probe succeeds; asked once, and again after a restart or another sysObjectID."""
        if self._known.recognised:
            return
        info = next((item.labels for item in self._readings if item.family is metrics.DEVICE_INFO), ("", "", ""))
        profile = None
        for candidate in self._settings.library.candidates(info[1].lstrip("."), info[0]):
            try:
                if await self._has(candidate):
                    profile = candidate
                    break
            except SnmpError as error:
                if error.reason in SILENT:
                    return
        self._known = replace(self._known, profile=profile, recognised=True)

    async def _has(self, profile: Profile) -> bool:
        probe = profile.match.probe if profile.match is not None else None
        if probe is None:
            return True
        if probe.oid.endswith(".0"):
            return probe.oid in await self._get([probe.oid])
        return bool(await self._walk(probe.oid, 1))

    # What comes of it

    def result(self) -> Result:
        """All readings of the beat, and what the next one should know."""
        readings = self._once(self._readings) if self._contested else self._readings
        readings += [Reading(metrics.DEVICE_GROUP_OK, float(ok), (group,)) for group, ok in self._ok.items()]
        if self._known.profile is not None:
            readings.append(Reading(metrics.DEVICE_PROFILE_INFO, 1.0, (self._known.profile.id,)))
        reason, detail = self._judge()
        seen = self._known.seen.union(name for name, ok in self._ok.items() if ok)
        memory = replace(self._known, tables=self._tables, seen=seen, absent=self._absent, told=self._told)
        return Result(reason=reason, readings=tuple(readings), detail=detail, memory=memory)

    def _once(self, readings: Sequence[Reading]) -> list[Reading]:
        """Of what several groups feed, what the first of them said."""
        told: set[tuple[str, tuple[str, ...]]] = set()
        kept = []
        for reading in readings:
            if reading.family.name in self._contested:
                key = (reading.family.name, reading.labels)
                if key in told:
                    continue
                told.add(key)
            kept.append(reading)
        return kept

    def _judge(self) -> tuple[Reason | None, str]:
        left_out = [f"{name}: left out, the link is bad" for name in self._left_out]
        if not self._failures:
            return None, "; ".join(left_out)
        if any(self._ok.values()):
            failures = [f"{group}: {error}" for group, error in self._failures.items()]
            return Reason.PARTIAL, "; ".join(failures + left_out)
        first = self._failures.get(SYSTEM) or next(iter(self._failures.values()))
        return first.reason, first.detail


def _healthy(conditions: Conditions) -> bool:
    return (conditions.loss_ratio or 0.0) < HEALTHY_LOSS and (conditions.rtt_s or 0.0) <= HEALTHY_RTT_S


def _parts(oids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    items = iter(oids)
    while part := tuple(islice(items, MAX_OBJECTS)):
        yield part


def _asks(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """Requests for all rows: whole rows together, as many as fit."""
    asks: list[list[str]] = []
    for row in rows:
        for part in _parts(row.oids):
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


KIND = Kind("snmp", SnmpSettings, check, light=True)
