"""One raw ICMP socket with kernel receive stamps, a filter for our own echoes, and a large buffer."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

from probes.protocols.icmp_packet import Echo

# linux/asm-generic/socket.h; Python names none of them
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40

_WANTED_BUFFER_BYTES = 8 << 20
_READ_BYTES = 256  # both IP headers with options, both ICMP headers and our payload fit
_ANCILLARY_BYTES = socket.CMSG_SPACE(16) + socket.CMSG_SPACE(4)
_TIMESPEC = struct.Struct("@ll")
_COUNTER = struct.Struct("@I")


class IcmpUnavailable(Exception):
    """This process may not open a raw ICMP socket; the text says how to allow it."""


class EchoSocket:
    """Sends and receives echoes of one family; non-blocking, for one engine."""

    def __init__(self, echo: Echo) -> None:
        """Open it; raises `IcmpUnavailable` where this process lacks CAP_NET_RAW, OSError where the family lacks."""
        self.echo = echo
        self.drops = 0
        """Replies that the kernel dropped because our buffer was full, as far as known."""
        self._last_drops = 0
        try:
            self._socket = socket.socket(echo.family, socket.SOCK_RAW, echo.protocol)
        except PermissionError:
            raise IcmpUnavailable(
                "no raw ICMP socket: CAP_NET_RAW is missing; run as root, or `setcap cap_net_raw+ep` the interpreter, "
                "or set AmbientCapabilities=CAP_NET_RAW in the systemd unit"
            ) from None
        try:
            self._prepare()
        except BaseException:
            self._socket.close()
            raise
        self.send = self._socket.sendto
        self.fileno = self._socket.fileno

    def _prepare(self) -> None:
        self._socket.setblocking(False)
        programme = self.echo.filter()
        held = ctypes.create_string_buffer(programme)  # struct sock_fprog points to it; the kernel copies it
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(programme) // 8, ctypes.addressof(held))
        )
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _WANTED_BUFFER_BYTES)
        except PermissionError:  # needs CAP_NET_ADMIN; without it net.core.rmem_max is the limit
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WANTED_BUFFER_BYTES)
        with contextlib.suppress(BlockingIOError):
            while True:  # what came before the filter was attached
                self._socket.recv(1)

    @property
    def buffer_bytes(self) -> int:
        """The receive buffer's real size, as the kernel accounts for it (bookkeeping included)."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def receive(self) -> tuple[bytes, str, int | None]:
        """(packet, source address, kernel's stamp in ns since 1970); raises BlockingIOError when nothing waits."""
        data, ancillary, _, source = self._socket.recvmsg(_READ_BYTES, _ANCILLARY_BYTES)
        stamp = None
        for _, kind, value in ancillary:
            if kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                stamp = seconds * 1_000_000_000 + nanoseconds
            else:
                self._count_drops(_COUNTER.unpack(value)[0])
        return data, source[0], stamp

    def _count_drops(self, counter: int) -> None:
        """The kernel's counter has 32 bits and wraps."""
        self.drops += (counter - self._last_drops) & 0xFFFFFFFF
        self._last_drops = counter

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
