"""The few Linux calls that Python 3.11 lacks: namespaces, parent-death signal, packet socket options."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path

# <linux/sched.h>
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
# <linux/capability.h>
_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21
# <linux/if_tun.h>
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
# <linux/sockios.h>, <linux/ethtool.h>
_SIOCETHTOOL = 0x8946
_ETHTOOL_OFF = (0x17, 0x1F, 0x24, 0x2C)  # STXCSUM, STSO, SGSO, SGRO
# <linux/if_packet.h>, <linux/if_ether.h>
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23
_ETH_P_ALL = 0x0003
# <asm-generic/socket.h>: as SO_RCVBUF and SO_SNDBUF, past the machine's limit, with CAP_NET_ADMIN
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
# <linux/in.h>, <linux/in6.h>: bind to an address that no interface has
IP_FREEBIND = 15
IPV6_FREEBIND = 78

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(returned: int) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces (unshare(2)); raises OSError."""
    _checked(_libc.unshare(flags))


def setns(descriptor: int, flags: int) -> None:
    """Move the calling thread into the namespace that a descriptor holds (setns(2)); raises OSError."""
    _checked(_libc.setns(descriptor, flags))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent (process id) dies; also if it is dead already."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def wake_exactly() -> None:
    """Take the default 50 us of slack from this thread's timers."""
    _checked(_libc.prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0))


def may_make_namespaces() -> bool:
    """Whether this process has CAP_SYS_ADMIN and CAP_NET_ADMIN."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return bool(effective >> _CAP_SYS_ADMIN & 1) and bool(effective >> _CAP_NET_ADMIN & 1)
    return False


def open_tun(name: str) -> int:
    """A TUN device in the current network namespace, without packet information; it goes when closed."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def offloads_off(interface: str) -> None:
    """Have a device of the current network namespace send whole packets with full checksums."""
    buffer = ctypes.create_string_buffer(8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _ETHTOOL_OFF:
            struct.pack_into("=II", buffer, 0, command, 0)
            try:
                fcntl.ioctl(
                    any_socket,
                    _SIOCETHTOOL,
                    struct.pack("16sP16x", interface.encode(), ctypes.addressof(buffer)),
                )
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:  # an offload that this device has never had
                    raise


def packet_socket(interface: str) -> socket.socket:
    """A non-blocking packet socket that sees what arrives at a device of the current network namespace."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        packets.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        enlarge_buffers(packets, 8 * 1024 * 1024)
        packets.bind((interface, _ETH_P_ALL))
    except OSError:
        packets.close()
        raise
    return packets


def enlarge_buffers(endpoint: socket.socket, size: int) -> None:
    """Ask for socket buffers of `size` bytes; without the privilege, as much as the machine's limit allows."""
    for force, ask in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            endpoint.setsockopt(socket.SOL_SOCKET, force, size)
        except PermissionError:
            endpoint.setsockopt(socket.SOL_SOCKET, ask, size)
