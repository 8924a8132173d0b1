"""Conversations of the tcp kind with servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from probes import metrics
from probes.kinds.tcp import TcpSettings, check
from probes.protocols.dialog import filled
from probes.results import Reason, Result
from tests.probes.authorities import HOST, Files, an_authority, written
from tests.probes.conftest import TestNet, beat, in_namespace, ip, value
from tests.probes.loopback import Serve, serving


async def probe(port: int, *steps: dict[str, Any], **settings: Any) -> Result:
    """One beat."""
    told = {"host": "127.0.0.1", "port": port, "timeout_s": 2, "steps": list(steps), **settings}
    return await check(TcpSettings.model_validate(told), TestNet(), beat())


def greeting(data: bytes, *, then_close: bool = False) -> Serve:
    """A server that says so at once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if not then_close:
            await reader.read()

    return serve


async def irc(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wants its challenge back, as IRC servers do."""
    assert await reader.readline() == b"NICK prober\n"
    writer.write(b":server NOTICE hello\r\nPING :abc123\r\n")
    assert await reader.readline() == b"PONG abc123\n"
    writer.write(b":server 001 welcome\r\n")
    await reader.read()


async def test_a_conversation_gives_back_what_it_was_given() -> None:
    async with serving(irc) as port:
        result = await probe(
            port,
            {"send": "NICK prober"},
            {"expect": "^PING :(?P<challenge>[^ ]+)", "send": "PONG ${1}"},
            {"expect": "^:[^ ]+ 001"},
        )
    assert result.reason is None, result.detail
    assert value(result, metrics.PROBE_DURATION, "request") is not None


def test_groups_are_filled_in_as_blackbox_exporter_does() -> None:
    assert filled("$1 ${name} $$1 ${2}", {"1": "a", "name": "b"}) == "a b $1 "


@pytest.mark.parametrize(
    ("serve", "reason", "words"),
    [
        (greeting(b""), Reason.TIMEOUT, "step 1: no line within 0.3 s"),
        (greeting(b"HTTP/1.1 400\r\n"), Reason.WRONG_CONTENT, "step 1: no line was as expected within 0.3 s"),
        (
            greeting(b"busy\n", then_close=True),
            Reason.WRONG_CONTENT,
            "step 1: the connection ended without the expected line",
        ),
        (
            greeting(b"", then_close=True),
            Reason.PROTOCOL_ERROR,
            "step 1: the server closed the connection without a line",
        ),
        (greeting(b"x" * (1 << 17)), Reason.WRONG_CONTENT, "step 1: nothing was as expected in 64 KiB"),
        (greeting(b"\n" * (1 << 18)), Reason.WRONG_CONTENT, "step 1: nothing was as expected in 64 KiB"),
    ],
)
async def test_what_is_not_as_expected_is_told(serve: Serve, reason: Reason, words: str) -> None:
    async with serving(serve) as port:
        result = await probe(port, {"expect": "^SSH-2.0"}, timeout_s=0.3)
    assert (result.reason, result.detail) == (reason, words)


async def test_a_step_has_its_own_time() -> None:
    async with serving(greeting(b"hello\n")) as port:
        result = await probe(port, {"expect": "hello"}, {"expect": "more", "within_s": 0.1})
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "step 2: no line within 0.1 s")


async def test_a_line_without_an_end_counts_at_the_end() -> None:
    async with serving(greeting(b"SSH-2.0-x", then_close=True)) as port:
        assert (await probe(port, {"expect": "^SSH-2.0"})).reason is None


async def test_patterns_that_explode_elsewhere_take_linear_time() -> None:
    async with serving(greeting(b"a" * 60_000 + b"\n", then_close=True)) as port:
        result = await probe(port, {"expect": "^(a+)+$x"})
    assert result.reason is Reason.WRONG_CONTENT


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Of a good server."""
    root = an_authority()
    return written(tmp_path, root, root.issue())


def offering(files: Files) -> ssl.SSLContext:
    """A server's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain)
    return context


async def test_tls_may_begin_at_once(files: Files) -> None:
    step = {"expect": "^[*] OK"}
    async with serving(greeting(b"* OK ready\r\n"), offering(files)) as port:
        good = await probe(port, step, tls=True, server_name=HOST, ca_file=str(files.authority))
        strange = await probe(port, step, tls=True)
    assert good.reason is None, good.detail
    assert value(good, metrics.CERTIFICATE_NOT_AFTER) == files.leaf.certificate.not_valid_after_utc.timestamp()
    assert strange.reason is Reason.TLS_ERROR
    assert value(strange, metrics.CERTIFICATE_NOT_AFTER) is not None


async def test_tls_may_begin_in_the_middle(files: Files) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        assert await reader.readline() == b"STARTTLS\r\n"
        writer.write(b"220 go\r\n")
        await writer.start_tls(offering(files))
        await reader.read()

    async with serving(serve) as port:
        result = await probe(
            port,
            {"expect": "^220 ", "send": "STARTTLS\r"},
            {"expect": "^220 ", "starttls": True},
            server_name=HOST,
            ca_file=str(files.authority),
        )
    assert result.reason is None, result.detail
    assert value(result, metrics.TLS_VERSION, "TLS 1.3") == 1


async def test_words_sent_ahead_of_tls_are_not_believed() -> None:
    async with serving(greeting(b"220 go\r\n250 injected\r\n")) as port:
        result = await probe(port, {"expect": "^220 ", "starttls": True})
    assert (result.reason, result.detail) == (
        Reason.PROTOCOL_ERROR,
        "step 1: the server sent more before TLS began",
    )


def test_the_source_is_chosen() -> None:
    async def scenario() -> Result:
        ip("address", "add", "192.0.2.7/32", "dev", "lo")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"from {writer.get_extra_info('peername')[0]}\n".encode())
            await reader.read()

        async with serving(serve) as port:
            return await probe(port, {"expect": "^from 192.0.2.7$"}, source="192.0.2.7")

    assert in_namespace(scenario).reason is None


def test_a_source_that_is_not_ours_is_our_own_trouble() -> None:
    result = in_namespace(lambda: probe(80, source="192.0.2.9"))
    assert result.reason is Reason.SUSPECT


def test_a_step_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="says nothing; give `expect`, `send` or `starttls: true`"):
        TcpSettings.model_validate({"host": "a.test", "port": 1, "steps": [{}]})
