"""Echo requests and what comes back, as bytes: RFC 792 (ICMP), RFC 4443 (ICMPv6); pure."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from probes.ports import SMALLEST_PING_BYTES, PingErrorKind

PACKET_BYTES = 64
"""Length of a plain request without the IP header: 8 of header, 56 of payload, as ping sends them."""
TURNS = 16
"""Ids of one block: each silent stream may turn to another one on its own."""

# type, code, checksum, id, sequence number | nonce, packet number, stream key, padding
_PACKET = struct.Struct("!BBHHHQQI36x")
_PAYLOAD = struct.Struct("!QQI")
_IPV6_HEADER_BYTES = 40  # RFC 8200, 3

_UNREACHABLE_V4: Mapping[int, PingErrorKind] = {  # RFC 792; 6 to 12 RFC 1122, 3.2.2.1; 13 to 15 RFC 1812, 5.2.7.1
    0: PingErrorKind.NET_UNREACHABLE,
    1: PingErrorKind.HOST_UNREACHABLE,
    2: PingErrorKind.PROTOCOL_UNREACHABLE,
    3: PingErrorKind.PORT_UNREACHABLE,
    4: PingErrorKind.FRAGMENTATION_NEEDED,
    6: PingErrorKind.NET_UNREACHABLE,
    7: PingErrorKind.HOST_UNREACHABLE,
    9: PingErrorKind.PROHIBITED,
    10: PingErrorKind.PROHIBITED,
    11: PingErrorKind.NET_UNREACHABLE,
    12: PingErrorKind.HOST_UNREACHABLE,
    13: PingErrorKind.PROHIBITED,
}
_UNREACHABLE_V6: Mapping[int, PingErrorKind] = {  # RFC 4443, 3.1
    0: PingErrorKind.NET_UNREACHABLE,
    1: PingErrorKind.PROHIBITED,
    3: PingErrorKind.HOST_UNREACHABLE,
    4: PingErrorKind.PORT_UNREACHABLE,
    5: PingErrorKind.PROHIBITED,  # source address failed a policy
    6: PingErrorKind.NET_UNREACHABLE,  # reject route
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells our echoes from foreign ones: an id that the kernel can filter by, 64 bits that nobody guesses."""

    ident: int
    """16 bits; the block of `TURNS` ids that it lies in is ours."""
    nonce: int

    @property
    def block(self) -> int:
        """The first id of the block."""
        return self.ident - self.ident % TURNS


@dataclass(frozen=True, slots=True)
class Quote:
    """The request that an ICMP error quotes; `number` only where the router quoted more than 8 bytes of it."""

    sequence: int
    destination: str
    number: int | None
    kind: PingErrorKind
    mtu: int | None = None


class _Echo:
    """What both families share: our nonce, and the blocks of ids in use."""

    def __init__(self, identity: Identity) -> None:
        """`identity.block` is in use until the first rotation."""
        self.nonce = identity.nonce
        self.block = identity.block
        self.blocks: tuple[int, ...] = (self.block,)
        """The block in use, and the one before it, whose replies may still be on their way."""

    def rotate(self, block: int) -> None:
        """Requests from now on carry ids of `block`; what answers the block before it is still ours."""
        self.blocks = (block, self.block)
        self.block = block

    def body(self, echo: bytes) -> tuple[int, int, int] | None:
        """(packet number, stream key, length) of an echo message that carries our nonce."""
        if len(echo) < SMALLEST_PING_BYTES:
            return None
        nonce, number, key = _PAYLOAD.unpack_from(echo, 8)
        return (number, key, len(echo)) if nonce == self.nonce else None

    def quoted(self, echo: bytes, destination: str, kind: PingErrorKind, mtu: int | None) -> Quote | None:
        """Read a quoted request of ours; routers need not quote more than 8 bytes of it (RFC 792)."""
        if len(echo) < 8:
            return None
        (sequence,) = struct.unpack_from("!H", echo, 6)
        if len(echo) < 8 + _PAYLOAD.size:
            return Quote(sequence, destination, None, kind, mtu)
        nonce, number, _ = _PAYLOAD.unpack_from(echo, 8)
        return Quote(sequence, destination, number, kind, mtu) if nonce == self.nonce else None

    def carries_our_id(self, echo: bytes, request_type: int) -> bool:
        """Whether a quoted echo header is one that we may have sent."""
        if len(echo) < 8 or echo[0] != request_type:
            return False
        (ident,) = struct.unpack_from("!H", echo, 4)
        return ident - ident % TURNS in self.blocks


