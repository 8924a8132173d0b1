"""Raw ICMP sockets: one for each family reads for all streams, behind a filter for our own echoes."""

from __future__ import annotations

import socket

from probes.ports import PLAIN_PING, PingOptions
from probes.protocols.icmp import bpf
from probes.protocols.icmp.batch import ReplyBatch
from probes.protocols.icmp.edge import (
    Arrival,
    Drops,
    Send,
    admit,
    attach,
    discard,
    fragment,
    open_socket,
    read_bytes,
    with_options,
)
from probes.protocols.icmp.packet import Echo

_IPV6_RECVHOPLIMIT = 51  # linux/in6.h


class RawEdge:
    """See `Edge`. Checks what a raw socket reads before the kernel does."""

    def __init__(self, echo: Echo) -> None:
        """Open it; raises PermissionError where this process lacks CAP_NET_RAW, OSError where the family lacks."""
        self.echo = echo
        self._read_bytes = read_bytes(PLAIN_PING)
        self._whole: socket.socket | None = None
        self._socket = open_socket(echo, socket.SOCK_RAW)
        try:
            admit(self._socket, echo, (echo.reply_type, *echo.error_types))
            attach(self._socket, bpf.ours(echo))
            if echo.version == 6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
            fragment(self._socket, echo, never=False)
            discard(self._socket)  # what came before the filter was attached
        except BaseException:
            self._socket.close()
            raise
        self._drops = Drops(self._socket)
        self._batch = ReplyBatch(echo, self._read_bytes)
        self.fileno = self._socket.fileno
        self._descriptor = self.fileno()
        self.send: Send = self._socket.sendto
        """For plain requests."""

    @property
    def drops(self) -> int:
        """See `Edge`."""
        return self._drops.count()

    @property
    def buffer_bytes(self) -> int:
        """See `Edge`."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def sender(self, options: PingOptions) -> Send:
        """See `Edge`. Only streams with options pay for them."""
        if options == PLAIN_PING:
            return self.send
        if read_bytes(options) > self._read_bytes:
            self._read_bytes = read_bytes(options)
            self._batch = ReplyBatch(self.echo, self._read_bytes)
        through = self._socket
        if options.dont_fragment:  # an option of the socket, not of the packet
            if self._whole is None:
                self._whole = sending_socket(self.echo, whole=True)
            through = self._whole
        return with_options(through, self.echo, options)

    def rotate(self, block: int) -> None:
        """See `Edge`. The filter for both blocks is in force before a request of the new one leaves."""
        self.echo.rotate(block)
        attach(self._socket, bpf.ours(self.echo))

    def read(self) -> list[Arrival]:
        """See `Edge`."""
        return self._batch.read(self._descriptor)

    def close(self) -> None:
        """See `Edge`."""
        self._socket.close()
        if self._whole is not None:
            self._whole.close()


def sending_socket(echo: Echo, *, whole: bool = False) -> socket.socket:
    """A raw socket that receives nothing, so that it costs nothing; `whole` packets are never fragmented."""
    opened = open_socket(echo, socket.SOCK_RAW)
    try:
        admit(opened, echo, ())
        attach(opened, bpf.nothing())
        fragment(opened, echo, never=whole)
        discard(opened)
    except BaseException:
        opened.close()
        raise
    return opened
