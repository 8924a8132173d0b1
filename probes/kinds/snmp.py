"""What a device says of itself over SNMP: system, interfaces, power; each group succeeds or fails alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from probes import metrics
from probes.metrics import Family
from probes.model import Settings, Several, Timeout
from probes.ports import Kind, Net, SnmpAgent, SnmpError, SnmpValue
from probes.protocols.snmp_values import column, known, number, text
from probes.results import Beat, Reading, Reason, Result

Group = Literal["system", "interfaces", "ups"]

MAX_INTERFACES = 256
MAX_LINES = 6
INTERFACES_PER_GET = 5
"""With seven objects each, an answer stays below 1,500 bytes."""

# SNMPv2-MIB (RFC 3418)
SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, SYS_NAME = (f"1.3.6.1.2.1.1.{n}.0" for n in (1, 2, 3, 5))
# IF-MIB (RFC 2863)
IF_NUMBER = "1.3.6.1.2.1.2.1.0"
IF_TABLE_LAST_CHANGE = "1.3.6.1.2.1.31.1.5.0"
IF_DESCR = "1.3.6.1.2.1.2.2.1.2"
IF_ADMIN_STATUS = "1.3.6.1.2.1.2.2.1.7"
IF_OPER_STATUS = "1.3.6.1.2.1.2.2.1.8"
IF_IN_ERRORS = "1.3.6.1.2.1.2.2.1.14"
IF_OUT_ERRORS = "1.3.6.1.2.1.2.2.1.20"
IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
IF_HC_IN_OCTETS = "1.3.6.1.2.1.31.1.1.1.6"
IF_HC_OUT_OCTETS = "1.3.6.1.2.1.31.1.1.1.10"
IF_HIGH_SPEED = "1.3.6.1.2.1.31.1.1.1.15"
# UPS-MIB (RFC 1628)
UPS_SECONDS_ON_BATTERY = "1.3.6.1.2.1.33.1.2.2.0"
UPS_MINUTES_REMAINING = "1.3.6.1.2.1.33.1.2.3.0"
UPS_CHARGE_REMAINING = "1.3.6.1.2.1.33.1.2.4.0"
UPS_INPUT_LINE_BADS = "1.3.6.1.2.1.33.1.3.1.0"
UPS_INPUT_NUM_LINES = "1.3.6.1.2.1.33.1.3.2.0"
UPS_INPUT_VOLTAGE = "1.3.6.1.2.1.33.1.3.3.1.3"
UPS_OUTPUT_SOURCE = "1.3.6.1.2.1.33.1.4.1.0"
UPS_OUTPUT_NUM_LINES = "1.3.6.1.2.1.33.1.4.3.0"
UPS_OUTPUT_PERCENT_LOAD = "1.3.6.1.2.1.33.1.4.4.1.5"

_UP = 1  # ifAdminStatus and ifOperStatus
_DORMANT = 5  # ifOperStatus: waits for something, as an LTE backup does
_SOURCE_BATTERY = 5  # upsOutputSource


def _flag(*values: int) -> Callable[[SnmpValue], float | None]:
    """1 for these values of an enumeration, 0 for others."""

    def read(value: SnmpValue) -> float | None:
        found = number(value)
        return None if found is None else float(found in values)

    return read


def _speed(value: SnmpValue) -> float | None:
    megabits = known(value, 1, 10_000_000)  # 0: the device does not know
    return None if megabits is None else megabits * 1e6 / 8


INTERFACE_COLUMNS: Mapping[str, tuple[Family, Callable[[SnmpValue], float | None]]] = MappingProxyType(
    {
        IF_ADMIN_STATUS: (metrics.INTERFACE_ADMIN_UP, _flag(_UP)),
        IF_OPER_STATUS: (metrics.INTERFACE_OPER_UP, _flag(_UP, _DORMANT)),
        IF_HIGH_SPEED: (metrics.INTERFACE_SPEED, _speed),
        IF_HC_IN_OCTETS: (metrics.INTERFACE_RECEIVE_BYTES, number),
        IF_HC_OUT_OCTETS: (metrics.INTERFACE_TRANSMIT_BYTES, number),
        IF_IN_ERRORS: (metrics.INTERFACE_RECEIVE_ERRORS, number),
        IF_OUT_ERRORS: (metrics.INTERFACE_TRANSMIT_ERRORS, number),
    }
)


class SnmpSettings(Settings):
    """`timeout_s` is for each request of a group."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    agent: SnmpAgent
    groups: Annotated[Several[Group], Field(min_length=1)] = ("system", "interfaces")
    timeout_s: Timeout = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What one beat leaves to the next: the interfaces' names by ifIndex, and signs that they may have changed."""

    names: Mapping[str, str] = field(default_factory=dict)
    up_time: float = 0.0
    table: tuple[float | None, float | None] = (None, None)


