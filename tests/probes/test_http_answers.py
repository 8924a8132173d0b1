"""What the http kind makes of answers: expectations, overload, challenges, compression; and of hostile ones."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from probes import metrics
from probes.kinds.http import HttpSettings, check
from probes.protocols.overload import Pause
from probes.results import Reason, TargetState
from tests.probes.conftest import TestNet, beat, value
from tests.probes.test_http import probe, sending, serving

MIB = 1 << 20


@contextlib.asynccontextmanager
async def answering(text: str | bytes, status: int = 200, **headers: str) -> AsyncIterator[str]:
    """A server that gives one answer to everything; `_` in a header's name is a hyphen."""
    given = {"Content-Type": "text/html; charset=utf-8"} | {
        name.replace("_", "-"): told for name, told in headers.items()
    }

    async def answer(request: web.Request) -> web.Response:
        body = text.encode() if isinstance(text, str) else text
        return web.Response(status=status, body=body, headers=given)

    async with serving(answer) as url:
        yield url


# Expectations

STATUS = '{"status": "UP", "queue": 3, "parts": [{"name": "csdl", "up": true}]}'


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        ({"matches": ['"queue": [0-9]+']}, None),
        ({"matches": ["DOWN"]}, "nothing matches 'DOWN'"),
        ({"not_matches": ["(?i)down"]}, None),
        ({"not_matches": ["UP"]}, "something matches 'UP'"),
        ({"expect_headers": {"content-type": "^text/html"}}, None),
        ({"expect_headers": {"Content-Type": "json"}}, "the header Content-Type does not match 'json'"),
        ({"expect_headers": {"X-Node": "."}}, "the header X-Node is missing"),
        ({"jmespath": ["status == 'UP'", "queue < `10`", "parts[?up] | [0]"]}, None),
        ({"jmespath": ["queue"]}, None),
        ({"jmespath": ["queue > `10`"]}, "'queue > `10`' does not hold"),
        ({"jmespath": ["missing"]}, "'missing' does not hold"),
        (
            {"jmespath": ["max(status)"]},
            "the answer is no JSON, or not of the kind that the expressions are for",
        ),
        ({"json_schema": {"required": ["status"], "properties": {"status": {"pattern": "^UP$"}}}}, None),
        (
            {"json_schema": {"properties": {"queue": {"maximum": 2}}}},
            "not as the JSON Schema says at properties/queue/maximum",
        ),
        ({"json_schema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}}, None),
    ],
)
async def test_an_answer_holds_what_is_expected_or_is_wrong_content(
    net: TestNet, expected: dict[str, Any], fault: str | None
) -> None:
    async with answering(STATUS) as url:
        result = await probe(net, url, **expected)
    assert (result.reason, result.detail) == ((Reason.WRONG_CONTENT, fault) if fault else (None, "status 200"))


