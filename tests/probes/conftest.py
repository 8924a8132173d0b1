"""A `Net` of real clients, the clock, and network namespaces of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from probes.metrics import Family
from probes.ports import Names, Pings, Snmp, Tls
from probes.profiles import Library, shipped
from probes.protocols.http import open_session
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.names import HostNames
from probes.protocols.snmp import SnmpSessions
from probes.protocols.tls import TlsContexts
from probes.results import Beat, Result

Returned = TypeVar("Returned")

CLONE_NEWNET = 0x40000000  # linux/sched.h


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


class Closed:
    """Stands for a client that the kind under test does not use: any use is an error."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this kind uses {name}")


@dataclass
class TestNet:
    """`probes.ports.Net` with what a test needs of it."""

    __test__ = False

    clock: SystemClock = field(default_factory=SystemClock)
    names: Names = field(default_factory=HostNames)
    pings: Pings = field(default_factory=Closed)
    connects: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    snmp: Snmp = field(default_factory=Closed)
    http: aiohttp.ClientSession = field(default_factory=Closed)  # type: ignore[assignment]  # fails on use
    tls: Tls = field(default_factory=TlsContexts)


def beat(memory: object = None, *, continuous: bool = True, target: str = "here") -> Beat:
    """A beat of one target."""
    return Beat(target=target, interval_s=10, memory=memory, continuous=continuous)


def value(result: Result, family: Family, *labels: str) -> float | None:
    """The one reading of a family with these labels, if there is one."""
    found = [reading.value for reading in result.readings if (reading.family, reading.labels) == (family, labels)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
async def net() -> AsyncIterator[TestNet]:
    """TCP, HTTP and SNMP, open."""
    session = open_session("test")
    sessions = SnmpSessions()
    yield TestNet(http=session, snmp=sessions)
    await session.close()
    sessions.close()
    await asyncio.sleep(0)


@pytest.fixture
async def engine() -> AsyncIterator[IcmpEngine]:
    """The ICMP engine with a short time-out, open in this network namespace."""
    pings = IcmpEngine(timeout_s=0.5)
    try:
        pings.open()
    except IcmpUnavailable as error:
        pytest.skip(str(error))
    yield pings
    pings.close()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody holds at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descriptors() -> int:
    """Open descriptors of this process; what earlier tests dropped is closed first."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


async def descriptors_when(count: int, seconds: float = 5.0) -> int:
    """The number of open descriptors once it is `count`, or at the deadline: resolver threads close theirs late."""
    deadline = time.monotonic() + seconds
    while (found := descriptors()) != count and time.monotonic() < deadline:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.01)
    return found


def ip(*words: str) -> None:
    """Run `ip` in this thread's network namespace."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def in_namespace(scenario: Callable[[], Coroutine[Any, Any, Returned]]) -> Returned:
    """Run a coroutine in a thread whose network namespace is new, with loopback up; skips where that is refused."""
    outcome: list[Returned] = []
    trouble: list[BaseException] = []

    def enter() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            trouble.append(PermissionError(f"no network namespace: {os.strerror(ctypes.get_errno())}"))
            return
        try:
            ip("link", "set", "lo", "up")
            outcome.append(asyncio.run(scenario()))
        except BaseException as error:  # raised again in the test's own thread
            trouble.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if trouble:
        if isinstance(trouble[0], (PermissionError, IcmpUnavailable)):
            pytest.skip(str(trouble[0]))
        raise trouble[0]
    return outcome[0]


@contextlib.contextmanager
def other_namespace() -> Iterator[str]:
    """The process id that holds one more network namespace, for `ip link … netns` and `nsenter`."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        ours = Path("/proc/thread-self/ns/net").readlink()
        deadline = time.monotonic() + 5
        while Path(f"/proc/{holder.pid}/ns/net").readlink() == ours:
            assert time.monotonic() < deadline, "no second namespace came up"
            time.sleep(0.01)
        yield str(holder.pid)
    finally:
        holder.kill()
        holder.wait()


@pytest.fixture(scope="session", autouse=True)
def profiles() -> Library:
    """Read before any event loop runs, as the agent does."""
    return shipped()
