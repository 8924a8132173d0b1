"""Unprivileged ICMP sockets: the kernel chooses by id which socket reads a reply, and queues errors apart.

Linux commits c319b4d (IPv4) and 6d0bfe2 (IPv6). A socket has one id, so each id that is in use has its socket; they
hide behind one descriptor.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Protocol

from probes.ports import PLAIN_PING, PingErrorKind, PingOptions
from probes.protocols.icmp.edge import (
    COUNTER,
    SO_TIMESTAMPNS,
    TIMESPEC,
    Arrival,
    Drops,
    Send,
    fragment,
    open_socket,
    read_bytes,
    with_options,
)
from probes.protocols.icmp.packet import TURNS, Echo, Quote

# linux/in.h, linux/in6.h, linux/errqueue.h; Python names none of them
_IP_RECVERR, _IP_RECVTTL, _IPV6_RECVERR, _IPV6_RECVHOPLIMIT = 11, 12, 25, 51
_MSG_ERRQUEUE = 0x2000
_SOCK_EXTENDED_ERR = struct.Struct("@IBBBxII")  # errno, origin, type, code, info, data; the offender's address follows
_FROM_ICMP, _FROM_ICMP6 = 2, 3
_ANCILLARY_BYTES = 256
_MOST_READ = 64
"""Errors, and replies, that are read together from one socket."""

RECEIVE_ERRORS = {4: (socket.IPPROTO_IP, _IP_RECVERR), 6: (socket.IPPROTO_IPV6, _IPV6_RECVERR)}
"""Level and number of the option, and of the message, by IP version."""

_Way = tuple[int, bool]
"""An id, and whether packets are never fragmented."""


class Quoting(Protocol):
    """Knows its own requests where errors quote them: an `Echo`, or what else is sent."""

    @property
    def family(self) -> socket.AddressFamily: ...
    @property
    def version(self) -> int: ...
    def kind(self, type_: int, code: int, /) -> PingErrorKind | None: ...
    def quoted(self, request: bytes, destination: str, kind: PingErrorKind, mtu: int | None, /) -> Quote | None: ...


class DatagramEdge:
    """See `Edge`."""

    def __init__(self, echo: Echo) -> None:
        """Open it; raises PermissionError where `net.ipv4.ping_group_range` leaves our group out."""
        self.echo = echo
        self._drops: dict[_Way, Drops] = {}
        self._drops_of_closed = 0
        self._read_bytes = read_bytes(PLAIN_PING)
        self._ways: dict[_Way, socket.socket] = {}
        self._by_descriptor: dict[int, socket.socket] = {}
        self._ready: list[tuple[int, int]] = []
        self._poll = select.epoll()
        self.fileno = self._poll.fileno
        try:
            self._open((echo.block, False))
        except BaseException:
            self._poll.close()
            raise

    @property
    def drops(self) -> int:
        """See `Edge`."""
        return self._drops_of_closed + sum(drops.count() for drops in self._drops.values())

    @property
    def buffer_bytes(self) -> int:
        """See `Edge`; of one of the sockets, nearly all replies come to one."""
        return next(iter(self._ways.values())).getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def send(self, packet: bytes, destination: tuple[str, int]) -> int:
        """A plain request."""
        through = self._through(packet, whole=False)
        try:
            return through.sendto(packet, destination)
        except OSError:  # an ICMP error about any earlier request of this socket is told to the next who sends
            return through.sendto(packet, destination)

    def sender(self, options: PingOptions) -> Send:
        """See `Edge`."""
        if options == PLAIN_PING:
            return self.send
        self._read_bytes = max(self._read_bytes, read_bytes(options))

        def send(packet: bytes, destination: tuple[str, int]) -> int:
            sendmsg = with_options(self._through(packet, whole=options.dont_fragment), self.echo, options)
            try:
                return sendmsg(packet, destination)
            except OSError:
                return sendmsg(packet, destination)

        return send

    def rotate(self, block: int) -> None:
        """See `Edge`."""
        self.echo.rotate(block)
        for ident, whole in list(self._ways):
            if ident - ident % TURNS not in self.echo.blocks:
                gone = self._ways.pop((ident, whole))
                self._drops_of_closed += self._drops.pop((ident, whole)).count()
                del self._by_descriptor[gone.fileno()]
                gone.close()  # leaves the epoll set as well: epoll(7)

    def read(self) -> list[Arrival]:
        """See `Edge`."""
        arrivals: list[Arrival] = []
        for descriptor, events in self._poll.poll(0):
            for read in (self._error, self._reply) if events & select.EPOLLERR else (self._reply,):
                for _ in range(_MOST_READ):
                    try:
                        arrivals.append(read(self._by_descriptor[descriptor]))
                    except BlockingIOError:
                        break
                    except OSError:  # told once
                        continue
        return arrivals

    def _through(self, packet: bytes, *, whole: bool) -> socket.socket:
        """The socket whose id the request carries."""
        way = (packet[4] << 8 | packet[5], whole)
        return self._ways.get(way) or self._open(way)

    def _open(self, way: _Way) -> socket.socket:
        ident, whole = way
        opened = open_socket(self.echo, socket.SOCK_DGRAM)
        try:
            level = socket.IPPROTO_IP if self.echo.version == 4 else socket.IPPROTO_IPV6
            wanted = (_IP_RECVERR, _IP_RECVTTL) if self.echo.version == 4 else (_IPV6_RECVERR, _IPV6_RECVHOPLIMIT)
            for option in wanted:
                opened.setsockopt(level, option, 1)
            fragment(opened, self.echo, never=whole)
            try:
                opened.bind(("", ident))
            except OSError:
                opened.bind(("", 0))  # that id is somebody else's: the kernel chooses one, and it is in force alone
            self._poll.register(opened, select.EPOLLIN)
        except BaseException:
            opened.close()
            raise
        self._ways[way] = self._by_descriptor[opened.fileno()] = opened
        self._drops[way] = Drops(opened)
        return opened

    def _reply(self, waiting: socket.socket) -> Arrival:
        data, messages, _, source = waiting.recvmsg(self._read_bytes, _ANCILLARY_BYTES)
        stamp = ttl = None
        for level, kind, value in messages:
            if level != socket.SOL_SOCKET:
                (ttl,) = COUNTER.unpack(value)
            elif kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = TIMESPEC.unpack(value)
                stamp = seconds * 1_000_000_000 + nanoseconds
        echo = self.echo.body(data) if data and data[0] == self.echo.reply_type else None
        return echo, source[0], stamp, ttl

    def _error(self, waiting: socket.socket) -> Arrival:
        return *receive_error(waiting, self.echo, read_bytes=self._read_bytes), None

    def close(self) -> None:
        """See `Edge`."""
        for opened in self._ways.values():
            opened.close()
        self._ways.clear()
        self._drops.clear()
        self._by_descriptor.clear()
        self._poll.close()


def receive_error(
    waiting: socket.socket, codec: Quoting, to: str | None = None, read_bytes: int = _ANCILLARY_BYTES
) -> tuple[Quote | None, str, int | None]:
    """The next error about a request of the socket's own, the hop that sent it, the kernel's stamp: ip(7), IP_RECVERR.

    `to` is where all of its requests went, else the kernel says it. Raises BlockingIOError when none waits.
    """
    data, messages, _, destination = waiting.recvmsg(read_bytes, _ANCILLARY_BYTES, _MSG_ERRQUEUE)
    quote, hop, stamp = None, "", None
    for level, kind, value in messages:
        if (level, kind) in RECEIVE_ERRORS.values():
            quote, hop = read_error(codec, data, value, to or (destination[0] if destination else ""))
        elif (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = TIMESPEC.unpack(value)
            stamp = seconds * 1_000_000_000 + nanoseconds
    return quote, hop, stamp


def read_error(codec: Quoting, echo: bytes, told: bytes, destination: str) -> tuple[Quote | None, str]:
    """The request that an error quotes, and the hop that sent the error.

    `echo` is the quoted request without its IP header, `told` a struct sock_extended_err with the hop's address behind.
    """
    if len(told) < _SOCK_EXTENDED_ERR.size:
        return None, ""
    _, origin, type_, code, info, _ = _SOCK_EXTENDED_ERR.unpack_from(told)
    start, length = (4, 4) if codec.version == 4 else (8, 16)  # in struct sockaddr_in, sockaddr_in6
    address = told[_SOCK_EXTENDED_ERR.size + start :][:length]
    hop = socket.inet_ntop(codec.family, address) if len(address) == length else ""
    kind = codec.kind(type_, code)
    if origin not in {_FROM_ICMP, _FROM_ICMP6} or kind is None:
        return None, hop
    mtu = info if kind is PingErrorKind.FRAGMENTATION_NEEDED and info else None
    return codec.quoted(echo, destination, kind, mtu), hop