async def test_what_is_no_json_is_wrong_content(net: TestNet) -> None:
    for page in ("<html>", "", "[" * 40_000, "[" * 100_000 + "1" + "]" * 100_000, "9" * 10_000):
        async with answering(page) as url:
            result = await probe(net, url, jmespath=["a"])
        assert result.reason is Reason.WRONG_CONTENT


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"matches": ["(a"]}, "is no pattern that RE2 knows (missing ): (a)"),
        ({"matches": ["(?=a)"]}, "is no pattern that RE2 knows"),
        ({"jmespath": ["a ==="]}, "is no JMESPath expression"),
        ({"json_schema": {"type": "objekt"}}, "is no JSON Schema (2020-12): 'objekt' is not valid"),
        ({"json_schema": {"$ref": "http://elsewhere.example/"}}, "nothing is fetched"),
        ({"json_schema": {"$ref": "#/$defs/none"}}, "refers to '#/$defs/none', which is not there"),
        ({"json_schema": {"patternProperties": {"a": {}}}}, "use `properties`"),
        ({"json_schema": {"properties": {"a": {"pattern": "(?=b)"}}}}, "is no pattern that RE2 knows"),
        ({"method": "POST"}, "write `safe: true` if its owner says that this one does not"),
        ({"body": "a=1"}, "a body goes with `method: POST` only, not with GET"),
        ({"method": "HEAD", "contains": "x"}, "HEAD asks for no body"),
        ({"headers": {"Authorization": "Bearer geheim"}}, "an inventory holds no secrets; use `credential`"),
        ({"headers": {"cookie": "geheim"}}, "an inventory holds no secrets; use `credential`"),
        ({"headers": {"X-A": "a\r\nX-B: geheim"}}, "the value of X-A must be ASCII in one line"),
        ({"headers": {"X A": "a"}}, "'X A' is no name of an HTTP header"),
        ({"headers": {"Content-Length": "0"}}, "Content-Length is lienxa's own business"),
        ({"proxy": "https://proxy.example:3128"}, "must be the URL of an HTTP proxy"),
        ({"proxy": "http://a:geheim@proxy.example:3128"}, "an inventory holds no secrets"),
    ],
)
def test_wrong_settings_are_told_in_words(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        HttpSettings.model_validate({"url": "http://portal.example/", **settings})
    assert message in str(refusal.value)
    assert "geheim" not in str(refusal.value)


async def test_what_is_asked_is_sent_as_the_inventory_says(net: TestNet) -> None:
    seen: list[tuple[str, str | None, str | None, bytes]] = []

    async def note(request: web.Request) -> web.Response:
        language, sort = request.headers.get("Accept-Language"), request.headers.get("Content-Type")
        seen.append((request.method, language, sort, await request.read()))
        return web.Response(text="x")

    async with serving(note) as url:
        for settings in (
            {"headers": {"Accept-Language": "vi"}},
            {"method": "HEAD"},
            {"method": "POST", "safe": True, "body": '{"mã": 1}'},
            {"method": "POST", "safe": True, "body": "a=1"},
            {"method": "POST", "safe": True, "body": "a", "headers": {"content-type": "text/plain"}},
        ):
            assert (await probe(net, url, **settings)).reason is None
    assert seen == [
        ("GET", "vi", None, b""),
        ("HEAD", None, None, b""),
        ("POST", None, "application/json", '{"mã": 1}'.encode()),
        ("POST", None, "application/x-www-form-urlencoded", b"a=1"),
        ("POST", None, "text/plain", b"a"),
    ]


@pytest.mark.parametrize(
    ("status", "then"), [(301, "GET "), (302, "GET "), (303, "GET "), (307, "POST a=1"), (308, "POST a=1")]
)
async def test_a_redirected_post_goes_on_as_the_standard_says(net: TestNet, status: int, then: str) -> None:
    seen = []

    async def hop(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {await request.text()}")
        if request.path == "/":
            return web.Response(status=status, headers={"Location": "/end"})
        return web.Response()

    async with serving(hop) as url:
        assert (await probe(net, url, method="POST", safe=True, body="a=1")).reason is None
    assert seen == ["POST a=1", then]


async def test_without_redirects_the_redirect_is_the_answer(net: TestNet) -> None:
    async with answering("", 302, Location="/login") as url:
        result = await probe(net, url, max_redirects=0, status=[302], expect_headers={"Location": "^/login"})
    assert result.reason is None


# Overload and challenges


@pytest.mark.parametrize(
    "page",
    [
        "<h1>HỆ THỐNG ĐANG BẬN</h1>",
        "He\u0323\u0302 tho\u0302\u0301ng \u0111ang ba\u0323\u0302n",
        "hệ thống\n   đang&nbsp;bận",
        "H&#7879; th&#7889;ng đang bận",
        "Cổng đang được bảo trì. Vui lòng thử lại sau",
    ],
)
async def test_a_waiting_room_that_says_200_is_overloaded(net: TestNet, page: str) -> None:
    async with answering(page) as url:
        plain = await probe(net, url)
        wanted = await probe(net, url, contains="Nộp hồ sơ")
        switched_off = await probe(net, url, overload_markers=[])
    assert (plain.reason, wanted.reason, switched_off.reason) == (Reason.OVERLOADED, Reason.OVERLOADED, None)
    assert plain.grade is TargetState.DEGRADED


async def test_news_of_maintenance_on_the_real_page_are_no_overload(net: TestNet) -> None:
    news = "<li>Thông báo bảo trì hệ thống</li> Nộp hồ sơ trực tuyến"
    async with answering(news) as url:
        assert (await probe(net, url, contains="Nộp hồ sơ")).reason is None
    async with answering(news + " " * 40_000) as url:
        assert (await probe(net, url)).reason is None


@pytest.mark.parametrize(
    ("status", "page", "headers"),
    [
        (403, "Just a moment...", {"cf_mitigated": "challenge"}),
        (503, "<script src='/cdn-cgi/challenge-platform/h/b'></script>", {}),
        (202, "", {"x_amzn_waf_action": "challenge"}),
        (200, "The requested URL was rejected. Please consult with your administrator.", {}),
        (200, "<script>document.cookie='D1N=4f';window.location.reload(true);</script>", {}),
    ],
)
async def test_a_firewalls_challenge_is_unknown_not_down(
    net: TestNet, status: int, page: str, headers: dict[str, str]
) -> None:
    async with answering(page, status, **headers) as url:
        result = await probe(net, url)
    assert (result.reason, result.grade) == (Reason.BLOCKED, TargetState.UNKNOWN)


@pytest.mark.parametrize(
    ("said", "low_s", "high_s"),
    [
        ("120", 119, 121),
        ("999999999999", 599, 601),
        ("the date in 100 s", 97, 101),
        ("0", None, None),
        ("soon", None, None),
        (formatdate(0, usegmt=True), None, None),
        ("Thu, 32 Foo 99999 99:99:99 GMT", None, None),
    ],
)
async def test_retry_after_is_honoured_within_ten_minutes(
    net: TestNet, said: str, low_s: float | None, high_s: float | None
) -> None:
    if said == "the date in 100 s":
        said = formatdate(time.time() + 100, usegmt=True)
    async with answering("", 503, Retry_After=said) as url:
        result = await probe(net, url)
    assert result.reason is Reason.OVERLOADED
    if low_s is None or high_s is None:
        assert result.memory is None
    else:
        assert isinstance(result.memory, Pause)
        assert low_s < result.memory.until_s - net.clock.monotonic() < high_s


async def test_while_it_wants_to_be_left_alone_it_stays_overloaded_without_being_asked(net: TestNet) -> None:
    asked = 0

    async def busy(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=429 if asked == 1 else 200, headers={"Retry-After": "60"})

    async with serving(busy) as url:
        settings = HttpSettings(url=url)
        first = await check(settings, net, beat())
        second = await check(settings, net, beat(first.memory))
        assert asked == 1
        assert (second.reason, second.memory) == (Reason.OVERLOADED, first.memory)
        assert second.detail.startswith("not asked: it wants us back in ")
        over = await check(settings, net, beat(Pause(net.clock.monotonic() - 1)))
    assert (over.reason, over.memory, asked) == (None, None, 2)


# Compression


def deflated(data: bytes) -> bytes:
    """Deflate alone, as some servers understand the standard."""
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"xin chao")),
        ("GZIP", gzip.compress(b"xin ") + gzip.compress(b"chao")),
        ("deflate", zlib.compress(b"xin chao")),
        ("deflate", deflated(b"xin chao")),
    ],
)
async def test_a_compressed_body_is_read(net: TestNet, coding: str, body: bytes) -> None:
    async with answering(body, Content_Encoding=coding) as url:
        result = await probe(net, url, contains="xin chao", headers={"Accept-Encoding": "gzip, deflate"})
    assert (result.reason, value(result, metrics.HTTP_BODY_BYTES)) == (None, 8)


