"""What a device says of itself over SNMP, as its profile reads it; each group succeeds or fails alone."""

from __future__ import annotations

import socket
from dataclasses import replace

from probes import metrics
from probes.kinds.snmp.device import ABSENT_BEATS, Device
from probes.kinds.snmp.memory import Known
from probes.kinds.snmp.questions import SILENT
from probes.kinds.snmp.settings import SnmpSettings
from probes.ports import Kind, Net
from probes.protocols.tcp import meaning
from probes.results import Beat, Reading, Reason, Result

__all__ = ["ABSENT_BEATS", "KIND", "SILENT", "Known", "SnmpSettings", "check"]


async def check(settings: SnmpSettings, net: Net, beat: Beat) -> Result:
    """Ask group by group. A device that does not answer the first one is not asked for the others."""
    try:
        address = await net.names.address(settings.agent.address)
    except socket.gaierror as error:  # the resolver's fault, or the inventory's, not the device's
        seen = Reading(metrics.DEVICE_SEEN, float(isinstance(beat.memory, Known) and beat.memory.answered))
        return Result(Reason.DNS_ERROR, (seen,), detail=meaning(error), memory=beat.memory, blameless=True)
    if address != settings.agent.address:
        settings = settings.model_copy(update={"agent": replace(settings.agent, address=address)})
    device = Device(settings, net, beat)
    await device.ask_all()
    return device.result()


KIND = Kind("snmp", SnmpSettings, check, light=True)
