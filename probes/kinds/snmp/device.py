"""One device during one beat: its groups in their order, what has been read, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from probes import metrics
from probes.kinds.snmp.counters import held
from probes.kinds.snmp.findings import findings
from probes.kinds.snmp.identity import SIGNS_S, looked_at, recognised, signs_of, told_of_itself
from probes.kinds.snmp.memory import Known
from probes.kinds.snmp.questions import MISSING, SILENT, Questions, parts
from probes.kinds.snmp.sameness import OBJECT_ID, SIGNS, compared
from probes.kinds.snmp.settings import SnmpSettings
from probes.kinds.snmp.tables import Tables
from probes.ports import Net, SnmpError, SnmpValue
from probes.profiles import Asked, Plan
from probes.profiles.compiled import CompiledGroup, CompiledTable
from probes.profiles.rows import Reader
from probes.profiles.signal import judged
from probes.protocols.exposure import EVERY_S, Exposure, exposure
from probes.results import UNREADABLE, Beat, Conditions, Reading, Reason, Result
from probes.schedule import first_due

HEALTHY_LOSS, HEALTHY_RTT_S = 0.3, 2.0
"""Up to where a link carries the big tables as well."""
ABSENT_BEATS = 30
"""After how many beats a group that the device lacks is looked for again."""
SILENT_GROUPS = 2
"""After so many groups in a row without an answer the others are not waited for."""
FIRST_EXAMINED_S = 3600.0
SYSTEM = "system"


class Device:
    """One device during one beat: how it is asked, and what has been read."""

    def __init__(self, settings: SnmpSettings, net: Net, beat: Beat) -> None:
        """The time of the beat begins now."""
        self._settings = settings
        self._clock = net.clock
        self._snmp = net.snmp
        self._target = beat.target
        self._continuous = beat.continuous
        self._ask = Questions(settings, net, beat)
        self._known = beat.memory if isinstance(beat.memory, Known) else Known()
        self._tables = Tables(self._ask, self._known.tables)
        self._absent = {name: beats - 1 for name, beats in self._known.absent.items() if beats > 1}
        self._told = dict(self._known.told)
        self._healthy = _healthy(beat.conditions)
        self._readings: list[Reading] = []
        self._ok: dict[str, bool] = {}
        self._failures: dict[str, SnmpError] = {}
        self._left_out: list[str] = []
        self._silent = 0
        self._answered = False
        self._contested: frozenset[str] = frozenset()

    async def ask_all(self) -> None:
        """Every group in its order; after the first, what the device is decides about the others."""
        plan = self._plan()
        rest = plan.asked
        if rest[0].group.name == SYSTEM:
            await self._group(rest[0])
            if self._settings.recognise and not self._settings.profiles and self._answered:
                self._known = await recognised(self._known, self._readings, self._settings.library, self._ask)
            plan = self._plan()
            rest = plan.asked[1:]
        self._contested = plan.contested
        for asked in rest:
            await self._group(asked)
        if self._settings.recognise and self._answered:
            await self._identify()
        if self._settings.security_checks and self._continuous and self._answered and not self._silent:
            await self._examine()

    async def _identify(self) -> None:
        """Whether it is still the same device; serial number and engine id are asked last, and rarely."""
        now, known = self._clock.monotonic(), self._known
        said = {OBJECT_ID: known.object_id} if known.object_id and self._ok.get(SYSTEM) else {}
        if now >= known.signs_due and not self._silent:
            try:
                said |= await signs_of(self._settings.library.signs(self._profiles), self._ask)
                known = replace(known, signs_due=now + SIGNS_S)
            except SnmpError as error:
                if error.reason not in SILENT:
                    raise
                self._silent += 1
        self._known = replace(known, identity=compared(known.identity, said, now))

    async def _examine(self) -> None:
        """Once a day, the first time within an hour: an agent that starts does not set about all devices at once."""
        now, known = self._clock.monotonic(), self._known.exposure
        if known is None:
            known = Exposure(first_due(self._target, now, FIRST_EXAMINED_S), {})
        elif now >= known.until:
            known = await exposure(self._settings.agent, self._snmp, now + EVERY_S)
        self._known = replace(self._known, exposure=known)

    @property
    def _profiles(self) -> tuple[str, ...]:
        """By which it is read: the one that the inventory names, else the one that was recognised."""
        known = self._known.profile
        return self._settings.profiles or (() if known is None else (known.id,))

    def _plan(self) -> Plan:
        settings = self._settings
        groups = settings.groups
        if settings.recognise and not settings.profiles and SYSTEM not in groups:
            groups = (SYSTEM, *groups)
        return settings.library.plan(groups, self._profiles, whole=settings.recognise, extras=settings.extras)

    # One group

    async def _group(self, asked: Asked) -> None:
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
        self._ask.cut = None
        failed = await self._ask.into(values, parts(group.oids))
        if failed is not None and (failed.reason is not Reason.NO_SUCH_OBJECT or not group.tables):
            return [], failed
        reader = Reader(group, values.get)
        reader.scalars()
        missing, failed = failed, None
        for place, table in self._to_ask(group):
            if table.otherwise and reader.readings:
                continue
            failed = failed or await self._tables.read(reader, (group.name, place), table, values)
        readings = reader.readings
        failed = failed or self._ask.cut
        if not readings:
            self._tables.forget((group.name, place) for place in range(len(group.tables)))
            nothing = SnmpError(Reason.NO_SUCH_OBJECT, "an answer without any of the objects")
            return [], failed or missing or nothing
        readings += reader.limits()
        if group.cellular:
            readings, band = judged(readings, self._known.band)
            self._known = replace(self._known, band=band)
        return (self._system(readings) if group.name == SYSTEM else readings), failed

    def _to_ask(self, group: CompiledGroup) -> list[tuple[int, CompiledTable]]:
        """Its tables by their place; where some stand in for others, those that spoke last time, as long as they do."""
        tables = list(enumerate(group.tables))
        if any(table.otherwise for table in group.tables):
            return [item for item in tables if (group.name, item[0]) in self._tables.known] or tables
        return tables

    def _system(self, readings: Sequence[Reading]) -> list[Reading]:
        told, self._known, forget = looked_at(self._known, readings, self._clock.monotonic())
        if forget:
            self._tables.forget()
            self._absent.clear()
            self._told.clear()
            self._known = replace(self._known, counters={})
        return told

    # What comes of it

    def result(self) -> Result:
        """All readings of the beat, and what the next one should know."""
        readings, counters = held(
            self._known.counters, self._once(self._readings) if self._contested else self._readings
        )
        readings += [Reading(metrics.DEVICE_GROUP_OK, float(ok), (group,)) for group, ok in self._ok.items()]
        if self._known.profile is not None:
            readings.append(Reading(metrics.DEVICE_PROFILE_INFO, 1.0, (self._known.profile.id,)))
        unexpected = self._unexpected()
        reason, detail = self._judge([sign for sign, other in unexpected.items() if other])
        answered = self._known.answered or any(self._ok.values()) or reason in UNREADABLE
        readings.append(Reading(metrics.DEVICE_SEEN, float(answered)))
        if self._answered and self._known.identity.now:
            readings.append(Reading(metrics.DEVICE_REPLACED, self._known.identity.replaced))
        readings += [Reading(metrics.DEVICE_DIFFERS, float(other), (sign,)) for sign, other in unexpected.items()]
        readings += findings(self._settings, self._known, readings, self._profiles)
        seen = self._known.seen.union(name for name, ok in self._ok.items() if ok)
        memory = replace(
            self._known,
            answered=answered,
            tables=self._tables.known,
            seen=seen,
            absent=self._absent,
            counters=counters,
            told=self._told,
        )
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

    def _unexpected(self) -> dict[str, bool]:
        """By each sign that can be looked at, whether what answers is another device than first seen or expected."""
        differs, first = self._known.identity.differs, self._known.identity.first
        told = {sign: sign in differs for sign in SIGNS if sign in first}
        settings = self._settings
        profiles = [settings.library.profiles[name] for name in self._profiles]
        roles = [role for profile in profiles for role in profile.roles]
        if roles and settings.role is not None:
            told["role"] = settings.role not in roles
        if settings.profiles and self._ok.get(SYSTEM) and not self._silent:
            description, object_id = told_of_itself(self._readings)
            fits = set(settings.profiles) & {item.id for item in settings.library.candidates(object_id, description)}
            own = {group.name for profile in profiles for group in profile.groups}
            told["profile"] = not fits and bool(own) and not any(self._ok.get(name) for name in own)
        return told

    def _judge(self, other: Sequence[str]) -> tuple[Reason | None, str]:
        left_out = [f"{name}: left out, the link is bad" for name in self._left_out]
        failures = [f"{group}: {error}" for group, error in self._failures.items()]
        if other and any(self._ok.values()):
            return Reason.OTHER_DEVICE, "; ".join([f"another {' and '.join(other)}", *failures, *left_out])
        if not failures:
            return None, "; ".join(left_out)
        if any(self._ok.values()):
            return Reason.PARTIAL, "; ".join(failures + left_out)
        first = self._failures.get(SYSTEM) or next(iter(self._failures.values()))
        return first.reason, first.detail


def _healthy(conditions: Conditions) -> bool:
    return (conditions.loss_ratio or 0.0) < HEALTHY_LOSS and (conditions.rtt_s or 0.0) <= HEALTHY_RTT_S
