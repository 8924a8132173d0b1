"""What single cells of a table mean: addresses, prefixes and media as people write them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from agent.communes import AS_TEXT, SCIENTIFIC
from agent.init.columns import MEANINGS
from agent.table import folded
from probes.model import IpAddress, Medium, prefix_network

_IP_ADDRESS: TypeAdapter[str] = TypeAdapter(IpAddress)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LONGEST_ID = 63
_FEWEST_DIGITS = 6
_NOTHING = frozenset({"khong", "khong co", "chua co", "chua", "n a", "na", "none", "null", "nil", "no"})
"""How people say that a cell is empty, without diacritics; so does one of signs only, such as a dash."""
_MEDIA: Mapping[Medium, tuple[str, ...]] = MappingProxyType(
    {
        "fibre": (
            "quang",
            "cap quang",
            "fibre",
            "fiber",
            "fttx",
            "ftth",
            "fttb",
            "fttc",
            "ftto",
            "gpon",
            "xgs pon",
            "metronet",
        ),
        "lte": ("4g", "lte", "5g", "3g", "di dong", "sim"),
        "radio": ("viba", "vi ba", "vo tuyen", "radio", "microwave"),
        "vsat": ("ve tinh", "vsat", "satellite", "starlink"),
    }
)


class Refused(Exception):
    """A row cannot be taken; the message says why."""


def medium_of(text: str) -> Medium:
    """What a link is made of; raises `Refused` where that is none of the four, or two."""
    words = f" {folded(text)} "
    found = [medium for medium, names in _MEDIA.items() if any(f" {name} " in words for name in names)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(f"the medium {text!r} names {' and '.join(found)}; the backup link has a column of its own")
    raise Refused(
        f"the medium {text!r} is not known; write cáp quang (fibre), 4G (lte), viba (radio) or vệ tinh (vsat)"
    )


def address_of(column: str, text: str) -> str:
    """One host's address, with or without a mask behind it; raises `Refused`."""
    what = MEANINGS[column]
    if re.search(r"[0-9a-fA-F][\s,;]+[0-9a-fA-F]", text):
        raise Refused(f"{what} {text!r}: must be one address; others have columns of their own")
    host = text
    if "/" in text:
        try:
            interface = ipaddress.ip_interface(text)
        except ValueError:
            raise Refused(f"{what} {text!r}: must be an IPv4 or IPv6 address such as 10.4.1.1") from None
        network = interface.network
        if network.num_addresses > 2 and interface.ip in {network.network_address, network.broadcast_address}:
            raise Refused(f"{what} {text!r}: must be the address of one host, not a whole network")
        host = str(interface.ip)
    try:
        if "%" in host:  # a zone means nothing to another machine (RFC 4007)
            raise Refused(f"{what} {text!r}: must be an address without a zone (%)")
        return _IP_ADDRESS.validate_python(host)
    except ValidationError as error:
        raise Refused(f"{what} {text!r}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def is_address(text: str) -> bool:
    """Whether it can be read as one."""
    try:
        address_of("address", text)
    except Refused:
        return False
    return True


def network_of(text: str) -> Network:
    """A subnet as people write it: `10.4.1.0/24`, `10.4.1.1/24`, `10.4.1.0`, `10.4.1.x`, `10.4.1`; or `Refused`."""
    bare = re.sub(r"(\.[x*])+$|\.$", "", text, flags=re.IGNORECASE)
    try:
        if "/" in bare:
            return ipaddress.ip_interface(bare).network
        if bare.count(".") == 3 and bare.endswith(".0"):
            bare = bare.removesuffix(".0")
        return prefix_network(bare)
    except ValueError:
        raise Refused(f"prefix {text!r}: must be a network such as 10.4.1.0/24, or its first part, 10.4.1") from None


def identifier_of(what: str, text: str) -> str:
    """A name as the inventory's identifiers are; empty for an empty text. Raises `Refused`."""
    found = folded(text).replace(" ", "-")
    if text and not 0 < len(found) <= _LONGEST_ID:
        raise Refused(f"the {what} {text!r} needs a name of 1 to {_LONGEST_ID} Latin letters or digits")
    return found


def phone_flaw(text: str) -> str:
    """Why a text is no telephone number; empty where it may be one."""
    if SCIENTIFIC.fullmatch(text):
        return AS_TEXT
    return "" if sum(sign.isdigit() for sign in text) >= _FEWEST_DIGITS else "is no telephone number"


def email_flaw(text: str) -> str:
    """Why a text is no email address; empty where it may be one."""
    return "" if re.fullmatch(r"[^@\s]+@[^@\s]+", text) else "is no email address"


def is_nothing(text: str) -> bool:
    """Whether a cell says that there is nothing."""
    return folded(text) in _NOTHING or not any(sign.isalnum() for sign in text)
