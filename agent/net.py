"""The network as probes share it, opened and closed in one place; the machine's clocks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version

import aiohttp

from agent.errors import Unusable
from probes.ports import Clock, Names, Net, Pings, Snmp, Tls
from probes.protocols.http import open_session
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.names import HostNames
from probes.protocols.snmp import SnmpSessions
from probes.protocols.tls import TlsContexts

RESOLVERS = 64
"""Names looked up at once: the C library's resolver blocks a thread, and a dead server must not stop the others."""
CONNECTS = 256
"""Connections that kinds that are light open at once; a quarter of the descriptors that a process has by default."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def wall(self) -> float:
        """See `Clock`."""
        return time.time()


@dataclass(frozen=True)
class OpenNet:
    """Everything long-lived that probes share, open."""

    clock: Clock
    names: HostNames
    pings: IcmpEngine
    snmp: SnmpSessions
    http: aiohttp.ClientSession
    tls: TlsContexts
    connects: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTS))


@dataclass(frozen=True)
class _Through:
    """See `through`."""

    clock: Clock
    names: Names
    pings: Pings
    snmp: Snmp
    http: aiohttp.ClientSession
    tls: Tls
    connects: asyncio.Semaphore


def through(net: Net, snmp: Snmp) -> Net:
    """The same, but SNMP goes through `snmp`."""
    return _Through(net.clock, net.names, net.pings, snmp, net.http, net.tls, net.connects)


def resolvers() -> ThreadPoolExecutor:
    """The event loop's threads for looking up names."""
    return ThreadPoolExecutor(RESOLVERS, "resolver")


@contextlib.asynccontextmanager
async def open_net(clock: Clock, ping_timeout_s: float, *, may_ping: bool = True) -> AsyncIterator[OpenNet]:
    """Everything that probes share, closed with the block; raises `Unusable` where no ICMP socket may be opened.

    Without `may_ping` none is opened, and no right is needed: nothing in the block may ping.
    """
    pings = IcmpEngine(ping_timeout_s)
    try:
        if may_ping:
            pings.open()
    except IcmpUnavailable as error:
        raise Unusable(str(error)) from None
    http = open_session(version("lienxa"))
    snmp = SnmpSessions()
    names = HostNames()
    try:
        yield OpenNet(clock, names, pings, snmp, http, TlsContexts())
    finally:
        pings.close()
        snmp.close()
        await names.close()
        await http.close()
