"""What an inventory demands of its equipment: firmware, and how devices may be asked."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from probes.model.base import Identifier, Settings, Text


def _version(value: str) -> str:
    if not re.search(r"\d", value):
        raise ValueError("must be a version as the device tells it, such as 7.12 or RUT9_R_00.07.06.1")
    return value


class FirmwareRule(Settings):
    """The oldest firmware that devices of one sort may have; all that is given must fit, capital or small letters."""

    profile: Identifier | None = Field(None, examples=["mikrotik"])
    """The [device profile](profiles.md) by which they are read."""
    manufacturer: Text | None = Field(None, examples=["Teltonika"])
    """As `lienxa_device_model_info` tells it; `*` stands for anything."""
    model: Text | None = Field(None, examples=["RUT9*"])
    """As `lienxa_device_model_info` tells it; `*` stands for anything."""
    minimum: Annotated[Text, AfterValidator(_version)] = Field(examples=["7.12"])
    """An older one is told as `lienxa_device_firmware_outdated`. In quotes, or YAML reads a number."""

    @model_validator(mode="after")
    def _about_something(self) -> FirmwareRule:
        if self.profile is None and self.manufacturer is None and self.model is None:
            raise ValueError("needs profile, manufacturer or model: versions of different makers cannot be compared")
        return self
