"""Whether a web service answers, as it should, and how fast."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, model_validator
from pydantic.json_schema import SkipJsonSchema

from probes import metrics
from probes.model import IpAddress, Seconds, Settings, Several, Text, Timeout, WebUrl
from probes.ports import HttpAuth, Kind, Net
from probes.protocols import overload, web
from probes.protocols.expectations import Expected, Expression, JsonSchema, Pattern
from probes.results import Beat, Reading, Reason, Result

_IN_THE_LOOP_BYTES = 4096
"""An answer that is longer is looked at beside the event loop."""
_DAY_S = 86_400
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_SECRET_FIELDS = frozenset({"authorization", "proxy-authorization", "cookie"})
_OUR_FIELDS = frozenset({"content-length", "transfer-encoding", "connection", "expect", "upgrade"})


def _from_the_plan(value: object) -> object:
    if value is not None and not isinstance(value, HttpAuth):
        raise ValueError("an inventory holds no secrets; name an entry of `credentials` with `credential: NAME`")
    return value


def _field_names(fields: Mapping[str, str]) -> Mapping[str, str]:
    for name in fields:
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an HTTP header (RFC 9110 5.1); write one such as Accept-Language")
    return fields


def _sendable(fields: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in _field_names(fields).items():
        if name.lower() in _SECRET_FIELDS:
            raise ValueError(f"{name} must not stand here: an inventory holds no secrets; use `credential`")
        if name.lower() in _OUR_FIELDS:
            raise ValueError(f"{name} is lienxa's own business; take it out")
        if not value.isprintable() or not value.isascii():
            raise ValueError(f"the value of {name} must be ASCII in one line")
    return fields


def _proxy(url: str) -> str:
    if not url.lower().startswith("http://"):
        raise ValueError("must be the URL of an HTTP proxy, such as http://proxy.example:3128")
    return url


class HttpSettings(Settings):
    """A web page or API: it is fetched over a new connection, redirects are followed, and the answer is looked at."""

    url: WebUrl = Field(examples=["https://portal.example/health"])
    """What is fetched; better an address that needs the application than a front page."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """HEAD leaves the body out; POST needs `safe: true`."""
    safe: bool = False
    """True only where a POST changes nothing there, such as a search or a test login; ask the service's owner."""
    body: Annotated[str, Field(min_length=1, max_length=64 << 10)] | None = Field(None, examples=['{"ma": "thu"}'])
    """What is sent with POST; JSON is sent as such, all else as a form, unless `headers` has a `Content-Type`."""
    headers: Annotated[Mapping[str, str], AfterValidator(_sendable)] = Field(
        default_factory=dict, examples=[{"Accept-Language": "vi"}]
    )
    """What is sent along; nothing secret."""
    timeout_s: Timeout = 10
    """How long an attempt may take; after that the service counts as not answering."""
    slow_s: Seconds = 3
    """An answer that took longer counts as slow."""
    status: Annotated[Several[Annotated[int, Field(ge=100, le=599)]], Field(min_length=1)] = (200,)
    """HTTP status codes that are as they should be."""
    contains: Annotated[str, Field(min_length=1)] | None = Field(None, examples=["Đăng nhập"])
    """Text that the answer must hold, to tell the real page from an error page that says 200."""
    matches: Several[Pattern] = Field((), examples=[["Mã hồ sơ: [0-9]+"]])
    """Patterns (RE2) that must all be found in the answer."""
    not_matches: Several[Pattern] = Field((), examples=[["(?i)exception|stack trace"]])
    """Patterns (RE2) none of which may be found in the answer."""
    expect_headers: Annotated[Mapping[str, Pattern], AfterValidator(_field_names)] = Field(
        default_factory=dict, examples=[{"Content-Type": "^application/json"}]
    )
    """Headers that the answer must have, and the patterns (RE2) that they must match."""
    jmespath: Several[Expression] = Field((), examples=[["status == 'UP'"]])
    """JMESPath expressions that must all hold of an answer in JSON."""
    json_schema: JsonSchema | None = Field(None, examples=[{"required": ["status"]}])
    """JSON Schema (2020-12) that an answer in JSON must keep."""
    overload_markers: Several[Text] = overload.MARKERS
    """What waiting rooms and maintenance pages say; looked for in short pages that nothing above proves right."""
    max_redirects: Annotated[int, Field(ge=0, le=20)] = web.MAX_REDIRECTS
    """How many redirects are followed; with 0 the redirect itself is the answer, and `status` has to name its code."""
    ip_version: Literal["any", 4, 6] = "any"
    """IP version to use; with `any` the next address is tried where one does not answer."""
    source: IpAddress | None = Field(None, examples=["10.4.0.9"])
    """Address of this machine to connect from, which may decide on the way that is taken."""
    interface: Annotated[str, Field(pattern=r"^[\w.:%-]+$", max_length=15)] | None = Field(None, examples=["eth1"])
    """Interface of this machine to connect through."""
    proxy: Annotated[WebUrl, AfterValidator(_proxy)] | None = Field(None, examples=["http://proxy.example:3128"])
    """HTTP proxy to go through; without user name and password."""
    certificate_days: Annotated[int, Field(ge=0, le=365)] = 21
    """A certificate that ends within so many days counts as expiring, if `verify_tls` has them looked at."""
    verify_tls: bool = True
    """Whether the server's certificate must be valid."""
    max_body_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 1 << 20
    """How much of the answer is read, after decompression; all that is expected is looked for in it."""
    auth: Annotated[
        SkipJsonSchema[InstanceOf[HttpAuth]] | None, BeforeValidator(_from_the_plan), Field(exclude=True)
    ] = None
    """Who asks; filled by the plan from the service's credential."""

    @model_validator(mode="after")
    def _agreeing(self) -> HttpSettings:
        if self.method == "POST" and not self.safe:
            raise ValueError(
                "POST may change things there: write `safe: true` if its owner says that this one does not"
            )
        if self.method != "POST" and self.body is not None:
            raise ValueError(f"a body goes with `method: POST` only, not with {self.method}")
        if self.method == "HEAD" and (self.expected.of_the_body or self.not_matches):
            raise ValueError("HEAD asks for no body, so nothing can be expected of it; use GET")
        return self

    @cached_property
    def expected(self) -> Expected:
        """What the answer must hold."""
        return Expected(
            self.contains, self.matches, self.not_matches, self.expect_headers, self.jmespath, self.json_schema
        )

    @cached_property
    def asked(self) -> web.Asked:
        """What is asked for."""
        headers = dict(self.headers)
        if self.body is not None and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json" if _is_json(self.body) else "application/x-www-form-urlencoded"
        return web.Asked(
            self.url,
            method=self.method,
            headers=headers,
            body=None if self.body is None else self.body.encode(),
            auth=self.auth,
            verify_tls=self.verify_tls,
            max_body_bytes=self.max_body_bytes,
            max_redirects=self.max_redirects,
            proxy=self.proxy,
            source=self.source,
            interface=self.interface,
            ip_versions=() if self.ip_version == "any" else (self.ip_version,),
        )


