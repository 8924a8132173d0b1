"""Whether a web service answers, as it should, and how fast."""

from __future__ import annotations

import asyncio
import ssl
import unicodedata
from contextlib import AbstractAsyncContextManager
from typing import Annotated
from urllib.parse import urljoin

import aiohttp
from pydantic import BeforeValidator, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema
from yarl import URL

from probes import metrics
from probes.model import Seconds, Settings, Several, Timeout, WebUrl
from probes.ports import HttpAuth, Kind, Net
from probes.protocols import http, tcp
from probes.results import Beat, Reading, Reason, Result

MAX_REDIRECTS = 5
REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})
OVERLOAD_STATUS = frozenset({429, 502, 503, 504})


def _from_the_plan(value: object) -> object:
    if value is not None and not isinstance(value, HttpAuth):
        raise ValueError("an inventory holds no secrets; name an entry of `credentials` with `credential: NAME`")
    return value


class HttpSettings(Settings):
    """A web page or API: it is fetched over a new connection, redirects are followed, and the answer is looked at."""

    url: WebUrl = Field(examples=["https://portal.example/health"])
    """What is fetched; better an address that needs the application than a front page."""
    timeout_s: Timeout = 10
    """How long an attempt may take; after that the service counts as not answering."""
    slow_s: Seconds = 3
    """An answer that took longer counts as slow."""
    status: Annotated[Several[Annotated[int, Field(ge=100, le=599)]], Field(min_length=1)] = (200,)
    """HTTP status codes that are as they should be."""
    contains: Annotated[str, Field(min_length=1)] | None = Field(None, examples=["Đăng nhập"])
    """Text that the answer must hold, to tell the real page from an error page that says 200."""
    verify_tls: bool = True
    """Whether the server's certificate must be valid."""
    max_body_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 1 << 20
    """How much of the answer is read; `contains` is looked for in it."""
    auth: Annotated[
        SkipJsonSchema[InstanceOf[HttpAuth]] | None, BeforeValidator(_from_the_plan), Field(exclude=True)
    ] = None
    """Who asks; filled by the plan from the service's credential."""


async def check(settings: HttpSettings, net: Net, beat: Beat) -> Result:  # noqa: ARG001  # every kind takes a beat
    """One GET over a new connection, redirects followed; the phases are those of all of them together."""
    exchange = _Exchange(settings, net)
    reason: Reason | None = None
    detail = ""
    with http.record_phases() as phases:
        try:
            async with asyncio.timeout(settings.timeout_s):
                reason, detail = await exchange.run()
        except TimeoutError:
            reason, detail = Reason.TIMEOUT, f"no end within {settings.timeout_s:g} s"
        except _Astray as error:
            reason, detail = Reason.PROTOCOL_ERROR, str(error)
        except aiohttp.ClientError as error:
            reason, detail = _reason_of(error)
    durations = {
        "resolve": phases.resolve_s,
        "connect": phases.connect_s,
        "tls": phases.tls_s,
        "processing": None if exchange.answered_s is None else max(0.0, exchange.answered_s - phases.total_s),
        "transfer": exchange.transfer_s,
    }
    readings = [
        Reading(metrics.PROBE_DURATION, duration_s, (phase,))
        for phase, duration_s in durations.items()
        if duration_s is not None
    ]
    if exchange.status is not None:
        readings.append(Reading(metrics.HTTP_STATUS, exchange.status))
    if exchange.body_bytes is not None:
        readings.append(Reading(metrics.HTTP_BODY_BYTES, exchange.body_bytes))
    return Result(reason=reason, readings=tuple(readings), detail=detail)


class _Astray(Exception):
    """A redirect that cannot be followed; the message repeats nothing of what the server sent."""


