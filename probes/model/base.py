"""What every part of an inventory is made of: strict models, and the types of single values."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Settings(BaseModel):
    """Base of everything that an inventory can say: strict, frozen, no unknown keys.

    The text below a field is its description in the JSON Schema and in the reference of all keys.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Item = TypeVar("Item")
Several = Annotated[tuple[Item, ...], BeforeValidator(_as_tuple)]
"""A YAML list, kept as a tuple."""

PREFIX = "{prefix}"
"""What stands for the commune's own prefix in an address of its class: `{prefix}.1`."""
_SAMPLES = ("192.0.2", "2001:db8")
"""Prefixes that a pattern is tried with (RFC 5737, RFC 3849)."""


def _ip_address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address such as 10.4.1.1") from None
    if address.is_multicast or address.is_unspecified or value == "255.255.255.255":
        raise ValueError("must be the address of one host, not multicast, broadcast or unspecified")
    return str(address)


_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LETTER = re.compile("[A-Za-z]")
_LONGEST_NAME = 253


def is_address(host: str) -> bool:
    """Whether a valid `Host` is an IP address: a name's last part is no number (RFC 1123, 2.1)."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _host(value: str) -> str:
    labels = value.lower().removesuffix(".").split(".")
    numbers = [label.isdigit() for label in labels]
    if ":" in value or numbers[-1] or (len(labels) > 2 and all(numbers[:-1])) or not _LETTER.search(value):
        return _ip_address(value)  # 10.4.1.300, 10.4.1, 10.4.1.l and 10,4,1,1 are mistyped addresses, not names
    if not value.isascii() or len(value) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(
            "must be an IPv4 or IPv6 address such as 10.4.1.1, or a host name such as router.xa.example: letters a-z, "
            "digits and hyphens between dots"
        )
    return value.lower()


def _address_pattern(value: str) -> str:
    if PREFIX not in value:
        return _host(value)
    for sample in _SAMPLES:
        try:
            ipaddress.ip_address(value.replace(PREFIX, sample))
        except ValueError:
            continue
        return value
    raise ValueError("must become an address when {prefix} is filled in, as {prefix}.1 does with prefix 10.4.1")


def prefix_network(prefix: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The addresses that begin with a commune's prefix: `10.4.1` is 10.4.1.0/24. Raises ValueError for no prefix."""
    if ":" in prefix:
        groups = prefix.removesuffix(":").removesuffix(":").split(":")
        if not all(groups):
            raise ValueError(prefix)
        return ipaddress.ip_network(f"{':'.join(groups)}::/{16 * len(groups)}")
    parts = prefix.split(".")
    if not 1 <= len(parts) <= 3:
        raise ValueError(prefix)
    return ipaddress.ip_network(f"{'.'.join([*parts, *['0'] * (4 - len(parts))])}/{8 * len(parts)}")


def _prefix(value: str) -> str:
    try:
        prefix_network(value)
    except ValueError:
        raise ValueError("must be the first part of the commune's addresses, such as 10.4.1 or 2001:db8:4") from None
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(
            f"must be a network such as 10.4.0.0/16{', without host bits' if 'host bits' in str(error) else ''}"
        ) from None


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
Host = Annotated[str, AfterValidator(_host)]
"""An IP address, or a name that is resolved to one (RFC 1123, 2.1); a final dot keeps search domains away."""
AddressPattern = Annotated[str, AfterValidator(_address_pattern)]
"""A host, or an address that begins with `{prefix}`, which every commune fills in with its own."""
AddressPrefix = Annotated[str, AfterValidator(_prefix)]
"""The first part of a commune's addresses: `10.4.1`, `2001:db8:4`."""
Network = Annotated[str, AfterValidator(_network)]
"""Addresses in CIDR notation (RFC 4632)."""
WebUrl = Annotated[str, AfterValidator(_web_url)]
"""http or https, without user name and password."""
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/", max_length=4096)]
"""A file of this machine."""
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, le=1)]
Score = Annotated[float, Field(gt=1, le=4.5)]
"""A mean opinion score."""
Timeout = Annotated[float, Field(gt=0, le=60)]
"""Seconds that an attempt may take; the runner ends each after 60."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""One line for people, with diacritics."""
Phone = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^(?:[^0-9]*[0-9]){6}")]
"""Six digits or more; whatever stands between them is for people."""
Email = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S@\S")]
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^\d{2}$")]
CommuneCode = Annotated[str, StringConstraints(pattern=r"^\d{5}$")]
