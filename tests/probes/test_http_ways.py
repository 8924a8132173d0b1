"""How the http kind gets to servers: redirects that lead astray, proxies, addresses, access tokens, certificates."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from probes import metrics
from probes.kinds.http import HttpSettings, check
from probes.ports import ClientGrant, HttpAuth
from probes.protocols import redirects
from probes.protocols import web as exchange
from probes.protocols.http import open_session
from probes.protocols.redirects import Zone, why_not, why_not_named, zone
from probes.results import Reason
from tests.probes.conftest import TestNet, beat, free_port, in_namespace, ip, value
from tests.probes.test_http import certificate, page, probe, serving, tls

__all__ = ["certificate", "tls"]  # fixtures


def own_address() -> str:
    """One of this machine's that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no address besides loopback")
        return str(asking.getsockname()[0])


# Where a redirect may lead


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", Zone.THIS_MACHINE),
        ("127.9.9.9", Zone.THIS_MACHINE),
        ("0.0.0.0", Zone.THIS_MACHINE),
        ("::1", Zone.THIS_MACHINE),
        ("::", Zone.THIS_MACHINE),
        ("::ffff:127.0.0.1", Zone.THIS_MACHINE),
        ("64:ff9b::7f00:1", Zone.THIS_MACHINE),
        ("2002:7f00:1::", Zone.THIS_MACHINE),
        ("169.254.169.254", Zone.METADATA),
        ("::ffff:169.254.169.254", Zone.METADATA),
        ("fd00:ec2::254", Zone.METADATA),
        ("100.100.100.200", Zone.METADATA),
        ("169.254.1.1", Zone.LINK_LOCAL),
        ("fe80::1", Zone.LINK_LOCAL),
        ("fe80::1%2", Zone.LINK_LOCAL),
        ("224.0.0.1", Zone.NOBODY),
        ("255.255.255.255", Zone.NOBODY),
        ("ff02::1", Zone.NOBODY),
        ("10.4.1.1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("192.168.250.250", Zone.PRIVATE),
        ("fd12::1", Zone.PRIVATE),
        ("::ffff:10.4.1.1", Zone.PRIVATE),
        ("8.8.8.8", Zone.PUBLIC),
        ("2001:4860:4860::8888", Zone.PUBLIC),
    ],
)
def test_every_address_has_a_zone(address: str, expected: Zone) -> None:
    assert zone(address) is expected


def test_the_machines_own_address_is_itself() -> None:
    assert zone(own_address()) is Zone.THIS_MACHINE


@pytest.mark.parametrize(
    ("visited", "address", "allowed"),
    [
        (["8.8.8.8"], "1.1.1.1", True),
        (["8.8.8.8"], "10.4.1.1", False),
        (["8.8.8.8"], "127.0.0.1", False),
        (["8.8.8.8"], "169.254.169.254", False),
        (["10.4.1.1"], "10.9.1.1", True),
        (["10.4.1.1"], "8.8.8.8", True),
        (["10.4.1.1", "8.8.8.8"], "10.4.1.1", True),  # home from a login page
        (["10.4.1.1", "8.8.8.8"], "10.4.1.2", False),
        (["10.4.1.1"], "127.0.0.1", False),
        (["10.4.1.1"], "fe80::1", False),
        (["10.4.1.1"], "fd00:ec2::254", False),
        (["10.4.1.1"], "224.0.0.1", False),
        (["127.0.0.1"], "127.0.0.2", True),  # it is on this machine itself
        (["127.0.0.1"], "169.254.169.254", False),
        (["169.254.169.254"], "100.100.100.200", False),
        (["127.0.0.1"], "10.4.1.1", True),
    ],
)
def test_redirects_lead_only_where_others_may_send_us(visited: list[str], address: str, allowed: bool) -> None:
    assert (why_not(visited, address) is None) is allowed


def test_behind_a_proxy_names_are_judged_as_far_as_they_tell() -> None:
    refused = [why_not_named(host) for host in ("localhost", "a.localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1")]
    assert all(refused)
    assert why_not_named("portal.example") is None


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://10.4.1.1/", "javascript:alert(1)", "data:,x"])
async def test_a_redirect_to_another_scheme_is_not_followed(net: TestNet, location: str) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async with serving(away) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (
        Reason.FORBIDDEN_TARGET,
        "redirected to what is neither http nor https",
    )