async def check(settings: SnmpSettings, net: Net, beat: Beat) -> Result:
    """Ask group by group. A device that does not answer the first one is not asked for the others."""
    memory = beat.memory if isinstance(beat.memory, Known) else Known()
    device = _Device(settings, net, memory)
    failures: dict[Group, SnmpError] = {}
    for group in settings.groups:
        if failures and not device.answered and device.silent:
            failures[group] = next(iter(failures.values()))
            continue
        try:
            await _GROUPS[group](device)
            device.answered = True
        except SnmpError as error:
            failures[group] = error
            device.silent = error.reason is not Reason.PROTOCOL_ERROR
    for group in settings.groups:
        device.read(metrics.DEVICE_GROUP_OK, float(group not in failures), group)
    reason, detail = _judge(settings.groups, failures)
    return Result(reason=reason, readings=tuple(device.readings), detail=detail, memory=device.memory)


def _judge(groups: Sequence[Group], failures: Mapping[Group, SnmpError]) -> tuple[Reason | None, str]:
    if not failures:
        return None, ""
    if len(failures) < len(groups):
        return Reason.PARTIAL, "; ".join(f"{group}: {error}" for group, error in failures.items())
    first = failures.get("system") or next(iter(failures.values()))
    return first.reason, first.detail


class _Device:
    """One device during one beat: how it is asked, and what has been read."""

    def __init__(self, settings: SnmpSettings, net: Net, memory: Known) -> None:
        self._settings = settings
        self._snmp = net.snmp
        self.memory = memory
        self.readings: list[Reading] = []
        self.answered = False
        self.silent = False

    async def get(self, oids: Sequence[str]) -> Mapping[str, SnmpValue]:
        return await self._snmp.get(self._settings.agent, oids, self._settings.timeout_s)

    async def walk(self, oid: str, max_rows: int) -> dict[str, SnmpValue]:
        """Rows by their index."""
        return column(await self._snmp.walk(self._settings.agent, oid, self._settings.timeout_s, max_rows), oid)

    def read(self, family: Family, value: float | None, *labels: str) -> None:
        """Keep a value; one that is not known is left out."""
        if value is not None:
            self.readings.append(Reading(family, value, labels))


async def _system(device: _Device) -> None:
    found = await device.get([SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, SYS_NAME])
    ticks = number(found.get(SYS_UP_TIME))
    device.read(metrics.DEVICE_UPTIME, None if ticks is None else ticks / 100)
    labels = tuple(text(found.get(oid)) for oid in (SYS_DESCR, SYS_OBJECT_ID, SYS_NAME))
    if any(labels):
        device.read(metrics.DEVICE_INFO, 1.0, *labels)


async def _interfaces(device: _Device) -> None:
    """Names are walked when they may have changed; the values are asked by index, few objects in a request."""
    signs = await device.get([SYS_UP_TIME, IF_NUMBER, IF_TABLE_LAST_CHANGE])
    up_time = number(signs.get(SYS_UP_TIME)) or 0.0
    table = (number(signs.get(IF_NUMBER)), number(signs.get(IF_TABLE_LAST_CHANGE)))
    names = device.memory.names
    if not names or table != device.memory.table or up_time < device.memory.up_time:
        names = await _names(device)
    values = await _values(device, list(names))
    answered = 0
    for index, name in names.items():
        for oid, (family, read) in INTERFACE_COLUMNS.items():
            value = values.get(f"{oid}.{index}")
            if value is not None:
                device.read(family, read(value), name)
        answered += f"{IF_OPER_STATUS}.{index}" in values
    # an interface that is gone: names are asked again next time
    device.memory = replace(device.memory, names=names if answered == len(names) else {}, up_time=up_time, table=table)


