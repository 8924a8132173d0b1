"""IP packets as bytes: addresses, hop counts, checksums, and the ICMP errors that routers send."""

from __future__ import annotations

import struct

_ICMP, _ICMPV6 = 1, 58
_IPV6_FRAGMENT = 44
# RFC 792 and RFC 4443
_UNREACHABLE, _TIME_EXCEEDED = 3, 11
_UNREACHABLE_V6, _TIME_EXCEEDED_V6 = 1, 3
_HOST_UNREACHABLE, _ADDRESS_UNREACHABLE_V6 = 1, 3
_ERRORS_V4 = frozenset({3, 4, 5, 11, 12})  # RFC 1122, 3.2.2
_QUOTED_V4 = 548  # RFC 1812, 4.3.2.3: the error is 576 bytes long at most
_QUOTED_V6 = 1232  # RFC 4443, 2.4 (c): 1280 bytes at most
_TTL = 64


def version(packet: bytes) -> int:
    """4, 6, or whatever the first four bits say; 0 for a packet too short for its header."""
    if not packet:
        return 0
    found = packet[0] >> 4
    return found if len(packet) >= (40 if found == 6 else 20) else 0


def source(packet: bytes) -> bytes:
    """The sender's address, 4 or 16 bytes."""
    return packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]


def destination(packet: bytes) -> bytes:
    """The receiver's address, 4 or 16 bytes."""
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]


def for_one_host(address: bytes) -> bool:
    """Whether packets to an address leave the link: not multicast, broadcast or link-local."""
    if len(address) == 4:
        return address[0] < 224 and address[:2] != b"\xa9\xfe"
    return address[0] != 0xFF and not (address[0] == 0xFE and address[1] & 0xC0 == 0x80)


def ttl(packet: bytes) -> int:
    """Time to live, or hop limit."""
    return packet[8] if packet[0] >> 4 == 4 else packet[7]


def after_hops(packet: bytes, hops: int) -> bytes:
    """The packet as `hops` routers leave it; the IPv4 header checksum is amended, not computed anew (RFC 1624)."""
    if not hops:
        return packet
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes((packet[7] - hops,)) + packet[8:]
    before = packet[8] << 8 | packet[9]
    total = (~(packet[10] << 8 | packet[11]) & 0xFFFF) + (~before & 0xFFFF) + before - (hops << 8)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    amended = ~total & 0xFFFF
    return packet[:8] + bytes((packet[8] - hops, packet[9], amended >> 8, amended & 0xFF)) + packet[12:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def time_exceeded(packet: bytes, v4: bytes, v6: bytes) -> bytes | None:
    """What a router sends where the hop count runs out, from its address of the packet's family."""
    return _error(packet, v4, v6, (_TIME_EXCEEDED, 0), (_TIME_EXCEEDED_V6, 0))


def host_unreachable(packet: bytes, v4: bytes, v6: bytes) -> bytes | None:
    """What a router sends that cannot reach the next neighbour, from its address of the packet's family."""
    return _error(packet, v4, v6, (_UNREACHABLE, _HOST_UNREACHABLE), (_UNREACHABLE_V6, _ADDRESS_UNREACHABLE_V6))


def _error(packet: bytes, v4: bytes, v6: bytes, kind: tuple[int, int], kind_v6: tuple[int, int]) -> bytes | None:
    """An ICMP error about a packet; None where none may be sent (RFC 1122, 3.2.2; RFC 4443, 2.4 (e))."""
    if packet[0] >> 4 == 4:
        header = (packet[0] & 0x0F) * 4
        later_fragment = (packet[6] & 0x1F) << 8 | packet[7]
        about_error = packet[9] == _ICMP and len(packet) > header and packet[header] in _ERRORS_V4
        if later_fragment or about_error:
            return None
        body = _icmp(kind, packet[: header + _QUOTED_V4 - 20], b"")
        fields = struct.pack(">BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(body), 0, 0, _TTL, _ICMP, 0, v4, packet[12:16])
        return fields[:10] + struct.pack(">H", checksum(fields)) + fields[12:] + body
    about_error = packet[6] == _ICMPV6 and len(packet) > 40 and packet[40] < 128
    if about_error or packet[6] == _IPV6_FRAGMENT:
        return None
    quoted = packet[:_QUOTED_V6]
    pseudo_header = v6 + packet[8:24] + struct.pack(">II", 8 + len(quoted), _ICMPV6)  # RFC 8200, 8.1
    body = _icmp(kind_v6, quoted, pseudo_header)
    return struct.pack(">IHBB16s16s", 6 << 28, len(body), _ICMPV6, _TTL, v6, packet[8:24]) + body


def _icmp(kind: tuple[int, int], quoted: bytes, pseudo_header: bytes) -> bytes:
    body = struct.pack(">BBHI", *kind, 0, 0) + quoted
    return body[:2] + struct.pack(">H", checksum(pseudo_header + body)) + body[4:]
