"""Which device a command means, and with which of the inventory's SNMP credentials it is asked."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.credentials import Credentials, look_at
from agent.errors import Unusable
from agent.plan import GROUPS, OTHER_GROUPS
from probes.model import Device, Host, Province, SnmpCommunity, SnmpUser

_HOST: TypeAdapter[str] = TypeAdapter(Host)


@dataclass(frozen=True, slots=True)
class Aim:
    """One device, how it is called, and the SNMP groups that it is asked for."""

    name: str
    device: Device
    groups: tuple[str, ...]


def chosen_credentials(province: Province, names: Sequence[str]) -> tuple[str, ...]:
    """The named SNMP credentials, all that the inventory has where none is named. Raises `Unusable`."""
    known = [name for name, item in province.credentials.items() if isinstance(item, (SnmpCommunity, SnmpUser))]
    if not known:
        raise Unusable("the inventory has no SNMP credentials; add one to its `credentials`")
    for name in names:
        if name in known:
            continue
        listed = f"SNMP credentials of the inventory: {', '.join(known)}"
        if name in province.credentials:
            raise Unusable(f"--credentials {name}: is for services, not for devices; {listed}")
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise Unusable(f"--credentials {name}: the inventory has none of that name; {hint}{listed}")
    return tuple(dict.fromkeys(names)) or tuple(known)


def opened(province: Province, folder: Path, names: Sequence[str]) -> Credentials:
    """The secrets of these credentials; what is wrong with others is of no concern. Raises `Unusable`."""
    credentials = look_at(province, folder)
    flaws = [flaw for flaw in credentials.flaws if flaw.credential in names]
    if flaws:
        raise Unusable("\n".join(str(flaw) for flaw in flaws))
    return credentials


def aim(province: Province, target: str, credentials: Sequence[str], port: int | None) -> Aim:
    """A device of the inventory by its target's id or address, or any other address. Raises `Unusable`."""
    devices = {
        f"device/{commune.code}/{device.id}": device for commune in province.communes for device in commune.devices
    }
    by_address = {device.address: name for name, device in devices.items()}
    if len(credentials) > 1:
        raise Unusable("--credentials: a device is asked with one of them; name one")
    change: dict[str, object] = {"credential": chosen_credentials(province, credentials)[0]} if credentials else {}
    change |= {"port": port} if port is not None else {}
    name = target if target in devices else by_address.get(target)
    if name is not None:
        device = devices[name].model_copy(update=change)
        return Aim(name, device, GROUPS.get(device.role, OTHER_GROUPS))
    if "/" in target:
        near = difflib.get_close_matches(target, devices, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else _example(devices)
        raise Unusable(f"no device of the inventory is {target!r}; {hint}")
    try:
        host = _HOST.validate_python(target)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise Unusable(
            f"{target!r} is no device of the inventory, and no address: {why}; {_example(devices)}"
        ) from None
    if not credentials:
        known = ", ".join(chosen_credentials(province, ()))
        raise Unusable(f"{target} is no device of the inventory: say how to ask it, with --credentials NAME ({known})")
    device = Device.model_validate({"id": "device", "role": "router", "address": host, "port": 161, **change})
    return Aim(target, device, ("system",))


def _example(devices: Sequence[str] | dict[str, Device]) -> str:
    first = next(iter(devices), None)
    return "ids look like device/01290/router" if first is None else f"ids look like {first}"
