"""What the lab's devices say of themselves: system, interfaces, mobile signal, uninterruptible power supply."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from pyasn1.type.base import Asn1Item
from pysnmp.proto.rfc1902 import (
    Counter32,
    Counter64,
    Gauge32,
    Integer32,
    ObjectIdentifier,
    OctetString,
    TimeTicks,
)

from deploy.lab.power import LOW_CHARGE, Site
from deploy.lab.snmp_agent import Oid, Read, Table, oid
from probes import units
from probes.model import Commune, Device

_SYSTEM = oid("1.3.6.1.2.1.1")  # RFC 3418
_IF_NUMBER = oid("1.3.6.1.2.1.2.1.0")  # RFC 2863
_IF_ENTRY = oid("1.3.6.1.2.1.2.2.1")
_IF_X_ENTRY = oid("1.3.6.1.2.1.31.1.1.1")
_IP_CIDR_ROUTE = oid("1.3.6.1.2.1.4.24.4.1")  # RFC 2096
_UPS = oid("1.3.6.1.2.1.33.1")  # RFC 1628
_MIKROTIK_LTE = oid("1.3.6.1.4.1.14988.1.1.16.1.1")  # MIKROTIK-MIB, mtxrLTEModemTable
_OBJECT_ID = {"router": "1.3.6.1.4.1.14988.1", "ups": "1.3.6.1.2.1.33"}
_DESCRIPTION = {"router": "RouterOS RB5009 (lienxa lab)", "ups": "UPS 1500 VA (lienxa lab)"}
_ETHERNET, _BRIDGE, _WWAN = 6, 209, 243  # IANAifType-MIB
_UP, _DOWN = 1, 2
_REMOTE = 4  # ipCidrRouteType
_NORMAL, _LOW, _DEPLETED = 2, 3, 4  # upsBatteryStatus
_FROM_MAINS, _FROM_BATTERY = 3, 5  # upsOutputSource
_MAINS_V, _MAINS_HZ = 220, 50


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a device's answers depend on, read at each question."""

    now: Callable[[], float]
    site: Callable[[], Site]
    link_works: Callable[[str], bool]
    """By the link's id: whether neither a cut nor a silence lies on it."""


@dataclass(frozen=True, slots=True)
class _Interface:
    index: int
    name: str
    kind: int
    mbit_per_s: int
    bytes_per_s: int
    link: str | None = None


def table(commune: Commune, device: Device, around: Surroundings) -> Table:
    """Everything that one device answers for."""
    objects = _system(commune, device, around)
    if device.role == "router":
        objects |= _router(commune, around)
    elif device.role == "ups":
        objects |= _ups(around)
    else:
        objects |= _interfaces([_Interface(1, "ether1", _ETHERNET, 1000, 20_000)], around)
    return Table(objects)


def _constant(value: Asn1Item) -> Read:
    return lambda: value


def _text(value: str) -> Read:
    return _constant(OctetString(value.encode()))


def _whole(value: int) -> Read:
    return _constant(Integer32(value))


def _system(commune: Commune, device: Device, around: Surroundings) -> dict[Oid, Read]:
    own = {
        1: _text(_DESCRIPTION.get(device.role, f"{device.role} (lienxa lab)")),
        2: _constant(ObjectIdentifier(_OBJECT_ID.get(device.role, "1.3.6.1.4.1.8072.3.2.10"))),
        3: lambda: TimeTicks(int((around.now() - around.site().booted) * 100) % 2**32),
        4: _text(""),
        5: _text(f"{commune.code}-{device.id}"),
        6: _text(units.name(commune.code)),
        7: _whole(78),
    }
    return {(*_SYSTEM, column, 0): read for column, read in own.items()}


def _router(commune: Commune, around: Surroundings) -> dict[Oid, Read]:
    interfaces = [
        _Interface(1, "ether1-wan", _ETHERNET, 1000, 250_000, "primary"),
        _Interface(2, "ether2-lan", _ETHERNET, 1000, 240_000),
        _Interface(3, "bridge-lan", _BRIDGE, 1000, 240_000),
    ]
    objects = {}
    for link in commune.links:
        if link.medium == "lte":
            interfaces.append(_Interface(4, "lte1", _WWAN, 150, 1_200, link.id))
            objects = _signal(4, zlib.crc32(commune.code.encode()))
            break
    return _interfaces(interfaces, around) | _default_routes(interfaces, around) | objects


def _default_routes(interfaces: list[_Interface], around: Surroundings) -> dict[Oid, Read]:
    """ipCidrRouteTable: 0.0.0.0/0 by each link that works, the earlier interface preferred."""
    objects: dict[Oid, Read] = {}
    for each in interfaces:
        if each.link is not None:
            index = (*(0,) * 9, 192, 0, 2, each.index)  # destination, mask, type of service, next hop
            for column, value in ((5, each.index), (6, _REMOTE), (11, each.index)):
                objects[*_IP_CIDR_ROUTE, column, *index] = _while_it_works(each.link, value, around)
    return objects


def _while_it_works(link: str, value: int, around: Surroundings) -> Read:
    return lambda: Integer32(value) if around.link_works(link) else None


