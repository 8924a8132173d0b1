"""What a device is: by which profile it is read, how old it is, whether it is still the same one."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace

from probes import metrics
from probes.kinds.snmp.memory import Known
from probes.kinds.snmp.questions import SILENT, Questions
from probes.kinds.snmp.sameness import ENGINE_ID, SERIAL_NUMBER, engine_sign, serial_sign
from probes.ports import SnmpError, SnmpValue
from probes.profiles import Library, Profile, Sign
from probes.profiles.age import WRAP_S, aged
from probes.results import Reading

ENGINE_ID_OID = "1.3.6.1.6.3.10.2.1.1.0"
"""snmpEngineID (SNMP-FRAMEWORK-MIB): with v1 and v2c too, where an agent knows v3 at all."""
SIGNS_S = 3600.0
"""How often serial number and engine id are looked at, besides after every restart."""
SERIAL_ROWS = 16


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
    forget = other or age.restarted
    if forget:
        known = replace(known, recognised=False, seen=frozenset(), band=None, signs_due=now_s)
    known = replace(known, object_id=object_id or known.object_id, age=age)
    told = [
        Reading(reading.family, reading.value + age.wraps * WRAP_S)
        if reading.family is metrics.DEVICE_UPTIME
        else reading
        for reading in readings
    ]
    told.append(Reading(metrics.DEVICE_RESTARTS, age.restarts))
    return told, known, forget


async def signs_of(signs: Sequence[Sign], ask: Questions) -> dict[str, str]:
    """Serial number and engine id, empty where the device does not tell them; raises `SnmpError` for silence."""
    said = {ENGINE_ID: "", SERIAL_NUMBER: ""}
    scalars = [ENGINE_ID_OID, *(sign.oid for sign in signs if sign.oid.endswith(".0"))]
    values = await _unless_missing(ask.get(scalars))
    said[ENGINE_ID] = engine_sign(values.get(ENGINE_ID_OID))
    for oid in (sign.oid for sign in signs):
        rows = values if oid.endswith(".0") else await _unless_missing(ask.column(oid, SERIAL_ROWS))
        told = [values.get(oid)] if rows is values else list(rows.values())
        if found := next(filter(None, map(serial_sign, told)), ""):
            said[SERIAL_NUMBER] = found
            break
    return said


async def _unless_missing(asked: Awaitable[Mapping[str, SnmpValue]]) -> Mapping[str, SnmpValue]:
    try:
        return await asked
    except SnmpError as error:
        if error.reason in SILENT:
            raise
        return error.found


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
