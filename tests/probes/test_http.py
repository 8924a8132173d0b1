"""The http kind against real servers on loopback: well, slow, overloaded, wrong and hostile ones, and nginx."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError

from probes import metrics
from probes.kinds.http import HttpSettings, check
from probes.protocols.http import open_session
from probes.results import Reason, Result
from tests.probes.conftest import TestNet, beat, descriptors, descriptors_when, free_port, value

PAGE = "Cổng dịch vụ công: hệ thống hoạt động bình thường"


async def probe(net: TestNet, url: str, **settings: object) -> Result:
    """One beat."""
    model = HttpSettings.model_validate({"url": url, "timeout_s": 2.0, **settings})
    return await check(model, net, beat())


@contextlib.asynccontextmanager
async def serving(
    handler: Callable[..., Awaitable[web.StreamResponse]], context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """An aiohttp server that answers every path with `handler`; yields its URL."""
    server = web.ServerRunner(web.Server(handler))
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"{'https' if context else 'http'}://127.0.0.1:{server.addresses[0][1]}/"
    await server.cleanup()


@contextlib.asynccontextmanager
async def sending(answer: bytes, *, then_wait: bool = False) -> AsyncIterator[str]:
    """A server that reads one line and sends these bytes; yields its URL."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if then_wait:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def page(request: web.Request) -> web.Response:
    """A portal that is well."""
    return web.Response(text=PAGE)


async def test_a_page_passes_with_phases_status_and_length(net: TestNet) -> None:
    async with serving(page) as url:
        result = await probe(net, url, contains="bình thường")
    assert (result.reason, result.detail) == (None, "status 200")
    assert value(result, metrics.HTTP_STATUS) == 200
    assert value(result, metrics.HTTP_BODY_BYTES) == len(PAGE.encode())
    for phase in ("resolve", "connect", "processing", "transfer"):
        seconds = value(result, metrics.PROBE_DURATION, phase)
        assert seconds is not None
        assert 0 <= seconds < 0.5
    assert value(result, metrics.PROBE_DURATION, "tls") is None


async def test_each_probe_opens_its_own_connection_and_says_who_asks(net: TestNet) -> None:
    peers, agents, cookies = set(), set(), set()

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        agents.add(request.headers["User-Agent"])
        cookies.add(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1"})

    async with serving(note) as url:
        for _ in range(3):  # by name: aiohttp keeps no cookies of addresses in any case
            assert (await probe(net, url.replace("127.0.0.1", "localhost"))).reason is None
    assert len(peers) == 3
    assert (agents, cookies) == ({"lienxa/test (+monitoring)"}, {None})


async def test_proxies_of_the_environment_are_not_used(net: TestNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    async with serving(page) as url:
        assert (await probe(net, url)).reason is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, Reason.WRONG_STATUS),
        (500, Reason.WRONG_STATUS),
        (429, Reason.OVERLOADED),
        (502, Reason.OVERLOADED),
        (503, Reason.OVERLOADED),
        (504, Reason.OVERLOADED),
    ],
)
async def test_another_status_is_wrong_or_overloaded(net: TestNet, status: int, reason: Reason) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(answer) as url:
        result = await probe(net, url)
        assert (result.reason, result.detail) == (reason, f"status {status}")
        assert value(result, metrics.HTTP_STATUS) == status
        assert (await probe(net, url, status=[200, status])).reason is None


async def test_a_page_without_its_text_is_wrong_content(net: TestNet) -> None:
    async with serving(page) as url:
        result = await probe(net, url, contains="bảo trì")
    assert result.reason is Reason.WRONG_CONTENT


async def test_text_is_found_in_either_normal_form_and_in_its_charset(net: TestNet) -> None:
    async def decomposed(request: web.Request) -> web.Response:
        return web.Response(text="Ho\u0323 va\u0300 te\u0302n")

    async def other(request: web.Request) -> web.Response:
        return web.Response(body=request.query["text"].encode("utf-16"), headers={"Content-Type": request.query["as"]})

    async with serving(decomposed) as url:
        assert (await probe(net, url, contains="Họ và tên")).reason is None
    async with serving(other) as url:
        assert (await probe(net, f"{url}?text=xã&as=text/plain;charset=utf-16", contains="xã")).reason is None
        for charset in ("none-such", "hex", "idna", "x%00y"):
            result = await probe(net, f"{url}?text=xã&as=text/plain;charset={charset}", contains="xã")
            assert result.reason in {Reason.WRONG_CONTENT, Reason.PROTOCOL_ERROR}


