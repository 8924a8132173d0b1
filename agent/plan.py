"""What follows from an inventory: the targets to probe, and the topology that the diagnosis reasons by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agent import diagnosis
from probes.model import LATENCY_S, Commune, Device, Province, Service, Thresholds, Timings
from probes.ports import SnmpAgent
from probes.registry import KINDS
from probes.results import Target

Ask = Callable[[Device], SnmpAgent]
"""How one device is asked: its address with the secrets of its credential."""

GROUPS: Mapping[str, tuple[str, ...]] = {"ups": ("system", "ups")}
"""SNMP groups by device role; every other role answers for its interfaces."""
OTHER_GROUPS = ("system", "interfaces")


@dataclass(frozen=True)
class Plan:
    """Every target, in a stable order, and the topology over them."""

    targets: tuple[Target, ...]
    topology: diagnosis.Topology


def plan(province: Province, ask: Ask) -> Plan:
    """All targets of a province; `ask` gives each device's credentials."""
    return Plan(tuple(_targets(province, ask)), _topology(province))


def _targets(province: Province, ask: Ask) -> Iterator[Target]:
    timings = province.timings
    for address in province.references:
        yield _ping(timings, f"reference/{address}", address)
    for trunk in province.trunks:
        if trunk.address is not None:
            slow = Thresholds(latency_s=LATENCY_S["vsat"])
            yield _ping(timings, _trunk(trunk.id), trunk.address, slow, trunk=trunk.id)
    for commune in province.communes:
        yield from _of_commune(province, commune, ask)
    for service in province.services:
        if service.connected:
            yield _probe(province, service)


def _of_commune(province: Province, commune: Commune, ask: Ask) -> Iterator[Target]:
    for link in commune.links:
        if link.address is not None:
            labels = {"commune": commune.code, "link": link.id, "medium": link.medium}
            yield _ping(province.timings, _link(commune.code, link.id), link.address, link.limits, **labels)
    for device in commune.devices:
        name = _device(commune.code, device.id)
        groups = GROUPS.get(device.role, OTHER_GROUPS)
        settings = KINDS["snmp"].settings.model_validate({"agent": ask(device), "groups": groups})
        labels = {"commune": commune.code, "device": device.id, "target": name, "kind": "snmp"}
        yield Target(name, "snmp", settings, province.timings.device_beat_s, labels)
    for service in commune.services:
        if service.connected:
            yield _probe(province, service, commune.code)


def _ping(timings: Timings, name: str, address: str, limits: Thresholds = Thresholds(), **labels: str) -> Target:  # noqa: B008  # frozen
    given = limits.model_dump(exclude_none=True)
    pace = timings.link_packets / timings.link_beat_s
    settings = KINDS["icmp"].settings.model_validate({"address": address, "packets_per_s": pace, **given})
    return Target(name, "icmp", settings, timings.link_beat_s, {**labels, "target": name, "kind": "icmp"})


def _probe(province: Province, service: Service, commune: str = "") -> Target:
    """The target of a service: the province's own, or one inside a commune."""
    name = _service(service.id, commune)
    settings = KINDS[service.kind].settings.model_validate(service.settings)
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


def _trunk(trunk: str) -> str:
    return f"trunk/{trunk}"


def _link(commune: str, link: str) -> str:
    return f"link/{commune}/{link}"


def _device(commune: str, device: str) -> str:
    return f"device/{commune}/{device}"


def _service(service: str, commune: str = "") -> str:
    return f"service/{commune}/{service}" if commune else f"service/{service}"
