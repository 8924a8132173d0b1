"""Who asks an SNMP agent, and what is believed of its answers: communities, users, engines and localised keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gufo.snmp import User
from gufo.snmp._fast import SnmpV1ClientSocket, SnmpV2cClientSocket, SnmpV3ClientSocket
from gufo.snmp.user import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    KeyType,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
)

from probes.ports import SnmpAgent, SnmpError
from probes.protocols.snmp_header import REPORT, RESPONSE, V1, V2C, V3, Header, digest_is_right
from probes.protocols.snmp_wire import Accepts
from probes.results import Reason

NOWHERE = "127.0.0.1:9"
"""Where gufo-snmp's own sockets go; nothing is ever sent there."""

AUTH: Mapping[str, type[BaseAuthKey]] = MappingProxyType(
    {
        "md5": Md5Key,
        "sha1": Sha1Key,
        "sha224": Sha224Key,
        "sha256": Sha256Key,
        "sha384": Sha384Key,
        "sha512": Sha512Key,
    }
)
PRIVACY: Mapping[str, type[BasePrivKey]] = MappingProxyType(
    {"des": DesKey, "aes128": Aes128Key, "aes192": Aes192Key, "aes256": Aes256Key}
)

MasterKey = Callable[[str, str], bytes]
"""From protocol and password; hashing a password takes milliseconds (RFC 3414, A.2), so the results are kept."""


def master_key(protocol: str, password: str) -> bytes:
    """See `MasterKey`."""
    return AUTH[protocol].get_master_key(password.encode())


@dataclass(frozen=True, slots=True)
class Engine:
    """A v3 agent's engine and the keys localised to it."""

    engine_id: bytes
    auth: bytes = field(default=b"", repr=False)
    privacy: bytes = field(default=b"", repr=False)


def localised(agent: SnmpAgent, engine_id: bytes, master: MasterKey) -> Engine:
    """The user's keys for one engine (RFC 3414, 2.6); raises `SnmpError` for an empty key."""
    if agent.auth_protocol is None:
        return Engine(engine_id)
    localise = AUTH[agent.auth_protocol].get_localized_key
    passwords = [agent.auth_key.get_secret_value()]
    if agent.privacy_protocol is not None:
        passwords.append(agent.privacy_key.get_secret_value())
    if not all(passwords):  # gufo-snmp 0.13 divides by the length
        raise SnmpError(Reason.PROTOCOL_ERROR, "an empty key")
    return Engine(engine_id, *(localise(master(agent.auth_protocol, password), engine_id) for password in passwords))


def community_codec(agent: SnmpAgent) -> SnmpV1ClientSocket | SnmpV2cClientSocket:
    """For versions 1 and 2c; raises `OSError`."""
    kind = SnmpV1ClientSocket if agent.version == "v1" else SnmpV2cClientSocket
    return kind(NOWHERE, agent.community.get_secret_value(), 0, 0, 0, 0)


def discovering_codec() -> SnmpV3ClientSocket:
    """For version 3, while the engine is not known; raises `OSError`."""
    return SnmpV3ClientSocket(NOWHERE, b"", *_parts(User.default()), 0, 0, 0, 0)


def user_codec(agent: SnmpAgent, engine: Engine, *, private: bool = True) -> SnmpV3ClientSocket:
    """For version 3; without privacy unless `private`. Raises `OSError`."""
    return SnmpV3ClientSocket(NOWHERE, engine.engine_id, *_parts(_user(agent, engine, private)), 0, 0, 0, 0)


def enter(codec: SnmpV3ClientSocket, agent: SnmpAgent, engine: Engine) -> None:
    """Give the user's keys to a codec that has found the engine."""
    codec.set_keys(*_parts(_user(agent, engine, private=True)))


def _parts(user: User) -> tuple[str, int, bytes, int, bytes]:
    return user.name, user.get_auth_alg(), user.get_auth_key(), user.get_priv_alg(), user.get_priv_key()


def _user(agent: SnmpAgent, engine: Engine, private: bool) -> User:
    auth = privacy = None
    if agent.auth_protocol is not None:
        auth = AUTH[agent.auth_protocol](engine.auth, KeyType.Localized)
        if agent.privacy_protocol is not None and private:
            privacy = PRIVACY[agent.privacy_protocol](engine.privacy, KeyType.Localized)
    return User(agent.user, auth_key=auth, priv_key=privacy)


def speaks(agent: SnmpAgent) -> Accepts:
    """Whether it is a response in the agent's version with its community."""
    version = V1 if agent.version == "v1" else V2C
    community = agent.community.get_secret_value().encode()

    def accepts(_: bytes, header: Header) -> bool:
        return header.version == version and header.community == community and header.pdu == RESPONSE

    return accepts


def signed(agent: SnmpAgent, engine: Engine, *, encrypted: bool = True) -> Accepts:
    """Whether a v3 message is as safe as the user's questions; reports may come unsigned (RFC 3414, 3.2)."""
    protocol = agent.auth_protocol
    encrypted = encrypted and agent.privacy_protocol is not None

    def accepts(data: bytes, header: Header) -> bool:
        if header.version != V3:
            return False
        if protocol is None or (header.pdu == REPORT and not header.authenticated):
            return True
        if not header.authenticated or (encrypted and not header.encrypted and header.pdu != REPORT):
            return False
        return digest_is_right(data, header, protocol, engine.auth)

    return accepts