def _interfaces(interfaces: list[_Interface], around: Surroundings) -> dict[Oid, Read]:
    objects: dict[Oid, Read] = {_IF_NUMBER: _whole(len(interfaces))}
    for each in interfaces:
        objects |= {(*_IF_ENTRY, column, each.index): read for column, read in _if_entry(each, around).items()}
        objects |= {(*_IF_X_ENTRY, column, each.index): read for column, read in _if_x_entry(each, around).items()}
    return objects


def _moved(each: _Interface, around: Surroundings, divisor: int = 1) -> Callable[[], int]:
    """A counter that has grown evenly since the device started, and starts at 0 with it."""
    return lambda: int((around.now() - around.site().booted) * each.bytes_per_s / divisor)


def _counter32(count: Callable[[], int]) -> Read:
    return lambda: Counter32(count() % 2**32)


def _counter64(count: Callable[[], int]) -> Read:
    return lambda: Counter64(count() % 2**64)


def _oper_status(each: _Interface, around: Surroundings) -> Read:
    return lambda: Integer32(_UP if each.link is None or around.link_works(each.link) else _DOWN)


def _if_entry(each: _Interface, around: Surroundings) -> dict[int, Read]:
    received, sent = _moved(each, around), _moved(each, around, 4)
    packets_in, packets_out = _moved(each, around, 900), _moved(each, around, 1200)
    zero = _constant(Counter32(0))
    return {
        1: _whole(each.index),
        2: _text(each.name),
        3: _whole(each.kind),
        4: _whole(1500),
        5: _constant(Gauge32(min(each.mbit_per_s * 1_000_000, 2**32 - 1))),
        6: _constant(OctetString(bytes((2, 0, 0, 0, 0, each.index)))),
        7: _whole(_UP),
        8: _oper_status(each, around),
        9: _constant(TimeTicks(0)),
        10: _counter32(received),
        11: _counter32(packets_in),
        13: zero,
        14: zero,
        16: _counter32(sent),
        17: _counter32(packets_out),
        19: zero,
        20: zero,
    }


def _if_x_entry(each: _Interface, around: Surroundings) -> dict[int, Read]:
    return {
        1: _text(each.name),
        6: _counter64(_moved(each, around)),
        7: _counter64(_moved(each, around, 900)),
        10: _counter64(_moved(each, around, 4)),
        11: _counter64(_moved(each, around, 1200)),
        15: _constant(Gauge32(each.mbit_per_s)),
        17: _whole(1),
        18: _text(each.link or ""),
        19: _constant(TimeTicks(0)),
    }


def _signal(index: int, spread: int) -> dict[Oid, Read]:
    """RSSI and RSRP in dBm, RSRQ and SINR in dB: fair to good, and different from commune to commune."""
    weaker = spread % 12
    columns = {2: -62 - weaker, 3: -9 - weaker // 4, 4: -88 - weaker, 7: 18 - weaker}
    return {(*_MIKROTIK_LTE, column, index): _whole(value) for column, value in columns.items()}


def _ups(around: Surroundings) -> dict[Oid, Read]:
    """UPS-MIB (RFC 1628): tenths of a volt and of a hertz where the MIB says so."""

    def charge() -> float:
        return around.site().charge_at(around.now())

    def on_battery() -> bool:
        return not around.site().mains

    def status() -> int:
        left = charge()
        return _DEPLETED if left <= 0 else _LOW if left < LOW_CHARGE and on_battery() else _NORMAL

    def when(condition: Callable[[], bool], value: Asn1Item) -> Read:
        return lambda: value if condition() else None

    def alarms() -> int:
        return int(on_battery()) + int(status() != _NORMAL)

    on, low = (ObjectIdentifier((*_UPS, 6, 3, number)) for number in (2, 3))  # upsAlarmOnBattery, upsAlarmLowBattery
    own: dict[Oid, Read] = {
        (1, 1, 0): _text("lienxa lab"),
        (1, 2, 0): _text("UPS 1500"),
        (1, 5, 0): _text("ups"),
        (2, 1, 0): lambda: Integer32(status()),
        (2, 2, 0): lambda: Integer32(int(around.site().on_battery_s(around.now()))),
        (2, 3, 0): lambda: Integer32(round(around.site().left_s(around.now())) // 60),
        (2, 4, 0): lambda: Integer32(round(charge() * 100)),
        (2, 5, 0): lambda: Integer32(round(210 + 63 * charge())),
        (2, 7, 0): _whole(31),
        (3, 1, 0): lambda: Counter32(around.site().line_bads),
        (3, 2, 0): _whole(1),
        (3, 3, 1, 2, 1): lambda: Integer32(0 if on_battery() else _MAINS_HZ * 10),
        (3, 3, 1, 3, 1): lambda: Integer32(0 if on_battery() else _MAINS_V),
        (4, 1, 0): lambda: Integer32(_FROM_BATTERY if on_battery() else _FROM_MAINS),
        (4, 2, 0): _whole(_MAINS_HZ * 10),
        (4, 3, 0): _whole(1),
        (4, 4, 1, 2, 1): _whole(_MAINS_V),
        (4, 4, 1, 4, 1): _whole(120),
        (4, 4, 1, 5, 1): _whole(14),
        (6, 1, 0): lambda: Gauge32(alarms()),
        (6, 2, 1, 2, 1): when(on_battery, on),
        (6, 2, 1, 2, 2): when(lambda: status() != _NORMAL, low),
    }
    return {(*_UPS, *path): read for path, read in own.items()}
