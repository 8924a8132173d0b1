"""One HTTP exchange, for every kind that speaks HTTP: redirects followed within limits, phases timed, errors named."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import aiohttp
from yarl import URL

from probes import metrics
from probes.ports import HttpAuth, Net
from probes.protocols import body, connector, http, oauth2, overload, redirects, tcp
from probes.results import Reading, Reason

MAX_REDIRECTS = 5
REDIRECT_STATUS = redirects.STATUS
OVERLOAD_STATUS = overload.STATUS


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, and how much of an answer is read."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | None = None
    auth: HttpAuth | None = None
    """Who asks; said to the service itself only: its host, its port, its scheme."""
    verify_tls: bool = True
    max_body_bytes: int = 1 << 20
    max_redirects: int = MAX_REDIRECTS
    """0 gives the redirect itself as the answer."""
    proxy: str | None = None
    """URL of an HTTP proxy; https goes through it by CONNECT (RFC 9110 9.3.6)."""
    source: str | None = None
    """Address of this machine to connect from."""
    interface: str | None = None
    """Interface of this machine to connect through."""
    ip_versions: tuple[int, ...] = ()
    """4, 6 or both, in order of preference; both in the resolver's order where none is given."""
    may_reach: connector.MayReach | None = None
    """Why an address may not be connected to, in words; asked of each that a name resolves to, and at each redirect,
    beside what `redirects` says. What it lets pass is what is connected to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer behind all redirects."""

    status: int
    headers: Mapping[str, str]
    """Names are compared without case."""
    body: bytes
    """As much of it as was asked for."""
    body_bytes: int | None
    """Its whole length, where known."""
    charset: str | None
    url: URL
    """Where it came from."""

    @property
    def overloaded(self) -> bool:
        """Whether the status says that there is too much to do: RFC 6585 4, RFC 9110 15.6.3 to 15.6.5."""
        return self.status in OVERLOAD_STATUS

    @property
    def text(self) -> str:
        """The body as text, composed: Vietnamese is written in both forms (Unicode TR 15)."""
        return body.text(self.body, self.charset)


