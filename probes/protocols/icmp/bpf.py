"""Classic BPF programmes for SO_ATTACH_FILTER: what the kernel lets through to our raw ICMP sockets; pure.

Operations as in linux/filter.h. A load beyond the packet's end drops the packet.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from probes.protocols.icmp.packet import TURNS, Echo

_INSTRUCTION = struct.Struct("HBBI")  # struct sock_filter, native order
_NEXT = ""
_Line = str | tuple[int, str, str, int]
"""A label, or (code, where to jump if true, where if false, constant)."""

_TYPE_V4: tuple[_Line, ...] = (
    (0xB1, _NEXT, _NEXT, 0),  # ldxb 4*([0]&0xf)    X = length of the IP header
    (0x50, _NEXT, _NEXT, 0),  # ldb [x+0]           type
    (0x15, "id", _NEXT, 0),  # echo reply?
    (0x15, "quote", _NEXT, 3),  # unreachable?
    (0x15, "quote", "drop", 11),  # time exceeded?
    "quote",
    (0x50, _NEXT, _NEXT, 17),  # ldb [x+17]          protocol of the quoted packet
    (0x15, _NEXT, "drop", socket.IPPROTO_ICMP),
    (0x50, _NEXT, _NEXT, 8),  # ldb [x+8]           its version and header length
    (0x54, _NEXT, _NEXT, 0x0F),  # and 0xf
    (0x64, _NEXT, _NEXT, 2),  # lsh 2
    (0x0C, _NEXT, _NEXT, 0),  # add x
    (0x04, _NEXT, _NEXT, 8),  # add 8
    (0x07, _NEXT, _NEXT, 0),  # tax                 X = the quoted ICMP header
)
_TYPE_V6: tuple[_Line, ...] = (
    (0x01, _NEXT, _NEXT, 0),  # ldx 0               X = the ICMP header
    (0x30, _NEXT, _NEXT, 0),  # ldb [0]             type
    (0x15, "id", _NEXT, 129),  # echo reply?
    (0x25, "drop", _NEXT, 3),  # unreachable, too big, time exceeded: 1 to 3
    (0x15, "drop", _NEXT, 0),
    (0x30, _NEXT, _NEXT, 14),  # ldb [14]            next header of the quoted packet
    (0x15, _NEXT, "drop", socket.IPPROTO_ICMPV6),
    (0x01, _NEXT, _NEXT, 48),  # ldx 48              X = the quoted ICMP header
)
_DROP = (0x06, _NEXT, _NEXT, 0)


def ours(echo: Echo) -> bytes:
    """Echo replies to ids of ours, and errors that quote requests with them; of the block before as well."""
    return _assemble(
        (
            *(_TYPE_V4 if echo.family == socket.AF_INET else _TYPE_V6),
            "id",
            (0x48, _NEXT, _NEXT, 4),  # ldh [x+4]           id
            (0x54, _NEXT, _NEXT, 0xFFFF - (TURNS - 1)),  # and
            *((0x15, "accept", _NEXT, block) for block in echo.blocks),
            "drop",
            _DROP,
            "accept",
            (0x06, _NEXT, _NEXT, 0xFFFF),
        )
    )


def nothing() -> bytes:
    """Not a single packet: for sockets that only send."""
    return _assemble((_DROP,))


def _assemble(lines: Sequence[_Line]) -> bytes:
    """Labels become the number of instructions to skip."""
    places: dict[str, int] = {}
    instructions: list[tuple[int, str, str, int]] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(instructions)
        else:
            instructions.append(line)

    def skip(at: int, label: str) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        _INSTRUCTION.pack(code, skip(at, true), skip(at, false), constant)
        for at, (code, true, false, constant) in enumerate(instructions)
    )
