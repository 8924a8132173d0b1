"""What of a device's objects is private, as data: what a recording leaves out or masks; pure."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from probes.protocols.snmp_raw import Found

MASK = b"masked"

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "1.3.6.1.2.1.3.1": "address tables",  # atTable
        "1.3.6.1.2.1.4.20": "address tables",  # ipAddrTable
        "1.3.6.1.2.1.4.21": "routes",
        "1.3.6.1.2.1.4.22": "neighbours",  # ipNetToMediaTable
        "1.3.6.1.2.1.4.24": "routes",
        "1.3.6.1.2.1.4.32": "address tables",
        "1.3.6.1.2.1.4.33": "routes",
        "1.3.6.1.2.1.4.34": "address tables",
        "1.3.6.1.2.1.4.35": "neighbours",
        "1.3.6.1.2.1.4.37": "routes",
        "1.3.6.1.2.1.6.13": "connections",
        "1.3.6.1.2.1.6.19": "connections",
        "1.3.6.1.2.1.6.20": "connections",
        "1.3.6.1.2.1.7.5": "connections",
        "1.3.6.1.2.1.7.7": "connections",
        "1.3.6.1.2.1.14": "routes",  # OSPF-MIB
        "1.3.6.1.2.1.15": "routes",  # BGP4-MIB
        "1.3.6.1.2.1.16": "traffic of others",  # RMON-MIB: host and matrix tables
        "1.3.6.1.2.1.17.4.3": "neighbours",  # dot1dTpFdbTable
        "1.3.6.1.2.1.17.7.1.2": "neighbours",  # dot1qTpFdbTable
        "1.3.6.1.2.1.25.4": "programs",  # hrSWRun: command lines, and passwords in them
        "1.3.6.1.2.1.25.5": "programs",
        "1.3.6.1.2.1.25.6": "programs",
        "1.3.6.1.2.1.55": "address tables",  # IPV6-MIB
        "1.3.6.1.2.1.92": "log entries",  # NOTIFICATION-LOG-MIB
        "1.3.6.1.4.1.9.2.1.61": "log entries",
        "1.3.6.1.4.1.9.9.23": "neighbours",  # CISCO-CDP-MIB
        "1.3.6.1.4.1.9.9.41": "log entries",  # CISCO-SYSLOG-MIB
        "1.3.6.1.4.1.2021.2": "programs",
        "1.3.6.1.4.1.2021.8": "programs",
        "1.3.6.1.4.1.2021.16": "log entries",
        "1.3.6.1.4.1.8072.1.2": "views",  # nsModuleTable
        "1.3.6.1.4.1.8072.1.3": "programs",  # NET-SNMP-EXTEND-MIB
        "1.3.6.1.4.1.8072.1.9": "views",
        "1.3.6.1.4.1.14988.1.1.1.2": "neighbours",  # mtxrWlRtabTable: stations by MAC address
        "1.3.6.1.4.1.14988.1.1.1.5": "neighbours",
        "1.3.6.1.4.1.14988.1.1.5": "users",  # hotspot
        "1.3.6.1.4.1.14988.1.1.8": "programs",
        "1.3.6.1.4.1.14988.1.1.11": "neighbours",
        "1.3.6.1.4.1.41112.1.4.7": "neighbours",  # ubntStaTable
        "1.3.6.1.4.1.48690.3": "positions",  # Teltonika GPS
        "1.3.6.1.6.3.12": "views",  # SNMP-TARGET-MIB
        "1.3.6.1.6.3.13": "views",
        "1.3.6.1.6.3.14": "views",
        "1.3.6.1.6.3.15.1.2": "users",  # usmUserTable
        "1.3.6.1.6.3.16": "views",  # SNMP-VIEW-BASED-ACM-MIB: communities and users as indexes
        "1.3.6.1.6.3.18": "communities",
    }
)
"""Whole tables, as their very indexes are addresses, names of users, communities."""

KEPT = re.compile(
    r"1\.3\.6\.1\.2\.1\.4\."
    r"(?:20\.1\.\d+|21\.1\.\d+(?=\.0\.0\.0\.0$)|24\.4\.1\.\d+\.0\.0\.0\.0|24\.7\.1\.\d+\.1\.4\.0\.0\.0\.0\.0)"
    r"\..*?(\d+\.\d+\.\d+\.\d+)"
)
"""Of address tables and routes: the device's own addresses and its default routes, unless the last address is public.