class _Exchange:
    """What one GET has brought so far, also when it ends early."""

    def __init__(self, settings: HttpSettings, net: Net) -> None:
        self._settings = settings
        self._net = net
        self._first = URL(settings.url)
        self.status: int | None = None
        self.answered_s: float | None = None
        self.transfer_s: float | None = None
        self.body_bytes: int | None = None

    async def run(self) -> tuple[Reason | None, str]:
        """The reason why the answer does not pass, and in words; raises what the client raises."""
        settings, clock = self._settings, self._net.clock
        started = clock.monotonic()
        url = self._first
        for _ in range(1 + MAX_REDIRECTS):
            async with self._get(url) as response:
                answered = clock.monotonic()
                location = response.headers.get("Location")
                if response.status in REDIRECT_STATUS and location:
                    url = _redirected(url, location)
                    continue
                self.status = response.status
                self.answered_s = answered - started
                body, whole = await _read(response.content, settings.max_body_bytes)
                ended = clock.monotonic()
                self.transfer_s = ended - answered
                self.body_bytes = len(body) if whole else response.content_length
                return self._judge(body, response.charset, ended - started)
        raise _Astray(f"more than {MAX_REDIRECTS} redirects")

    def _get(self, url: URL) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """One request, which says who asks to the service itself only: its host, its port, its scheme."""
        verify, auth = self._settings.verify_tls, self._settings.auth
        if auth is None or _origin(url) != _origin(self._first):
            return self._net.http.get(url, ssl=verify, allow_redirects=False)
        said = http.authorization(auth)
        return self._net.http.get(
            url, ssl=auth.context or verify, allow_redirects=False, headers={"Authorization": said} if said else None
        )

    def _judge(self, body: bytes, charset: str | None, total_s: float) -> tuple[Reason | None, str]:
        settings = self._settings
        if self.status not in settings.status:
            reason = Reason.OVERLOADED if self.status in OVERLOAD_STATUS else Reason.WRONG_STATUS
            return reason, f"status {self.status}"
        if settings.contains is not None and not _contains(body, charset, settings.contains):
            return Reason.WRONG_CONTENT, "the expected text is missing"
        if total_s > settings.slow_s:
            return Reason.SLOW, f"took {total_s:.1f} s"
        return None, f"status {self.status}"


def _redirected(url: URL, location: str) -> URL:
    """Where a redirect leads (RFC 9110 10.2.2); a user name and password that stand in it are nobody's of ours."""
    try:
        target = URL(urljoin(str(url), location))
    except ValueError:
        target = URL()
    if target.scheme not in {"http", "https"} or not target.host or not target.port:
        raise _Astray("redirected to what is no URL of a web page")
    return target.with_user(None)


def _origin(url: URL) -> tuple[str, str | None, int | None]:
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


def _contains(body: bytes, charset: str | None, text: str) -> bool:
    """Compare composed, as Vietnamese is written in both forms (Unicode TR 15)."""
    try:
        page = body.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # a charset that is none, or cannot be forgiving
        page = body.decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text) in unicodedata.normalize("NFC", page)


def _reason_of(error: aiohttp.ClientError) -> tuple[Reason, str]:
    """What the client's error says; its own text may hold addresses that redirects gave, and is not repeated."""
    match error:
        case aiohttp.ClientSSLError():
            cause = getattr(error.__cause__, "verify_message", "") or getattr(error.__cause__, "reason", "")
            return Reason.TLS_ERROR, str(cause or type(error).__name__)
        case aiohttp.ClientOSError() if isinstance(error.__cause__, ssl.SSLError):
            # since TLS 1.3 a server refuses a client's certificate after the handshake (RFC 8446 4.4.2.4)
            return Reason.TLS_ERROR, (error.__cause__.reason or "TLS error").lower().replace("_", " ")
        case aiohttp.ClientConnectorError():
            return tcp.reason_of(error.os_error), tcp.meaning(error.os_error)
        case aiohttp.ClientOSError():
            return Reason.PROTOCOL_ERROR, tcp.meaning(error)
        case _:
            return Reason.PROTOCOL_ERROR, type(error).__name__


KIND = Kind("http", HttpSettings, check)
