"""The network as probes share it, opened and closed in one place; how devices are asked; the machine's clocks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import aiohttp

from agent.errors import Unusable
from agent.plan import Ask
from agent.secrets import SecretError, secrets_of
from probes.model import Device, Province, SnmpCommunity, SnmpUser
from probes.ports import NO_SECRET, Clock, SnmpAgent
from probes.protocols.http import open_session
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.snmp import SnmpSessions

RESOLVERS = 64
"""Names looked up at once: the C library's resolver blocks a thread, and a dead server must not stop the others."""


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
    pings: IcmpEngine
    snmp: SnmpSessions
    http: aiohttp.ClientSession


def resolvers() -> ThreadPoolExecutor:
    """The event loop's threads for looking up names."""
    return ThreadPoolExecutor(RESOLVERS, "resolver")


def asker(province: Province, folder: Path) -> Ask:
    """How each device is asked, with the secrets of its credential; raises `Unusable` where one cannot be read.

    `folder` is where relative secret files lie.
    """
    try:
        secrets = {name: secrets_of(name, item, folder) for name, item in province.credentials.items()}
    except SecretError as error:
        raise Unusable(str(error)) from None

    def ask(device: Device) -> SnmpAgent:
        credential, secret = province.credentials[device.credential], secrets[device.credential]
        if isinstance(credential, SnmpCommunity):
            return SnmpAgent(device.address, device.port, credential.version, community=secret["community"])
        assert isinstance(credential, SnmpUser)  # noqa: S101  # the inventory's check lets no other through
        return SnmpAgent(
            device.address,
            device.port,
            credential.version,
            user=credential.user,
            auth_protocol=credential.auth_protocol,
            auth_key=secret.get("auth_key", NO_SECRET),
            privacy_protocol=credential.privacy_protocol,
            privacy_key=secret.get("privacy_key", NO_SECRET),
        )

    return ask


@contextlib.asynccontextmanager
async def open_net(clock: Clock, ping_timeout_s: float, *, may_ping: bool = True) -> AsyncIterator[OpenNet]:
    """Everything that probes share, closed with the block; raises `Unusable` where no raw ICMP socket may be opened.

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
    try:
        yield OpenNet(clock, pings, snmp, http)
    finally:
        pings.close()
        snmp.close()
        await http.close()
