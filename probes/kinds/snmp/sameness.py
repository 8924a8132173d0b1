"""Whether a device is still the one that was first seen: by sysObjectID, serial number and engine id; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from probes.ports import SnmpValue
from probes.profiles.values import decoded

OBJECT_ID, SERIAL_NUMBER, ENGINE_ID = "object_id", "serial_number", "engine_id"
SIGNS = (OBJECT_ID, SERIAL_NUMBER, ENGINE_ID)
ACCEPTED_S = 86400.0
"""After so long another device is the one: a router that was exchanged is no finding for ever."""
_RANDOM = bytes.fromhex("80001f8880")
"""How engine ids begin that net-snmp draws itself: small routers keep them in memory, and draw anew at each start."""
_SAYS_NOTHING = frozenset(
    {"unknown", "none", "null", "default", "notspecified", "notavailable", "tobefilledbyoem", "masked"}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a device was known when it was first seen, and by what it is now; digests, but for sysObjectID."""

    first: Mapping[str, str] = field(default_factory=dict)
    now: Mapping[str, str] = field(default_factory=dict)
    since: float | None = None
    """When it was first another one, on our monotonic clock."""
    replaced: int = 0

    @property
    def differs(self) -> frozenset[str]:
        """The signs by which it is another device than first seen."""
        return _differing(self.first, self.now)


def compared(known: Identity, said: Mapping[str, str], at: float) -> Identity:
    """Fold in what a device says of itself now: one that is empty was asked for in vain, one left out was not asked."""
    now = {sign: value for sign, value in {**known.now, **said}.items() if value}
    other = bool(_differing(known.now, now))
    if other:  # what was known of the one before is not this one's
        now = {sign: value for sign, value in said.items() if value}
    if not _differing(known.first, now):
        return Identity({**known.first, **now}, now, None, known.replaced + other)
    since = at if known.since is None else known.since
    if at - since >= ACCEPTED_S:
        return Identity(now, now, None, known.replaced + other)
    return Identity(known.first, now, since, known.replaced + other)


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> frozenset[str]:
    """An equal serial number is the same device, whatever its firmware makes of the others."""
    if SERIAL_NUMBER in before and before[SERIAL_NUMBER] == now.get(SERIAL_NUMBER):
        return frozenset()
    return frozenset(sign for sign, value in before.items() if now.get(sign, value) != value)


def engine_sign(raw: SnmpValue | None) -> str:
    """A digest of snmpEngineID (RFC 3411, 5); empty for one that is drawn at each start."""
    octets = raw if isinstance(raw, bytes) else b""
    return "" if len(octets) < 5 or octets.startswith(_RANDOM) else _digest(octets)


def serial_sign(raw: SnmpValue | None) -> str:
    """A digest of a serial number; empty for what only stands in its place."""
    said = decoded(raw).strip() if isinstance(raw, (bytes, str)) else "" if raw is None else str(raw)
    letters = "".join(sign for sign in said.casefold() if sign.isalnum())
    return "" if len(set(letters)) < 2 or len(letters) < 4 or letters in _SAYS_NOTHING else _digest(said.encode())


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()[:16]
