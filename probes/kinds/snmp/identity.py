"""What a device is: by which profile it is read, how old it is, whether it is still the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from probes import metrics
from probes.kinds.snmp.memory import Known
from probes.kinds.snmp.questions import SILENT, Questions
from probes.ports import SnmpError
from probes.profiles import Library, Profile
from probes.profiles.age import WRAP_S, aged
from probes.results import Reading


def told_of_itself(readings: Sequence[Reading]) -> tuple[str, str]:
    """sysDescr and sysObjectID; empty where the device does not say."""
    info = next((item.labels for item in readings if item.family is metrics.DEVICE_INFO), ("", "", ""))
    return info[0], info[1].lstrip(".")


def looked_at(known: Known, readings: Sequence[Reading], now_s: float) -> tuple[list[Reading], Known, bool]:
    """Uptime across its wraps, restarts, and whether this is still the same sort of device.

    Gives the system group's readings, what is known now, and whether everything that was learnt must be forgotten.
    `now_s` is our monotonic clock.
    """
    said = {reading.family.name: reading.value for reading in readings if not reading.labels}
    age = aged(known.age, said, now_s)
    _, object_id = told_of_itself(readings)
    other = bool(known.object_id and object_id and object_id != known.object_id)
    replaced = known.replaced + other
    forget = other or age.restarted
    if forget:
        known = replace(known, recognised=False, seen=frozenset(), band=None)
    known = replace(known, object_id=object_id or known.object_id, age=age, replaced=replaced)
    told = [
        Reading(reading.family, reading.value + age.wraps * WRAP_S)
        if reading.family is metrics.DEVICE_UPTIME
        else reading
        for reading in readings
    ]
    told += [Reading(metrics.DEVICE_RESTARTS, age.restarts), Reading(metrics.DEVICE_REPLACED, replaced)]
    return told, known, forget


async def recognised(known: Known, readings: Sequence[Reading], library: Library, ask: Questions) -> Known:
    """The first candidate whose probe succeeds; asked once, and again after a restart or another sysObjectID."""
    if known.recognised:
        return known
    description, object_id = told_of_itself(readings)
    profile = None
    for candidate in library.candidates(object_id, description):
        try:
            if await _has(candidate, ask):
                profile = candidate
                break
        except SnmpError as error:
            if error.reason in SILENT:
                return known
    return replace(known, profile=profile, recognised=True)


async def _has(profile: Profile, ask: Questions) -> bool:
    probe = profile.match.probe if profile.match is not None else None
    if probe is None:
        return True
    if probe.oid.endswith(".0"):
        return probe.oid in await ask.get([probe.oid])
    return bool(await ask.walk(probe.oid, 1))
