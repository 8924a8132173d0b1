"""Communes with their links and devices, what they have in common, and the trunks they lie behind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from probes.model.base import (
    AddressPattern,
    AddressPrefix,
    CommuneCode,
    Email,
    Host,
    Identifier,
    IpAddress,
    Phone,
    Port,
    Ratio,
    Score,
    Seconds,
    Settings,
    Several,
    Text,
)
from probes.model.services import Service, ServiceTemplate

Medium = Literal["fibre", "lte", "radio", "vsat"]
LinkRole = Literal["primary", "backup"]
LIMITS: Mapping[Medium, Mapping[str, float]] = MappingProxyType(
    {
        "fibre": MappingProxyType({"loss_ratio": 0.01, "latency_s": 0.15, "jitter_s": 0.03, "mos": 3.6}),
        "radio": MappingProxyType({"loss_ratio": 0.02, "latency_s": 0.2, "jitter_s": 0.05, "mos": 3.6}),
        "lte": MappingProxyType({"loss_ratio": 0.02, "latency_s": 0.3, "jitter_s": 0.06, "mos": 3.6}),
        "vsat": MappingProxyType({"loss_ratio": 0.03, "latency_s": 0.9, "jitter_s": 0.1, "mos": 2.6}),
    }
)
"""Where a link counts as degraded, by medium: keys of `Thresholds`.

A satellite's way alone takes 0.6 s, which G.107 scores 3.6 at best; 2.6 is where almost all users are dissatisfied.
"""
LATENCY_S: Mapping[Medium, float] = MappingProxyType({medium: limits["latency_s"] for medium, limits in LIMITS.items()})
"""Round-trip time above which a link counts as degraded, by medium."""
BUDGET_MB_PER_DAY: Mapping[Medium, float] = MappingProxyType({"lte": 20, "vsat": 10})
"""What probing a link may cost by default where every byte is paid for; 1 MB are a million bytes."""
DeviceRole = Literal["router", "switch", "ups", "modem", "radio", "meeting", "printer", "pc"]
BUILT_IN_CLASSES = ("hq", "remote")
"""Classes that need no declaration: a commune at the province's seat, and any other."""


class Contact(Settings):
    """Somebody to call."""

    name: Text = Field(examples=["Nông Văn A"])
    """A person, or an office that is always manned."""
    phone: Phone | None = Field(None, examples=["0206 3852 000"])
    """In quotes, or YAML reads a number; a contact needs a phone or an email."""
    email: Email | None = Field(None, examples=["truc@xa.example.vn"])
    """An email address; a contact needs a phone or an email."""

    @model_validator(mode="after")
    def _reachable(self) -> Contact:
        if self.phone is None and self.email is None:
            raise ValueError("needs a phone or an email, or nobody can be reached")
        return self


class Thresholds(Settings):
    """Where a link counts as degraded; what is left out follows from the link's medium."""

    latency_s: Seconds | None = Field(None, examples=[0.3])
    """Round-trip time that 95 % of the last 60 s must keep. By default fibre 0.15, radio 0.2, lte 0.3, vsat 0.9."""
    loss_ratio: Ratio | None = Field(None, examples=[0.1])
    """Share of requests without an answer, over the last 30 beats, at least five of which lost something: a few lost
    packets say nothing. By default fibre 0.01, radio and lte 0.02, vsat 0.03."""
    jitter_s: Seconds | None = Field(None, examples=[0.05])
    """How much the delay varies (RFC 3550), in three beats in a row. By default fibre 0.03, radio 0.05, lte 0.06,
    vsat 0.1."""
    mos: Score | None = Field(None, examples=[3.1])
    """Least mean opinion score, 1 to 4.5 by ITU-T G.107: how a meeting would sound. By default 3.6, vsat 2.6."""


