"""Where packets enter and leave the simulated WAN: TUN devices, or packet sockets on veth pairs."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from deploy.lab import kernel
from deploy.lab.errors import LabUnavailable
from deploy.lab.namespaces import Namespaces, inside
from deploy.lab.topology import AGENT, GATEWAY

EdgeChoice = Literal["auto", "tun", "packet"]
DEVICE = "wan0"
_MTU = 1500
_HARDWARE = bytes.fromhex("020000000001")  # locally administered (IEEE 802)
_SETTINGS = (
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/wan0/rp_filter", "0"),
    ("ipv4/icmp_ratelimit", "0"),  # every closed port answers every time
    ("ipv4/tcp_no_metrics_save", "1"),  # what a path was like before is no guide to what it is like now
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/lo/disable_ipv6", "0"),
    ("ipv6/conf/wan0/disable_ipv6", "0"),
    ("ipv6/icmp/ratelimit", "0"),
)
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"  # <linux/if_ether.h>: ETH_P_IP, ETH_P_IPV6


class End(Protocol):
    """One side of the WAN: whole IP packets, never blocking."""

    def fileno(self) -> int:
        """What to wait for."""
        ...

    def read(self) -> bytes:
        """The next packet that the side's kernel sent; raises BlockingIOError when there is none."""
        ...

    def write(self, packet: bytes) -> None:
        """Hand a packet to the side's kernel; raises OSError where it takes none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TunEnd:
    """A TUN device: reads and writes are packets."""

    descriptor: int

    def fileno(self) -> int:
        """The device's descriptor."""
        return self.descriptor

    def read(self) -> bytes:
        """One packet."""
        return os.read(self.descriptor, 65535)

    def write(self, packet: bytes) -> None:
        """One packet."""
        os.write(self.descriptor, packet)


@dataclass(frozen=True, slots=True, eq=False)
class PacketEnd:
    """A packet socket on the inner end of a veth pair; `address` is the hardware address of the outer one."""

    packets: socket.socket
    address: bytes

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.packets.fileno()

    def read(self) -> bytes:
        """One frame, without its Ethernet header; empty for what is not IP."""
        frame = self.packets.recv(65535)
        return frame[14:] if frame[12:14] in (_IPV4, _IPV6) else b""

    def write(self, packet: bytes) -> None:
        """One packet, framed for the outer end."""
        kind = _IPV6 if packet[0] >> 4 == 6 else _IPV4
        self.packets.send(self.address + self.address + kind + packet)


@dataclass(frozen=True, slots=True)
class Edge:
    """Both ends of the WAN, and how they were made."""

    kind: Literal["tun", "packet"]
    near: End
    far: End
    ipv6: bool


def make(namespaces: Namespaces, choice: EdgeChoice) -> Edge:
    """Put `wan0` into both sides, with addresses and routes; `auto` takes TUN where it is allowed.

    Raises LabUnavailable.
    """
    made: Literal["tun", "packet"] = "packet"
    near: End
    far: End
    if choice != "packet":
        try:
            near, far = _tun(namespaces.near), _tun(namespaces.far)
            made = "tun"
        except OSError as error:
            if choice == "tun":
                raise LabUnavailable(
                    f"opening /dev/net/tun was refused: {error.strerror}. To allow it: `modprobe tun`, "
                    "make /dev/net/tun readable and writable for this user, in a container start it with "
                    "`--device /dev/net/tun`; or choose `--edge packet`, which does without"
                ) from None
    if made == "packet":
        near, far = _packet(namespaces, "near"), _packet(namespaces, "far")
    ipv6 = _prepare(namespaces)
    return Edge(made, near, far, ipv6)


def _tun(namespace: int) -> TunEnd:
    with inside(namespace):
        return TunEnd(kernel.open_tun(DEVICE))


def _packet(namespaces: Namespaces, side: Literal["near", "far"]) -> PacketEnd:
    """A veth pair: the inner end, named after the side, in the WAN's namespace, the outer one is the side's `wan0`."""
    outer = namespaces.near if side == "near" else namespaces.far
    with inside(namespaces.wan):
        _ip(
            (
                f"link add {side} mtu {_MTU} type veth "
                f"peer name {DEVICE} mtu {_MTU} address {_HARDWARE.hex(':')} netns /proc/self/fd/{outer}",
                f"link set {side} arp off addrgenmode none up",
            ),
            outer,
        )
        try:
            kernel.offloads_off(side)
            with inside(outer):
                kernel.offloads_off(DEVICE)
            return PacketEnd(kernel.packet_socket(side), _HARDWARE)
        except OSError as error:
            raise LabUnavailable(
                f"making a packet socket on a veth pair was refused: {error.strerror}. To allow it: run as root, "
                "or allow CAP_NET_RAW and CAP_NET_ADMIN inside user namespaces; a container needs `--cap-add NET_RAW`"
            ) from None


def _prepare(namespaces: Namespaces) -> bool:
    """Addresses and routes of both sides; whether IPv6 works too."""
    for namespace in (namespaces.near, namespaces.far):
        with inside(namespace):
            for name, value in _SETTINGS:
                with suppress(OSError):  # /proc/sys may be read-only in a container; all but IPv6 works without
                    Path("/proc/sys/net", name).write_text(value, encoding="ascii")
            _ip(("link set lo up", f"link set {DEVICE} arp off addrgenmode none txqueuelen 10000 up"))
    ipv6 = True
    for agent, gateway, everything in zip(AGENT, GATEWAY, ("0.0.0.0/0", "::/0"), strict=True):
        width = 128 if ":" in agent else 32
        near = (
            f"addr add {agent}/{width} dev {DEVICE}" + (" nodad" if width == 128 else ""),
            f"route add {everything} via {gateway} dev {DEVICE} onlink",
        )
        # AnyIP: everything is the far side's own. The way back lies in the same table, where the longer prefix wins
        far = (
            f"route add {agent}/{width} dev {DEVICE} table local",
            f"route add local {everything} dev lo table local",
        )
        try:
            for namespace, lines in ((namespaces.near, near), (namespaces.far, far)):
                with inside(namespace):
                    _ip(lines)
        except LabUnavailable:
            if width == 32:
                raise
            ipv6 = False
    return ipv6


def _ip(lines: tuple[str, ...], *descriptors: int) -> None:
    """Run iproute2 in the current network namespace; raises LabUnavailable."""
    try:
        done = subprocess.run(
            ["ip", "-batch", "-"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=False,
            pass_fds=descriptors,
        )
    except OSError as error:
        raise LabUnavailable(f"`ip` could not be started: {error.strerror}. Install the package iproute2") from None
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise LabUnavailable(f"`ip` failed: {said}. It was asked: {'; '.join(lines)}")