def test_no_redirect_reaches_the_machine_itself_or_its_neighbours() -> None:
    """A target at a private address, in a network of the test's own, that sends us everywhere."""

    async def scenario() -> dict[str, tuple[Reason | None, str]]:
        ip("link", "add", "wan", "type", "veth", "peer", "name", "far")
        ip("address", "add", "10.4.1.2/24", "dev", "wan")
        ip("link", "set", "wan", "up")
        reached = []

        async def secret(request: web.Request) -> web.Response:
            reached.append(str(request.url))
            return web.Response(text="secret")

        found: dict[str, tuple[Reason | None, str]] = {}
        async with open_session("test") as session, serving(secret) as inner:
            net, port = TestNet(http=session), inner.rpartition(":")[2]
            for host in ("127.0.0.1", "localhost", "10.4.1.2", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"):

                def rule(address: str, host: str = host) -> str | None:
                    return redirects.why_not(["10.4.9.9"], address)

                asked = exchange.Asked(f"http://{host}:{port}", may_reach=rule)
                try:
                    await exchange.Exchanges(net).fetch(asked, 2)
                    found[host] = (None, "reached")
                except exchange.WebError as error:
                    found[host] = (error.reason, error.detail)
        assert not reached
        return found

    found = in_namespace(scenario)
    assert {reason for reason, _ in found.values()} == {Reason.FORBIDDEN_TARGET}
    assert found["10.4.1.2"][1] == "redirected to this machine itself"
    assert found["169.254.169.254"][1] == "redirected to the metadata service of a cloud"


async def test_a_real_redirect_is_judged_by_where_its_name_leads(net: TestNet) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data/")

    async with serving(away) as url:
        began = time.monotonic()
        result = await probe(net, url)
    assert (result.reason, result.detail) == (
        Reason.FORBIDDEN_TARGET,
        "redirected to the metadata service of a cloud",
    )
    assert time.monotonic() - began < 1.5  # refused, not tried


async def test_the_callers_rule_is_asked_at_first_and_at_each_redirect(net: TestNet) -> None:
    asked_of: list[str] = []

    def rule(address: str) -> str | None:
        asked_of.append(address)
        return None if len(asked_of) == 1 else "not on the list"

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/again")

    async with serving(away) as url:
        with pytest.raises(exchange.WebError) as refusal:
            await exchange.Exchanges(net).fetch(exchange.Asked(url, may_reach=rule), 2)
    assert (refusal.value.reason, refusal.value.detail) == (Reason.FORBIDDEN_TARGET, "not on the list")
    assert asked_of == ["127.0.0.1", "127.0.0.1"]


# Proxies, addresses


@contextlib.asynccontextmanager
async def proxying(status: bytes = b"200 OK") -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy that knows CONNECT and absolute URLs; yields its URL and the lines that it was asked with."""
    lines: list[str] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n")[0].decode()
        lines.append(line)
        method, target, _ = line.split()
        place = target if method == "CONNECT" else target.split("/")[2]
        if not status.startswith(b"200"):
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            host, _, port = place.rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            else:
                far_writer.write(head)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
            far_writer.close()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", lines
    server.close()


async def test_a_proxy_is_gone_through_with_and_without_tls(net: TestNet, tls: ssl.SSLContext) -> None:
    async with serving(page) as plain, serving(page, tls) as secure, proxying() as (proxy, lines):
        first = await probe(net, plain, proxy=proxy, contains="bình thường")
        second = await probe(net, secure, proxy=proxy, contains="bình thường", verify_tls=False)
    assert (first.reason, second.reason) == (None, None)
    assert lines[0].startswith(f"GET {plain} ")
    assert lines[1].startswith(f"CONNECT 127.0.0.1:{secure.split(':')[2].rstrip('/')} ")
    assert (value(second, metrics.PROBE_DURATION, "tls") or 0) > 0
    assert value(second, metrics.CERTIFICATE_NOT_AFTER) is not None


async def test_what_a_proxy_refuses_is_told_as_the_proxys(net: TestNet) -> None:
    async with proxying(b"407 Proxy Authentication Required") as (proxy, _):
        refused = await probe(net, "https://portal.example/", proxy=proxy)
    absent = await probe(net, "https://portal.example/", proxy=f"http://127.0.0.1:{free_port()}")
    assert (refused.reason, refused.detail) == (Reason.PROXY_ERROR, "the proxy answers with status 407")
    assert (absent.reason, absent.detail) == (Reason.PROXY_ERROR, "the proxy: Connection refused")


async def test_through_a_proxy_nobody_sends_us_to_its_own_machine(net: TestNet) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://localhost:1/")

    async with serving(away) as url, proxying() as (proxy, lines):
        result = await probe(net, url, proxy=proxy)
    assert (result.reason, len(lines)) == (Reason.FORBIDDEN_TARGET, 1)


async def test_the_source_address_is_the_one_given(net: TestNet) -> None:
    peers = []

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername")[0])
        return web.Response()

    async with serving(note) as url:
        assert (await probe(net, url, source="127.0.0.7")).reason is None
        assert (await probe(net, url, interface="lo")).reason is None
        foreign = await probe(net, url, source="192.0.2.7")
        nowhere = await probe(net, url, interface="none0")
    assert peers == ["127.0.0.7", "127.0.0.1"]
    assert (foreign.reason, nowhere.reason) == (Reason.SUSPECT, Reason.SUSPECT)


async def test_the_version_of_ip_is_the_one_wanted(net: TestNet) -> None:
    async with serving(page) as url:
        four = await probe(net, url, ip_version=4)
        six = await probe(net, url, ip_version=6)
    assert (four.reason, six.reason, six.detail) == (None, Reason.DNS_ERROR, "no IPv6 address")


def test_an_address_that_is_silent_gives_way_to_the_next() -> None:
    async def scenario() -> tuple[str, float]:
        from probes.protocols.tcp import PATIENCE_S, Endpoint, connect

        ip("link", "add", "wan", "type", "veth", "peer", "name", "far")
        ip("link", "set", "far", "up")
        ip("address", "add", "10.4.1.2/24", "dev", "wan")
        ip("link", "set", "wan", "up")
        ip("neighbour", "add", "10.4.1.9", "lladdr", "02:00:00:00:00:09", "dev", "wan")
        with socket.create_server(("127.0.0.1", 0)) as well:
            began = time.monotonic()
            endpoints = [Endpoint(socket.AF_INET, ("10.4.1.9", 80)), Endpoint(socket.AF_INET, well.getsockname())]
            connection = await connect(endpoints)
            with connection:
                return connection.getpeername()[0], time.monotonic() - began - PATIENCE_S

    reached, beyond_s = in_namespace(scenario)
    assert reached == "127.0.0.1"
    assert 0 <= beyond_s < 1


# Access tokens


class TokenService:
    """Gives `token-1`, `token-2`, … and the service beside it takes those that it knows."""

    def __init__(self, **answer: Any) -> None:
        self.given = 0
        self.forms: list[tuple[str, str]] = []
        self.seen: list[str | None] = []
        self.revoked: set[str] = set()
        self.answer = answer

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/token":
            self.given += 1
            self.forms.append((request.headers["Authorization"], await request.text()))
            life = {"access_token": f"token-{self.given}", "token_type": "Bearer", "expires_in": 3600}
            return web.json_response(life | self.answer)
        self.seen.append(request.headers.get("Authorization"))
        known = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        return web.Response(status=401 if not known or known in self.revoked else 200)


def granted(url: str) -> HttpAuth:
    """An OAuth 2.0 client of the token service at `url`."""
    return HttpAuth(grant=ClientGrant(f"{url}token", "lien xa", SecretStr("bí mật"), "giam-sat"))


async def test_a_token_is_fetched_once_and_shared_until_it_ends(net: TestNet) -> None:
    service = TokenService()
    async with serving(service) as url:
        auth = granted(url)
        results = await asyncio.gather(*(probe(net, url, auth=auth) for _ in range(5)))
        assert [result.reason for result in results] == [None] * 5
        assert (service.given, set(service.seen)) == (1, {"Bearer token-1"})
        assert auth.grant is not None
        assert 3560 < auth.grant.held.until_s - net.clock.monotonic() < 3571
        auth.grant.held.until_s = net.clock.monotonic()
        assert (await probe(net, url, auth=auth)).reason is None
    assert service.given == 2
    words = "bGllbit4YTpiJUMzJUFEK20lRTElQkElQUR0"  # lien+xa:b%C3%AD+m%E1%BA%ADt
    assert service.forms[0] == (f"Basic {words}", "grant_type=client_credentials&scope=giam-sat")


async def test_a_token_that_is_revoked_is_fetched_anew_once(net: TestNet) -> None:
    service = TokenService()
    async with serving(service) as url:
        auth = granted(url)
        assert (await probe(net, url, auth=auth)).reason is None
        service.revoked = {"token-1"}
        assert (await probe(net, url, auth=auth)).reason is None
        assert service.given == 2
        service.revoked = {"token-2", "token-3"}
        refused = await probe(net, url, auth=auth)
    assert (refused.reason, refused.detail, service.given) == (Reason.WRONG_STATUS, "status 401", 3)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ({"access_token": ""}, "the token service's answer holds no token"),
        ({"access_token": "a\r\nX-Evil: 1"}, "the token service's answer holds no token"),
        ({"access_token": ["a"]}, "the token service's answer holds no token"),
        ({"access_token": "a" * 70_000}, "the token service's answer holds no token"),
        ({"token_type": "mac"}, "the token service gives a token that is no bearer token"),
    ],
)
async def test_what_is_no_token_is_told(net: TestNet, answer: dict[str, Any], detail: str) -> None:
    async with serving(TokenService(**answer)) as url:
        result = await probe(net, url, auth=granted(url))
    assert (result.reason, result.detail) == (Reason.NO_TOKEN, detail)


async def test_a_token_service_that_fails_is_told_apart_from_the_service(net: TestNet) -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with serving(page) as url:
        away = await probe(net, url, auth=granted(f"http://127.0.0.1:{free_port()}/"))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            auth = granted(f"http://127.0.0.1:{silent.getsockname()[1]}/")
            mute = await probe(net, url, auth=auth, timeout_s=0.4)
        async with serving(broken) as other:
            moved = await probe(net, url, auth=granted(other))
    assert [result.reason for result in (away, mute, moved)] == [Reason.NO_TOKEN] * 3
    assert mute.detail == "the token service does not answer within 0.2 s"
    assert moved.detail == "the token service answers with status 302"


async def test_a_token_stays_with_its_service_and_out_of_sight(net: TestNet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stranger = TokenService()
    service = TokenService()
    async with serving(stranger) as other, serving(service) as url:

        async def away(request: web.Request) -> web.Response:
            raise web.HTTPFound(other)

        async with serving(away) as start:
            auth = granted(url)
            settings = HttpSettings.model_validate({"url": start, "auth": auth})
            result = await check(settings, net, beat())
    assert (result.reason, stranger.seen) == (Reason.WRONG_STATUS, [None])
    told = f"{settings!r} {settings.model_dump()} {auth!r} {auth.grant!r} {result} {caplog.text}"
    for secret in ("bí mật", "token-1", "bGllbit4YT"):
        assert secret not in told


# Certificates


async def test_a_certificate_that_ends_soon_degrades(certificate: tuple[Path, Path], tls: ssl.SSLContext) -> None:
    async with open_session("test", ca_file=certificate[0]) as session, serving(page, tls) as url:
        net = TestNet(http=session)
        well = await probe(net, url)
        soon = await probe(net, url, certificate_days=100)
    assert (well.reason, soon.reason) == (None, Reason.CERTIFICATE_EXPIRING)
    assert soon.detail == "the certificate ends in 90 days"
    left_days = ((value(well, metrics.CERTIFICATE_NOT_AFTER) or 0) - time.time()) / 86_400
    assert 89 < left_days < 91
