"""What a device opens to everybody is found with real servers, and what cannot be found out is not claimed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import time
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from probes.ports import SnmpAgent, SnmpError, SnmpRows
from probes.protocols.exposure import PATIENCE_S, PORTS, exposure
from probes.results import Reason
from tests.probes.conftest import descriptors, descriptors_when, free_port

AGENT = SnmpAgent("127.0.0.1", 161, "v3", user="probe")


class Answers:
    """Stands for the device's SNMP agent: answers one community, and is silent to all others."""

    def __init__(self, *communities: str) -> None:
        self.communities = communities
        self.asked: list[tuple[str, str]] = []

    async def get(self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, **_: Any) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        self.asked.append((agent.version, agent.community.get_secret_value()))
        if agent.community.get_secret_value() not in self.communities:
            raise SnmpError(Reason.TIMEOUT)
        return SnmpRows({oids[0]: 1})

    async def walk(self, *_: Any, **__: Any) -> SnmpRows:
        """Nothing here is walked."""
        raise AssertionError


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of nobody's, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=router -keyout key.pem -out certificate.pem"
    subprocess.run(words.split(), cwd=folder, check=True, capture_output=True)
    whole = folder / "whole.pem"
    whole.write_bytes((folder / "certificate.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return whole


@contextlib.asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that holds every connection until the other end closes it."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def serving(certificate: Path, highest: ssl.TLSVersion) -> ssl.SSLContext:
    """The server's side of TLS, from 1.0 up to `highest`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1 if highest < ssl.TLSVersion.TLSv1_2 else ssl.TLSVersion.TLSv1_2
        context.maximum_version = highest
    return context


async def found(
    snmp: Answers, ports: Mapping[str, int] | None = None, tls_port: int | None = None, agent: SnmpAgent = AGENT
) -> Mapping[str, bool]:
    """What is found of this machine; where nothing is given, nobody listens."""
    return (await exposure(agent, snmp, 0.0, ports or {}, tls_port or free_port())).found


async def test_a_device_that_opens_nothing_has_no_finding() -> None:
    snmp = Answers()
    assert await found(snmp, {"telnet_open": free_port()}) == {"default_community": False, "telnet_open": False}
    assert snmp.asked == [("v2c", "public"), ("v2c", "private")]


@pytest.mark.parametrize("community", ["public", "private"])
async def test_a_default_community_is_found(community: str) -> None:
    assert (await found(Answers(community)))["default_community"] is True


async def test_the_oldest_version_is_asked_by_its_own() -> None:
    snmp = Answers("public")
    await found(snmp, agent=SnmpAgent("127.0.0.1", 161, "v1"))
    assert snmp.asked == [("v1", "public")]


async def test_an_open_port_is_found_and_left_as_it_was() -> None:
    before = descriptors()
    async with listening() as port:
        assert (await found(Answers(), {"winbox_open": port}))["winbox_open"] is True
    assert await descriptors_when(before) == before


@pytest.mark.parametrize(
    ("highest", "weak"),
    [(ssl.TLSVersion.TLSv1, True), (ssl.TLSVersion.TLSv1_1, True), (ssl.TLSVersion.TLSv1_3, False)],
)
async def test_old_tls_is_found(certificate: Path, highest: ssl.TLSVersion, weak: bool) -> None:
    before = descriptors()
    async with listening(serving(certificate, highest)) as port:
        assert (await found(Answers(), tls_port=port))["weak_tls"] is weak
    assert await descriptors_when(before) == before


async def test_of_a_port_that_nobody_serves_or_that_says_nothing_no_tls_is_told(silent: int) -> None:
    started = time.monotonic()
    assert "weak_tls" not in await found(Answers(), tls_port=silent)
    assert time.monotonic() - started < 2 * PATIENCE_S
    assert "weak_tls" not in await found(Answers())


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """A port that takes connections and never answers."""
    async with listening() as port:
        yield port


def test_findings_are_label_safe() -> None:
    assert all(name.replace("_", "").isalpha() and name.islower() for name in PORTS)
