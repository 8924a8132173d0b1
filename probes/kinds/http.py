"""Whether a web service answers, as it should, and how fast."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Annotated

import aiohttp
from pydantic import Field

from probes import metrics
from probes.model import Seconds, Settings, Several, Timeout, WebUrl
from probes.ports import Kind, Net
from probes.protocols import http, tcp
from probes.results import Beat, Reading, Reason, Result

MAX_REDIRECTS = 5
OVERLOAD_STATUS = frozenset({429, 502, 503, 504})


class HttpSettings(Settings):
    """`status` are the codes that are expected; `contains` is text that the body must hold, within the bound."""

    url: WebUrl
    timeout_s: Timeout = 10
    slow_s: Seconds = 3
    status: Annotated[Several[Annotated[int, Field(ge=100, le=599)]], Field(min_length=1)] = (200,)
    contains: Annotated[str, Field(min_length=1)] | None = None
    verify_tls: bool = True
    max_body_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 1 << 20


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


class _Exchange:
    """What one GET has brought so far, also when it ends early."""

    def __init__(self, settings: HttpSettings, net: Net) -> None:
        self._settings = settings
        self._net = net
        self.status: int | None = None
        self.answered_s: float | None = None
        self.transfer_s: float | None = None
        self.body_bytes: int | None = None

    async def run(self) -> tuple[Reason | None, str]:
        """The reason why the answer does not pass, and in words; raises what the client raises."""
        settings, clock = self._settings, self._net.clock
        started = clock.monotonic()
        async with self._net.http.get(
            settings.url, ssl=settings.verify_tls, allow_redirects=True, max_redirects=MAX_REDIRECTS
        ) as response:
            answered = clock.monotonic()
            self.status = response.status
            self.answered_s = answered - started
            body, whole = await _read(response.content, settings.max_body_bytes)
            ended = clock.monotonic()
            self.transfer_s = ended - answered
            self.body_bytes = len(body) if whole else response.content_length
            return self._judge(body, response.charset, ended - started)

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
        case aiohttp.TooManyRedirects():
            return Reason.PROTOCOL_ERROR, f"more than {MAX_REDIRECTS} redirects"
        case aiohttp.ClientConnectorError():
            return tcp.reason_of(error.os_error), tcp.meaning(error.os_error)
        case aiohttp.ClientOSError():
            return Reason.PROTOCOL_ERROR, tcp.meaning(error)
        case _:
            return Reason.PROTOCOL_ERROR, type(error).__name__


KIND = Kind("http", HttpSettings, check)
