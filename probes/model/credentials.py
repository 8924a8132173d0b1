"""How devices and services are asked; the secrets themselves never stand in an inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from probes.model.base import Settings, Text, WebUrl


class SecretSource(Settings):
    """Where a secret is read from: exactly one of `file`, `env`, `credential`."""

    file: Text | None = Field(None, examples=["snmp-community"])
    """A file that only lienxa may read; relative to the inventory."""
    env: Text | None = Field(None, examples=["LIENXA_SNMP_COMMUNITY"])
    """An environment variable."""
    credential: Text | None = Field(None, examples=["snmp-community"])
    """A name below systemd's `$CREDENTIALS_DIRECTORY` (`LoadCredential=`)."""

    @model_validator(mode="before")
    @classmethod
    def _not_inline(cls, data: Any) -> Any:
        if isinstance(data, str | int | float):
            raise ValueError(  # noqa: TRY004  # pydantic turns it into an error of the inventory
                "a secret never stands in an inventory; put it into a file that only lienxa may read, "
                "and write {file: NAME}, or {env: VARIABLE}, or {credential: NAME} for systemd's"
            )
        return data

    @model_validator(mode="after")
    def _one_source(self) -> SecretSource:
        if sum(source is not None for source in (self.file, self.env, self.credential)) != 1:
            raise ValueError("must name exactly one of file, env, credential")
        return self


class SnmpCommunity(Settings):
    """SNMP v1 or v2c (RFC 1157, 1901): whoever listens on the way can read the community."""

    version: Literal["v1", "v2c"] = "v2c"
    """v2c, unless a device is so old that it knows v1 only."""
    community: SecretSource = Field(examples=[{"file": "snmp-community"}])
    """The word by which the devices let somebody read."""


class SnmpUser(Settings):
    """SNMP v3 with the user-based security model (RFC 3414): nothing secret crosses the link."""

    version: Literal["v3"] = Field(examples=["v3"])
    """Tells this sort of credential from a community."""
    user: Text = Field(examples=["lienxa"])
    """The user name that the devices know."""
    auth_protocol: Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"] | None = Field(
        None, examples=["sha256"]
    )
    """How the devices know that it is us; goes together with `auth_key`."""
    auth_key: SecretSource | None = Field(None, examples=[{"file": "snmp-auth"}])
    """The authentication password; needs `auth_protocol`."""
    privacy_protocol: Literal["des", "aes128", "aes192", "aes256"] | None = Field(None, examples=["aes128"])
    """How what is asked and answered is encrypted; goes together with `privacy_key`, and needs authentication."""
    privacy_key: SecretSource | None = Field(None, examples=[{"file": "snmp-privacy"}])
    """The encryption password; needs `privacy_protocol`."""

    @model_validator(mode="after")
    def _complete(self) -> SnmpUser:
        if (self.auth_protocol is None) != (self.auth_key is None):
            raise ValueError("auth_protocol and auth_key go together")
        if (self.privacy_protocol is None) != (self.privacy_key is None):
            raise ValueError("privacy_protocol and privacy_key go together")
        if self.privacy_key is not None and self.auth_key is None:
            raise ValueError("privacy needs authentication: add auth_protocol and auth_key (RFC 3414)")
        return self


class HttpBasic(Settings):
    """HTTP basic authentication (RFC 7617)."""

    user: Text = Field(examples=["lienxa"])
    """The user name that the service knows."""
    password: SecretSource = Field(examples=[{"file": "portal-password"}])
    """Its password."""


class HttpBearer(Settings):
    """An HTTP bearer token (RFC 6750)."""

    token: SecretSource = Field(examples=[{"env": "LIENXA_PORTAL_TOKEN"}])
    """What is sent as `Authorization: Bearer …`."""


class OAuth2Client(Settings):
    """OAuth 2.0 client credentials (RFC 6749 4.4): an access token is fetched with them, and again before it ends."""

    token_url: WebUrl = Field(examples=["https://lgsp.example/oauth2/token"])
    """Where tokens are got."""
    client_id: Text = Field(examples=["lienxa"])
    """The name that the token service knows."""
    client_secret: SecretSource = Field(examples=[{"file": "lgsp-secret"}])
    """Its secret."""
    scope: Text | None = Field(None, examples=["monitoring"])
    """What the token should be good for, if the token service wants to know."""


class ClientCertificate(Settings):
    """A TLS client certificate, as gateways of the data sharing platform ask for it."""

    certificate: str = Field(examples=["lienxa.crt"])
    """PEM file with the certificate and its chain; relative to the inventory."""
    key: SecretSource = Field(examples=[{"file": "lienxa.key"}])
    """The private key, PEM."""


_TAGS: Mapping[type[Settings], str] = MappingProxyType(
    {
        model: f"<{model.__name__}>"
        for model in (SnmpCommunity, SnmpUser, HttpBasic, HttpBearer, OAuth2Client, ClientCertificate)
    }
)
"""In angle brackets, so that nobody takes them for a key where pydantic puts them into a place."""


def _tag(value: Any) -> str:
    if isinstance(value, Settings):
        return _TAGS.get(type(value), _TAGS[SnmpCommunity])
    keys = value if isinstance(value, Mapping) else {}
    if "password" in keys:
        return _TAGS[HttpBasic]
    if "client_secret" in keys or "client_id" in keys or "token_url" in keys:
        return _TAGS[OAuth2Client]
    if "token" in keys:
        return _TAGS[HttpBearer]
    if "certificate" in keys or "key" in keys:
        return _TAGS[ClientCertificate]
    return _TAGS[SnmpUser if keys.get("version") == "v3" else SnmpCommunity] if keys else _TAGS[SnmpCommunity]


SnmpCredential = SnmpCommunity | SnmpUser
HttpCredential = HttpBasic | HttpBearer | OAuth2Client | ClientCertificate
Credential = Annotated[
    Annotated[SnmpCommunity, Tag("<SnmpCommunity>")]
    | Annotated[SnmpUser, Tag("<SnmpUser>")]
    | Annotated[HttpBasic, Tag("<HttpBasic>")]
    | Annotated[HttpBearer, Tag("<HttpBearer>")]
    | Annotated[OAuth2Client, Tag("<OAuth2Client>")]
    | Annotated[ClientCertificate, Tag("<ClientCertificate>")],
    Discriminator(_tag),
]
"""Told apart by their keys: `password` is HTTP basic, `token` bearer, `client_secret` OAuth 2.0,
`certificate` a client's; all else is SNMP."""


def sources_of(credential: Credential) -> Iterator[tuple[str, SecretSource]]:
    """Every secret that a credential needs: its key, and where it is read from."""
    for part in type(credential).model_fields:
        source = getattr(credential, part)
        if isinstance(source, SecretSource):
            yield part, source
