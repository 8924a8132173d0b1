"""What raw and datagram ICMP sockets have in common: kernel stamps, a large buffer, and packets with options."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Protocol

from probes.ports import PingOptions
from probes.protocols.icmp.packet import PACKET_BYTES, Echo, Quote

# linux/asm-generic/socket.h, linux/in.h, linux/in6.h; Python names none of them
_SO_ATTACH_FILTER = 26
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
SO_TIMESTAMPNS = 35
_SO_MEMINFO, _MEMINFO_DROPS = 55, 8  # linux/sock_diag.h
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _IPV6_DONTFRAG = 10, 23, 62
_PMTUDISC_DONT, _PMTUDISC_PROBE = 0, 3
_IP_PKTINFO = 8
_SOL_RAW, _ICMP_FILTER = 255, 1  # linux/icmp.h, linux/icmpv6.h

WANTED_BUFFER_BYTES = 8 << 20
_REPLY_COST_BYTES = 832
"""What the kernel charges a receive buffer for one plain reply: structures included, measured on Linux 6."""
_HEADERS_BYTES = 128
"""Room for an IP header with options and an ICMP header, before an echo."""
TIMESPEC = struct.Struct("@ll")
COUNTER = struct.Struct("@I")

Arrival = tuple[tuple[int, int, int] | Quote | None, str, int | None, int | None]
"""What came, its sender's address, the kernel's stamp in ns since 1970, TTL or hop limit.

What came is (packet number, stream key, length) of a reply, or an error's quote, or None for what only looks ours.
"""
Send = Callable[[bytes, tuple[str, int]], int]
"""Takes a request as `Echo.request` makes it, and its destination; raises OSError."""


class Edge(Protocol):
    """Sends and receives echoes of one family; non-blocking, for one engine."""

    echo: Echo

    def fileno(self) -> int:
        """A descriptor that is readable while something waits."""
        ...

    def sender(self, options: PingOptions) -> Send:
        """How requests with these options leave."""
        ...

    def read(self) -> list[Arrival]:
        """Some of what waits; empty when nothing does. Raises OSError for an error of the interface, told once."""
        ...

    def rotate(self, block: int) -> None:
        """Requests from now on carry ids of another block; what answers the block before is still received."""
        ...

    @property
    def drops(self) -> int:
        """Replies that the kernel has dropped so far because our buffer was full."""
        ...

    @property
    def buffer_bytes(self) -> int:
        """The receive buffer's real size, as the kernel accounts for it (bookkeeping included)."""
        ...

    def close(self) -> None:
        """Close the sockets."""
        ...


def replies_held(buffer_bytes: int) -> int:
    """About how many plain replies fit a receive buffer at one time."""
    return buffer_bytes // _REPLY_COST_BYTES


def read_bytes(options: PingOptions) -> int:
    """How much to read so that a reply to such a request, or an error that quotes it, is read whole."""
    return _HEADERS_BYTES + max(PACKET_BYTES, options.size_bytes)


def open_socket(echo: Echo, kind: socket.SocketKind) -> socket.socket:
    """A socket that stamps what it receives; raises PermissionError, or OSError where the family lacks."""
    opened = socket.socket(echo.family, kind, echo.protocol)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for forced, limited in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                opened.setsockopt(socket.SOL_SOCKET, forced, WANTED_BUFFER_BYTES)
            except PermissionError:  # needs CAP_NET_ADMIN; without it net.core.rmem_max and wmem_max are the limits
                opened.setsockopt(socket.SOL_SOCKET, limited, WANTED_BUFFER_BYTES)
    except BaseException:
        opened.close()
        raise
    return opened


class Drops:
    """Counts on what a socket's buffer had no room for.

    SO_MEMINFO tells the counter of SO_RXQ_OVFL, and at once: that one comes with the next packet that finds room, when
    what was dropped may long have been called lost.
    """

    def __init__(self, of: socket.socket) -> None:
        """From 0."""
        self._of = of
        self._last = 0
        self._total = 0

    def count(self) -> int:
        """All so far. The kernel's counter has 32 bits and wraps."""
        told = self._of.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, (_MEMINFO_DROPS + 1) * COUNTER.size)
        (counter,) = COUNTER.unpack_from(told, _MEMINFO_DROPS * COUNTER.size)
        self._total += (counter - self._last) & 0xFFFFFFFF
        self._last = counter
        return self._total


def attach(to: socket.socket, programme: bytes) -> None:
    """Let only pass what the BPF programme accepts; an earlier programme is replaced in one step."""
    held = ctypes.create_string_buffer(programme)  # struct sock_fprog points to it; the kernel copies it
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(programme) // 8, ctypes.addressof(held)))


def admit(to: socket.socket, echo: Echo, types: Iterable[int]) -> None:
    """Let only pass messages of these types: raw(7) ICMP_FILTER, RFC 3542 3.2.

    A BPF programme sees a packet after it has been copied for the socket; this one spares the copy.
    """
    if echo.version == 4:
        blocked = 0xFFFFFFFF & ~sum(1 << type_ for type_ in types)
        to.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", blocked))
    else:
        blocked = (1 << 256) - 1 - sum(1 << type_ for type_ in types)
        words = (blocked >> shift & 0xFFFFFFFF for shift in range(0, 256, 32))
        to.setsockopt(socket.IPPROTO_ICMPV6, _ICMP_FILTER, struct.pack("@8I", *words))


def discard(waiting: socket.socket) -> None:
    """Throw away what waits."""
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting.recv(1)


def fragment(on: socket.socket, echo: Echo, *, never: bool) -> None:
    """Whether packets carry don't-fragment (ip(7): PROBE ignores the path MTU that the kernel has learnt) or not."""
    mode = _PMTUDISC_PROBE if never else _PMTUDISC_DONT
    if echo.version == 4:
        on.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, mode)
    else:
        on.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, mode)
        on.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, int(never))


def ancillary(echo: Echo, options: PingOptions) -> list[tuple[int, int, bytes]]:
    """Control messages for one packet: traffic class, hops and source address (ip(7), RFC 3542)."""
    level, traffic, hops = (
        (socket.IPPROTO_IP, socket.IP_TOS, socket.IP_TTL)
        if echo.version == 4
        else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, socket.IPV6_HOPLIMIT)
    )
    messages = [
        (level, traffic, struct.pack("@i", options.dscp << 2)),  # the two low bits are ECN's: RFC 3168
        (level, hops, struct.pack("@i", options.ttl)),
    ]
    if options.source is not None:
        address = socket.inet_pton(echo.family, options.source)
        if echo.version == 4:  # struct in_pktinfo: interface (any), source, unused
            messages.append((level, _IP_PKTINFO, struct.pack("@i4s4x", 0, address)))
        else:  # struct in6_pktinfo: source, interface (any)
            messages.append((level, socket.IPV6_PKTINFO, struct.pack("@16sI", address, 0)))
    return messages


def with_options(through: socket.socket, echo: Echo, options: PingOptions) -> Send:
    """`sendmsg` with the options' control messages, the request cut or padded to their size."""
    messages = ancillary(echo, options)
    size = options.size_bytes
    padding = bytes(max(0, size - PACKET_BYTES))
    sendmsg = through.sendmsg

    def send(packet: bytes, destination: tuple[str, int]) -> int:
        return sendmsg((packet[:size], padding), messages, 0, destination)

    return send
