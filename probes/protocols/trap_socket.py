"""The UDP socket that traps come to: opened by us, or handed in by systemd (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

FIRST_HANDED_IN = 3  # SD_LISTEN_FDS_START
NAME = "traps"
"""FileDescriptorName= of the socket unit."""
WANTED_BUFFER_BYTES = 1 << 20


class TrapsUnavailable(Exception):
    """Why no socket can be had, in words."""


def handed_in(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The socket that systemd hands in, if it does; its variables are taken out, so that no child believes them.

    Raises `TrapsUnavailable` for one that is no UDP socket.
    """
    told = {key: environment.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] != str(os.getpid()) or not told["LISTEN_FDS"].isdigit():
        return None
    names = told["LISTEN_FDNAMES"].split(":")
    for place in range(int(told["LISTEN_FDS"])):
        if NAME not in names or (place < len(names) and names[place] == NAME):
            return _taken(FIRST_HANDED_IN + place)
    return None


def _taken(number: int) -> socket.socket:
    try:
        found = socket.socket(fileno=number)
    except OSError as error:
        raise TrapsUnavailable(f"the descriptor that systemd hands in is no socket: {error.strerror}") from None
    if found.type != socket.SOCK_DGRAM or found.family not in (socket.AF_INET, socket.AF_INET6):
        found.detach()
        raise TrapsUnavailable("the socket that systemd hands in is not one of UDP; use ListenDatagram=")
    found.set_inheritable(False)
    found.setblocking(False)
    return found


def opened(address: str | None, port: int) -> socket.socket:
    """A socket of our own, for IPv4 and IPv6 unless one address is given. Raises `TrapsUnavailable`."""
    try:
        return _bound(address, port)
    except OSError as error:
        where = f"{address or 'any address'}, UDP port {port}"
        raise TrapsUnavailable(f"{where}: {os.strerror(error.errno) if error.errno else error}") from None


def _bound(address: str | None, port: int) -> socket.socket:
    six = socket.has_dualstack_ipv6() if address is None else ":" in address
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if six:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address is not None))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WANTED_BUFFER_BYTES)
        made.bind((address or ("::" if six else "0.0.0.0"), port))  # noqa: S104  # traps come from all over the province
    except OSError:
        made.close()
        raise
    return made


def plain_address(address: str) -> str:
    """Of a sender, without what a socket for both families adds: `::ffff:` before IPv4, a zone behind `%`."""
    return address.removeprefix("::ffff:").partition("%")[0]
