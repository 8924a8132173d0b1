"""Which datagrams at the traps' port are worth decoding, judged by their outside; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from probes.ports import SnmpAgent
from probes.protocols.snmp_header import INFORM, TRAP, TRAP_V1, V1, V2C, V3, Header, Malformed, sender
from probes.protocols.snmp_pace import Tokens

PER_SOURCE_PER_S, SOURCE_BURST = 2.0, 20.0
"""What one device may send: a switch with 48 ports tells of each, and the first 20 say enough."""
_PDUS: Mapping[int, frozenset[int]] = MappingProxyType(
    {V1: frozenset({TRAP_V1}), V2C: frozenset({TRAP, INFORM}), V3: frozenset({TRAP, INFORM})}
)


class Dropped(StrEnum):
    """Why a datagram was not believed; label-safe. The last six are found by decoding."""

    SOCKET_BUFFER = "socket_buffer"
    """The kernel had no room for it."""
    UNKNOWN_SOURCE = "unknown_source"
    MALFORMED = "malformed"
    NOT_A_TRAP = "not_a_trap"
    WRONG_VERSION = "wrong_version"
    WRONG_COMMUNITY = "wrong_community"
    UNKNOWN_USER = "unknown_user"
    UNSUPPORTED_LEVEL = "unsupported_level"
    RATE = "rate"
    """More than one device may send."""
    OVERLOAD = "overload"
    """More than can be decoded."""
    DUPLICATE = "duplicate"
    """The same again; an inform is acknowledged again."""
    WRONG_DIGEST = "wrong_digest"
    DECRYPTION_ERROR = "decryption_error"
    NOT_IN_TIME_WINDOW = "not_in_time_window"
    """Older than what its engine has sent before (RFC 3414, 3.2.7): recorded and sent again, or a clock set back."""
    UNKNOWN_ENGINE = "unknown_engine"
    UNREADABLE = "unreadable"
    DECODER = "decoder"
    """The decoding process failed."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A device, by the target that asks it; it sends traps with the credential that it is asked with."""

    target: str
    agent: SnmpAgent


class Filter:
    """Knows the devices, and how much each of them has sent lately."""

    def __init__(self) -> None:
        """Knows nobody."""
        self._by_address: Mapping[str, Sequence[Sender]] = {}
        self._by_engine: Mapping[bytes, Sender] = {}
        self._tokens: dict[tuple[str, bool], Tokens] = {}

    def know(self, senders: Iterable[tuple[str, Sender]], engines: Mapping[bytes, str]) -> None:
        """Take over who sends from which address, and which target has which v3 engine."""
        by_address: dict[str, list[Sender]] = {}
        by_target: dict[str, Sender] = {}
        for address, device in senders:
            by_address.setdefault(address, []).append(device)
            by_target[device.target] = device
        self._by_address = by_address
        self._by_engine = {
            engine: by_target[target]
            for engine, target in engines.items()
            if target in by_target and by_target[target].agent.version == "v3"
        }
        kept = {(target, near) for target in by_target for near in (True, False)}
        self._tokens = {key: tokens for key, tokens in self._tokens.items() if key in kept}

    def admit(self, source: str, data: bytes | memoryview, now: float) -> tuple[Sender, Header] | Dropped:
        """Whose datagram this seems to be, unless it is to be dropped; `now` is monotonic.

        An engine id alone proves nothing before the digest has been checked: what comes from elsewhere under it has a
        bucket of its own, so that nobody empties the device's.
        """
        candidates = self._by_address.get(source)
        if candidates is None and not self._by_engine:
            return Dropped.UNKNOWN_SOURCE
        try:
            header = sender(bytes(data))
        except Malformed:
            return Dropped.UNKNOWN_SOURCE if candidates is None else Dropped.MALFORMED
        device = self._by_engine.get(header.engine_id)
        if candidates is None and device is None:
            return Dropped.UNKNOWN_SOURCE
        if candidates is not None and (device is None or device not in candidates):
            device, why = _of_several(candidates, header)
        else:
            assert device is not None  # noqa: S101  # one of both is known
            why = _mismatch(device.agent, header)
        if why is not None:
            return why
        key = (device.target, candidates is not None)
        if key not in self._tokens:
            self._tokens[key] = Tokens(PER_SOURCE_PER_S, SOURCE_BURST)
        return (device, header) if self._tokens[key].take(now) else Dropped.RATE


def _of_several(candidates: Sequence[Sender], header: Header) -> tuple[Sender, Dropped | None]:
    """Behind one address there may be several devices: the first whose credential fits."""
    judged = [(device, _mismatch(device.agent, header)) for device in candidates]
    return next((item for item in judged if item[1] is None), judged[0])


def _mismatch(agent: SnmpAgent, header: Header) -> Dropped | None:
    """What is wrong with the outside of a message that should come from this agent.

    pysnmp checks the security level only of messages to its own engine (informs), so it is checked here for all.
    """
    if header.version != {"v1": V1, "v2c": V2C, "v3": V3}[agent.version] and not _older(agent, header):
        return Dropped.WRONG_VERSION
    if header.version != V3:
        if header.pdu not in _PDUS[header.version]:
            return Dropped.NOT_A_TRAP
        right = header.community == agent.community.get_secret_value().encode()
        return None if right else Dropped.WRONG_COMMUNITY
    is_trap = header.encrypted or header.pdu in _PDUS[V3]
    if header.user != agent.user.encode() and (header.user or is_trap):
        return Dropped.UNKNOWN_USER
    if not is_trap:  # who wants to send an inform asks for our engine and its time first (RFC 3414, 4)
        return None
    signed = agent.auth_protocol is None or header.authenticated
    private = agent.privacy_protocol is None or header.encrypted
    return None if signed and private else Dropped.UNSUPPORTED_LEVEL


def _older(agent: SnmpAgent, header: Header) -> bool:
    """Devices that answer v2c may only know traps of v1, and the other way round; the community is the same."""
    return agent.version in ("v1", "v2c") and header.version in (V1, V2C)