async def test_a_slow_page_is_slow_and_a_slower_one_a_time_out(net: TestNet) -> None:
    async def sleepy(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    async with serving(sleepy) as url:
        slow = await probe(net, url, slow_s=0.2)
        late = await probe(net, url, timeout_s=0.1)
    assert slow.reason is Reason.SLOW
    processing = value(slow, metrics.PROBE_DURATION, "processing")
    assert processing is not None
    assert 0.25 < processing < 0.6
    assert (late.reason, late.detail) == (Reason.TIMEOUT, "no end within 0.1 s")
    assert value(late, metrics.PROBE_DURATION, "connect") is not None
    assert value(late, metrics.PROBE_DURATION, "processing") is None


async def test_a_body_that_trickles_is_a_time_out_after_its_status(net: TestNet) -> None:
    async with sending(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", then_wait=True) as url:
        result = await probe(net, url, timeout_s=0.2)
    assert result.reason is Reason.TIMEOUT
    assert value(result, metrics.HTTP_STATUS) == 200


async def test_a_closed_port_refuses(net: TestNet) -> None:
    result = await probe(net, f"http://127.0.0.1:{free_port()}/")
    assert (result.reason, result.detail) == (Reason.REFUSED, "Connection refused")


async def test_a_name_that_cannot_be_is_a_dns_error(net: TestNet) -> None:
    result = await probe(net, f"http://{'x' * 64}.test/")
    assert result.reason is Reason.DNS_ERROR


async def test_redirects_are_followed_and_their_phases_summed(net: TestNet) -> None:
    async def hop(request: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        if request.path == "/end":
            return web.Response(text=PAGE)
        raise web.HTTPFound("/end")

    async with serving(hop) as url:
        result = await probe(net, url)
    assert result.reason is None
    processing = value(result, metrics.PROBE_DURATION, "processing")
    assert processing is not None
    assert processing > 0.1


async def test_redirects_without_end_are_a_protocol_error(net: TestNet) -> None:
    hops = 0

    async def again(request: web.Request) -> web.Response:
        nonlocal hops
        hops += 1
        raise web.HTTPFound(f"/{hops}?token=geheim")

    async with serving(again) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.PROTOCOL_ERROR, "more than 5 redirects")
    assert hops <= 6


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x16\x03\x01\x00\x00 no web server\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::bad/\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_garbage_is_a_protocol_error(net: TestNet, answer: bytes) -> None:
    async with sending(answer) as url:
        result = await probe(net, url)
    assert result.reason is Reason.PROTOCOL_ERROR
    assert "127.0.0.1" not in result.detail


async def test_no_more_of_a_body_is_read_than_allowed(net: TestNet) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(bytes(65536))
                sent += 65536
        return response

    async with serving(endless) as url:
        result = await probe(net, url, max_body_bytes=100_000)
    assert result.reason is None
    assert value(result, metrics.HTTP_BODY_BYTES) is None
    assert sent < 50_000_000


async def test_a_body_of_exactly_the_bound_is_whole(net: TestNet) -> None:
    async with serving(page) as url:
        size = len(PAGE.encode())
        whole = await probe(net, url, max_body_bytes=size, contains="bình thường")
        cut = await probe(net, url, max_body_bytes=size - 1, contains="bình thường")
    assert (whole.reason, value(whole, metrics.HTTP_BODY_BYTES)) == (None, size)
    assert (cut.reason, value(cut, metrics.HTTP_BODY_BYTES)) == (Reason.WRONG_CONTENT, size)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key) that nobody has signed but itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*words.split(), *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """A server's context with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_of_nobodys_is_a_tls_error(net: TestNet, tls: ssl.SSLContext) -> None:
    async with serving(page, tls) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.TLS_ERROR, "self-signed certificate")
    assert value(result, metrics.PROBE_DURATION, "connect") is not None


async def test_unverified_tls_passes_and_is_timed(net: TestNet, tls: ssl.SSLContext) -> None:
    async with serving(page, tls) as url:
        result = await probe(net, url, verify_tls=False)
    assert result.reason is None
    handshake = value(result, metrics.PROBE_DURATION, "tls")
    assert handshake is not None
    assert 0 < handshake < 0.5


async def test_an_authority_of_ones_own_is_trusted(certificate: tuple[Path, Path], tls: ssl.SSLContext) -> None:
    session = open_session("test", ca_file=certificate[0])
    async with session, serving(page, tls) as url:
        assert (await probe(TestNet(http=session), url)).reason is None


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_port_without_tls_is_a_tls_error(net: TestNet, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        result = await probe(net, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert result.reason is Reason.TLS_ERROR


async def test_a_handshake_that_never_comes_is_a_time_out(net: TestNet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = await probe(net, f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.2)
    assert result.reason is Reason.TIMEOUT


async def test_no_descriptor_is_left_when_a_probe_is_cancelled(net: TestNet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        before = descriptors()
        for scheme in ("http", "https") * 3:
            task = asyncio.create_task(probe(net, f"{scheme}://127.0.0.1:{port}/"))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await descriptors_when(before) == before


@pytest.mark.parametrize(
    "url",
    [
        "ftp://portal.example/",
        "portal.example",
        "http://",
        "http://portal.example:99999/",
        "http://portal example/",
        "https://name:geheim@portal.example/",
    ],
)
def test_what_is_no_url_of_a_web_page_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        HttpSettings(url=url)
    assert "geheim" not in str(refusal.value)


async def test_nginx_passes(net: TestNet, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("no nginx (Debian package nginx-light)")
    plain, secure = free_port(), free_port()
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    config = tmp_path / "nginx.conf"
    temporary = "".join(f"{use}_temp_path {tmp_path};" for use in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; charset utf-8; types {{ text/html html; }} {temporary}\n"
        f"server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{secure} ssl; root {tmp_path};\n"
        f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};\n"
        "location /busy { return 503; } } }\n",
        encoding="ascii",
    )
    server = await asyncio.create_subprocess_exec(binary, "-p", str(tmp_path), "-c", str(config))
    try:
        while (await probe(net, f"http://127.0.0.1:{plain}/")).reason is Reason.REFUSED:  # noqa: ASYNC110  # no event of nginx
            await asyncio.sleep(0.05)
        assert (await probe(net, f"http://127.0.0.1:{plain}/", contains="bình thường")).reason is None
        assert (await probe(net, f"http://127.0.0.1:{plain}/busy")).reason is Reason.OVERLOADED
        assert (await probe(net, f"https://127.0.0.1:{secure}/")).reason is Reason.TLS_ERROR
        result = await probe(net, f"https://127.0.0.1:{secure}/", verify_tls=False, contains="bình thường")
        assert result.reason is None
        assert value(result, metrics.PROBE_DURATION, "tls") is not None
    finally:
        server.terminate()
        await server.wait()
