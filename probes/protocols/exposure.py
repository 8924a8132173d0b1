"""How one device could be misused: what it opens to everybody, asked rarely and only where an inventory wants it.

Communities are asked for one object, ports are connected to and closed again, and TLS gets one handshake.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import SecretStr

from probes.ports import Snmp, SnmpAgent, SnmpError
from probes.protocols.tcp import connect, reason_of, resolve
from probes.results import Reason

EVERY_S = 86400.0
"""How often a device is looked at."""
PATIENCE_S = 3.0
"""For each answer: whoever is on the way to the hub anyway answers sooner."""
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
COMMUNITIES = ("public", "private")
"""What devices are delivered with."""
PORTS: Mapping[str, int] = MappingProxyType(
    {"telnet_open": 23, "http_open": 80, "winbox_open": 8291, "routeros_api_open": 8728}
)
"""Management in the clear, and RouterOS's own, which belongs to the administrators' network alone."""
TLS_PORT = 443
DEFAULT_COMMUNITY, WEAK_TLS = "default_community", "weak_tls"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What was found, by finding; what could not be found out is not there. `until` is on our monotonic clock."""

    until: float
    found: Mapping[str, bool]


async def exposure(
    agent: SnmpAgent, snmp: Snmp, until: float, ports: Mapping[str, int] = PORTS, tls_port: int = TLS_PORT
) -> Exposure:
    """Look at one device; takes about `PATIENCE_S`, whatever it answers."""
    asked: dict[str, Awaitable[bool | None]] = {
        DEFAULT_COMMUNITY: _takes_default_community(agent, snmp),
        WEAK_TLS: _speaks_old_tls(agent.address, tls_port),
        **{finding: _accepts(agent.address, port) for finding, port in ports.items()},
    }
    told = await asyncio.gather(*asked.values())
    return Exposure(until, {finding: said for finding, said in zip(asked, told, strict=True) if said is not None})


async def _takes_default_community(agent: SnmpAgent, snmp: Snmp) -> bool:
    """Silence is a refusal (RFC 1157, 4.1), or loss: the device has just answered us, and is asked again tomorrow."""
    version = "v2c" if agent.version == "v3" else agent.version
    for community in COMMUNITIES:
        stranger = SnmpAgent(agent.address, agent.port, version, community=SecretStr(community))
        try:
            await snmp.get(stranger, [SYS_UP_TIME], PATIENCE_S / len(COMMUNITIES))
        except SnmpError as error:
            if error.found:
                return True
        else:
            return True
    return False


async def _accepts(address: str, port: int) -> bool | None:
    """Whether a connection is accepted; it is closed at once. None where the trouble is our own."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = await connect(await resolve(address, port))
    except OSError as error:  # TimeoutError included: a firewall drops it
        return None if reason_of(error) is Reason.SUSPECT else False
    connection.close()
    return True


async def _speaks_old_tls(address: str, port: int) -> bool | None:
    """Whether it agrees to TLS 1.0 or 1.1, which RFC 8996 forbids; none where nobody listens or nothing is said."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = await connect(await resolve(address, port))
            try:
                _, writer = await asyncio.open_connection(sock=connection, ssl=_old_tls(), server_hostname="")
            except (ssl.SSLError, ConnectionError):  # an alert, or some hang up without one
                return False
            finally:
                connection.close()
    except OSError:  # TimeoutError included
        return None
    writer.transport.abort()
    return True


def _old_tls() -> ssl.SSLContext:
    """A client that knows nothing newer than TLS 1.1, and trusts everybody: it says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context
