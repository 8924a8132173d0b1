"""One aiohttp session for all HTTP probes: a fresh connection for each request, its phases timed apart."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from probes.protocols.tcp import connect, resolve

if TYPE_CHECKING:
    import asyncio

    from aiohttp.client_proto import ResponseHandler


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


_recording: ContextVar[Phases | None] = ContextVar("phases", default=None)


@contextlib.contextmanager
def record_phases() -> Iterator[Phases]:
    """The phases of every request that this task makes inside the block."""
    phases = Phases()
    token = _recording.set(phases)
    try:
        yield phases
    finally:
        _recording.reset(token)


def open_session(version: str, ca_file: Path | None = None) -> aiohttp.ClientSession:
    """The session for `Net.http`, to be made once inside the running loop and closed with `await session.close()`.

    `version` is told to servers; `ca_file` holds further certificate authorities (PEM). Time-outs are the caller's.
    """
    context = ssl.create_default_context()  # reads the system's authorities: 40 ms, hence once
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return aiohttp.ClientSession(
        connector=_PhasedConnector(ssl=context, force_close=True, limit=0, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"lienxa/{version} (+monitoring)", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=False,
    )


class _PhasedConnector(aiohttp.TCPConnector):
    """Opens connections in three timed steps.

    The one place that uses aiohttp's private interface, as of 3.11 to 3.14: `_create_direct_connection` is what
    `TCPConnector` calls without a proxy; `_get_ssl_context`, `_factory` and `_loop` are what it uses itself.
    """

    async def _create_direct_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own signature
        *,
        client_error: Any = None,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        context = self._get_ssl_context(req)
        phases = _recording.get() or Phases()
        host, port = req.url.raw_host or "", req.port or 0
        started = time.monotonic()
        try:
            endpoints = await resolve(host, port)
        except OSError as error:
            raise aiohttp.ClientConnectorDNSError(req.connection_key, error) from error
        finally:
            phases.resolve_s, started = _add(phases.resolve_s, started)
        try:
            connection = await connect(endpoints)
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        finally:
            phases.connect_s, started = _add(phases.connect_s, started)
        try:
            if context is None:
                return await self._loop.create_connection(self._factory, sock=connection)
            hostname = (req.server_hostname or host).rstrip(".")
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
        finally:
            if context is not None:
                phases.tls_s, started = _add(phases.tls_s, started)


def _add(sum_s: float | None, started: float) -> tuple[float, float]:
    """The sum with the time since `started`, and now."""
    now = time.monotonic()
    return (sum_s or 0.0) + now - started, now