@pytest.mark.parametrize(
    ("coding", "body", "detail"),
    [
        ("gzip", gzip.compress(b"xin chao" * 99)[:-9], "the compressed body is cut off"),
        ("gzip", b"\x1f\x8b\x08nonsense and more of it", "the compressed body is damaged"),
        ("br", b"\x0b\x02\x80", "the body is in a coding that was not asked for"),
        ("gzip, gzip", b"x", "the body is in a coding that was not asked for"),
    ],
)
async def test_a_body_that_is_not_what_its_coding_says_is_a_protocol_error(
    net: TestNet, coding: str, body: bytes, detail: str
) -> None:
    async with answering(body, Content_Encoding=coding) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.PROTOCOL_ERROR, detail)


# Hostile servers: what they cost is bounded


async def cost(net: TestNet, url: str, **settings: object) -> tuple[Reason | None, float, int]:
    """The reason, the longest that the event loop stood still, and the most memory that was held more than before."""
    stalls = [0.0]

    async def watch() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            stalls.append(time.monotonic() - began - 0.005)

    watching = asyncio.create_task(watch())
    tracemalloc.start()
    try:
        result = await probe(net, url, **settings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        watching.cancel()
    return result.reason, max(stalls), peak


async def endless(first: bytes, again: bytes) -> AsyncIterator[bytes]:
    yield first
    while True:
        yield again


@contextlib.asynccontextmanager
async def streaming(first: bytes, again: bytes, pause_s: float = 0.0) -> AsyncIterator[str]:
    """A server that sends without end."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            async for part in endless(first, again):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_s)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


OK = b"HTTP/1.1 200 OK\r\n"


async def test_a_gzip_bomb_costs_no_more_than_what_is_read_of_it(net: TestNet) -> None:
    bomb = gzip.compress(bytes(400 * MIB), 1)
    async with answering(bomb, Content_Encoding="gzip") as url:
        reason, _, peak = await cost(net, url, timeout_s=5)
    assert (reason, peak < 8 * MIB) == (None, True), peak


@pytest.mark.parametrize(
    ("first", "again", "reason"),
    [
        (OK + b"\r\n", bytes(65536), None),  # a body without end
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(65536) + b"\r\n", None),
        (OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 1000, None),  # members that hold nothing
        (OK, b"X-Y: " + b"z" * 4000 + b"\r\n", Reason.PROTOCOL_ERROR),  # headers without end
        (OK, b"X-Y: " + b"z" * 60_000, Reason.PROTOCOL_ERROR),  # one header without end
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", Reason.TIMEOUT),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000, Reason.TIMEOUT),
    ],
)
async def test_what_has_no_end_is_bounded_in_memory_and_time(
    net: TestNet, first: bytes, again: bytes, reason: Reason | None
) -> None:
    began = time.monotonic()
    async with streaming(first, again) as url:
        found, _, peak = await cost(net, url, timeout_s=1.5, max_body_bytes=100_000)
    assert found is reason
    assert time.monotonic() - began < 4
    assert peak < 12 * MIB


async def test_a_slow_drip_is_a_time_out(net: TestNet) -> None:
    for first in (b"HTTP/1.1 200 ", OK + b"X", OK + b"\r\n"):
        async with streaming(first, b"x", pause_s=0.02) as url:
            began = time.monotonic()
            assert (await probe(net, url, timeout_s=0.3)).reason is Reason.TIMEOUT
            assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        ("a" + "\u0301\u0323" * 250_000, {"contains": "x"}),  # marks, which Python orders in quadratic time
        ("a" * 900_000, {"matches": ["(a|aa)+$b"]}),  # catastrophic for engines that backtrack
        ("a" * 900_000, {"matches": ["^(([a-z])+.)+[A-Z]([a-z])+$"]}),
        ('["' + "a" * 900_000 + '"]', {"json_schema": {"items": {"pattern": "^(a+)+$b"}}}),
        ("[" + ",".join(f"[{i}]" for i in range(20_000)) + "]", {"json_schema": {"uniqueItems": True}}),
        ("[" + "[]," * 300_000 + "[]]", {"jmespath": ["length(@) > `1`"]}),
        (
            "[" * 20_000 + "]" * 20_000,
            {"json_schema": {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}},
        ),
    ],
)
async def test_looking_at_a_hostile_body_takes_bounded_time(net: TestNet, page: str, settings: dict[str, Any]) -> None:
    async with answering(page) as url:
        began = time.monotonic()
        reason, stall_s, _ = await cost(net, url, timeout_s=5, **settings)
        took_s = time.monotonic() - began
    assert reason in {Reason.WRONG_CONTENT, None}
    assert took_s < 4
    assert stall_s < 1


async def test_charsets_that_are_none_cost_nothing(net: TestNet) -> None:
    for charset in ("punycode", "idna", "undefined", "utf-7", "unicode_escape", "x" * 3000):
        async with answering(b"a-" + b"9" * 500_000, Content_Type=f"text/html; charset={charset}") as url:
            began = time.monotonic()
            assert (await probe(net, url, contains="a")).reason is None
            assert time.monotonic() - began < 2


async def test_a_redirect_that_is_very_long_is_bounded(net: TestNet) -> None:
    async with sending(b"HTTP/1.1 302 Found\r\nLocation: /" + b"../" * 2600 + b"\r\nContent-Length: 0\r\n\r\n") as url:
        result = await probe(net, url)
    assert result.reason is Reason.PROTOCOL_ERROR


async def test_settings_that_have_been_used_are_still_the_same(net: TestNet) -> None:
    async with answering(STATUS) as url:
        used, fresh = (HttpSettings.model_validate({"url": url, "jmespath": ["status"]}) for _ in range(2))
        assert (await check(used, net, beat())).reason is None
    assert used == fresh  # or a reload would take it for another target