async def _names(device: _Device) -> dict[str, str]:
    """ifName by ifIndex, or ifDescr where the device has none; made unique by the index."""
    for oid in (IF_NAME, IF_DESCR):
        names = {index: text(value) for index, value in (await device.walk(oid, MAX_INTERFACES)).items()}
        if any(names.values()):
            break
    else:
        raise SnmpError(Reason.PROTOCOL_ERROR, "no interfaces")
    times = Counter(names.values())
    return {index: name if name and times[name] == 1 else f"{name}#{index}" for index, name in names.items()}


async def _values(device: _Device, indexes: Sequence[str]) -> dict[str, SnmpValue]:
    """By object identifier; walked column by column where the device refuses several objects at once."""
    values: dict[str, SnmpValue] = {}
    try:
        for start in range(0, len(indexes), INTERFACES_PER_GET):
            part = indexes[start : start + INTERFACES_PER_GET]
            values |= await device.get([f"{oid}.{index}" for index in part for oid in INTERFACE_COLUMNS])
    except SnmpError as error:
        if error.reason is not Reason.PROTOCOL_ERROR:
            raise
        for oid in INTERFACE_COLUMNS:
            values |= {f"{oid}.{index}": value for index, value in (await device.walk(oid, MAX_INTERFACES)).items()}
    return values


async def _ups(device: _Device) -> None:
    found = await device.get(
        [
            UPS_SECONDS_ON_BATTERY,
            UPS_MINUTES_REMAINING,
            UPS_CHARGE_REMAINING,
            UPS_INPUT_LINE_BADS,
            UPS_INPUT_NUM_LINES,
            UPS_OUTPUT_SOURCE,
            UPS_OUTPUT_NUM_LINES,
        ]
    )
    source = known(found.get(UPS_OUTPUT_SOURCE), 1, 7)
    seconds = known(found.get(UPS_SECONDS_ON_BATTERY), 0, 10_000_000)
    on_battery = None
    if source is not None or seconds is not None:
        on_battery = source == _SOURCE_BATTERY or bool(seconds)
    charge = known(found.get(UPS_CHARGE_REMAINING), 0, 100)
    minutes = known(found.get(UPS_MINUTES_REMAINING), 0, 100_000)
    if not minutes and not on_battery:  # several UPS say 0 while on mains
        minutes = None
    device.read(metrics.UPS_ON_BATTERY, None if on_battery is None else float(on_battery))
    device.read(metrics.UPS_CHARGE, None if charge is None else charge / 100)
    device.read(metrics.UPS_RUNTIME, None if minutes is None else minutes * 60)
    device.read(metrics.UPS_LINE_BADS, known(found.get(UPS_INPUT_LINE_BADS), 0, 4294967294))
    volts = await _lines(device, UPS_INPUT_VOLTAGE, found.get(UPS_INPUT_NUM_LINES), 600)
    load = await _lines(device, UPS_OUTPUT_PERCENT_LOAD, found.get(UPS_OUTPUT_NUM_LINES), 200)
    device.read(metrics.UPS_INPUT_VOLTS, max(volts, default=None))
    device.read(metrics.UPS_LOAD, max(load) / 100 if load else None)


async def _lines(device: _Device, oid: str, count: SnmpValue | None, high: float) -> list[float]:
    """Plausible values of the lines that the UPS says it has; rows beyond them are placeholders."""
    lines = known(count, 1, MAX_LINES)
    rows = await device.walk(oid, MAX_LINES)
    return [
        value
        for index, raw in rows.items()
        if (lines is None or int(index.split(".")[0]) <= lines) and (value := known(raw, 0, high)) is not None
    ]


_GROUPS: Mapping[Group, Callable[[_Device], Awaitable[None]]] = MappingProxyType(
    {"system": _system, "interfaces": _interfaces, "ups": _ups}
)

KIND = Kind("snmp", SnmpSettings, check)