class WebError(Exception):
    """There is no answer, or none that may be followed; the message repeats nothing of what the server sent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """`reason` in the vocabulary's words, `detail` for people."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Exchanges:
    """Exchanges of one attempt, and the seconds that they have spent in each phase together, also where one fails."""

    def __init__(self, net: Net) -> None:
        """Nothing has been asked yet."""
        self._net = net
        self._phases = connector.Phases()
        self.status: int | None = None
        """Of the last answer, also where its body did not come."""
        self.not_after: datetime | None = None
        """When the first of the servers' certificates ends, where one was shown."""
        self._processing_s: float | None = None
        self._transfer_s: float | None = None

    async def fetch(self, asked: Asked, timeout_s: float) -> Answer:
        """One exchange over new connections; raises `WebError`."""
        way = connector.Way(self._phases, asked.source, asked.interface, asked.ip_versions, not_after=self.not_after)
        try:
            with connector.going(way):
                async with asyncio.timeout(timeout_s):
                    return await self._follow(asked, way, timeout_s)
        except TimeoutError:
            raise WebError(Reason.TIMEOUT, f"no end within {timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise web_error(error) from None
        except redirects.Misled as error:
            raise WebError(error.reason, error.detail) from None
        except body.Damaged as error:
            raise WebError(Reason.PROTOCOL_ERROR, str(error)) from None
        except oauth2.NoToken as error:
            raise WebError(Reason.NO_TOKEN, str(error)) from None
        finally:
            self.not_after = way.not_after

    @property
    def took_s(self) -> float:
        """All phases of all exchanges so far."""
        return sum(self._durations().values())

    def readings(self) -> list[Reading]:
        """The phases that were reached, in seconds, and the last status."""
        found = [Reading(metrics.PROBE_DURATION, seconds, (phase,)) for phase, seconds in self._durations().items()]
        if self.status is not None:
            found.append(Reading(metrics.HTTP_STATUS, self.status))
        if self.not_after is not None:
            found.append(Reading(metrics.CERTIFICATE_NOT_AFTER, self.not_after.timestamp()))
        return found

    def _durations(self) -> dict[str, float]:
        phases = {
            "resolve": self._phases.resolve_s,
            "connect": self._phases.connect_s,
            "tls": self._phases.tls_s,
            "processing": self._processing_s,
            "transfer": self._transfer_s,
        }
        return {phase: seconds for phase, seconds in phases.items() if seconds is not None}

    async def _follow(self, asked: Asked, way: connector.Way, timeout_s: float) -> Answer:
        clock = self._net.clock
        first = url = URL(asked.url)
        method, sent = asked.method, asked.body
        visited: list[str] = []
        renewed, followed = False, 0
        while followed <= asked.max_redirects:
            way.may_reach = _checked(asked.may_reach, visited, redirected=followed > 0)
            token, fresh = await self._token(asked, url, first, timeout_s)
            began, opening_s = clock.monotonic(), self._phases.total_s
            async with self._ask(asked, url, first, method, sent, token) as response:
                answered = clock.monotonic()
                waited_s = answered - began - (self._phases.total_s - opening_s)
                self._processing_s = (self._processing_s or 0.0) + max(0.0, waited_s)
                if response.status == 401 and token and not fresh and not renewed:
                    assert asked.auth is not None and asked.auth.grant is not None  # noqa: S101, PT018  # who else has tokens
                    asked.auth.grant.held.forget(token)
                    renewed = True  # the token may have been revoked; once is enough to know
                    continue
                visited += [way.address] if way.address else []
                location = response.headers.get("Location")
                if asked.max_redirects and response.status in REDIRECT_STATUS and location:
                    url = redirected(url, location)
                    why = redirects.why_not_named(url.host or "") if asked.proxy else None
                    if why:
                        raise WebError(Reason.FORBIDDEN_TARGET, why)
                    if response.status == 303 or (response.status in {301, 302} and method == "POST"):
                        method, sent = ("HEAD" if method == "HEAD" else "GET"), None  # RFC 9110 15.4.2 to 15.4.4
                    followed += 1
                    continue
                self.status = response.status
                coding = response.headers.get("Content-Encoding", "")
                read, whole = await body.read(response.content, coding, asked.max_body_bytes)
                self._transfer_s = (self._transfer_s or 0.0) + clock.monotonic() - answered
                length = len(read) if whole else None if coding else response.content_length
                return Answer(response.status, response.headers, read, length, response.charset, url)
        raise WebError(Reason.PROTOCOL_ERROR, f"more than {asked.max_redirects} redirects")

    async def _token(self, asked: Asked, url: URL, first: URL, timeout_s: float) -> tuple[str, bool]:
        """The access token for the service itself, if it takes one, and whether it was fetched just now."""
        if asked.auth is None or asked.auth.grant is None or origin(url) != origin(first):
            return "", False
        with connector.going(connector.Way(source=asked.source, interface=asked.interface)):  # no phase of the service
            return await oauth2.token(
                self._net, asked.auth.grant, timeout_s / 2, verify_tls=asked.verify_tls, proxy=asked.proxy
            )

    def _ask(
        self, asked: Asked, url: URL, first: URL, method: str, sent: bytes | None, token: str
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """One request, which says who asks to the service itself only: its host, its port, its scheme."""
        headers, verify = dict(asked.headers), asked.verify_tls
        context: ssl.SSLContext | bool = verify
        if asked.auth is not None and origin(url) == origin(first):
            context = asked.auth.context or verify
            if said := f"Bearer {token}" if token else http.authorization(asked.auth):
                headers["Authorization"] = said
        return self._net.http.request(
            method, url, ssl=context, allow_redirects=False, headers=headers or None, data=sent, proxy=asked.proxy
        )


def _checked(
    may_reach: connector.MayReach | None, visited: list[str], *, redirected: bool
) -> connector.MayReach | None:
    """What the connector asks of an address: the caller's own rule, and after a redirect that of all redirects."""
    if not redirected:
        return may_reach
    return lambda address: redirects.why_not(visited, address) or (may_reach(address) if may_reach else None)


def redirected(url: URL, location: str) -> URL:
    """Where a redirect leads (RFC 9110 10.2.2), if that is a web page; raises `WebError`."""
    try:
        return redirects.target(url, location)
    except redirects.Misled as error:
        raise WebError(error.reason, error.detail) from None


def origin(url: URL) -> tuple[str, str | None, int | None]:
    """What must be the same for a server to be the same (RFC 6454 4)."""
    return url.scheme, url.raw_host, url.port


def web_error(error: aiohttp.ClientError) -> WebError:
    """What the client's error says; its own text may hold addresses that redirects gave, and is not repeated."""
    match error:
        case connector.Forbidden():
            return WebError(Reason.FORBIDDEN_TARGET, str(error))
        case aiohttp.ClientHttpProxyError():
            return WebError(Reason.PROXY_ERROR, f"the proxy answers with status {error.status}")
        case aiohttp.ClientProxyConnectionError():
            return WebError(Reason.PROXY_ERROR, f"the proxy: {tcp.meaning(error.os_error)}")
        case aiohttp.ClientOSError():
            return _connection_error(error)
        case _:
            return WebError(Reason.PROTOCOL_ERROR, type(error).__name__)


def _connection_error(error: aiohttp.ClientOSError) -> WebError:
    match error:
        case aiohttp.ClientSSLError():
            cause = getattr(error.__cause__, "verify_message", "") or getattr(error.__cause__, "reason", "")
            return WebError(Reason.TLS_ERROR, str(cause or type(error).__name__))
        case _ if isinstance(error.__cause__, ssl.SSLError):
            # since TLS 1.3 a server refuses a client's certificate after the handshake (RFC 8446 4.4.2.4)
            return WebError(Reason.TLS_ERROR, (error.__cause__.reason or "TLS error").lower().replace("_", " "))
        case aiohttp.ClientConnectorError():
            return WebError(tcp.reason_of(error.os_error), tcp.meaning(error.os_error))
        case _:
            return WebError(Reason.PROTOCOL_ERROR, tcp.meaning(error))