class EchoV4(_Echo):
    """Echo over IPv4; what a raw socket reads begins with the IP header, options included."""

    family = socket.AF_INET
    protocol = socket.IPPROTO_ICMP
    version = 4
    request_type, reply_type = 8, 0
    error_types = (3, 11)
    layout = "!B7xB3x4s4xB7xQQI"
    """`struct` of a reply behind a plain IP header: version and length, TTL, source, type, nonce, number, key."""

    def __init__(self, identity: Identity) -> None:
        """See `_Echo`."""
        super().__init__(identity)
        self._sum = 0x0800 + self.nonce % 65535

    def request(self, number: int, key: int, turn: int = 0) -> bytes:
        """An echo request of `PACKET_BYTES`, which zeros may follow.

        `number` counts the packets of the engine (64 bits), `key` names the stream (32 bits), `turn` chooses the id.
        """
        sequence = number & 0xFFFF
        ident = self.block | turn
        # RFC 1071: the sum in ones' complement is the value modulo 65535, whatever the width of the words
        checksum = 65535 - (self._sum + ident + sequence + number + key) % 65535
        return _PACKET.pack(8, 0, checksum, ident, sequence, self.nonce, number, key)

    def reply(self, data: bytes) -> tuple[int, int, int] | None:
        """(packet number, stream key, length) of an undamaged echo reply that carries our nonce."""
        if not data:
            return None
        start = (data[0] & 0x0F) << 2
        # raw(7): a raw socket reads before the kernel has looked at the ICMP checksum, so we do
        size = len(data) - start
        if size < SMALLEST_PING_BYTES or data[start] != 0 or int.from_bytes(data[start:], "big") % 65535:
            return None
        nonce, number, key = _PAYLOAD.unpack_from(data, start + 8)
        return (number, key, size) if nonce == self.nonce else None

    def error(self, data: bytes) -> Quote | None:
        """The request of ours that an error (3 unreachable, 11 time exceeded) quotes."""
        if not data:
            return None
        start = (data[0] & 0x0F) << 2
        quoted = start + 8
        if len(data) < quoted + 20 or data[quoted + 9] != socket.IPPROTO_ICMP:
            return None
        if int.from_bytes(data[start:], "big") % 65535:
            return None
        echo = data[quoted + ((data[quoted] & 0x0F) << 2) :]
        kind = self.kind(data[start], data[start + 1])
        if kind is None or not self.carries_our_id(echo, self.request_type):
            return None
        destination = socket.inet_ntop(self.family, data[quoted + 16 : quoted + 20])
        (mtu,) = struct.unpack_from("!H", data, start + 6)  # RFC 1191, 4; 0 from older routers
        return self.quoted(echo, destination, kind, mtu if kind is PingErrorKind.FRAGMENTATION_NEEDED and mtu else None)

    @staticmethod
    def kind(type_: int, code: int) -> PingErrorKind | None:
        """What an error message means; none for types that are no errors."""
        if type_ == 3:
            return _UNREACHABLE_V4.get(code, PingErrorKind.UNREACHABLE)
        if type_ == 11:
            return PingErrorKind.REASSEMBLY_EXCEEDED if code == 1 else PingErrorKind.TTL_EXCEEDED
        return None


class EchoV6(_Echo):
    """Echo over IPv6; what a raw socket reads begins with the ICMPv6 header, checksums are the kernel's (RFC 3542)."""

    family = socket.AF_INET6
    protocol = socket.IPPROTO_ICMPV6
    version = 6
    request_type, reply_type = 128, 129
    error_types = (1, 2, 3)

    def request(self, number: int, key: int, turn: int = 0) -> bytes:
        """See `EchoV4.request`."""
        return _PACKET.pack(128, 0, 0, self.block | turn, number & 0xFFFF, self.nonce, number, key)

    def reply(self, data: bytes) -> tuple[int, int, int] | None:
        """(packet number, stream key, length) of an echo reply that carries our nonce."""
        return self.body(data) if data and data[0] == self.reply_type else None

    def error(self, data: bytes) -> Quote | None:
        """The request of ours that an error (1 unreachable, 2 too big, 3 time exceeded) quotes.

        Only without extension headers, such as those of our own fragments.
        """
        if len(data) < 8 + _IPV6_HEADER_BYTES or data[14] != socket.IPPROTO_ICMPV6:
            return None
        echo = data[8 + _IPV6_HEADER_BYTES :]
        kind = self.kind(data[0], data[1])
        if kind is None or not self.carries_our_id(echo, self.request_type):
            return None
        (mtu,) = struct.unpack_from("!I", data, 4)  # RFC 4443, 3.2
        destination = socket.inet_ntop(self.family, data[32:48])
        return self.quoted(echo, destination, kind, mtu if kind is PingErrorKind.FRAGMENTATION_NEEDED and mtu else None)

    @staticmethod
    def kind(type_: int, code: int) -> PingErrorKind | None:
        """See `EchoV4.kind`."""
        if type_ == 1:
            return _UNREACHABLE_V6.get(code, PingErrorKind.UNREACHABLE)
        if type_ == 2:
            return PingErrorKind.FRAGMENTATION_NEEDED
        if type_ == 3:
            return PingErrorKind.REASSEMBLY_EXCEEDED if code == 1 else PingErrorKind.TTL_EXCEEDED
        return None


Echo = EchoV4 | EchoV6
