"""The device profiles of an inventory: the shipped ones, and the deployer's own beside it."""

from __future__ import annotations

from pathlib import Path

from agent.inventory import InventoryError
from probes import profiles
from probes.model import Province
from probes.profiles import Library

FOLDER = "profiles"


def library_of(province: Province, folder: Path) -> Library:
    """Every profile that devices may have; `folder` is where the inventory lies.

    Raises `InventoryError` for wrong files, and for names that nobody knows.
    """
    own = folder / FOLDER
    try:
        library = profiles.load(own) if own.is_dir() else profiles.shipped()
    except ValueError as error:
        raise InventoryError([f"{own}/{line}" for line in str(error).splitlines()]) from None
    known = ", ".join(library.profiles)
    unknown = [
        f"device {device.id} of {commune.code}: unknown profile {device.profile!r} (known: {known})"
        for commune in province.communes
        for device in commune.devices
        if device.profile is not None and device.profile not in library.profiles
    ]
    unknown += [
        f"firmware[{place}]: unknown profile {rule.profile!r} (known: {known})"
        for place, rule in enumerate(province.firmware)
        if rule.profile is not None and rule.profile not in library.profiles
    ]
    if unknown:
        raise InventoryError(unknown)
    return library
