"""Many packets of a raw ICMP socket in one system call (recvmmsg(2)), taken apart by `struct` in one pass.

One `recvmsg` for each reply costs 4 us, half of it for objects that nobody keeps; a batch costs 1 us for each.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator

from probes.ports import SMALLEST_PING_BYTES
from probes.protocols.icmp.edge import SO_TIMESTAMPNS, Arrival
from probes.protocols.icmp.packet import Echo, EchoV4, Quote

_WORD = "q" if ctypes.sizeof(ctypes.c_long) == 8 else "i"
_MESSAGES, _LEAST_MESSAGES, _MOST_BYTES = 64, 4, 1 << 18
"""Packets of one call: so many, or as few as fit so many bytes."""
_SOCKADDR_BYTES = 28  # struct sockaddr_in6
STAMP = f"={_WORD}ii{_WORD}{_WORD}"
"""A cmsghdr and its struct timespec: length, level, type, seconds, nanoseconds."""
_STAMP_BYTES = struct.calcsize(STAMP)
_HOPS_AT = socket.CMSG_SPACE(2 * struct.calcsize("=" + _WORD))  # the next message: IPV6_HOPLIMIT
_HOPS = struct.Struct(f"={_HOPS_AT}x{_WORD}iii")
_REPLY_CONTROL_BYTES = _HOPS_AT + socket.CMSG_SPACE(4)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr of recvmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr of recvmmsg(2)."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint32))


_DONTWAIT = int(socket.MSG_DONTWAIT)
_MESSAGE_BYTES = ctypes.sizeof(_Message)
_recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_recvmmsg.restype = ctypes.c_int


class Batch:
    """Room for the packets of one call: slots of data, sender's address and control messages, one behind the other."""

    def __init__(self, data_bytes: int, control_bytes: int) -> None:
        """What is longer is cut, as with recvmsg(2)."""
        self.data_bytes = data_bytes
        self.slot_bytes = (data_bytes + _SOCKADDR_BYTES + control_bytes + 7) // 8 * 8  # control messages are aligned
        self.control_at = (self.slot_bytes - control_bytes) // 8 * 8
        self._count = max(_LEAST_MESSAGES, min(_MESSAGES, _MOST_BYTES // self.slot_bytes))
        self._room = ctypes.create_string_buffer(self.slot_bytes * self._count)
        self.view = memoryview(self._room).cast("B")
        self._messages = (_Message * self._count)()
        self._iovecs = (_Iovec * self._count)()
        begin = ctypes.addressof(self._room)
        for number, (message, iovec) in enumerate(zip(self._messages, self._iovecs, strict=True)):
            at, header = begin + number * self.slot_bytes, message.header
            iovec.base, iovec.length = at, data_bytes
            header.name, header.name_length = at + data_bytes, _SOCKADDR_BYTES
            header.iov, header.iov_length = ctypes.addressof(iovec), 1
            header.control, header.control_length = at + self.control_at, control_bytes
        self._as_new = bytes(self._messages)  # the kernel writes lengths into it, so each call needs it anew
        self._heads = memoryview(self._messages).cast("B")
        before = _Header.control_length.offset
        between = _Message.length.offset - before - struct.calcsize("=" + _WORD)
        after = _MESSAGE_BYTES - _Message.length.offset - 4
        self._lengths = struct.Struct(f"={before}x{_WORD}{between}xI{after}x")

    def receive(self, descriptor: int, flags: int = 0) -> int:
        """How many packets have been read; 0 when none waits. Raises OSError for an error of the interface."""
        ctypes.memmove(self._messages, self._as_new, len(self._as_new))
        count: int = _recvmmsg(descriptor, self._messages, self._count, flags | _DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            if number == errno.EAGAIN:
                return 0
            raise OSError(number, os.strerror(number))
        return count

    def lengths(self, count: int) -> Iterator[tuple[int, int]]:
        """Bytes of control messages, and of data, of each of the packets."""
        return self._lengths.iter_unpack(self._heads[: count * _MESSAGE_BYTES])

    def layout(self, data: str = "", control: str = "") -> struct.Struct:
        """What unpacks a slot: the beginning of its data, or of its control messages, padded to the whole."""
        if data:
            return struct.Struct(f"{data}{self.slot_bytes - struct.calcsize(data)}x")
        padding = self.slot_bytes - self.control_at - struct.calcsize(control)
        return struct.Struct(f"{control[0]}{self.control_at}x{control[1:]}{padding}x")


class ReplyBatch:
    """Reads what comes back to a raw socket."""

    def __init__(self, echo: Echo, data_bytes: int) -> None:
        """Packets are read up to `data_bytes`."""
        self._echo = echo
        self._batch = Batch(data_bytes, _REPLY_CONTROL_BYTES)
        self._packet = self._batch.layout(data=EchoV4.layout)
        self._stamp = self._batch.layout(control=STAMP)
        self._arrivals = self._of_v4 if echo.version == 4 else self._of_v6

    def read(self, descriptor: int) -> list[Arrival]:
        """What waits, as much as fits; empty when nothing waits. Raises OSError for an error of the interface."""
        count = self._batch.receive(descriptor)
        return self._arrivals(count) if count else []

    def _of_v4(self, count: int) -> list[Arrival]:
        arrivals: list[Arrival] = []
        echo, view, slot, at = self._echo, self._batch.view, self._batch.slot_bytes, 0
        nonce, spelled = echo.nonce, socket.inet_ntoa
        room = view[: count * slot]
        for packet, lengths, stamped in zip(
            self._packet.iter_unpack(room), self._batch.lengths(count), self._stamp.iter_unpack(room), strict=True
        ):
            version, ttl, source, type_, found, number, key = packet
            controls, length = lengths
            came: tuple[int, int, int] | Quote | None = None
            stamp = None
            if controls >= _STAMP_BYTES and stamped[2] == SO_TIMESTAMPNS:
                stamp = stamped[3] * 1_000_000_000 + stamped[4]
            # raw(7): a raw socket reads before the kernel has looked at the ICMP checksum, so we do
            if version == 0x45 and type_ == 0 and length >= 20 + SMALLEST_PING_BYTES:
                if found == nonce and not int.from_bytes(view[at + 20 : at + length], "big") % 65535:
                    came = number, key, length - 20
            else:  # IP options (RFC 791, 3.1), an error, or nothing of ours
                data = bytes(view[at : at + length])
                came = echo.reply(data) or echo.error(data)
            arrivals.append((came, spelled(source), stamp, ttl))
            at += slot
        return arrivals

    def _of_v6(self, count: int) -> list[Arrival]:
        arrivals: list[Arrival] = []
        echo, batch, at = self._echo, self._batch, 0
        stamps = self._stamp.iter_unpack(batch.view[: count * batch.slot_bytes])
        for lengths, stamped in zip(batch.lengths(count), stamps, strict=True):
            controls, length = lengths
            stamp = hops = None
            if controls >= _STAMP_BYTES and stamped[2] == SO_TIMESTAMPNS:
                stamp = stamped[3] * 1_000_000_000 + stamped[4]
            if controls >= _HOPS.size:
                hops = _HOPS.unpack_from(batch.view, at + batch.control_at)[3]
            data = bytes(batch.view[at : at + length])
            came = echo.reply(data) or echo.error(data)
            arrivals.append((came, self._source(at + batch.data_bytes), stamp, hops))
            at += batch.slot_bytes
        return arrivals

    def _source(self, at: int) -> str:
        """A struct sockaddr_in6 as Python spells it: a link-local address with its interface."""
        view = self._batch.view
        address = socket.inet_ntop(socket.AF_INET6, view[at + 8 : at + 24])
        (scope,) = struct.unpack_from("@I", view, at + 24)
        return f"{address}%{socket.if_indextoname(scope)}" if scope else address
