"""Echo requests and what comes back, as bytes: RFC 792 (ICMP), RFC 4443 (ICMPv6); pure."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

PACKET_BYTES = 64
"""Length of our requests without the IP header: 8 of header, 56 of payload, as ping sends them."""

# type, code, checksum, id, sequence number | nonce, packet number, stream key, padding
_PACKET = struct.Struct("!BBHHHQQI36x")
_PAYLOAD = struct.Struct("!QQI")
_INSTRUCTION = struct.Struct("HBBI")  # struct sock_filter of linux/filter.h, native order

_V6_HEADER_BYTES = 40  # RFC 8200, 3


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells our echoes from foreign ones: 16 bits that the kernel can filter by, 64 bits that nobody guesses."""

    ident: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The request that an ICMP error quotes; `number` only where the router quoted more than 8 bytes of it."""

    sequence: int
    destination: str
    number: int | None


class EchoV4:
    """Echo over IPv4; what a raw socket reads begins with the IP header, options included."""

    family = socket.AF_INET
    protocol = socket.IPPROTO_ICMP

    def __init__(self, identity: Identity) -> None:
        """`identity` must be the same as the one that the filter was built for."""
        self.identity = identity
        self._sum = 0x0800 + identity.ident + identity.nonce % 65535

    def request(self, number: int, key: int) -> bytes:
        """An echo request; `number` counts the packets of the engine (64 bits), `key` names the stream (32 bits)."""
        sequence = number & 0xFFFF
        # RFC 1071: the sum in ones' complement is the value modulo 65535, whatever the width of the words
        checksum = 65535 - (self._sum + sequence + number + key) % 65535
        return _PACKET.pack(8, 0, checksum, self.identity.ident, sequence, self.identity.nonce, number, key)

    def reply(self, data: bytes) -> tuple[int, int] | None:
        """(packet number, stream key) of an echo reply that carries our nonce, whole and unchanged in length."""
        if not data:
            return None
        start = (data[0] & 0x0F) << 2
        if len(data) != start + PACKET_BYTES or data[start] != 0:
            return None
        nonce, number, key = _PAYLOAD.unpack_from(data, start + 8)
        return (number, key) if nonce == self.identity.nonce else None

    def error(self, data: bytes) -> Quote | None:
        """The request of ours that an error (3 unreachable, 11 time exceeded) quotes."""
        if not data:
            return None
        start = (data[0] & 0x0F) << 2
        quoted = start + 8
        if len(data) < quoted + 20 or data[start] not in {3, 11} or data[quoted + 9] != socket.IPPROTO_ICMP:
            return None
        echo = quoted + ((data[quoted] & 0x0F) << 2)
        return _quote(self.identity, 8, data[echo:], socket.inet_ntop(self.family, data[quoted + 16 : quoted + 20]))

    def filter(self) -> bytes:
        """A classic BPF programme for SO_ATTACH_FILTER: our echo replies, and errors that quote our requests."""
        ident = self.identity.ident
        return _assemble(
            (0xB1, 0, 0, 0),  # 0  ldxb 4*([0]&0xf)    X = length of the IP header
            (0x50, 0, 0, 0),  # 1  ldb [x+0]           type
            (0x15, 10, 0, 0),  # 2  echo reply? to 13
            (0x15, 1, 0, 3),  # 3  unreachable? to 5
            (0x15, 0, 11, 11),  # 4  time exceeded? else drop
            (0x50, 0, 0, 17),  # 5  ldb [x+17]          protocol of the quoted packet
            (0x15, 0, 9, 1),  # 6  ICMP? else drop
            (0x50, 0, 0, 8),  # 7  ldb [x+8]           its version and header length
            (0x54, 0, 0, 0x0F),  # 8  and 0xf
            (0x64, 0, 0, 2),  # 9  lsh 2
            (0x0C, 0, 0, 0),  # 10 add x
            (0x04, 0, 0, 8),  # 11 add 8
            (0x07, 0, 0, 0),  # 12 tax                 X = the quoted ICMP header
            (0x48, 0, 0, 4),  # 13 ldh [x+4]           id
            (0x15, 0, 1, ident),  # 14 ours? else drop
            (0x06, 0, 0, 0xFFFF),  # 15 accept
            (0x06, 0, 0, 0),  # 16 drop
        )


class EchoV6:
    """Echo over IPv6; what a raw socket reads begins with the ICMPv6 header, checksums are the kernel's (RFC 3542)."""

    family = socket.AF_INET6
    protocol = socket.IPPROTO_ICMPV6

    def __init__(self, identity: Identity) -> None:
        """`identity` must be the same as the one that the filter was built for."""
        self.identity = identity

    def request(self, number: int, key: int) -> bytes:
        """An echo request; `number` counts the packets of the engine (64 bits), `key` names the stream (32 bits)."""
        return _PACKET.pack(128, 0, 0, self.identity.ident, number & 0xFFFF, self.identity.nonce, number, key)

    def reply(self, data: bytes) -> tuple[int, int] | None:
        """(packet number, stream key) of an echo reply that carries our nonce, whole and unchanged in length."""
        if len(data) != PACKET_BYTES or data[0] != 129:
            return None
        nonce, number, key = _PAYLOAD.unpack_from(data, 8)
        return (number, key) if nonce == self.identity.nonce else None

    def error(self, data: bytes) -> Quote | None:
        """The request of ours that an error (1 unreachable, 3 time exceeded) quotes; without extension headers."""
        if len(data) < 8 + _V6_HEADER_BYTES or data[0] not in {1, 3} or data[14] != socket.IPPROTO_ICMPV6:
            return None
        echo = data[8 + _V6_HEADER_BYTES :]
        return _quote(self.identity, 128, echo, socket.inet_ntop(self.family, data[32:48]))

    def filter(self) -> bytes:
        """A classic BPF programme for SO_ATTACH_FILTER: our echo replies, and errors that quote our requests."""
        ident = self.identity.ident
        return _assemble(
            (0x30, 0, 0, 0),  # 0  ldb [0]             type
            (0x15, 6, 0, 129),  # 1  echo reply? to 8
            (0x15, 1, 0, 1),  # 2  unreachable? to 4
            (0x15, 0, 7, 3),  # 3  time exceeded? else drop
            (0x30, 0, 0, 14),  # 4  ldb [14]            next header of the quoted packet
            (0x15, 0, 5, 58),  # 5  ICMPv6? else drop
            (0x28, 0, 0, 52),  # 6  ldh [52]            its id
            (0x15, 2, 3, ident),  # 7  ours? accept
            (0x28, 0, 0, 4),  # 8  ldh [4]             id
            (0x15, 0, 1, ident),  # 9  ours? else drop
            (0x06, 0, 0, 0xFFFF),  # 10 accept
            (0x06, 0, 0, 0),  # 11 drop
        )


Echo = EchoV4 | EchoV6


def _quote(identity: Identity, request_type: int, echo: bytes, destination: str) -> Quote | None:
    """Read the quoted echo header; routers need not quote more than 8 bytes of it (RFC 792)."""
    if len(echo) < 8 or echo[0] != request_type:
        return None
    ident, sequence = struct.unpack_from("!HH", echo, 4)
    if ident != identity.ident:
        return None
    if len(echo) < 8 + _PAYLOAD.size:
        return Quote(sequence, destination, None)
    nonce, number, _ = _PAYLOAD.unpack_from(echo, 8)
    return Quote(sequence, destination, number) if nonce == identity.nonce else None


def _assemble(*instructions: tuple[int, int, int, int]) -> bytes:
    """(code, jump if true, jump if false, constant) each, as the kernel reads them."""
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)
