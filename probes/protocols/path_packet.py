"""Requests that all take one way, whatever balances load on it: RFC 2992; Augustin et al., "Paris traceroute", 2006.

Balancers choose by addresses, protocol and the first four bytes behind the IP header. These stay the same in all
requests of one trace (echo: type, code and checksum; UDP: both ports); what tells the requests apart lies elsewhere.
Routers need not quote more than 8 bytes behind the IP header (RFC 792), so it lies within those. Pure.
"""

from __future__ import annotations

import socket
import struct

from probes.ports import PingErrorKind
from probes.protocols.icmp.packet import Echo, EchoV4, EchoV6, Quote

PORT = 33434
"""Destination of UDP requests: the first of those that traceroute uses, where firewalls expect it."""
_UDP = struct.Struct("!HHHH")  # source port, destination port, length, checksum
UDP_BYTES = 32
"""Of a UDP request, without the IP header."""
_WORD = struct.Struct("!H")


class _Steady:
    """An echo whose checksum is the same in every request: the payload's last word makes up for what varies."""

    nonce: int

    def steady(self, request: bytes) -> bytes:
        """`request` ends with zeros and holds a checksum of its own or none."""
        total = self.nonce % 65535
        bare = request[:2] + b"\0\0" + request[4:]
        missing = (total - int.from_bytes(bare, "big")) % 65535
        # IPv6: the kernel writes the checksum, with a pseudo header that is the same in all requests
        return bare[:2] + _WORD.pack(65535 - total) + bare[4:-2] + _WORD.pack(missing)


class SteadyEchoV4(_Steady, EchoV4):
    """Echo requests of one trace over IPv4."""

    def request(self, number: int, key: int, turn: int = 0) -> bytes:
        """See `EchoV4.request`."""
        return self.steady(super().request(number, key, turn))


class SteadyEchoV6(_Steady, EchoV6):
    """Echo requests of one trace over IPv6."""

    def request(self, number: int, key: int, turn: int = 0) -> bytes:
        """See `EchoV4.request`."""
        return self.steady(super().request(number, key, turn))


class SteadyUdp:
    """UDP requests of one trace: ports stay, the checksum is the request's number, a word of payload makes it right."""

    def __init__(self, echo: Echo, source: str, destination: str, ports: tuple[int, int], base: int) -> None:
        """`echo` gives the family; checksums are `base` plus the number, and `base` is below 65,000."""
        self.family, self.version = echo.family, echo.version
        self._echo = echo
        self._addresses = socket.inet_pton(self.family, source) + socket.inet_pton(self.family, destination)
        self._ports = ports
        self._base = base + 1  # 0 would mean that there is none: RFC 768

    def request(self, number: int) -> bytes:
        """Header and payload; `number` is below 500."""
        header = _UDP.pack(*self._ports, UDP_BYTES, self._base + number)
        # RFC 768: the sum over the pseudo header, the header and the payload is 0 modulo 65535
        rest = int.from_bytes(self._addresses + header, "big") + socket.IPPROTO_UDP + UDP_BYTES
        return header + bytes(UDP_BYTES - _UDP.size - 2) + _WORD.pack(-rest % 65535)

    def quoted(self, request: bytes, destination: str, kind: PingErrorKind, mtu: int | None) -> Quote | None:
        """Read a quoted request of ours, of which 8 bytes are enough; `sequence` is its number."""
        if len(request) < _UDP.size:
            return None
        source_port, port, _, checksum = _UDP.unpack_from(request)
        number = checksum - self._base
        if (source_port, port) != self._ports or not 0 <= number < 500:
            return None
        return Quote(number, destination, number, kind, mtu)

    def kind(self, type_: int, code: int) -> PingErrorKind | None:
        """See `EchoV4.kind`."""
        return self._echo.kind(type_, code)
