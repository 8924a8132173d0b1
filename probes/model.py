"""The shared words of an inventory: a province with its links, devices and services."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator


class Settings(BaseModel):
    """Base of everything that an inventory can say: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Item = TypeVar("Item")
Several = Annotated[tuple[Item, ...], BeforeValidator(_as_tuple)]
"""A YAML list, kept as a tuple."""


def _ip_address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address such as 10.4.1.1") from None
    if address.is_multicast or address.is_unspecified or value == "255.255.255.255":
        raise ValueError("must be the address of one host, not multicast, broadcast or unspecified")
    return str(address)


def _web_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is not one
    except ValueError:
        raise ValueError("must be a URL such as https://portal.example/health") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(sign.isspace() for sign in value):
        raise ValueError("must be a URL such as https://portal.example/health")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password: an inventory holds no secrets")
    return value


Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Stable ASCII name, used as a label value: lower case letters, digits, hyphens."""
IpAddress = Annotated[str, AfterValidator(_ip_address)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
"""http or https, without user name and password."""
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Timeout = Annotated[float, Field(gt=0, le=60)]
"""Seconds that an attempt may take; the runner ends each after 60."""
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^\d{2}$")]
CommuneCode = Annotated[str, StringConstraints(pattern=r"^\d{5}$")]

Medium = Literal["fibre", "lte", "radio", "vsat"]
LinkRole = Literal["primary", "backup"]
LATENCY_S: Mapping[Medium, float] = MappingProxyType({"fibre": 0.15, "radio": 0.2, "lte": 0.3, "vsat": 0.9})
"""Mean round-trip time above which a link counts as degraded, by medium."""
DeviceRole = Literal["router", "switch", "ups", "modem", "radio", "meeting"]


class SecretSource(Settings):
    """Where a secret is read from; the secret itself never stands in an inventory.

    Exactly one of: `file` (path, relative to the inventory), `env` (variable), `credential` (name below systemd's
    `$CREDENTIALS_DIRECTORY`).
    """

    file: str | None = None
    env: str | None = None
    credential: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> SecretSource:
        if sum(source is not None for source in (self.file, self.env, self.credential)) != 1:
            raise ValueError("must name exactly one of file, env, credential")
        return self


class Credential(Settings):
    """How a device is asked over SNMP (RFC 1157, 1901, 3414)."""

    version: Literal["v1", "v2c", "v3"] = "v2c"
    community: SecretSource | None = None
    user: str | None = None
    auth_protocol: Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"] | None = None
    auth_key: SecretSource | None = None
    privacy_protocol: Literal["des", "aes128", "aes192", "aes256"] | None = None
    privacy_key: SecretSource | None = None

    @model_validator(mode="after")
    def _complete(self) -> Credential:
        if self.version == "v3":
            if self.user is None or self.community is not None:
                raise ValueError("v3 needs a user, and no community")
            if (self.auth_protocol is None) != (self.auth_key is None):
                raise ValueError("auth_protocol and auth_key go together")
            if (self.privacy_protocol is None) != (self.privacy_key is None):
                raise ValueError("privacy_protocol and privacy_key go together")
            if self.privacy_key is not None and self.auth_key is None:
                raise ValueError("privacy needs authentication: add auth_protocol and auth_key (RFC 3414)")
        elif self.community is None:
            raise ValueError(f"{self.version} needs a community, as `community: {{file: …}}` or `{{env: …}}`")
        return self


class Link(Settings):
    """One path from the hub to a commune. Without an address it cannot be observed, and is never called up."""

    role: LinkRole = "primary"
    id: Identifier = ""  # the role's name, where the inventory gives none
    medium: Medium = "fibre"
    address: IpAddress | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_role(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "id" not in data:
            return {**data, "id": data.get("role", "primary")}
        return data


class Device(Settings):
    """What SNMP answers for at the far end of a link."""

    id: Identifier
    role: DeviceRole
    address: IpAddress
    credential: Identifier
    port: Port = 161


class Commune(Settings):
    """One commune, ward or special zone, by its official code."""

    code: CommuneCode
    trunk: Identifier | None = None
    links: Several[Link] = ()
    devices: Several[Device] = ()


class Trunk(Settings):
    """What several communes' links share on the way to the hub; with an address it is probed itself."""

    id: Identifier
    name: str = ""
    parent: Identifier | None = None
    address: IpAddress | None = None


class Service(Settings):
    """A portal, platform or API that communes depend on; `settings` are those of its probe kind."""

    id: Identifier
    kind: str
    name: str = ""
    path: Literal["dedicated", "internet"] = "dedicated"
    settings: Mapping[str, Any] = Field(default_factory=dict, exclude=True)


class Contacts(Settings):
    """Where Alertmanager delivers this province's notifications."""

    webhook_url: WebUrl | None = None


class Timings(Settings):
    """Every interval that agent, rules and Alertmanager must agree on, in seconds unless named otherwise."""

    link_beat_s: Seconds = 10
    link_packets: Annotated[int, Field(ge=1, le=1000)] = 10
    ping_timeout_s: Annotated[float, Field(gt=0, le=10)] = 2
    """How long an echo reply may take; later ones are counted as late, their requests as lost."""
    service_beat_s: Seconds = 60
    device_beat_s: Seconds = 60
    fall: Annotated[int, Field(ge=1, le=20)] = 3
    """Failed beats in a row until a target is down."""
    rise: Annotated[int, Field(ge=1, le=20)] = 2
    """Better beats in a row until a target's state improves."""
    recovery_hold_s: Seconds = 120
    """Longest time that communes are held by a trunk that has come back."""
    scrape_s: Seconds = 15
    evaluation_s: Seconds = 15
    for_s: Seconds = 30
    """How long a rule's condition lasts before it fires: two scrapes."""
    agent_silent_s: Seconds = 300
    group_wait_s: Seconds = 10
    group_interval_s: Seconds = 60
    repeat_interval_s: Seconds = 21600

    @model_validator(mode="after")
    def _bounded_pace(self) -> Timings:
        if self.link_packets / self.link_beat_s > 100:
            raise ValueError("link_packets / link_beat_s must be at most 100 packets a second per link")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_profile(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "profile" not in data:
            return data
        own = {key: value for key, value in data.items() if key != "profile"}
        profile = data["profile"]
        if not isinstance(profile, str) or profile not in TIMING_PROFILES:
            raise ValueError(f"profile must be one of {', '.join(TIMING_PROFILES)}")
        return {**TIMING_PROFILES[profile], **own}


TIMING_PROFILES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "default": {},
        "fast": {  # demonstrations and tests: the same stages, each a few seconds long
            "link_beat_s": 1,
            "link_packets": 5,
            "ping_timeout_s": 1,
            "service_beat_s": 1,
            "device_beat_s": 2,
            "recovery_hold_s": 10,
            "scrape_s": 1,
            "evaluation_s": 1,
            "for_s": 2,
            "agent_silent_s": 10,
            "group_wait_s": 1,
            "group_interval_s": 2,
        },
    }
)


class Province(Settings):
    """The whole inventory of one province: what its agent watches."""

    province: ProvinceCode
    timings: Timings = Timings()
    references: Several[IpAddress] = ()
    """Addresses close to the agent; when none of them answers, the agent itself is blind."""
    credentials: Mapping[Identifier, Credential] = Field(default_factory=dict)
    trunks: Several[Trunk] = ()
    communes: Several[Commune] = ()
    services: Several[Service] = ()
    contacts: Contacts = Contacts()
