"""What a province's credentials become: how each device and service is asked, and what is wrong with them."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from agent.errors import Unusable
from agent.secrets import PEM, SecretError, SecretNotSet, exposed, read_certificate, read_secret
from probes.model import (
    ClientCertificate,
    Credential,
    Device,
    HttpBasic,
    HttpBearer,
    OAuth2Client,
    Province,
    Service,
    SnmpCommunity,
    SnmpUser,
    sources_of,
)
from probes.ports import NO_SECRET, ClientGrant, HttpAuth, SnmpAgent
from probes.protocols.http import CertificateRefused, client_context

log = logging.getLogger(__name__)

_TRIED_FIRST = """
    public private community snmp snmpd snmpv1 snmpv2c admin administrator root cisco mikrotik huawei zte juniper
    default manager monitor agent network router switch ups apc read readonly read-only ro write readwrite read-write rw
    all secret security password test guest system internal 0 1234 12345 123456
"""
DEFAULT_COMMUNITIES = frozenset(_TRIED_FIRST.split())
"""What devices are delivered with, and what everybody tries first; compared in small letters."""


@dataclass(frozen=True)
class Flaw:
    """What is wrong with one part of a credential; `unset` names what is not set, as it may be on another machine."""

    credential: str
    part: str
    text: str
    unset: str | None = None

    def __str__(self) -> str:
        """As it is told."""
        return f"credentials.{self.credential}.{self.part}: {self.text}"


@dataclass(frozen=True)
class Credentials:
    """All credentials of a province with their secrets, as far as they could be read."""

    flaws: tuple[Flaw, ...]
    exposed: tuple[str, ...]
    """Secret files that others can read."""
    default_communities: tuple[str, ...]
    """Credentials whose community everybody knows, by name."""
    _declared: Mapping[str, Credential] = field(repr=False)
    _secrets: Mapping[str, Mapping[str, SecretStr]]
    _contexts: dict[tuple[str, bool], ssl.SSLContext] = field(repr=False)
    """By credential, and whether the server's certificate is verified; made on first use."""
    _grants: dict[str, ClientGrant] = field(default_factory=dict, repr=False)
    """By credential, so that all services with one share its token; made on first use."""

    def ask(self, device: Device) -> SnmpAgent:
        """How a device is asked."""
        credential, secret = self._declared[device.credential], self._secrets[device.credential]
        if isinstance(credential, SnmpCommunity):
            return SnmpAgent(device.address, device.port, credential.version, community=secret["community"])
        assert isinstance(credential, SnmpUser)  # noqa: S101  # the inventory's check lets no other through
        return SnmpAgent(
            device.address,
            device.port,
            credential.version,
            user=credential.user,
            auth_protocol=credential.auth_protocol,
            auth_key=secret.get("auth_key", NO_SECRET),
            privacy_protocol=credential.privacy_protocol,
            privacy_key=secret.get("privacy_key", NO_SECRET),
        )

    def auth(self, service: Service) -> HttpAuth | None:
        """Who asks a service, if it wants to know. Not for the event loop: a certificate takes 40 ms."""
        if service.credential is None:
            return None
        credential, secret = self._declared[service.credential], self._secrets[service.credential]
        match credential:
            case HttpBasic():
                return HttpAuth(user=credential.user, password=secret["password"])
            case HttpBearer():
                return HttpAuth(token=secret["token"])
            case OAuth2Client():
                return HttpAuth(grant=self._grant(service.credential, credential))
        verify = service.settings.get("verify_tls") is not False
        return HttpAuth(
            certificate=secret["certificate"].get_secret_value(),
            key=secret["key"],
            context=self._context(service.credential, verify=verify),
        )

    def _grant(self, name: str, client: OAuth2Client) -> ClientGrant:
        if name not in self._grants:
            secret = self._secrets[name]["client_secret"]
            self._grants[name] = ClientGrant(client.token_url, client.client_id, secret, client.scope or "")
        return self._grants[name]

    def _context(self, name: str, *, verify: bool) -> ssl.SSLContext:
        if (name, verify) not in self._contexts:
            secret = self._secrets[name]
            self._contexts[name, verify] = client_context(
                secret["certificate"].get_secret_value(), secret["key"], verify=verify
            )
        return self._contexts[name, verify]


def look_at(province: Province, folder: Path) -> Credentials:
    """Read every secret, and tell what is wrong; relative files lie in `folder`."""
    flaws: list[Flaw] = []
    seen: dict[str, None] = {}
    secrets: dict[str, dict[str, SecretStr]] = {name: {} for name in province.credentials}
    contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
    for name, credential in province.credentials.items():
        for part, source in sources_of(credential):
            try:
                secrets[name][part] = read_secret(source, folder, lines=part in PEM)
            except SecretError as error:
                flaws.append(Flaw(name, part, str(error), error.source if isinstance(error, SecretNotSet) else None))
            if file := exposed(source, folder):
                seen[file] = None
        if isinstance(credential, ClientCertificate):
            try:
                secrets[name]["certificate"] = SecretStr(read_certificate(folder / credential.certificate))
                if "key" in secrets[name]:
                    certificate = secrets[name]["certificate"].get_secret_value()
                    contexts[name, True] = client_context(certificate, secrets[name]["key"])
            except SecretError as error:
                flaws.append(Flaw(name, "certificate", str(error)))
            except CertificateRefused as error:
                flaws.append(Flaw(name, error.part, str(error)))
        flaws += (Flaw(name, part, text) for part, text in _misshapen(credential, secrets[name]))
    default = [
        name
        for name, secret in secrets.items()
        if secret.get("community", NO_SECRET).get_secret_value().casefold() in DEFAULT_COMMUNITIES
    ]
    return Credentials(tuple(flaws), tuple(seen), tuple(default), province.credentials, secrets, contexts)


def opened(province: Province, folder: Path) -> Credentials:
    """All credentials, whole, ready to ask with; raises `Unusable` with everything that is wrong with them.

    Files that others can read are told in the log.
    """
    credentials = look_at(province, folder)
    if credentials.flaws:
        raise Unusable("\n".join(str(flaw) for flaw in credentials.flaws))
    if credentials.exposed:
        log.warning("secret files that others can read, chmod 600 them: %s", ", ".join(credentials.exposed))
    return credentials


def _misshapen(credential: Credential, secret: Mapping[str, SecretStr]) -> Iterator[tuple[str, str]]:
    """What can be read and cannot be sent: part, and why."""
    match credential:
        case HttpBasic() if ":" in credential.user or not credential.user.isprintable():
            yield "user", "must hold neither a colon nor control characters (RFC 7617)"
        case HttpBearer() if not all("!" <= sign <= "~" for sign in secret.get("token", NO_SECRET).get_secret_value()):
            yield "token", "a bearer token is ASCII without spaces (RFC 6750); is it the right one?"
