"""The whole inventory of one province: what its agent watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from probes.model.base import Host, Identifier, IpAddress, Network, Port, ProvinceCode, Settings, Several, Text, WebUrl
from probes.model.credentials import Credential
from probes.model.places import Commune, Contact, SiteClass, Trunk
from probes.model.policy import FirmwareRule
from probes.model.services import KnownIssue, Service
from probes.model.timings import Timings
from probes.model.windows import PlannedCuts, Window

Language = Literal["vi", "en", "fr"]


class Contacts(Settings):
    """Where notifications go, and whom to call for what."""

    webhook_url: WebUrl | None = Field(None, examples=["http://127.0.0.1:9099/"])
    """Where Alertmanager delivers this province's notifications."""
    on_call: Contact | None = Field(None, examples=[{"name": "Trực hạ tầng số", "phone": "0206 3852 111"}])
    """Who watches the province's systems, day and night."""
    electricity: Contact | None = Field(None, examples=[{"name": "Điện lực Cao Bằng", "phone": "1900 6769"}])
    """Whom to call about power cuts."""
    carrier: Contact | None = Field(None, examples=[{"name": "Trung tâm điều hành mạng", "phone": "1800 8000"}])
    """Whom to call about links and trunks."""


class Traps(Settings):
    """Where devices send their SNMP traps and informs."""

    receive: bool = True
    """Whether any are received."""
    port: Port = 1162
    """UDP port. 162 needs a right that the agent has not: `lienxa-traps.socket` opens it instead and hands it in."""
    address: IpAddress | None = Field(None, examples=["10.4.250.2"])
    """Address of this machine that they come to; any, unless one is given."""


def _languages(value: tuple[Language, ...]) -> tuple[Language, ...]:
    if not value or len(set(value)) != len(value):
        raise ValueError("must name each language once, at least one")
    return value


class Province(Settings):
    """The whole inventory of one province: what its agent watches."""

    province: ProvinceCode = Field(examples=["04"])
    """The province's official code: two digits, in quotes."""
    languages: Annotated[Several[Language], AfterValidator(_languages)] = ("vi", "en", "fr")
    """Of dashboards and alert texts; the first is the one that people see first."""
    timings: Timings = Timings()
    """How often is asked, and how long is waited."""
    references: Several[Host] = Field((), examples=[["10.0.0.1"]])
    """Addresses or host names close to the agent; when none of them answers, the agent itself is blind."""
    networks: Several[Network] = Field((), examples=[["10.4.0.0/16"]])
    """Where links, devices and trunks have their addresses; one outside all of them is an error. None: anywhere.
    A host name may lead out of them."""
    credentials: Mapping[Identifier, Credential] = Field(
        default_factory=dict, examples=[{"devices": {"version": "v2c", "community": {"file": "snmp-community"}}}]
    )
    """How devices and services are asked, by a name of your own."""
    site_classes: Mapping[Identifier, SiteClass] = Field(
        default_factory=dict, examples=[{"remote": {"links": [{"address": "{prefix}.1"}]}}]
    )
    """What communes of one sort have in common, by a name of your own."""
    trunks: Several[Trunk] = Field((), examples=[[{"id": "ring-west"}]])
    """What several communes' links share."""
    hops: Mapping[IpAddress, Text] = Field(default_factory=dict, examples=[{"10.20.0.1": "Viettel ring 2"}])
    """Names of routers on the way to the communes, so that people are told where a path ends."""
    communes: Several[Commune] = Field((), examples=[[{"code": "01273", "prefix": "10.4.1"}]])
    """Communes, wards and special zones: what is watched."""
    traps: Traps = Traps()
    """What devices tell without being asked."""
    services: Several[Service] = Field((), examples=[[{"use": "national-portal"}]])
    """Portals, platforms and APIs that the communes depend on."""
    contacts: Contacts = Field(Contacts(), examples=[{"webhook_url": "http://127.0.0.1:9099/"}])
    """Whom to call for what, and where notifications go."""
    maintenance: Several[Window] = Field((), examples=[[{"start": "2026-11-22 22:00", "end": "2026-11-23 02:00"}]])
    """When work is planned, so that nobody is paged."""
    planned_cuts: PlannedCuts | None = Field(None, examples=[{"file": "planned-cuts.csv"}])
    """The electricity company's announcements."""
    firmware: Several[FirmwareRule] = Field((), examples=[[{"profile": "mikrotik", "minimum": "7.12"}]])
    """The oldest firmware that devices may have; an older one is told, and nobody is paged for it."""
    snmp_v3_required: bool = False
    """Asking a device by SNMP v1 or v2c is a security finding."""
    security_checks: bool = False
    """Once a day each device is asked with the communities `public` and `private`, connected to at the ports 23, 80,
    8291 and 8728, and greeted with TLS 1.1 at 443. What it accepts is told as `lienxa_device_security_finding`; the
    devices' logs will show it."""
    known_issues: Several[KnownIssue] = Field(
        (), examples=[[{"id": "finance-3", "title": "Mã số chưa đồng bộ", "owner": "Bộ Tài chính"}]]
    )
    """Problems that are known and have an owner."""
