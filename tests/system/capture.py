"""Captures echo requests and replies with the kernel's stamps; prints one JSON line per answered request.

Run inside a network namespace: capture.py INTERFACE ADDRESS SECONDS
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

ETH_P_ALL = 0x0003
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
ECHO_REPLY, ECHO_REQUEST = 0, 8  # RFC 792


def main(interface: str, address: str, seconds: float) -> None:
    """Truth for timing: stamps taken by the kernel where packets pass the interface, both ways."""
    wanted = socket.inet_aton(address)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.bind((interface, ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
    sock.settimeout(0.2)
    print("capturing", flush=True)
    sent: dict[bytes, int] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            packet, ancillary, _, _ = sock.recvmsg(2048, 64)
        except TimeoutError:
            continue
        if len(packet) < 44 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_ICMP:
            continue
        whole, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
        stamp = whole * 1_000_000_000 + nanoseconds
        icmp = packet[(packet[0] & 15) * 4 :]
        identity = icmp[4:28]  # id, sequence and the start of the payload
        if icmp[0] == ECHO_REQUEST and packet[16:20] == wanted:
            sent[identity] = stamp
        elif icmp[0] == ECHO_REPLY and packet[12:16] == wanted and identity in sent:
            sent_at = sent.pop(identity)
            print(json.dumps({"sent": sent_at / 1e9, "rtt_s": (stamp - sent_at) / 1e9}), flush=True)
    sock.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
