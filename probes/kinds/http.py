"""Whether a web service answers, as it should, and how fast."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import BeforeValidator, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from probes import metrics
from probes.model import Seconds, Settings, Several, Timeout, WebUrl
from probes.ports import HttpAuth, Kind, Net
from probes.protocols import web
from probes.results import Beat, Reading, Reason, Result


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
    exchanges = web.Exchanges(net)
    asked = web.Asked(
        settings.url, auth=settings.auth, verify_tls=settings.verify_tls, max_body_bytes=settings.max_body_bytes
    )
    try:
        answer = await exchanges.fetch(asked, settings.timeout_s)
    except web.WebError as error:
        return Result(error.reason, tuple(exchanges.readings()), detail=error.detail)
    reason, detail = _judge(settings, answer, exchanges.took_s)
    readings = exchanges.readings()
    if answer.body_bytes is not None:
        readings.append(Reading(metrics.HTTP_BODY_BYTES, answer.body_bytes))
    return Result(reason, tuple(readings), detail=detail)


def _judge(settings: HttpSettings, answer: web.Answer, took_s: float) -> tuple[Reason | None, str]:
    """Why the answer does not pass, and in words."""
    if answer.status not in settings.status:
        return Reason.OVERLOADED if answer.overloaded else Reason.WRONG_STATUS, f"status {answer.status}"
    if settings.contains is not None and unicodedata.normalize("NFC", settings.contains) not in answer.text:
        return Reason.WRONG_CONTENT, "the expected text is missing"
    if took_s > settings.slow_s:
        return Reason.SLOW, f"took {took_s:.1f} s"
    return None, f"status {answer.status}"


KIND = Kind("http", HttpSettings, check)
