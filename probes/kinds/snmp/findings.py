"""What is worth knowing of a device and says nothing of its state: old firmware, and how it could be misused; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probes import metrics
from probes.kinds.snmp.memory import Known
from probes.kinds.snmp.settings import SnmpSettings
from probes.profiles.firmware import outdated
from probes.results import Reading

SNMP_COMMUNITY = "snmp_community"


def findings(
    settings: SnmpSettings, known: Known, readings: Sequence[Reading], profiles: Sequence[str]
) -> Iterator[Reading]:
    """By the inventory's policy, and what was found when it was looked for."""
    if settings.firmware:
        told = [
            old
            for reading in readings
            if reading.family is metrics.DEVICE_MODEL_INFO
            if (old := outdated(settings.firmware, next(iter(profiles), ""), *reading.labels)) is not None
        ]
        if told:
            yield Reading(metrics.DEVICE_FIRMWARE_OUTDATED, float(any(told)))
    if settings.v3_required:
        yield Reading(metrics.DEVICE_SECURITY_FINDING, float(settings.agent.version != "v3"), (SNMP_COMMUNITY,))
    if settings.security_checks and known.exposure is not None:
        for finding, found in known.exposure.found.items():
            yield Reading(metrics.DEVICE_SECURITY_FINDING, float(found), (finding,))