They say whether a commune lives on its backup.
"""

MASKED: Mapping[str, str] = MappingProxyType(
    {
        "1.3.6.1.2.1.1.4": "names and places",  # sysContact
        "1.3.6.1.2.1.1.5": "names and places",  # sysName
        "1.3.6.1.2.1.1.6": "names and places",  # sysLocation
        "1.3.6.1.2.1.2.2.1.6": "MAC addresses",  # ifPhysAddress
        "1.3.6.1.2.1.17.1.1": "MAC addresses",  # dot1dBaseBridgeAddress
        "1.3.6.1.2.1.31.1.1.1.18": "names and places",  # ifAlias
        "1.3.6.1.2.1.33.1.1.5": "names and places",  # upsIdentName
        "1.3.6.1.2.1.33.1.1.6": "names and places",  # upsIdentAttachedDevices
        "1.3.6.1.2.1.43.5.1.1.4": "names and places",  # prtGeneralCurrentOperator
        "1.3.6.1.2.1.43.5.1.1.5": "names and places",
        "1.3.6.1.2.1.43.5.1.1.17": "serial numbers",
        "1.3.6.1.2.1.47.1.1.1.1.11": "serial numbers",  # entPhysicalSerialNum
        "1.3.6.1.2.1.47.1.1.1.1.14": "names and places",  # entPhysicalAlias
        "1.3.6.1.2.1.47.1.1.1.1.15": "serial numbers",  # entPhysicalAssetID
        "1.3.6.1.4.1.9.3.6.3": "serial numbers",  # chassisId
        "1.3.6.1.4.1.9.5.1.2.19": "serial numbers",
        "1.3.6.1.4.1.9.9.661.1.3.1.1.1": "subscriber numbers",  # c3gImsi
        "1.3.6.1.4.1.9.9.661.1.3.1.1.2": "subscriber numbers",  # c3gImei
        "1.3.6.1.4.1.9.9.661.1.3.1.1.3": "subscriber numbers",  # c3gIccId
        "1.3.6.1.4.1.9.9.661.1.3.1.1.4": "subscriber numbers",  # c3gMsisdn
        "1.3.6.1.4.1.318.1.1.1.1.1.2": "names and places",  # upsBasicIdentName
        "1.3.6.1.4.1.318.1.1.1.1.2.3": "serial numbers",  # upsAdvIdentSerialNumber
        "1.3.6.1.4.1.534.1.1.6": "serial numbers",  # xupsIdentSerialNumber
        "1.3.6.1.4.1.705.1.1.7": "serial numbers",  # upsmgIdentSerialNumber
        "1.3.6.1.4.1.890.1.15.3.1.12": "serial numbers",
        "1.3.6.1.4.1.935.1.1.1.1.1.2": "names and places",
        "1.3.6.1.4.1.935.1.1.1.1.2.3": "serial numbers",
        "1.3.6.1.4.1.4881.1.1.10.2.1.1.24": "serial numbers",  # Ruijie
        "1.3.6.1.4.1.14988.1.1.7.3": "serial numbers",
        "1.3.6.1.4.1.14988.1.1.16.1.1.11": "subscriber numbers",  # mtxrLTEModemIMEI
        "1.3.6.1.4.1.14988.1.1.16.1.1.12": "subscriber numbers",
        "1.3.6.1.4.1.14988.1.1.16.1.1.13": "subscriber numbers",
        "1.3.6.1.4.1.17713.21.1.1.25": "serial numbers",  # Cambium ePMP
        "1.3.6.1.4.1.48690.1.1": "serial numbers",
        "1.3.6.1.4.1.48690.1.2": "names and places",  # Teltonika: the router's name
        "1.3.6.1.4.1.48690.1.5": "serial numbers",
        "1.3.6.1.4.1.48690.2.2.1.3": "subscriber numbers",  # Teltonika: IMEI, serial number, IMSI, cell
        "1.3.6.1.4.1.48690.2.2.1.7": "subscriber numbers",
        "1.3.6.1.4.1.48690.2.2.1.8": "subscriber numbers",
        "1.3.6.1.4.1.48690.2.2.1.18": "positions",
        "1.3.6.1.6.3.10.2.1.1": "MAC addresses",  # snmpEngineID is made of one (RFC 3411, SnmpEngineID)
    }
)
"""Objects by the beginning of their identifiers; columns of tables lose all their rows' values."""

_VERSION = re.compile(rb"(?:version\W{0,3}|rel\w*\W{0,3}|v|_)$", re.IGNORECASE)
_SUBSCRIBER = re.compile(rb"(?<![\d.])\d{14,22}(?![\d.])")
_PHONE = re.compile(rb"(?<![\w.])(?:\+84|0084|0)[ .-]?\d(?:[ .-]?\d){7,9}(?![\w.])")
_MAC = re.compile(rb"(?<![0-9A-Fa-f:.-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f:-])")
_MAIL = re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_V4 = re.compile(rb"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_V6 = re.compile(rb"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![0-9A-Fa-f:])")
MAC_OCTETS = 6


def _public(match: re.Match[bytes]) -> bytes:
    """A public address becomes one of documentation (RFC 5737, RFC 3849); a firmware's version stays."""
    spelled = match.group().decode()
    try:
        address = ipaddress.ip_address(spelled)
    except ValueError:
        return match.group()
    if not address.is_global or _VERSION.search(match.string[: match.start()]):
        return match.group()
    return b"192.0.2.1" if address.version == 4 else b"2001:db8::1"


