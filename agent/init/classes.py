"""What most communes of a class have alike, so that each of them needs only say what is its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from agent.init.flow import mapping, scalar
from agent.init.sites import DEVICES, DeviceName, LinkOf, Site
from probes.model import BUILT_IN_CLASSES, PREFIX


@dataclass(frozen=True)
class Template:
    """The links and devices of a class; addresses are patterns, or absent."""

    primary: LinkOf | None = None
    backup: LinkOf | None = None
    devices: Mapping[DeviceName, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether its communes have nothing alike."""
        return self.primary is None and self.backup is None and not self.devices


@dataclass(frozen=True)
class Classes:
    """The classes of an inventory, by name; `everything` is the name for communes of no special class."""

    everything: str = "standard"
    templates: Mapping[str, Template] = field(default_factory=dict)

    def of(self, site: Site) -> tuple[str, Template]:
        """The class of a commune; its name is empty where it need not be written."""
        name = site.site_class or self.everything
        template = self.templates.get(name, Template())
        unwritten = name == "remote" or (not site.site_class and template.empty)
        return "" if unwritten else name, template

    @property
    def text(self) -> str:
        """The YAML of all classes that must be declared; empty if none must."""
        declared = [_class(name, self.templates[name]) for name in self._declared()]
        return "site_classes:\n" + "".join(declared) if declared else ""

    @property
    def usual(self) -> str:
        """The declared class that most communes are of; that of the examples if none is declared."""
        declared = self._declared()
        return self.everything if self.everything in declared else min(declared, default="standard")

    def _declared(self) -> list[str]:
        return [
            name
            for name, template in self.templates.items()
            if not template.empty or name not in {*BUILT_IN_CLASSES, self.everything}
        ]


def templates(sites: Collection[Site], everything: str) -> Classes:
    """What more than half of each class's communes have becomes the class's."""
    members: dict[str, list[Site]] = {}
    for site in sites:
        members.setdefault(site.site_class or everything, []).append(site)
    return Classes(everything, {name: _common(own) for name, own in sorted(members.items())})


def pattern(site: Site, address: str | None) -> str | None:
    """An address with the commune's prefix taken out, where it begins with it."""
    if address is None or not site.prefix:
        return address
    rest = address.removeprefix(site.prefix)
    return PREFIX + rest if rest != address and rest[:1] in {".", ":"} else address


def link_item(role: str, link: LinkOf, address: str | None) -> str:
    """A whole link as YAML."""
    items: dict[str, str] = {} if role == "primary" else {"role": role}
    if link.medium != "fibre":
        items["medium"] = link.medium
    if address is not None:
        items["address"] = scalar(address)
    return mapping(items or {"medium": link.medium})


def device_item(name: DeviceName, address: str) -> str:
    """A whole device as YAML."""
    return mapping({"id": name, "role": name, "address": scalar(address), "credential": "devices"})


def _common(members: list[Site]) -> Template:
    devices = {
        name: found
        for name in DEVICES
        if (found := _usual((pattern(site, site.devices.get(name)) for site in members), len(members))) is not None
    }
    return Template(_common_link(members, "primary"), _common_link(members, "backup"), devices)


def _common_link(members: list[Site], role: str) -> LinkOf | None:
    links = [(site, link) for site in members if (link := getattr(site, role)) is not None]
    address = _usual((pattern(site, link.address) for site, link in links), len(members))
    media = Counter(link.medium for _, link in links)
    if address is not None:
        return LinkOf(media.most_common(1)[0][0], address)
    if all(link.address is None for _, link in links) and len(links) * 2 > len(members) > 1:
        return LinkOf(media.most_common(1)[0][0], None)
    return None


def _usual(patterns: Iterable[str | None], members: int) -> str | None:
    """The commonest pattern, if more than half of the members have it, and there is more than one of them."""
    counted = Counter(found for found in patterns if found is not None).most_common(1)
    return counted[0][0] if counted and counted[0][1] * 2 > members > 1 else None


def _class(name: str, template: Template) -> str:
    if template.empty:
        return f"  {scalar(name)}: {{}}\n"
    lines = [f"  {scalar(name)}:"]
    links = [(role, link) for role in ("primary", "backup") if (link := getattr(template, role)) is not None]
    if links:
        lines.append("    links:")
        lines += [f"      - {link_item(role, link, link.address)}" for role, link in links]
    if template.devices:
        lines.append("    devices:")
        lines += [f"      - {device_item(device, address)}" for device, address in template.devices.items()]
    return "".join(f"{line}\n" for line in lines)
