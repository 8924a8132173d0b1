"""Communes and trunks as they stand in the inventory."""

from __future__ import annotations

from collections.abc import Mapping

from agent.init.classes import Classes, Template, device_item, link_item, pattern
from agent.init.flow import item, mapping, scalar, sequence
from agent.init.sites import DEVICES, DeviceName, LinkOf, Site
from probes.units import Unit


def entry(commune: Unit, site: Site | None = None, classes: Classes | None = None) -> str:
    """One commune, on as few lines as it takes: what its class says is not said again."""
    parts = {"code": f'"{commune.code}"'}
    if site is not None:
        name, template = (classes or Classes()).of(site)
        if name:
            parts["site_class"] = scalar(name)
        if site.prefix and (site.prefix_given or _inherits(site, template)):
            parts["prefix"] = scalar(site.prefix)
        parts |= _own(site, template)
    return item(parts, commune.name)


def trunk_section(trunks: Mapping[str, str]) -> str:
    """All trunks; nothing if there are none."""
    if not trunks:
        return ""
    items = [f"  - {mapping({'id': scalar(name), 'name': scalar(text)})}\n" for name, text in sorted(trunks.items())]
    return "trunks:\n" + "".join(items)


def _inherits(site: Site, template: Template) -> bool:
    """Whether it has an address that its class's patterns make of its prefix."""
    theirs = {link.address for link in (template.primary, template.backup) if link} | {*template.devices.values()}
    return any(pattern(site, address) in theirs for address in site.addresses())


def _own(site: Site, template: Template) -> dict[str, str]:
    own = {"trunk": scalar(site.trunk)} if site.trunk else {}
    links, devices, lacking = [], [], []
    for role, link, usual in (
        ("primary", site.primary, template.primary),
        ("backup", site.backup, template.backup),
    ):
        if link is not None:
            links.append(_link(site, role, link, usual))
        elif usual is not None:
            lacking.append(role)
    for name in DEVICES:
        if name in site.devices:
            devices.append(_device(site, name, template))
        elif name in template.devices:
            lacking.append(name)
    for key, items in (("links", links), ("devices", devices), ("without", lacking)):
        if any(items):
            own[key] = sequence(text for text in items if text)
    if site.contact:
        own["contact"] = mapping({key: scalar(value) for key, value in site.contact.items()})
    if site.identification_code:
        own["identification_code"] = scalar(site.identification_code)
    return own


def _link(site: Site, role: str, link: LinkOf, usual: LinkOf | None) -> str:
    """A link, or what differs from its class's; nothing if nothing does."""
    if usual is None:
        return link_item(role, link, link.address)
    differs: dict[str, str] = {}
    if link.medium != usual.medium:
        differs["medium"] = link.medium
    if pattern(site, link.address) != usual.address:
        differs["address"] = "null" if link.address is None else scalar(link.address)
    return mapping(({} if role == "primary" else {"role": role}) | differs) if differs else ""


def _device(site: Site, name: DeviceName, template: Template) -> str:
    address, usual = site.devices[name], template.devices.get(name)
    if usual is None:
        return device_item(name, address)
    return "" if pattern(site, address) == usual else mapping({"id": name, "address": scalar(address)})
