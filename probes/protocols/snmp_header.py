"""What an SNMP datagram says on its outside: versions, ids, errors and reports, and whether its digest is right; pure.

gufo-snmp 0.13 hands out neither error-status nor the name of a report, and it does not compare digests (RFC 3414,
3.2.6): a changed or invented SNMPv3 answer would be believed. So each datagram is looked at before it is decoded.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probes.results import Reason

V1, V2C, V3 = 0, 1, 3
RESPONSE, REPORT = 0xA2, 0xA8
TRAP_V1, INFORM, TRAP = 0xA4, 0xA6, 0xA7

NO_ERROR, TOO_BIG, NO_SUCH_NAME = 0, 1, 2
ERRORS: Mapping[int, Reason] = MappingProxyType(
    {
        TOO_BIG: Reason.TOO_BIG,
        NO_SUCH_NAME: Reason.NO_SUCH_OBJECT,
        5: Reason.GEN_ERR,
        6: Reason.NO_ACCESS,  # noAccess
        13: Reason.GEN_ERR,  # resourceUnavailable
        16: Reason.NO_ACCESS,  # authorizationError
    }
)
"""RFC 3416, section 3; what has no place in an answer to a question is a protocol error."""

_USM_STATS = bytes.fromhex("2b060106030f0101")
_REPORTS: Mapping[int, Reason] = MappingProxyType(
    {
        1: Reason.UNSUPPORTED_LEVEL,
        2: Reason.NOT_IN_TIME_WINDOW,
        3: Reason.UNKNOWN_USER,
        4: Reason.UNKNOWN_ENGINE,
        5: Reason.WRONG_DIGEST,
        6: Reason.DECRYPTION_ERROR,
    }
)
"""The last arc of usmStats… (SNMP-USER-BASED-SM-MIB, 1.3.6.1.6.3.15.1.1)."""

DIGESTS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "md5": ("md5", 12),
        "sha1": ("sha1", 12),
        "sha224": ("sha224", 16),
        "sha256": ("sha256", 24),
        "sha384": ("sha384", 32),
        "sha512": ("sha512", 48),
    }
)
"""Hash and octets that are kept of it: RFC 3414, RFC 7860."""


class Malformed(ValueError):
    """Not an SNMP message."""


@dataclass(frozen=True, slots=True)
class Header:
    """The outside of one message; `pdu` is none where it is encrypted."""

    version: int
    community: bytes = b""
    message_id: int | None = None
    """msgID, in v3."""
    engine_id: bytes = b""
    boots: int = 0
    time: int = 0
    """msgAuthoritativeEngineTime, in seconds."""
    user: bytes = b""
    authenticated: bool = False
    encrypted: bool = False
    digest: tuple[int, int] = (0, 0)
    """Where msgAuthenticationParameters begin and end."""
    pdu: int | None = None
    status: int = NO_ERROR
    index: int = 0
    first: bytes = b""
    """The first object's identifier as encoded."""

    @property
    def error(self) -> Reason | None:
        """What error-status says, if anything."""
        if self.pdu != RESPONSE or self.status == NO_ERROR:
            return None
        return ERRORS.get(self.status, Reason.PROTOCOL_ERROR)

    @property
    def report(self) -> Reason | None:
        """What a report is about, if this is one."""
        if self.pdu != REPORT:
            return None
        arcs = self.first[len(_USM_STATS) :]
        known = self.first.startswith(_USM_STATS) and len(arcs) == 2 and arcs[1] == 0
        return _REPORTS.get(arcs[0], Reason.PROTOCOL_ERROR) if known else Reason.PROTOCOL_ERROR


def read(data: bytes) -> Header:
    """The header of a datagram; raises `Malformed`."""
    return _read(data, inside=True)


def sender(data: bytes) -> Header:
    """The header without what only answers have in their PDU: who has sent what sort of message; raises `Malformed`."""
    return _read(data, inside=False)


