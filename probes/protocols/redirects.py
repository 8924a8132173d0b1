"""Where a redirect may lead: a server of others must not make the agent ask what only the agent can reach."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from enum import Enum
from urllib.parse import urljoin

from yarl import URL

from probes.results import Reason

STATUS = frozenset({301, 302, 303, 307, 308})
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"))
)  # of cloud providers: whoever may ask there gets the machine's credentials
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Misled(Exception):
    """A redirect that may not be followed; the message repeats nothing of what the server sent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """`reason` in the vocabulary's words, `detail` for people."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Zone(Enum):
    """Who can reach an address; the value says so in words."""

    THIS_MACHINE = "this machine itself"
    METADATA = "the metadata service of a cloud"
    LINK_LOCAL = "a link-local address"
    NOBODY = "what is no host's address"
    PRIVATE = "a private address"
    PUBLIC = "a public address"


def target(url: URL, location: str) -> URL:
    """Where a redirect leads (RFC 9110 10.2.2); a user name and password that stand in it are nobody's of ours."""
    try:
        found = URL(urljoin(str(url), location))
    except ValueError:
        raise Misled(Reason.PROTOCOL_ERROR, "redirected to what is no URL of a web page") from None
    if found.scheme not in {"http", "https"}:
        raise Misled(Reason.FORBIDDEN_TARGET, "redirected to what is neither http nor https")
    if not found.host or not found.port:
        raise Misled(Reason.PROTOCOL_ERROR, "redirected to what is no URL of a web page")
    return found.with_user(None)


def why_not(visited: Iterable[str], address: str) -> str | None:
    """Why a redirect may not lead to `address`, in words; none where it may.

    `visited` are the addresses that the exchange has come through, from the first to the last. Back to one of them it
    may, and within this machine, if that is where it began; never from a public address to a private one.
    """
    before = list(visited)
    if address in before:
        return None
    there, here = zone(address), zone(before[-1]) if before else Zone.PUBLIC
    if there is Zone.PUBLIC or (there is here and there is not Zone.METADATA):
        return None
    if there is Zone.PRIVATE and here is not Zone.PUBLIC:
        return None
    return f"redirected to {there.value}"


def why_not_named(host: str) -> str | None:
    """The same for a host that a proxy looks up: only what its name says is known, and the proxy is the province's."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 6.3
        return f"redirected to {Zone.THIS_MACHINE.value}"
    try:
        return why_not((), host)
    except ValueError:
        return None


def zone(address: str) -> Zone:
    """Who can reach an IP address; one that holds another (IPv4-mapped, 6to4, NAT64) counts as that."""
    meant = _meant(ipaddress.ip_address(address))
    if meant in _METADATA:
        return Zone.METADATA
    if meant.is_loopback or meant.is_unspecified or _is_own(meant):  # Linux connects 0.0.0.0 to itself
        return Zone.THIS_MACHINE
    if meant.is_link_local:
        return Zone.LINK_LOCAL
    if meant.is_multicast or str(meant) == "255.255.255.255":
        return Zone.NOBODY
    return Zone.PUBLIC if meant.is_global else Zone.PRIVATE


def _meant(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    inner = address.ipv4_mapped or address.sixtofour or address
    return ipaddress.IPv6Address(int(inner)) if isinstance(inner, ipaddress.IPv6Address) else inner  # no scope


def _is_own(address: Address) -> bool:
    """Whether it is one of this machine's: the kernel takes its own address to reach itself. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((str(address), 9))
        except OSError:
            return False
        return bool(ipaddress.ip_address(asking.getsockname()[0]) == address)
