"""The http kind against real servers on loopback: well, slow, overloaded, wrong and hostile ones, and nginx."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from probes import metrics
from probes.kinds.http import HttpSettings, check
from probes.ports import HttpAuth
from probes.protocols.http import ENCRYPTED, CertificateRefused, client_context, open_session
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
        b"HTTP/1.1 302 Found\r\nLocation: http://[::bad/\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_garbage_is_a_protocol_error(net: TestNet, answer: bytes) -> None:
    async with sending(answer) as url:
        result = await probe(net, url)
    assert result.reason is Reason.PROTOCOL_ERROR
    assert "127.0.0.1" not in result.detail


async def test_a_connection_that_breaks_is_not_tried_again(net: TestNet) -> None:
    connections = 0

    async def drop_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if connections > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(drop_the_first, "127.0.0.1", 0)
    async with server:
        result = await probe(net, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (result.reason, connections) == (Reason.PROTOCOL_ERROR, 1)


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
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*words.split(), *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate, key


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, SecretStr]:
    """(certificate, key) of somebody who asks, PEM."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("client")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lienxa"
    subprocess.run(
        [*words.split(), "-keyout", "key", "-out", "certificate"], check=True, capture_output=True, cwd=folder
    )
    return (folder / "certificate").read_text(encoding="ascii"), SecretStr((folder / "key").read_text(encoding="ascii"))


async def shown(client: tuple[str, SecretStr], *, verify: bool = False, ca_file: Path | None = None) -> HttpAuth:
    """A client certificate as the plan hands it over."""
    certificate, key = client
    context = await asyncio.to_thread(client_context, certificate, key, verify=verify, ca_file=ca_file)
    return HttpAuth(certificate=certificate, key=key, context=context)


@pytest.fixture
def mutual(certificate: tuple[Path, Path], client: tuple[str, SecretStr]) -> ssl.SSLContext:
    """A server's context that wants to see the client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(cadata=client[0])
    context.verify_mode = ssl.CERT_REQUIRED
    return context


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


# Who asks

BASIC = HttpAuth(user="lienxa", password=SecretStr("mật khẩu"))
TOKEN = HttpAuth(token=SecretStr("ey.hidden-word.3"))


def naming(seen: list[str | None]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that notes how each request says who asks."""

    async def note(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(text=PAGE)

    return note


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, None),
        (
            HttpAuth(user="Aladdin", password=SecretStr("open sesame")),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),  # RFC 7617 2
        (HttpAuth(user="test", password=SecretStr("123\u00a3")), "Basic dGVzdDoxMjPCow=="),  # RFC 7617 2.1
        (HttpAuth(user="a", password=SecretStr("a\u0323")), "Basic YTrhuqE="),  # composed, as RFC 7617 2.1 wants it
        (TOKEN, "Bearer ey.hidden-word.3"),
    ],
)
async def test_who_asks_is_told_as_the_standards_say(net: TestNet, auth: HttpAuth | None, expected: str | None) -> None:
    seen: list[str | None] = []
    async with serving(naming(seen)) as url:
        result = await probe(net, url, auth=auth)
    assert (result.reason, seen) == (None, [expected])


async def test_a_wrong_password_is_a_wrong_status(net: TestNet) -> None:
    async def gate(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers.get("Authorization") == "Bearer right" else 401)

    async with serving(gate) as url:
        assert (await probe(net, url, auth=HttpAuth(token=SecretStr("right")))).reason is None
        refused = await probe(net, url, auth=HttpAuth(token=SecretStr("wrong")))
    assert (refused.reason, refused.detail) == (Reason.WRONG_STATUS, "status 401")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", [BASIC, TOKEN])
