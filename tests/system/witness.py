"""Captures echo requests and replies with the kernel's stamps until standard input ends, then prints JSON.

Run inside a network namespace: witness.py INTERFACE. It prints `capturing` once it does; at the end, for each address,
`[sent, rtt]` in order of sending, in ns, `rtt` null where no reply came; and how many packets it missed itself.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys

ETH_P_ALL = 0x0003
SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33  # asm-generic/socket.h
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h
PACKET_HOST, PACKET_OUTGOING = 0, 4  # the same; loopback shows each packet both ways
ECHO_REPLY, ECHO_REQUEST = 0, 8  # RFC 792
BUFFER_BYTES = 64 << 20
READ_EVERY_S = 0.02
"""Not at each packet: its sender would have to wake us, on its way from our stamp to the driver."""


def main(interface: str) -> None:
    """Truth for timing: stamps taken by the kernel where packets pass the interface, both ways."""
    captured: dict[str, list[list[int | None]]] = {}
    open_: dict[bytes, list[int | None]] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        sock.bind((interface, ETH_P_ALL))
        sock.setblocking(False)
        print("capturing", flush=True)  # noqa: T201  # its reader is a test
        ended = False
        while not ended:
            ended = bool(select.select([sys.stdin], [], [], READ_EVERY_S)[0])
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet, ancillary, _, origin = sock.recvmsg(96, 64)
                    note(packet, ancillary[0][2], origin[2], captured, open_)
        missed = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    print(json.dumps({"missed": missed, "captured": captured}), flush=True)  # noqa: T201  # its reader is a test


def note(
    packet: bytes,
    stamp: bytes,
    direction: int,
    captured: dict[str, list[list[int | None]]],
    open_: dict[bytes, list[int | None]],
) -> None:
    """Enter one packet."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_ICMP:
        return
    seconds, nanoseconds = struct.unpack("qq", stamp[:16])
    at = seconds * 1_000_000_000 + nanoseconds
    icmp = packet[(packet[0] & 15) * 4 :]
    if icmp[0] == ECHO_REQUEST and direction == PACKET_OUTGOING:
        # the far end, id, sequence number and the start of the payload
        entry = open_[packet[16:20] + icmp[4:28]] = [at, None]
        captured.setdefault(socket.inet_ntoa(packet[16:20]), []).append(entry)
    elif icmp[0] == ECHO_REPLY and direction == PACKET_HOST:
        answered = open_.pop(packet[12:16] + icmp[4:28], None)
        if answered is not None and answered[0] is not None:
            answered[1] = at - answered[0]


if __name__ == "__main__":
    main(sys.argv[1])