SHAPES: tuple[tuple[str, re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]], ...] = (
    ("subscriber numbers", _SUBSCRIBER, lambda match: b"0" * len(match.group())),
    ("phone numbers", _PHONE, lambda match: re.sub(rb"\d", b"0", match.group())),
    ("MAC addresses", _MAC, lambda match: re.sub(rb"[0-9A-Fa-f]", b"0", match.group())),
    ("email addresses", _MAIL, lambda _: b"masked@example.com"),
    ("public addresses", _V4, _public),
    ("public addresses", _V6, _public),
)
"""In any text: IMEI, IMSI and ICCID (14 to 20 digits), numbers as Viet Nam writes them, MAC, mail and IP addresses."""

HOST_NAME = "1.3.6.1.2.1.1.5.0"
SHORTEST_NAME = 4
"""A shorter sysName would be found by chance within other texts."""


class Masks:
    """Masks objects one by one; `counts` says what was masked, by sort, and `left_out` what was left out."""

    def __init__(self, secrets: Sequence[str], public_words: str) -> None:
        """`secrets` are our own; a host name within `public_words` (a maker's own) is none."""
        self.counts: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._secrets = [secret.encode() for secret in secrets if secret]
        self._public_words = public_words.casefold()

    def masked(self, objects: Iterable[Found], host_name: bytes = b"") -> list[Found]:
        """What may be shown to others, in order; `host_name` is sysName, where it is not among them."""
        objects = list(objects)
        name = next((item.value for item in objects if item.oid == HOST_NAME), host_name)
        names = []
        if isinstance(name, bytes) and len(name) >= SHORTEST_NAME and not self._is_public(name):
            names = [re.compile(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)")]
        return [kept for item in objects if (kept := self._masked(item, names)) is not None]

    def hidden(self, objects: Iterable[Found]) -> list[Found]:
        """What may be shown to whoever knows the device: everything but our own secrets."""
        kept = [item for item in objects if not self._spells(item.oid)]
        return [item._replace(value=self._without_secrets(item.value)) for item in kept]

    def _is_public(self, name: bytes) -> bool:
        return name.decode("latin-1").casefold() in self._public_words

    def _masked(self, item: Found, names: Sequence[re.Pattern[bytes]]) -> Found | None:
        sort = "communities" if self._spells(item.oid) else None if _kept(item.oid) else _of(LEFT_OUT, item.oid)
        if sort is not None:
            self.left_out[sort] += 1
            return None
        value = self._without_secrets(item.value)
        if value != item.value:
            self.counts["communities and keys"] += 1
        sort = _of(MASKED, item.oid)
        if sort is not None:
            if value in (b"", 0):
                return item
            self.counts[sort] += 1
            return item._replace(value=_blank(value))
        if item.type == "IpAddress":
            value = self._replaced(str(value).encode(), names).decode()
        elif isinstance(value, bytes):
            if len(value) == MAC_OCTETS and not value.isascii() and value.strip(b"\0\xff"):
                self.counts["MAC addresses"] += 1
                value = bytes(MAC_OCTETS)
            else:
                value = self._replaced(value, names)
        return item._replace(value=value)

    def _replaced(self, text: bytes, names: Sequence[re.Pattern[bytes]]) -> bytes:
        for name in names:
            text, count = name.subn(MASK, text)
            self.counts["names and places"] += count
        for sort, pattern, replacement in SHAPES:
            told = pattern.sub(replacement, text)
            self.counts[sort] += told != text
            text = told
        return text

    def _spells(self, oid: str) -> bool:
        """Whether one of our secrets is spelled in the object identifier, as indexes spell texts."""
        return any(f".{'.'.join(map(str, secret))}." in f"{oid}." for secret in self._secrets if len(secret) > 1)

    def _without_secrets(self, value: int | bytes | str) -> int | bytes | str:
        if not isinstance(value, bytes):
            return value
        for secret in self._secrets:
            value = value.replace(secret, MASK)
        return value


def _blank(value: int | bytes | str) -> int | bytes | str:
    """A value of the same sort that says nothing; digits stay digits, octets of the same number stay octets."""
    if isinstance(value, int):
        return 0
    if isinstance(value, str):
        return "0.0"
    if value.isdigit():
        return b"0" * len(value)
    printable = all(0x20 <= octet < 0x7F for octet in value)
    return MASK if printable or len(value) != MAC_OCTETS else bytes(MAC_OCTETS)


def _kept(oid: str) -> bool:
    found = KEPT.fullmatch(oid)
    if found is None:
        return False
    try:
        return not ipaddress.ip_address(found.group(1)).is_global
    except ValueError:
        return False


def _of(sorts: Mapping[str, str], oid: str) -> str | None:
    """The sort of the beginning that an object identifier has."""
    arcs = oid.split(".")
    return next(
        (sorts[beginning] for end in range(len(arcs), 4, -1) if (beginning := ".".join(arcs[:end])) in sorts), None
    )
