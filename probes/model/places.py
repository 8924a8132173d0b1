"""Communes with their links and devices, what they have in common, and the trunks they lie behind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from probes.model.base import (
    AddressPattern,
    AddressPrefix,
    CommuneCode,
    Identifier,
    IpAddress,
    Port,
    Ratio,
    Seconds,
    Settings,
    Several,
    Text,
)
from probes.model.services import Service, ServiceTemplate

Medium = Literal["fibre", "lte", "radio", "vsat"]
LinkRole = Literal["primary", "backup"]
LATENCY_S: Mapping[Medium, float] = MappingProxyType({"fibre": 0.15, "radio": 0.2, "lte": 0.3, "vsat": 0.9})
"""Mean round-trip time above which a link counts as degraded, by medium."""
LOSS_RATIO = 0.2
"""Loss from which a link counts as degraded."""
DeviceRole = Literal["router", "switch", "ups", "modem", "radio", "meeting"]
BUILT_IN_CLASSES = ("hq", "remote")
"""Classes that need no declaration: a commune at the province's seat, and any other."""


class Contact(Settings):
    """Somebody to call."""

    name: Text = Field(examples=["Nông Văn A"])
    phone: Text | None = Field(None, examples=["0206 3852 000"])
    email: Text | None = Field(None, examples=["truc@xa.example.vn"])

    @model_validator(mode="after")
    def _reachable(self) -> Contact:
        if self.phone is None and self.email is None:
            raise ValueError("needs a phone or an email, or nobody can be reached")
        return self


class Thresholds(Settings):
    """Where a link counts as degraded; what is left out follows from the link's medium."""

    latency_s: Seconds | None = Field(None, examples=[0.3])
    """Mean round-trip time. By default fibre 0.15, radio 0.2, lte 0.3, vsat 0.9."""
    loss_ratio: Ratio | None = Field(None, examples=[0.1])
    """Share of requests without an answer, within one beat. By default 0.2."""


class Link(Settings):
    """One path from the hub to a commune. Without an address it cannot be observed, and is never called up."""

    role: LinkRole = "primary"
    id: Identifier = ""
    """The role's name, where none is given."""
    medium: Medium = "fibre"
    address: IpAddress | None = Field(None, examples=["10.4.1.1"])
    """What is pinged at the far end."""
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="before")
    @classmethod
    def _named_by_role(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "id" not in data:
            return {**data, "id": data.get("role", "primary")}
        return data

    @property
    def limits(self) -> Thresholds:
        """Its thresholds, those of its medium where it has none of its own."""
        of_medium = {"latency_s": LATENCY_S[self.medium], "loss_ratio": LOSS_RATIO}
        return Thresholds(**{**of_medium, **self.thresholds.model_dump(exclude_none=True)})


class LinkTemplate(Link):
    """A link that every commune of a class has."""

    address: AddressPattern | None = Field(None, examples=["{prefix}.1"])
    """What is pinged at the far end; `{prefix}` is the commune's own."""


class Device(Settings):
    """What SNMP answers for at the far end of a link."""

    id: Identifier = Field(examples=["router"])
    role: DeviceRole
    address: IpAddress = Field(examples=["10.4.1.1"])
    credential: Identifier = Field(examples=["devices"])
    """Name of an entry in `credentials`."""
    port: Port = 161


class DeviceTemplate(Device):
    """A device that every commune of a class has."""

    address: AddressPattern = Field(examples=["{prefix}.2"])
    """`{prefix}` is the commune's own."""


class SiteClass(Settings):
    """What communes of one kind have in common. Their own links, devices and services come on top, by id."""

    links: Several[LinkTemplate] = ()
    devices: Several[DeviceTemplate] = ()
    services: Several[ServiceTemplate] = ()
    thresholds: Thresholds = Thresholds()
    """For all links of the communes of this class."""


class Commune(Settings):
    """One commune, ward or special zone, by its official code."""

    code: CommuneCode = Field(examples=["01273"])
    """Five digits in quotes, as the law on the two-tier government numbers it."""
    site_class: Identifier = "remote"
    """An entry of `site_classes`; `hq` and `remote` need none."""
    prefix: AddressPrefix | None = Field(None, examples=["10.4.1"])
    """First part of the commune's addresses: what `{prefix}` stands for in its class."""
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


class Trunk(Settings):
    """What several communes' links share on the way to the hub; with an address it is probed itself."""

    id: Identifier = Field(examples=["ring-west"])
    name: str = Field("", examples=["Vành đai phía tây"])
    """For people; the id where it is left out."""
    parent: Identifier | None = Field(None, examples=["ring-north"])
    """The trunk that this one lies behind."""
    address: IpAddress | None = Field(None, examples=["10.4.240.1"])
