"""Resolving a name and opening a TCP connection, as two steps that can be timed; and what their errors mean."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass

from probes.results import Reason

_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.EACCES, errno.EPERM})
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENODEV})
"""Out of descriptors, memory or ports, or without that address or interface: the agent's trouble, nobody else's."""
_RTT = struct.Struct("@68xI")  # tcpi_rtt of struct tcp_info in linux/tcp.h, in microseconds

PATIENCE_S = 2.0
"""How long an address may take to accept a connection while there is another to try."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a host, ready for `connect`."""

    family: int
    address: tuple[str, int] | tuple[str, int, int, int]


def endpoint(address: str, port: int) -> Endpoint:
    """Of a literal address; raises ValueError for a name, OSError (ENODEV) where a link-local's interface is gone."""
    literal = ipaddress.ip_address(address)
    if isinstance(literal, ipaddress.IPv4Address):
        return Endpoint(socket.AF_INET, (address, port))
    scope = literal.scope_id
    if scope is None:
        return Endpoint(socket.AF_INET6, (address, port, 0, 0))
    try:
        index = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None
    return Endpoint(socket.AF_INET6, (address.partition("%")[0], port, 0, index))


async def resolve(host: str, port: int) -> list[Endpoint]:
    """The host's addresses in the resolver's order; a literal address is not looked up. Raises `socket.gaierror`."""
    with contextlib.suppress(ValueError):
        return [endpoint(host, port)]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is empty or too long for the IDNA codec
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    return [Endpoint(family, address) for family, _, _, _, address in found]  # type: ignore[arg-type]  # no raw tuples


async def connect(endpoints: list[Endpoint], source: str | None = None, interface: str | None = None) -> socket.socket:
    """A connection to the first endpoint that accepts one; raises the first one's OSError. The caller closes it.

    `source` is the address of this machine to connect from, `interface` what to connect through. An endpoint that is
    silent keeps the others waiting for `PATIENCE_S`, the last one as long as the caller waits.
    """
    first: OSError | None = None
    for position, endpoint in enumerate(endpoints, start=1):
        try:
            async with asyncio.timeout(PATIENCE_S if position < len(endpoints) else None):
                return await _connect(endpoint, source, interface)
        except OSError as error:  # TimeoutError included, the kernel's (ETIMEDOUT) and ours
            first = first or error
    raise first or socket.gaierror(socket.EAI_NODATA, "no address")


async def _connect(endpoint: Endpoint, source: str | None, interface: str | None) -> socket.socket:
    connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if interface is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        if source is not None:
            connection.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(connection, endpoint.address)
    except BaseException:  # cancelled too: no descriptor is left behind
        connection.close()
        raise
    return connection


def rtt_s(connection: socket.socket) -> float | None:
    """Seconds of the handshake as the kernel took them, whatever held us up; none where it had to repeat it."""
    (microseconds,) = _RTT.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size))
    return microseconds / 1e6 if microseconds else None


class PlainStream:
    """Bytes over a connected, non-blocking socket, which the caller closes; raises OSError."""

    def __init__(self, connection: socket.socket) -> None:
        """Within the running loop."""
        self._socket = connection
        self._loop = asyncio.get_running_loop()

    async def receive(self, limit: int) -> bytes:
        """At most `limit` bytes; empty at the end."""
        return await self._loop.sock_recv(self._socket, limit)

    async def send(self, data: bytes) -> None:
        """All of it."""
        await self._loop.sock_sendall(self._socket, data)


def reason_of(error: OSError) -> Reason:
    """What a failed look-up or connection says."""
    if isinstance(error, socket.gaierror):
        return Reason.DNS_ERROR
    if isinstance(error, ConnectionRefusedError):
        return Reason.REFUSED
    if isinstance(error, TimeoutError):
        return Reason.TIMEOUT
    if error.errno in _UNREACHABLE:
        return Reason.UNREACHABLE
    if error.errno in _OURS:
        return Reason.SUSPECT
    return Reason.PROTOCOL_ERROR


def meaning(error: OSError) -> str:
    """The error in the system's words, without the addresses that asyncio adds."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return error.strerror or type(error).__name__
    return os.strerror(error.errno)
