"""A name server on loopback (RFC 1035): answers as it is told, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from typing import cast

A, AAAA = 1, 28
SERVFAIL, NXDOMAIN = 2, 3


class NameServer(asyncio.DatagramProtocol):
    """Addresses by name, in the order in which they are told; what is not there does not exist."""

    def __init__(self) -> None:
        """Nothing exists yet."""
        self.addresses: dict[str, list[str]] = {}
        self.ttl_s = 60
        self.failing: int | None = None
        """The response code of every answer, if not the right one."""
        self.silent = False
        self.asked: Counter[str] = Counter()
        """Questions for IPv4 addresses by name."""
        self.place = ""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.place = "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        name, kind, end = _question(data)
        self.asked[name] += kind == A
        if self.silent or self._transport is None:
            return
        family = socket.AF_INET if kind == A else socket.AF_INET6
        found = [item for item in self.addresses.get(name, ()) if (":" in item) == (kind == AAAA)]
        code = self.failing if self.failing is not None else 0 if name in self.addresses else NXDOMAIN
        records = (
            b""
            if code
            else b"".join(
                b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl_s, len(packed)) + packed
                for packed in (socket.inet_pton(family, item) for item in found)
            )
        )
        header = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 0 if code else len(found), 0, 0)
        self._transport.sendto(header + data[12:end] + records, addr)


def _question(data: bytes) -> tuple[str, int, int]:
    """Name, type, and where the question ends."""
    at, labels = 12, []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", data, at + 1)
    return ".".join(labels).lower(), kind, at + 5


@contextlib.asynccontextmanager
async def a_name_server() -> AsyncIterator[NameServer]:
    """One that runs within the block."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