def _read(data: bytes, *, inside: bool) -> Header:
    try:
        at, end = _enter(data, 0, len(data), 0x30)
        version, at = _integer(data, at, end)
        if version in (V1, V2C):
            start, stop = _enter(data, at, end, 0x04)
            pdu, status, index, first = _pdu(data, stop, end, inside)
            return Header(version, data[start:stop], pdu=pdu, status=status, index=index, first=first)
        if version == V3:
            return _v3(data, at, end, inside)
    except IndexError:
        pass
    raise Malformed


def _v3(data: bytes, at: int, end: int, inside: bool) -> Header:
    start, stop = _enter(data, at, end, 0x30)  # msgGlobalData
    message_id, start = _integer(data, start, stop)
    _, start = _integer(data, start, stop)  # msgMaxSize
    start, flags_end = _enter(data, start, stop, 0x04)
    flags = data[start] if start < flags_end else 0
    start, usm_end = _enter(data, stop, end, 0x04)  # msgSecurityParameters
    at, usm_end = _enter(data, start, usm_end, 0x30)
    engine = _enter(data, at, usm_end, 0x04)
    boots, at = _integer(data, engine[1], usm_end)
    time, at = _integer(data, at, usm_end)
    user = _enter(data, at, usm_end, 0x04)
    digest = _enter(data, user[1], usm_end, 0x04)
    _, at = _enter(data, digest[1], usm_end, 0x04)
    encrypted = bool(flags & 2)
    pdu, status, index, first = None, NO_ERROR, 0, b""
    if not encrypted:
        at, stop = _enter(data, usm_end, end, 0x30)  # ScopedPDU
        for _ in range(2):  # contextEngineID, contextName
            _, at = _enter(data, at, stop, 0x04)
        pdu, status, index, first = _pdu(data, at, stop, inside)
    return Header(
        V3,
        message_id=message_id,
        engine_id=data[slice(*engine)],
        boots=boots,
        time=time,
        user=data[slice(*user)],
        authenticated=bool(flags & 1),
        encrypted=encrypted,
        digest=digest,
        pdu=pdu,
        status=status,
        index=index,
        first=first,
    )


def digest_is_right(data: bytes, header: Header, protocol: str, key: bytes) -> bool:
    """Whether the message was made by someone who has the localised key: RFC 3414, 6.3.2; RFC 7860, 4.2.2."""
    name, length = DIGESTS[protocol]
    start, stop = header.digest
    if stop - start != length:
        return False
    blank = b"".join((data[:start], bytes(length), data[stop:]))
    return hmac.compare_digest(hmac.digest(key, blank, name)[:length], data[start:stop])


def _pdu(data: bytes, at: int, end: int, inside: bool) -> tuple[int, int, int, bytes]:
    """Tag; and with `inside` error-status, error-index and the first object identifier, which traps of v1 lack."""
    tag = data[at]
    at, end = _enter(data, at, end, tag)
    if not inside:
        return tag, NO_ERROR, 0, b""
    _, at = _integer(data, at, end)
    status, at = _integer(data, at, end)
    index, at = _integer(data, at, end)
    at, end = _enter(data, at, end, 0x30)
    if at == end:
        return tag, status, index, b""
    at, end = _enter(data, at, end, 0x30)
    start, stop = _enter(data, at, end, 0x06)
    return tag, status, index, data[start:stop]


def _integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An INTEGER and where it ends."""
    start, stop = _enter(data, at, end, 0x02)
    if not 0 < stop - start <= 8:
        raise Malformed
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def _enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the contents of the element at `at` begin and end; it must have this tag and lie before `end`."""
    if at >= end or data[at] != tag:
        raise Malformed
    length = data[at + 1]
    at += 2
    if length & 0x80:  # X.690, 8.1.3.5; no indefinite length in SNMP (RFC 3417, 8)
        octets = length & 0x7F
        if not 0 < octets <= 4:
            raise Malformed
        length = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if at + length > end:
        raise Malformed
    return at, at + length