async def test_no_other_server_is_told_who_asks(net: TestNet, status: int, auth: HttpAuth) -> None:
    here: list[str | None] = []
    elsewhere: list[str | None] = []

    async with serving(naming(elsewhere)) as other:

        async def leave(request: web.Request) -> web.Response:
            here.append(request.headers.get("Authorization"))
            where = {"/": "/again", "/again": other}[request.path]
            return web.Response(status=status, headers={"Location": where})

        async with serving(leave) as url:
            result = await probe(net, url, auth=auth)
    assert result.reason is None
    assert here[0] is not None
    assert here == [here[0]] * 2
    assert elsewhere == [None]


async def test_a_way_back_from_another_server_is_told_again(net: TestNet) -> None:
    seen: list[str | None] = []

    async def back(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async with serving(back) as other:

        async def home(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization"))
            if request.path == "/":
                raise web.HTTPFound(f"{other}?to={request.url.with_path('/home')}")
            return web.Response()

        async with serving(home) as url:
            assert (await probe(net, url, auth=TOKEN)).reason is None
    assert seen == ["Bearer ey.hidden-word.3"] * 2


async def test_the_same_server_without_tls_is_another_one(net: TestNet, tls: ssl.SSLContext) -> None:
    seen: list[str | None] = []
    async with serving(naming(seen)) as plain:

        async def downgrade(request: web.Request) -> web.Response:
            raise web.HTTPFound(plain)

        async with serving(downgrade, tls) as url:
            result = await probe(net, url, auth=TOKEN, verify_tls=False)
    assert (result.reason, seen) == (None, [None])


async def test_a_name_and_password_in_a_redirect_are_not_taken_over(net: TestNet) -> None:
    seen: list[str | None] = []
    async with serving(naming(seen)) as other:

        async def leave(request: web.Request) -> web.Response:
            if request.path == "/":
                raise web.HTTPFound(str(request.url.with_user("mallory").with_password("x").with_path("/2")))
            raise web.HTTPFound(other.replace("http://", "http://mallory:x@"))

        async with serving(leave) as url:
            result = await probe(net, url, auth=BASIC)
    assert (result.reason, seen) == (None, [None])


async def test_a_client_certificate_opens_what_asks_for_one(
    net: TestNet, mutual: ssl.SSLContext, client: tuple[str, SecretStr], certificate: tuple[Path, Path]
) -> None:
    names: list[object] = []

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        names.append(request.transport.get_extra_info("peercert")["subject"])
        return web.Response(text=PAGE)

    async with serving(note, mutual) as url:
        trusted = await probe(net, url, auth=await shown(client, verify=True, ca_file=certificate[0]))
        unverified = await probe(net, url, auth=await shown(client), verify_tls=False)
        stranger = await probe(net, url, auth=await shown(client, verify=True))
    assert (trusted.reason, unverified.reason) == (None, None)
    assert names == [((("commonName", "lienxa"),),)] * 2
    assert (stranger.reason, stranger.detail) == (Reason.TLS_ERROR, "self-signed certificate")


async def test_a_server_that_misses_a_certificate_is_a_tls_error(net: TestNet, mutual: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            connection, _ = listening.accept()
            with mutual.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
                with pytest.raises(ssl.SSLError):
                    secured.do_handshake()
                secured.shutdown(socket.SHUT_WR)
                while secured.recv(1000):  # whoever closes with data unread resets
                    pass

        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        result = await probe(net, f"https://127.0.0.1:{listening.getsockname()[1]}/", verify_tls=False)
        await refusing
    assert (result.reason, result.detail) == (Reason.TLS_ERROR, "tlsv13 alert certificate required")


async def test_no_other_server_is_shown_the_certificate(
    net: TestNet, mutual: ssl.SSLContext, client: tuple[str, SecretStr], certificate: tuple[Path, Path]
) -> None:
    shown_there: list[object] = []
    curious = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    curious.load_cert_chain(*certificate)
    curious.load_verify_locations(cadata=client[0])
    curious.verify_mode = ssl.CERT_OPTIONAL

    async def look(request: web.Request) -> web.Response:
        assert request.transport is not None
        shown_there.append(request.transport.get_extra_info("peercert"))
        return web.Response()

    async with serving(look, curious) as other:

        async def leave(request: web.Request) -> web.Response:
            raise web.HTTPFound(other)

        async with serving(leave, mutual) as url:
            assert (await probe(net, url, auth=await shown(client), verify_tls=False)).reason is None
            assert (await probe(net, other, auth=await shown(client), verify_tls=False)).reason is None
    assert [bool(seen) for seen in shown_there] == [False, True]


def test_a_certificate_that_cannot_be_used_is_told_in_words(client: tuple[str, SecretStr], tmp_path: Path) -> None:
    certificate, key = client
    openssl("ecparam -name prime256v1 -genkey -noout -out other", tmp_path)
    openssl("genrsa -out rsa 2048", tmp_path)
    openssl("pkey -in other -aes256 -passout pass:geheim -out locked", tmp_path)
    openssl("req -x509 -newkey rsa:1024 -nodes -days 2 -subj /CN=x -keyout small -out weak", tmp_path)
    files = {path.name: path.read_text(encoding="ascii") for path in tmp_path.iterdir()}
    damaged = certificate.replace("M", "N")

    def why(certificate: str, key: str) -> str:
        with pytest.raises(CertificateRefused) as caught:
            client_context(certificate, SecretStr(key))
        return f"{caught.value.part}: {caught.value}"

    secret = key.get_secret_value()
    mismatch = "key: does not belong to the certificate"
    assert why("", secret) == "certificate: holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)"
    assert why(secret, secret) == "certificate: holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)"
    assert why(certificate, certificate) == "key: holds no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)"
    assert why(damaged, secret) == "certificate: holds a certificate that is damaged"
    assert why(certificate, secret.replace("M", "N")) == "key: is damaged, or no key that OpenSSL knows"
    assert (why(certificate, files["other"]), why(certificate, files["rsa"])) == (mismatch, mismatch)
    assert why(files["weak"], files["small"]) == "certificate: is too weak for this machine (ee key too small)"
    assert why(certificate, files["locked"]) == f"key: {ENCRYPTED}"


def openssl(words: str, folder: Path) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)


def test_nothing_is_left_open_by_a_certificate(client: tuple[str, SecretStr]) -> None:
    before = descriptors()
    client_context(*client)
    with pytest.raises(CertificateRefused):
        client_context(client[0], SecretStr("-----BEGIN PRIVATE KEY-----"))
    assert descriptors() == before


@pytest.mark.parametrize("auth", [BASIC, TOKEN])
async def test_no_secret_shows_in_settings_result_or_log(
    net: TestNet, auth: HttpAuth, caplog: pytest.LogCaptureFixture
) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://[::bad/{request.headers['Authorization']}"})

    caplog.set_level(logging.DEBUG)
    async with serving(echo) as url:
        settings = HttpSettings.model_validate({"url": url, "auth": auth})
        astray = await check(settings, net, beat())
        lost = await probe(net, f"http://127.0.0.1:{free_port()}/", auth=auth)
    dumps = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    told = f"{dumps} {auth!r} {auth} {astray} {lost} {caplog.text}"
    assert astray.detail == "redirected to what is no URL of a web page"
    for secret in ("mật khẩu", "hidden-word", "bGllbnhhOm3huq10IGto4bqpdQ=="):
        assert secret not in told
    assert "auth" not in json.dumps(HttpSettings.model_json_schema())


def test_an_inventory_cannot_say_who_asks_by_itself() -> None:
    with pytest.raises(ValidationError) as refusal:
        HttpSettings.model_validate({"url": "http://portal.example/", "auth": {"user": "a", "password": "geheim"}})
    assert "geheim" not in str(refusal.value)
    assert "name an entry of `credentials` with `credential: NAME`" in str(refusal.value)


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
