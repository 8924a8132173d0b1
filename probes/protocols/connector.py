"""How one attempt reaches a web server: by which address, from where, through which proxy; each step timed."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp
from cryptography import x509

from probes.protocols.tcp import Endpoint, connect, resolve

if TYPE_CHECKING:
    import asyncio

    from aiohttp.client_proto import ResponseHandler

MayReach = Callable[[str], str | None]
"""Why an IP address may not be connected to, in words; none where it may."""


@dataclass(slots=True)
class Phases:
    """Seconds spent in each step of reaching servers, summed over redirects; None where a step was not reached."""

    resolve_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None

    @property
    def total_s(self) -> float:
        """All three."""
        return (self.resolve_s or 0.0) + (self.connect_s or 0.0) + (self.tls_s or 0.0)


@dataclass(slots=True)
class Way:
    """How servers are reached, and what was met there."""

    phases: Phases = field(default_factory=Phases)
    source: str | None = None
    """Address of this machine to connect from."""
    interface: str | None = None
    """Of this machine, to connect through."""
    ip_versions: tuple[int, ...] = ()
    """Of IP, in order of preference; all of them in the resolver's order where none is given."""
    may_reach: MayReach | None = None
    """Asked of each resolved address, before it is connected to; a proxy's own is not asked about."""
    address: str | None = None
    """What was connected to last, if not through a proxy."""
    not_after: datetime | None = None
    """When the first of the servers' certificates ends."""


class Forbidden(aiohttp.ClientConnectionError):
    """A server that may not be reached; the message says why, in words of ours."""


_way: ContextVar[Way | None] = ContextVar("way", default=None)


@contextlib.contextmanager
def going(way: Way) -> Iterator[None]:
    """Every request that this task makes inside the block goes this way, and adds what it meets."""
    token = _way.set(way)
    try:
        yield
    finally:
        _way.reset(token)


class PhasedConnector(aiohttp.TCPConnector):
    """Opens connections in timed steps, the way that `going` says.

    With the session's `_retry_connection` all that is used of aiohttp's private interface, as of 3.11 to 3.14:
    `_create_connection` is what makes every connection, `_create_direct_connection` what it calls without a proxy and
    towards one, `_start_tls_connection` what speaks TLS through one; `_get_ssl_context`, `_factory` and `_loop` are
    what they use themselves.
    """

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own signature
    ) -> ResponseHandler:
        way = _way.get() or Way()
        began, before_s = time.monotonic(), way.phases.total_s
        try:
            protocol = await super()._create_connection(req, traces, timeout)
        finally:
            if req.proxy and way.phases.connect_s is not None:  # what the proxy needs is part of connecting
                way.phases.connect_s += max(0.0, time.monotonic() - began - (way.phases.total_s - before_s))
        ends = _not_after(protocol.transport)
        if ends is not None:
            way.not_after = ends if way.not_after is None else min(way.not_after, ends)
        return protocol

    async def _start_tls_connection(self, *args: Any, **kwargs: Any) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        phases = (_way.get() or Way()).phases
        started = time.monotonic()
        try:
            return await super()._start_tls_connection(*args, **kwargs)
        finally:
            phases.tls_s, _ = _add(phases.tls_s, started)

    async def _create_direct_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own signature
        *,
        client_error: Any = aiohttp.ClientConnectorError,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        to_proxy = issubclass(client_error, aiohttp.ClientProxyConnectionError)
        context = self._get_ssl_context(req)
        way = _way.get() or Way()
        phases = way.phases
        host, port = req.url.raw_host or "", req.port or 0
        started = time.monotonic()
        try:
            endpoints = _suitable(await resolve(host, port), way)
        except OSError as error:
            refused = client_error if to_proxy else aiohttp.ClientConnectorDNSError
            raise refused(req.connection_key, error) from error
        finally:
            phases.resolve_s, started = _add(phases.resolve_s, started)
        may_reach = None if to_proxy else way.may_reach
        try:
            connection = await connect(_allowed(endpoints, may_reach), way.source, way.interface)
        except OSError as error:
            raise client_error(req.connection_key, error) from error
        finally:
            phases.connect_s, started = _add(phases.connect_s, started)
        way.address = None if to_proxy else connection.getpeername()[0]
        try:
            return await self._speak(req, connection, context)
        finally:
            if context is not None:
                phases.tls_s, started = _add(phases.tls_s, started)

    async def _speak(
        self, req: aiohttp.ClientRequest, connection: socket.socket, context: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """HTTP over a connection, within TLS where there is a context."""
        try:
            if context is None:
                return await self._loop.create_connection(self._factory, sock=connection)
            hostname = (req.server_hostname or req.url.raw_host or "").rstrip(".")
            return await self._loop.create_connection(
                self._factory, sock=connection, ssl=context, server_hostname=hostname
            )
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except OSError as error:  # the peer went away in the middle of the handshake
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except BaseException:
            connection.close()
            raise


def _suitable(endpoints: list[Endpoint], way: Way) -> list[Endpoint]:
    """Those of the wanted versions of IP, in order of preference; raises `socket.gaierror` where there is none."""
    wanted = way.ip_versions or (4, 6)
    if way.source is not None:  # whoever has an address of ours to come from can go to its like only
        wanted = tuple(version for version in wanted if version == ipaddress.ip_address(way.source).version)
    families: list[int] = [{4: socket.AF_INET, 6: socket.AF_INET6}[version] for version in wanted]
    found = [endpoint for endpoint in endpoints if endpoint.family in families]
    if not found:
        raise socket.gaierror(socket.EAI_NODATA, f"no IPv{' or IPv'.join(map(str, wanted))} address")
    return sorted(found, key=lambda endpoint: families.index(endpoint.family)) if way.ip_versions else found


def _allowed(endpoints: list[Endpoint], may_reach: MayReach | None) -> list[Endpoint]:
    """Those that may be connected to; raises `Forbidden` where there is none."""
    if may_reach is None:
        return endpoints
    why: str | None = None
    allowed = []
    for endpoint in endpoints:
        refusal = may_reach(endpoint.address[0])
        if refusal is None:
            allowed.append(endpoint)
        why = why or refusal
    if not allowed:
        raise Forbidden(why or "no address")
    return allowed


def _not_after(transport: asyncio.BaseTransport | None) -> datetime | None:
    """When the certificate ends that a server has shown; it may be one that nobody can read, unless it was verified."""
    secured = transport.get_extra_info("ssl_object") if transport is not None else None
    shown = secured.getpeercert(binary_form=True) if secured is not None else None
    if not shown:
        return None
    try:
        return x509.load_der_x509_certificate(shown).not_valid_after_utc
    except ValueError:
        return None


def _add(sum_s: float | None, started: float) -> tuple[float, float]:
    """The sum with the time since `started`, and now."""
    now = time.monotonic()
    return (sum_s or 0.0) + now - started, now
