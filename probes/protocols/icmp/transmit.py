"""How long a request takes from our stamp to the network driver: the kernel's transmit stamps, on a sample.

Stamping every request would cost 5 us of CPU each, a quarter more, to take back an error of 3 us (p50) to 150 us
(p99.9): see ARCHITECTURE. One in 100 ms proves the same of all; on a machine that interrupts sending, all are stamped.
"""

from __future__ import annotations

import socket
import struct
from bisect import bisect_left

from probes.metrics import SEND_DELAY_BUCKETS_S
from probes.protocols.icmp.batch import STAMP, Batch
from probes.protocols.icmp.edge import SO_TIMESTAMPNS, Send
from probes.protocols.icmp.packet import PACKET_BYTES, Echo
from probes.protocols.icmp.raw import sending_socket

# Documentation/networking/timestamping.rst
_SO_TIMESTAMPING = 37
_TX_SOFTWARE, _SOFTWARE = 1 << 1, 1 << 4
_MSG_ERRQUEUE = 0x2000
_READ_BYTES, _ANCILLARY_BYTES = 256, 256
_NUMBER = struct.Struct("!Q")
_NUMBER_AT = 16
_MOST_OPEN = 100
"""Requests whose transmit stamp is not read yet; where the driver gives none, they are forgotten."""


class SendDelays:
    """Sends single plain requests through a raw socket of its own, whose error queue brings their transmit stamps.

    Of its own, because a waiting stamp makes a socket look broken to an event loop (EPOLLERR). The looped packet is
    asked for, not only its number (OPT_TSONLY): a request that fails on its way down would shift the count.
    """

    def __init__(self, echo: Echo) -> None:
        """Open it; raises OSError where the kernel has no such stamps."""
        self.counts = [0] * (len(SEND_DELAY_BUCKETS_S) + 1)
        self.total_s = 0.0
        self._open: dict[int, int] = {}
        self._last = (0, 0)  # packet number, ns from our stamp to the kernel's
        self._socket = sending_socket(echo)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 0)  # it would stand before the other
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _TX_SOFTWARE | _SOFTWARE)
        except BaseException:
            self._socket.close()
            raise
        self._descriptor = self._socket.fileno()
        self._batch = Batch(_READ_BYTES, _ANCILLARY_BYTES)
        self._stamp = self._batch.layout(control=STAMP)  # the first of struct scm_timestamping
        self.send: Send = self._socket.sendto

    def sent(self, number: int, sent_ns: int) -> None:
        """A plain request that was stamped `sent_ns` (realtime) has left through `send`."""
        if len(self._open) >= _MOST_OPEN:
            self.collect()
            self._open.clear()
        self._open[number] = sent_ns

    def after_ns(self, number: int) -> int | None:
        """How long after our stamp the request just sent has left, if its transmit stamp is there already."""
        self.collect()
        last, after = self._last
        return after if last == number else None

    def collect(self) -> None:
        """Take in the transmit stamps that have come."""
        batch = self._batch
        while True:
            try:
                count = batch.receive(self._descriptor, _MSG_ERRQUEUE)
            except OSError:  # an error of the interface, told once
                continue
            if not count:
                return
            at = 0
            stamps = self._stamp.iter_unpack(batch.view[: count * batch.slot_bytes])
            for (_, length), (_, level, kind, seconds, nanoseconds) in zip(batch.lengths(count), stamps, strict=True):
                if length >= PACKET_BYTES and (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPING):
                    # the whole packet comes back, its headers first
                    (number,) = _NUMBER.unpack_from(batch.view, at + length - PACKET_BYTES + _NUMBER_AT)
                    sent_ns = self._open.pop(number, None)
                    if sent_ns is not None:
                        self._last = (number, seconds * 1_000_000_000 + nanoseconds - sent_ns)
                        self._count(self._last[1] / 1e9)
                at += batch.slot_bytes

    def _count(self, delay_s: float) -> None:
        if delay_s >= 0:  # else somebody has set the clock
            self.counts[bisect_left(SEND_DELAY_BUCKETS_S, delay_s)] += 1
            self.total_s += delay_s

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
