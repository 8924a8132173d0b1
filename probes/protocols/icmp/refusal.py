"""Why requests cannot leave this machine, in words that say what to mend; such requests are nobody's loss."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Container

from probes.ports import PingOptions
from probes.protocols.icmp.stream import PingStream
from probes.protocols.tcp import meaning


def refusal_of(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, options: PingOptions, versions: Container[int]
) -> str:
    """Why requests to `host` cannot be sent; empty if they can."""
    if host.is_multicast or host.is_unspecified or host == ipaddress.IPv4Address("255.255.255.255"):
        # a name may resolve to any of them: many filtering resolvers answer 0.0.0.0, which would be this machine
        return f"{host} is no single host's address"
    if host.version not in versions:
        return f"no IPv{host.version} on this machine"
    if options.source is not None and ipaddress.ip_address(options.source).version != host.version:
        return f"the source address {options.source} is of another IP version than {host}"
    return ""


def why_unsent(error: OSError, stream: PingStream) -> str:
    """A send error in words that say what to mend."""
    options = stream.options
    if error.errno == errno.EMSGSIZE:
        return f"a request of {options.size_bytes} bytes is larger than the interface's MTU"
    if error.errno in {errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH} and options.source is not None:
        return f"the source address {options.source} is none of this machine, or has no route to {stream.host}"
    if error.errno == errno.EACCES:
        return f"{stream.host} is a broadcast address"
    if error.errno == errno.EPERM:
        return "this machine's own firewall refuses it"
    return meaning(error)
