"""One HTTP exchange, for every kind that speaks HTTP: redirects followed within limits, phases timed, errors named."""

from __future__ import annotations

import asyncio
import ssl
import unicodedata
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from probes import metrics
from probes.ports import HttpAuth, Net
from probes.protocols import http, tcp
from probes.results import Reading, Reason

MAX_REDIRECTS = 5
REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})
OVERLOAD_STATUS = frozenset({429, 502, 503, 504})


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
        try:
            text = self.body.decode(self.charset or "utf-8", "replace")
        except (LookupError, ValueError):  # a charset that is none, or cannot be forgiving
            text = self.body.decode("utf-8", "replace")
        return unicodedata.normalize("NFC", text)


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
        self._phases = http.Phases()
        self.status: int | None = None
        """Of the last answer, also where its body did not come."""
        self._processing_s: float | None = None
        self._transfer_s: float | None = None

    async def fetch(self, asked: Asked, timeout_s: float) -> Answer:
        """One exchange over new connections; raises `WebError`."""
        try:
            with http.record_phases(self._phases):
                async with asyncio.timeout(timeout_s):
                    return await self._follow(asked)
        except TimeoutError:
            raise WebError(Reason.TIMEOUT, f"no end within {timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise _web_error(error) from None

    @property
    def took_s(self) -> float:
        """All phases of all exchanges so far."""
        return sum(self._durations().values())

    def readings(self) -> list[Reading]:
        """The phases that were reached, in seconds, and the last status."""
        found = [Reading(metrics.PROBE_DURATION, seconds, (phase,)) for phase, seconds in self._durations().items()]
        if self.status is not None:
            found.append(Reading(metrics.HTTP_STATUS, self.status))
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

    async def _follow(self, asked: Asked) -> Answer:
        clock = self._net.clock
        first = url = URL(asked.url)
        for _ in range(1 + asked.max_redirects):
            began, opening_s = clock.monotonic(), self._phases.total_s
            async with self._ask(asked, url, first) as response:
                answered = clock.monotonic()
                waited_s = answered - began - (self._phases.total_s - opening_s)
                self._processing_s = (self._processing_s or 0.0) + max(0.0, waited_s)
                location = response.headers.get("Location")
                if asked.max_redirects and response.status in REDIRECT_STATUS and location:
                    url = redirected(url, location)
                    continue
                self.status = response.status
                body, whole = await _read(response.content, asked.max_body_bytes)
                self._transfer_s = (self._transfer_s or 0.0) + clock.monotonic() - answered
                length = len(body) if whole else response.content_length
                return Answer(response.status, response.headers, body, length, response.charset, url)
        raise WebError(Reason.PROTOCOL_ERROR, f"more than {asked.max_redirects} redirects")

    def _ask(self, asked: Asked, url: URL, first: URL) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """One request, which says who asks to the service itself only: its host, its port, its scheme."""
        headers, verify = dict(asked.headers), asked.verify_tls
        context: ssl.SSLContext | bool = verify
        if asked.auth is not None and origin(url) == origin(first):
            context = asked.auth.context or verify
            if said := http.authorization(asked.auth):
                headers["Authorization"] = said
        return self._net.http.request(
            asked.method, url, ssl=context, allow_redirects=False, headers=headers or None, data=asked.body
        )


def redirected(url: URL, location: str) -> URL:
    """Where a redirect leads (RFC 9110 10.2.2); a user name and password that stand in it are nobody's of ours."""
    try:
        target = URL(urljoin(str(url), location))
    except ValueError:
        target = URL()
    if target.scheme not in {"http", "https"} or not target.host or not target.port:
        raise WebError(Reason.PROTOCOL_ERROR, "redirected to what is no URL of a web page")
    return target.with_user(None)


def origin(url: URL) -> tuple[str, str | None, int | None]:
    """What must be the same for a server to be the same (RFC 6454 4)."""
    return url.scheme, url.raw_host, url.port


async def _read(content: aiohttp.StreamReader, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the body, and whether that is all of it."""
    body = bytearray()
    while len(body) <= limit:
        chunk = await content.read(limit + 1 - len(body))
        if not chunk:
            return bytes(body), True
        body += chunk
    return bytes(body[:limit]), False


def _web_error(error: aiohttp.ClientError) -> WebError:
    """What the client's error says; its own text may hold addresses that redirects gave, and is not repeated."""
    match error:
        case aiohttp.ClientSSLError():
            cause = getattr(error.__cause__, "verify_message", "") or getattr(error.__cause__, "reason", "")
            return WebError(Reason.TLS_ERROR, str(cause or type(error).__name__))
        case aiohttp.ClientOSError() if isinstance(error.__cause__, ssl.SSLError):
            # since TLS 1.3 a server refuses a client's certificate after the handshake (RFC 8446 4.4.2.4)
            return WebError(Reason.TLS_ERROR, (error.__cause__.reason or "TLS error").lower().replace("_", " "))
        case aiohttp.ClientConnectorError():
            return WebError(tcp.reason_of(error.os_error), tcp.meaning(error.os_error))
        case aiohttp.ClientOSError():
            return WebError(Reason.PROTOCOL_ERROR, tcp.meaning(error))
        case _:
            return WebError(Reason.PROTOCOL_ERROR, type(error).__name__)
