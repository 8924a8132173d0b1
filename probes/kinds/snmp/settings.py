"""What is asked of one device over SNMP, and how."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, InstanceOf, model_validator

from probes.model import DeviceRole, FirmwareRule, Identifier, Settings, Several, Timeout
from probes.ports import SnmpAgent
from probes.profiles import Library, shipped


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
    role: DeviceRole | None = None
    """What the device is expected to be."""
    firmware: Several[FirmwareRule] = ()
    v3_required: bool = False
    """Asking it by a community is a finding."""
    security_checks: bool = False
    """See `probes.protocols.exposure`; once a day, never by hand."""

    @model_validator(mode="after")
    def _known_names(self) -> SnmpSettings:
        if unknown := [name for name in self.profiles if name not in self.library.profiles]:
            raise ValueError(f"profiles: no profile {unknown[0]!r} (known: {', '.join(self.library.profiles)})")
        own = {group.name for name in self.profiles for group in self.library.profiles[name].groups}
        asked = [*(name for name in self.groups if name not in own), *self.extras]
        if unknown := [name for name in asked if name not in self.library.general]:
            raise ValueError(f"groups: no group {unknown[0]!r} (known: {', '.join(sorted(self.library.general))})")
        return self
