"""A device's objects as a file that snmpsim plays: lines `OID|TAG|VALUE` in order; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from probes.protocols.snmp_raw import NOTHING, Found

TAGS: Mapping[str, str] = MappingProxyType(
    {
        "Integer32": "2",
        "OctetString": "4",
        "ObjectIdentifier": "6",
        "IpAddress": "64",
        "Counter32": "65",
        "Gauge32": "66",
        "TimeTicks": "67",
        "Opaque": "68",
        "Counter64": "70",
    }
)
"""ASN.1 tags in decimal (RFC 2578, 2), as snmpsim writes them; with an `x` behind, the value is in hexadecimal."""


def snmprec(objects: Iterable[Found]) -> str:
    """The lines, each object once; what has no value is left out."""
    kept = {item.oid: item for item in objects if item.type not in NOTHING}
    ordered = sorted(kept.values(), key=lambda item: tuple(map(int, item.oid.split("."))))
    return "".join(f"{item.oid}|{_told(item)}\n" for item in ordered)


def _told(item: Found) -> str:
    tag = TAGS[item.type]
    if not isinstance(item.value, bytes):
        return f"{tag}|{item.value}"
    plain = item.type == "OctetString" and all(0x20 <= octet < 0x7F for octet in item.value) and b"|" not in item.value
    return f"{tag}|{item.value.decode('ascii')}" if plain else f"{tag}x|{item.value.hex()}"
