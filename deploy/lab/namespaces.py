"""Network namespaces held by descriptors only: the kernel removes them when the lab's processes are gone."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.lab import kernel
from deploy.lab.errors import LabUnavailable

_LIMIT = "a limit is used up: raise `sysctl user.max_{kind}_namespaces` (now {value})"
_USER_WAYS = (
    "run as root, or allow user namespaces: `sysctl -w user.max_user_namespaces=15000`, "
    "on Debian kernels `sysctl -w kernel.unprivileged_userns_clone=1`, "
    "where AppArmor forbids them `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; "
    "in a container start it with `--cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined`"
)
_NET_WAYS = (
    "run as root; in a container start it with `--cap-add SYS_ADMIN --cap-add NET_ADMIN "
    "--security-opt seccomp=unconfined`"
)


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return "not there"


def _refused(call: str, error: OSError, ways: str, settings: tuple[str, ...]) -> LabUnavailable:
    kind = "user" if "USER" in call else "net"
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        ways = _LIMIT.format(kind=kind, value=_setting(f"user.max_{kind}_namespaces"))
    seen = ", ".join(f"{name}={_setting(name)}" for name in settings)
    return LabUnavailable(f"{call} was refused: {error.strerror} (uid {os.geteuid()}; {seen}). To allow it: {ways}")


def _enter_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
    except OSError as error:
        names = (
            "user.max_user_namespaces",
            "kernel.unprivileged_userns_clone",
            "kernel.apparmor_restrict_unprivileged_userns",
        )
        raise _refused("unshare(CLONE_NEWUSER)", error, _USER_WAYS, names) from None
    # user_namespaces(7): one line that maps ourselves, and setgroups given up first
    for name, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        try:
            Path("/proc/self", name).write_text(line, encoding="ascii")
        except OSError as error:
            # user_namespaces(7), Linux 5.12: root may map itself only with CAP_SETFCAP
            ways = _USER_WAYS if user else f"keep CAP_SETFCAP, or start as another user; or {_USER_WAYS}"
            raise LabUnavailable(
                f"writing /proc/self/{name} was refused: {error.strerror}. To allow it: {ways}"
            ) from None


def _new_network() -> int:
    try:
        kernel.unshare(kernel.CLONE_NEWNET)
    except OSError as error:
        raise _refused("unshare(CLONE_NEWNET)", error, _NET_WAYS, ("user.max_net_namespaces",)) from None
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The lab's networks, as descriptors: the agent's side, the province's, and the WAN's own between them."""

    near: int
    far: int
    wan: int
    in_user_namespace: bool

    def inodes(self) -> dict[str, int]:
        """Each namespace by its inode, as in `lsns -t net`."""
        return {name: os.fstat(getattr(self, name)).st_ino for name in ("near", "far", "wan")}


def make() -> Namespaces:
    """Make the three namespaces and stay in `near`; without privilege inside a new user namespace.

    The process must have one thread only. Raises LabUnavailable.
    """
    in_user_namespace = not kernel.may_make_namespaces()
    if in_user_namespace:
        _enter_user_namespace()
    far, wan, near = _new_network(), _new_network(), _new_network()
    return Namespaces(near, far, wan, in_user_namespace)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Be in another network namespace for a while: sockets, devices and commands made there belong to it.

    Never across an `await`.
    """
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        kernel.setns(namespace, kernel.CLONE_NEWNET)
        try:
            yield
        finally:
            kernel.setns(before, kernel.CLONE_NEWNET)
    finally:
        os.close(before)