class Link(Settings):
    """One path from the hub to a commune. Without an address it cannot be observed, and is never called up."""

    role: LinkRole = "primary"
    """Which of a commune's ways it is: the one in use, or the one for when that fails."""
    id: Identifier = ""
    """Its name within the commune; the role's where none is given. Two links of one role need one each."""
    medium: Medium = "fibre"
    """What carries it; decides which latency is normal."""
    address: Host | None = Field(None, examples=["10.4.1.1"])
    """What is pinged at the far end, an IP address or a host name; a link without one is shown as not observed."""
    thresholds: Thresholds = Thresholds()
    """From where on this link counts as degraded, if not as its class or medium says."""
    interface: Text | None = Field(None, examples=["ether1"])
    """By which of its interfaces the commune's router sends over this link, in the router's own words. Where that port
    is down, or the default route is, tells whether the commune lives on its backup, even without an `address` here."""
    device: Identifier | None = Field(None, examples=["router"])
    """Whose interface that is, by its id; the commune's only router where it is left out."""
    source: IpAddress | None = Field(None, examples=["10.4.250.2"])
    """Address of this machine to probe from, where that decides which way is taken; the routing table chooses else."""
    tcp_port: Port | None = Field(None, examples=[443])
    """For a far end that filters pings: a TCP port that is tried when no ping of a beat is answered. Whether it
    accepts or refuses, the link is not down."""
    budget_mb_per_day: Annotated[float, Field(gt=0, le=10_000)] | None = Field(None, examples=[50])
    """Most that probing may cost in a day, in millions of bytes both ways; pings are sent as rarely as that needs, and
    not at all once it is spent. One ping a second of 84 bytes each way costs 14.5; path traces are not counted. By
    default lte 20, vsat 10, others unbounded."""
    dscp: Annotated[int, Field(ge=0, le=63)] | None = Field(None, examples=[46])
    """Class of service that pings carry, to measure what voice (46) gets. By default 0."""
    size_bytes: Annotated[int, Field(ge=28, le=65_507)] | None = Field(None, examples=[1472])
    """Length of a ping without its IP header; 1472 fills an Ethernet frame. By default 64."""
    dont_fragment: bool = False
    """A ping that is too long for a part of the path is refused there, in place of being cut in pieces."""
    ttl: Annotated[int, Field(ge=1, le=255)] | None = Field(None, examples=[32])
    """Routers that a ping may pass. By default 64."""

    @model_validator(mode="before")
    @classmethod
    def _named_by_role(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "id" not in data:
            role = data.get("role", "primary")
            return {**data, "id": role if role in get_args(LinkRole) else "primary"}  # one mistake is one error
        return data

    @property
    def limits(self) -> Thresholds:
        """Its thresholds, those of its medium where it has none of its own."""
        return Thresholds(**{**LIMITS[self.medium], **self.thresholds.model_dump(exclude_none=True)})

    @property
    def probing(self) -> dict[str, object]:
        """How it is pinged, as far as it or its medium says: settings of the kind `icmp`, address included."""
        own = {"address", "source", "tcp_port", "budget_mb_per_day", "dscp", "size_bytes", "dont_fragment", "ttl"}
        budget = {"budget_mb_per_day": BUDGET_MB_PER_DAY[self.medium]} if self.medium in BUDGET_MB_PER_DAY else {}
        return {**budget, **self.model_dump(include=own, exclude_none=True), **self.limits.model_dump()}


class LinkTemplate(Link):
    """A link that every commune of a class has."""

    address: AddressPattern | None = Field(None, examples=["{prefix}.1"])
    """What is pinged at the far end; `{prefix}` is the commune's own."""


class Device(Settings):
    """What SNMP answers for at the far end of a link."""

    id: Identifier = Field(examples=["router"])
    """Its name within the commune."""
    role: DeviceRole = Field(examples=["ups"])
    """What it is; decides what it is asked about (a UPS about its battery, the others about their ports)."""
    address: Host = Field(examples=["10.4.1.1"])
    """Where it answers SNMP, an IP address or a host name; a router may have its link's."""
    credential: Identifier = Field(examples=["devices"])
    """Name of an entry in `credentials`."""
    port: Port = 161
    """UDP port on which it answers SNMP."""
    profile: Identifier | None = Field(None, examples=["mikrotik"])
    """What its objects mean, see [device profiles](profiles.md); without one it is found by what the device says of
    itself."""


class DeviceTemplate(Device):
    """A device that every commune of a class has."""

    address: AddressPattern = Field(examples=["{prefix}.2"])
    """Where it answers SNMP; `{prefix}` is the commune's own. A router may have its link's."""


class SiteClass(Settings):
    """What communes of one sort have in common. Their own links, devices and services come on top, by id."""

    links: Several[LinkTemplate] = Field((), examples=[[{"address": "{prefix}.1"}]])
    """Every commune of the class has these."""
    devices: Several[DeviceTemplate] = Field(
        (), examples=[[{"id": "ups", "role": "ups", "address": "{prefix}.2", "credential": "devices"}]]
    )
    """Every commune of the class has these."""
    services: Several[ServiceTemplate] = Field(
        (), examples=[[{"id": "camera", "kind": "tcp", "host": "{prefix}.9", "port": 554}]]
    )
    """Every commune of the class has these; settings that differ everywhere may be left to the communes."""
    thresholds: Thresholds = Thresholds()
    """From where on links of these communes count as degraded."""


class Commune(Settings):
    """One commune, ward or special zone, by its official code."""

    code: CommuneCode = Field(examples=["01273"])
    """Its official code of July 2025: five digits, in quotes."""
    site_class: Identifier = "remote"
    """A name in `site_classes`. `hq` (the province's seat) and `remote` (any other) need not stand there."""
    prefix: AddressPrefix | None = Field(None, examples=["10.4.1"])
    """First part of its addresses: what `{prefix}` stands for."""
    trunk: Identifier | None = Field(None, examples=["ring-west"])
    """The trunk that its links share with other communes'."""
    links: Several[Link] = ()
    """Its own, or what differs from its class's link of the same id."""
    devices: Several[Device] = ()
    """Its own, or what differs from its class's device of the same id."""
    services: Several[Service] = ()
    """What is probed inside the commune: its LAN and meeting services."""
    without: Several[Identifier] = Field((), examples=[["ups", "backup"]])
    """Ids of links, devices and services of its class that this commune lacks."""
    contact: Contact | None = Field(None, examples=[{"name": "Nông Văn A", "phone": "0206 3852 000"}])
    """Who can look on site."""
    identification_code: Text | None = Field(None, examples=["H14.27"])
    """The level 2 code that electronic documents are addressed with."""

    def router_of(self, link: Link) -> str | None:
        """The device, by its id, whose interface a link leaves by; none where the link names no interface."""
        if link.interface is None:
            return None
        routers = [device.id for device in self.devices if device.role == "router"]
        return link.device or (routers[0] if len(routers) == 1 else None)


class Trunk(Settings):
    """What several communes' links share on the way to the hub; with an address it is probed itself."""

    id: Identifier = Field(examples=["ring-west"])
    """By what communes and other trunks name it."""
    name: str = Field("", examples=["Vành đai phía tây"])
    """For people; the id where it is left out."""
    parent: Identifier | None = Field(None, examples=["ring-north"])
    """The trunk that this one lies behind."""
    address: Host | None = Field(None, examples=["10.4.240.1"])
    """What is pinged at it, an IP address or a host name; without one, only the communes behind it tell how it is."""
