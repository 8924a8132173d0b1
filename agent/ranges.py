"""Which addresses a sweep may ask: the hosts of what was named, nothing more; pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from agent.errors import Unusable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_UNASKED = 2**16
"""Addresses of a /16: for more, somebody has to say that it is meant."""
SHORTEST_V6 = 112


def ranges(texts: Sequence[str], declared: Sequence[str], *, yes: bool) -> tuple[Network, ...]:
    """The networks that are meant, within those `declared` if there are any. Raises `Unusable`."""
    networks = tuple(map(_network, texts))
    inside = [ipaddress.ip_network(text) for text in declared]
    for network in networks:
        if inside and not any(_covers(other, network) for other in inside):
            listed = ", ".join(declared)
            raise Unusable(
                f"{network} lies outside the inventory's `networks` ({listed}); correct it, or add its network"
            )
    total = sum(network.num_addresses for network in networks)
    if total > MOST_UNASKED and not yes:
        raise Unusable(
            f"{' and '.join(map(str, networks))}: {total} addresses, more than a /16 has; name less, or say --yes"
        )
    return networks


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Unusable(f"{text!r}: must be addresses in CIDR notation, such as 10.4.0.0/24") from None
    if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
        raise Unusable(f"{text}: has host bits set; did you mean {network}, or only {text.partition('/')[0]}?")
    if network.version == 6 and network.prefixlen < SHORTEST_V6:
        raise Unusable(
            f"{network}: IPv6 prefixes up to /{SHORTEST_V6} (65536 addresses) can be swept; name a longer one"
        )
    if network.is_multicast or network.network_address.is_unspecified:
        raise Unusable(f"{network}: must be addresses of hosts, not multicast or unspecified ones")
    return network


def _covers(outer: Network, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, ipaddress.IPv6Network) and inner.subnet_of(outer)


def hosts(networks: Sequence[Network]) -> Iterator[str]:
    """Their addresses, each once; without network, broadcast and IPv6's anycast addresses (RFC 4291, 2.6.1)."""
    for place, network in enumerate(networks):
        before = networks[:place]
        for address in network.hosts():
            if not any(address in other for other in before):
                yield str(address)


def count(networks: Sequence[Network]) -> int:
    """How many addresses `hosts` gives at most; exact where no network lies within another."""
    return sum(_hosts(network) for network in networks)


def _hosts(network: Network) -> int:
    spare = network.max_prefixlen - network.prefixlen
    if spare <= 1:
        return int(network.num_addresses)
    return int(network.num_addresses) - (2 if network.version == 4 else 1)