async def check(settings: HttpSettings, net: Net, beat: Beat) -> Result:
    """One request over a new connection, redirects followed; the phases are those of all of them together."""
    now_s = net.clock.monotonic()
    if isinstance(beat.memory, overload.Pause) and now_s < beat.memory.until_s:
        left_s = beat.memory.until_s - now_s
        return Result(Reason.OVERLOADED, detail=f"not asked: it wants us back in {left_s:.0f} s", memory=beat.memory)
    exchanges = web.Exchanges(net)
    try:
        answer = await exchanges.fetch(settings.asked, settings.timeout_s)
    except web.WebError as error:
        return Result(error.reason, tuple(exchanges.readings()), detail=error.detail)
    if len(answer.body) <= _IN_THE_LOOP_BYTES:
        reason, detail = _judge(settings, answer)
    else:
        reason, detail = await asyncio.to_thread(_judge, settings, answer)
    if reason is None:
        reason, detail = _judge_time(settings, exchanges, net.clock.wall(), detail)
    pause_s = overload.pause_s(answer.headers, net.clock.wall()) if reason is Reason.OVERLOADED else None
    readings = exchanges.readings()
    if answer.body_bytes is not None:
        readings.append(Reading(metrics.HTTP_BODY_BYTES, answer.body_bytes))
    memory = None if pause_s is None else overload.Pause(net.clock.monotonic() + pause_s)
    return Result(reason, tuple(readings), detail=detail, memory=memory)


def _judge(settings: HttpSettings, answer: web.Answer) -> tuple[Reason | None, str]:
    """Why the answer does not pass, and in words. What holds all that is expected of it is the real page."""
    status, text = f"status {answer.status}", answer.text
    fault = settings.expected.fault(answer.headers, text)
    right = answer.status in settings.status
    if right and fault is None and settings.expected.of_the_body:
        return None, status
    if overload.challenged(answer.headers, answer.body, text):
        return Reason.BLOCKED, f"{status}: a firewall's challenge in place of the page"
    if not right and answer.overloaded:
        return Reason.OVERLOADED, status
    if marker := overload.waiting(answer.body, text, settings.overload_markers):
        return Reason.OVERLOADED, f"{status}: the page says {marker!r}"
    if not right:
        return Reason.WRONG_STATUS, status
    return (None, status) if fault is None else (Reason.WRONG_CONTENT, fault)


def _judge_time(
    settings: HttpSettings, exchanges: web.Exchanges, wall_s: float, detail: str
) -> tuple[Reason | None, str]:
    """Whether it took too long, or its certificate ends soon."""
    if exchanges.took_s > settings.slow_s:
        return Reason.SLOW, f"took {exchanges.took_s:.1f} s"
    if settings.verify_tls and exchanges.not_after is not None:
        left_s = exchanges.not_after.timestamp() - wall_s
        if left_s < settings.certificate_days * _DAY_S:
            return Reason.CERTIFICATE_EXPIRING, f"the certificate ends in {left_s / _DAY_S:.0f} days"
    return None, detail


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


KIND = Kind("http", HttpSettings, check)
