"""One device during one beat: its groups in their order, what has been read, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from probes import metrics
from probes.kinds.snmp.identity import looked_at, recognised
from probes.kinds.snmp.memory import Known
from probes.kinds.snmp.questions import MISSING, SILENT, Questions, parts
from probes.kinds.snmp.settings import SnmpSettings
from probes.kinds.snmp.tables import Tables
from probes.ports import Net, SnmpError, SnmpValue
from probes.profiles import Asked, Plan
from probes.profiles.compiled import CompiledGroup
from probes.profiles.rows import Reader
from probes.profiles.signal import judged
from probes.results import Beat, Conditions, Reading, Reason, Result

HEALTHY_LOSS, HEALTHY_RTT_S = 0.2, 2.0
"""Up to where a link carries the big tables as well."""
ABSENT_BEATS = 30
"""After how many beats a group that the device lacks is looked for again."""
SILENT_GROUPS = 2
"""After so many groups in a row without an answer the others are not waited for."""
SYSTEM = "system"


class Device:
    """One device during one beat: how it is asked, and what has been read."""

    def __init__(self, settings: SnmpSettings, net: Net, beat: Beat) -> None:
        """The time of the beat begins now."""
        self._settings = settings
        self._clock = net.clock
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

    def _plan(self) -> Plan:
        settings = self._settings
        groups = settings.groups
        profiles = settings.profiles
        if settings.recognise and not profiles:
            groups = groups if SYSTEM in groups else (SYSTEM, *groups)
            profiles = (self._known.profile.id,) if self._known.profile is not None else ()
        return settings.library.plan(groups, profiles, whole=settings.recognise)

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
        for place, table in enumerate(group.tables):
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

    def _system(self, readings: Sequence[Reading]) -> list[Reading]:
        told, self._known, forget = looked_at(self._known, readings, self._clock.monotonic())
        if forget:
            self._tables.forget()
            self._absent.clear()
            self._told.clear()
        return told

    # What comes of it

    def result(self) -> Result:
        """All readings of the beat, and what the next one should know."""
        readings = self._once(self._readings) if self._contested else self._readings
        readings += [Reading(metrics.DEVICE_GROUP_OK, float(ok), (group,)) for group, ok in self._ok.items()]
        if self._known.profile is not None:
            readings.append(Reading(metrics.DEVICE_PROFILE_INFO, 1.0, (self._known.profile.id,)))
        reason, detail = self._judge()
        seen = self._known.seen.union(name for name, ok in self._ok.items() if ok)
        memory = replace(self._known, tables=self._tables.known, seen=seen, absent=self._absent, told=self._told)
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
    return (conditions.loss_ratio or 0.0) <= HEALTHY_LOSS and (conditions.rtt_s or 0.0) <= HEALTHY_RTT_S
