"""Which ICMP sockets this process may open, what is missing for better ones, and how much they hold."""

from __future__ import annotations

import os

from probes.protocols.icmp.datagram import DatagramEdge
from probes.protocols.icmp.edge import WANTED_BUFFER_BYTES, Edge, replies_held
from probes.protocols.icmp.packet import Echo
from probes.protocols.icmp.raw import RawEdge

_ALLOW_RAW = (
    "run as root, or `setcap cap_net_raw+ep` the interpreter, "
    "or set AmbientCapabilities=CAP_NET_RAW in the systemd unit"
)


class IcmpUnavailable(Exception):
    """This process may open no ICMP socket of any kind; the text says how to allow it."""


def open_edge(echo: Echo) -> Edge:
    """A raw socket, or datagram sockets where only these are allowed.

    Raises `IcmpUnavailable`, or OSError where this machine lacks the family.
    """
    try:
        return RawEdge(echo)
    except PermissionError:
        pass
    try:
        return DatagramEdge(echo)
    except PermissionError:
        raise IcmpUnavailable(
            f"no raw ICMP socket: CAP_NET_RAW is missing; {_ALLOW_RAW}; and no datagram ICMP socket: group "
            f"{os.getegid()} lies outside net.ipv4.ping_group_range; "
            '`sysctl -w net.ipv4.ping_group_range="0 2147483647"` admits all'
        ) from None


def described(edges: dict[int, Edge]) -> str:
    """For the log: the method in use, what is missing for a better one, how many replies the buffer holds."""
    families = " and ".join(f"IPv{version}" for version in sorted(edges))
    if is_raw(edges):
        method = f"raw ICMP sockets for {families}"
    else:
        method = (
            f"unprivileged datagram ICMP sockets for {families}, as CAP_NET_RAW is missing for raw ones ({_ALLOW_RAW})"
        )
    size = min((edge.buffer_bytes for edge in edges.values()), default=0)
    held = replies_held(size) // 100 * 100
    text = f"{method}; the receive buffer of {size} bytes holds about {held} replies at one time"
    if size < WANTED_BUFFER_BYTES:
        text += f", which net.core.rmem_max limits: `sysctl -w net.core.rmem_max={WANTED_BUFFER_BYTES}` gives more"
    return text


def is_raw(edges: dict[int, Edge]) -> bool:
    """Whether all of them are raw sockets."""
    return all(isinstance(edge, RawEdge) for edge in edges.values())
