"""What follows from an inventory: the targets to probe, and the topology that the diagnosis reasons by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agent import diagnosis
from probes.model import LIMITS, Commune, Device, Province, Service, Timings
from probes.ports import HttpAuth, SnmpAgent
from probes.profiles import Library, shipped
from probes.registry import KINDS
from probes.results import Target

Ask = Callable[[Device], SnmpAgent]
"""How one device is asked: its address with the secrets of its credential."""

Auth = Callable[[Service], HttpAuth | None]
"""Who asks one service, if it wants to know: the secrets of its credential."""

GROUPS: Mapping[str, tuple[str, ...]] = {"ups": ("system", "ups")}
"""SNMP groups by device role; every other role answers for its interfaces."""
OTHER_GROUPS = ("system", "interfaces")
ROUTES = ("routes",)
"""Asked of routers as well whose interfaces the inventory names, as far as they tell."""

NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class Plan:
    """Every target, in a stable order, and the topology over them."""

    targets: tuple[Target, ...]
    topology: diagnosis.Topology


def _nobody(_: Service) -> None:
    return None


def plan(province: Province, ask: Ask, auth: Auth = _nobody, library: Library | None = None) -> Plan:
    """All targets of a province; `ask` gives each device's credentials, `auth` each service's.

    `library` are the profiles that devices may have, the shipped ones unless given.
    """
    return Plan(tuple(_targets(province, ask, auth, library or shipped())), _topology(province))


def _targets(province: Province, ask: Ask, auth: Auth, library: Library) -> Iterator[Target]:
    timings = province.timings
    for address in province.references:
        yield _ping(timings, f"reference/{address}", address)
    for trunk in province.trunks:
        if trunk.address is not None:
            yield _ping(timings, _trunk(trunk.id), trunk.address, LIMITS["vsat"], trunk=trunk.id)
    for commune in province.communes:
        yield from _of_commune(province, commune, ask, auth, library)
    for service in province.services:
        if service.connected:
            yield _probe(province, service, auth)


def _of_commune(province: Province, commune: Commune, ask: Ask, auth: Auth, library: Library) -> Iterator[Target]:
    for link in commune.links:
        if link.address is not None:
            labels = {"commune": commune.code, "link": link.id, "medium": link.medium}
            yield _ping(province.timings, _link(commune.code, link.id), link.address, link.probing, **labels)
    routers = {commune.router_of(link) for link in commune.links}
    for device in commune.devices:
        name = _device(commune.code, device.id)
        groups = GROUPS.get(device.role, OTHER_GROUPS)
        profiles = () if device.profile is None else (device.profile,)
        settings = KINDS["snmp"].settings.model_validate(
            {
                "agent": ask(device),
                "groups": groups,
                "extras": ROUTES if device.id in routers else (),
                "profiles": profiles,
                "recognise": True,
                "library": library,
                "role": device.role,
                "firmware": province.firmware,
                "v3_required": province.snmp_v3_required,
                "security_checks": province.security_checks,
            }
        )
        labels = {"commune": commune.code, "device": device.id, "target": name, "kind": "snmp"}
        yield Target(name, "snmp", settings, province.timings.device_beat_s, labels)
    for service in commune.services:
        if service.connected:
            yield _probe(province, service, auth, commune.code)


def _ping(timings: Timings, name: str, address: str, given: Mapping[str, object] = NOTHING, **labels: str) -> Target:
    pace = timings.link_packets / timings.link_beat_s
    settings = KINDS["icmp"].settings.model_validate({"packets_per_s": pace, **given, "address": address})
    return Target(name, "icmp", settings, timings.link_beat_s, {**labels, "target": name, "kind": "icmp"})


def _probe(province: Province, service: Service, auth: Auth, commune: str = "") -> Target:
    """The target of a service: the province's own, or one inside a commune."""
    name = _service(service.id, commune)
    who = auth(service)
    told = service.settings if who is None else {**service.settings, "auth": who}
    settings = KINDS[service.kind].settings.model_validate(told)
    labels = {"commune": commune, "service": service.id, "path": service.via, "target": name, "kind": service.kind}
    beat_s = province.timings.service_beat_s if service.beat_s is None else service.beat_s
    return Target(name, service.kind, settings, beat_s, {label: value for label, value in labels.items() if value})


def _topology(province: Province) -> diagnosis.Topology:
    return diagnosis.Topology(
        communes={
            commune.code: diagnosis.Site(
                trunk=commune.trunk,
                links=tuple(
                    diagnosis.Link(link.id, link.role, _link(commune.code, link.id))
                    for link in commune.links
                    if link.address is not None
                ),
                devices=tuple(
                    diagnosis.Device(device.id, _device(commune.code, device.id)) for device in commune.devices
                ),
                services=tuple(_service(service.id, commune.code) for service in commune.services if service.connected),
                exits=tuple(_exits(commune)),
            )
            for commune in province.communes
        },
        trunks={
            trunk.id: diagnosis.Trunk(trunk.parent, _trunk(trunk.id) if trunk.address is not None else None)
            for trunk in province.trunks
        },
        services={
            service.id: diagnosis.Service(_service(service.id)) for service in province.services if service.connected
        },
        references=tuple(f"reference/{address}" for address in province.references),
        link_beat_s=province.timings.link_beat_s,
        device_beat_s=province.timings.device_beat_s,
        service_beat_s=province.timings.service_beat_s,
        rise=province.timings.rise,
        recovery_hold_s=province.timings.recovery_hold_s,
    )


def _exits(commune: Commune) -> Iterator[diagnosis.Exit]:
    for link in commune.links:
        router = commune.router_of(link)
        if router is not None and link.interface is not None:
            yield diagnosis.Exit(link.id, link.role, _device(commune.code, router), link.interface)


def _trunk(trunk: str) -> str:
    return f"trunk/{trunk}"


def _link(commune: str, link: str) -> str:
    return f"link/{commune}/{link}"


def _device(commune: str, device: str) -> str:
    return f"device/{commune}/{device}"


def _service(service: str, commune: str = "") -> str:
    return f"service/{commune}/{service}" if commune else f"service/{service}"
