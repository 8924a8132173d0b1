"""The tls kind against servers on loopback, with certificates of the moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp
from OpenSSL import SSL

from probes import metrics
from probes.kinds.tls import TlsSettings, check
from probes.protocols import certificates
from probes.protocols.stapling import judge
from probes.protocols.tls import TlsContexts
from probes.results import Reason, Result, TargetState
from tests.probes.authorities import HOST, Files, Identity, an_authority, written
from tests.probes.conftest import TestNet, beat, descriptors, descriptors_when, free_port, value
from tests.probes.loopback import Serve, serving


@pytest.fixture
def root() -> Identity:
    """An authority."""
    return an_authority()


def offering(files: Files, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A server's context, one protocol version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(files.chain)
    return context


async def probe(port: int, files: Files | None = None, **settings: Any) -> Result:
    """One beat for `HOST`, trusting the files' authority."""
    told = {"host": "127.0.0.1", "port": port, "server_name": HOST, "timeout_s": 5, **settings}
    if files is not None:
        told["ca_file"] = str(files.authority)
    return await check(TlsSettings.model_validate(told), TestNet(), beat())


async def shown(files: Files, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, **settings: Any) -> Result:
    """One beat against a server with these files."""
    async with serving(context=offering(files, version)) as port:
        return await probe(port, files, **settings)


async def test_a_good_server_passes_with_its_facts(root: Identity, tmp_path: Path) -> None:
    between = root.intermediate()
    files = written(tmp_path, root, between.issue(days=60), between)
    result = await shown(files)
    assert result.reason is None, result.detail
    assert value(result, metrics.TLS_VERSION, "TLS 1.3") == 1
    assert value(result, metrics.TLS_CIPHER, "TLS_AES_256_GCM_SHA384") == 1
    ends = files.leaf.certificate.not_valid_after_utc.timestamp()
    assert value(result, metrics.CERTIFICATE_NOT_AFTER) == ends
    assert value(result, metrics.CERTIFICATE_CHAIN_NOT_AFTER) == ends
    assert {value(result, metrics.TLS_WEAKNESS, word) for word in ("old_protocol", "short_key", "self_signed")} == {0}
    assert value(result, metrics.OCSP_STAPLE, "none") == 1
    phases = [value(result, metrics.PROBE_DURATION, phase) for phase in ("resolve", "connect", "tls")]
    assert all(seconds is not None and 0 <= seconds < 1 for seconds in phases)


async def test_the_address_itself_may_be_in_the_certificate(root: Identity, tmp_path: Path) -> None:
    result = await shown(written(tmp_path, root, root.issue()), server_name=None)
    assert result.reason is None, result.detail


@pytest.mark.parametrize(
    ("issued", "words"),
    [
        ({"days": -1}, "the certificate expired"),
        ({"age_days": -1}, "the certificate is not valid yet"),
        ({"host": "other.test"}, "the certificate is for another host: other.test"),
        (
            {"host": "other.test", "days": -1},
            "the certificate expired; the certificate is for another host: other.test",
        ),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_named_and_it_is_shown_all_the_same(
    root: Identity, tmp_path: Path, issued: dict[str, Any], words: str
) -> None:
    files = written(tmp_path, root, root.issue(**issued))
    result = await shown(files)
    assert (result.reason, result.detail) == (Reason.TLS_ERROR, words)
    assert value(result, metrics.CERTIFICATE_NOT_AFTER) == files.leaf.certificate.not_valid_after_utc.timestamp()


async def test_an_authority_that_nobody_knows_is_named(root: Identity, tmp_path: Path) -> None:
    async with serving(context=offering(written(tmp_path, root, root.issue()))) as port:
        result = await probe(port)
    assert result.reason is Reason.TLS_ERROR
    assert result.detail == "unknown authority, or the server leaves out an intermediate"


async def test_a_missing_intermediate_is_named(root: Identity, tmp_path: Path) -> None:
    result = await shown(written(tmp_path, root, root.intermediate().issue()))
    assert (result.reason, result.detail) == (
        Reason.TLS_ERROR,
        "unknown authority, or the server leaves out an intermediate",
    )


async def test_twenty_days_left_are_degraded(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue(days=20))
    result = await shown(files)
    day = files.leaf.certificate.not_valid_after_utc.date()
    assert (result.reason, result.detail) == (Reason.CERTIFICATE_EXPIRING, f"ends on {day}")
    assert result.grade is TargetState.DEGRADED
    assert (await shown(files, expiring_days=14)).reason is None


async def test_an_old_protocol_is_weak_unless_accepted(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue())
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        result = await shown(files, ssl.TLSVersion.TLSv1_1)
    assert (result.reason, result.detail) == (Reason.WEAK_TLS, "TLS 1.1")
    assert value(result, metrics.TLS_WEAKNESS, "old_protocol") == 1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        assert (await shown(files, ssl.TLSVersion.TLSv1_1, accept=["old_protocol"])).reason is None


async def test_a_short_key_is_weak(root: Identity, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that is the point
    result = await shown(written(tmp_path, root, root.issue(key=key)))
    assert (result.reason, result.detail) == (Reason.WEAK_TLS, "key of 1024 bits")


async def test_a_self_signed_certificate_is_not_trusted_and_weak_where_it_need_not_be(tmp_path: Path) -> None:
    alone = an_authority()
    files = written(tmp_path, an_authority(), alone)
    distrusted = await shown(files)
    assert distrusted.reason is Reason.TLS_ERROR
    assert distrusted.detail == "self-signed certificate; the certificate names no host"
    result = await shown(files, verify_tls=False)
    assert (result.reason, result.detail) == (Reason.WEAK_TLS, "self-signed certificate")


@contextlib.asynccontextmanager
async def stapling(files: Files, staple: bytes) -> AsyncIterator[int]:
    """A server that sends an OCSP answer along; the standard library's cannot."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(files.chain))
    context.use_privatekey_file(str(files.chain))
    context.set_ocsp_server_callback(lambda *_: staple)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = SSL.Connection(context, None)
        connection.set_accept_state()
        while chunk := await reader.read(1 << 14):
            connection.bio_write(chunk)
            with contextlib.suppress(SSL.Error):
                connection.do_handshake()
            with contextlib.suppress(SSL.Error):
                writer.write(connection.bio_read(1 << 16))

    async with serving(serve) as port:
        yield port


async def test_a_good_staple_satisfies_who_asks_for_one(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue())
    async with stapling(files, root.staple(files.leaf)) as port:
        result = await probe(port, files, stapling=True)
    assert result.reason is None, result.detail
    assert value(result, metrics.OCSP_STAPLE, "good") == 1
    assert value(result, metrics.OCSP_STAPLE, "none") == 0


async def test_a_staple_that_says_revoked_counts_unasked(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue())
    async with stapling(files, root.staple(files.leaf, status=ocsp.OCSPCertStatus.REVOKED)) as port:
        result = await probe(port, files)
    assert result.reason is Reason.TLS_ERROR
    assert "revoked" in result.detail


STAPLES: dict[str, Callable[[Identity, Identity], bytes]] = {
    "the stapled OCSP answer is out of date": lambda root, leaf: root.staple(leaf, days=-1),
    "the stapled OCSP answer is not signed by the certificate's issuer": (lambda _, leaf: an_authority().staple(leaf)),
    "the stapled OCSP answer is for another certificate": lambda root, _: root.staple(root.issue()),
    "the stapled OCSP answer is damaged": lambda *_: b"\x30\x03nope",
    "the stapled OCSP answer is an error: try_later": lambda *_: b"\x30\x03\x0a\x01\x03",
}


@pytest.mark.parametrize("words", STAPLES)
def test_a_staple_that_proves_nothing_is_told(root: Identity, words: str) -> None:
    leaf = root.issue()
    chain = tuple(certificates.read(identity.der) for identity in (leaf, root))
    assert judge(STAPLES[words](root, leaf), chain, time.time()) == ("invalid", words)


async def test_who_asks_for_a_staple_is_told_of_an_old_one(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue())
    async with stapling(files, root.staple(files.leaf, days=-1)) as port:
        result = await probe(port, files, stapling=True)
    assert (result.reason, result.detail) == (Reason.WEAK_TLS, "the stapled OCSP answer is out of date")
    assert value(result, metrics.OCSP_STAPLE, "invalid") == 1


def upgrading(files: Files, *exchanges: tuple[bytes, bytes]) -> Serve:
    """A server that greets, waits for what it wants to hear, answers, and begins TLS after the last answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for heard, said in exchanges:
            if heard:
                assert await reader.readexactly(len(heard)) == heard
            writer.write(said)
        await writer.start_tls(offering(files))
        await reader.read()

    return serve


LDAP_ASKED = bytes.fromhex("301d02010177188016312e332e362e312e342e312e313436362e3230303337")
DIALOGS = {
    "smtp": (
        (b"", b"220-welcome\r\n220 mail ESMTP\r\n"),
        (b"EHLO lienxa.invalid\r\n", b"250-mail\r\n250-STARTTLS\r\n250 HELP\r\n"),
        (b"STARTTLS\r\n", b"220 go ahead\r\n"),
    ),
    "imap": ((b"", b"* OK ready\r\n"), (b"a1 STARTTLS\r\n", b"a1 OK begin\r\n")),
    "pop3": ((b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK begin\r\n")),
    "ldap": ((LDAP_ASKED, bytes.fromhex("300c02010178070a010004000400")),),
}


@pytest.mark.parametrize("protocol", DIALOGS)
async def test_tls_begins_within_other_protocols(root: Identity, tmp_path: Path, protocol: str) -> None:
    files = written(tmp_path, root, root.issue())
    async with serving(upgrading(files, *DIALOGS[protocol])) as port:
        result = await probe(port, files, starttls=protocol)
    assert result.reason is None, result.detail
    assert value(result, metrics.PROBE_DURATION, "request") is not None


async def test_a_server_without_starttls_is_named(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue())
    async with serving(upgrading(files, (LDAP_ASKED, bytes.fromhex("300c02010178070a010204000400")))) as port:
        result = await probe(port, files, starttls="ldap")
    assert (result.reason, result.detail) == (Reason.PROTOCOL_ERROR, "the server does not begin TLS")


async def test_a_closed_port_refuses() -> None:
    assert (await probe(free_port())).reason is Reason.REFUSED


async def test_a_server_that_never_shakes_hands_is_a_time_out() -> None:
    async with serving() as port:
        result = await probe(port, timeout_s=0.3)
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no end of tls within 0.3 s")


def saying(data: bytes) -> Serve:
    """A server that says so after the first bytes and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 14)
        writer.write(data)
        await writer.drain()

    return serve


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(0x3FFC),  # a hello of 16 MiB
        b"\x15\x03\x03\x00\x02\x02\x28",  # alert: handshake failure
        os.urandom(4096),
    ],
)
async def test_what_is_no_handshake_is_a_tls_error(data: bytes) -> None:
    async with serving(saying(data)) as port:
        result = await probe(port)
    assert result.reason is Reason.TLS_ERROR
    assert 0 < len(result.detail) < 200


async def test_authorities_that_cannot_be_read_are_our_own_trouble(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    async with serving() as port:
        result = await probe(port, ca_file=str(missing))
    assert result.grade is TargetState.UNKNOWN
    assert str(missing) in result.detail


async def test_the_systems_authorities_are_read_in_a_thread_once() -> None:
    contexts = TlsContexts()
    first = await contexts.context(None)
    began = time.monotonic()
    assert await contexts.context(None) is first
    assert time.monotonic() - began < 0.01


async def test_no_descriptor_is_left_whatever_happens(root: Identity, tmp_path: Path) -> None:
    files = written(tmp_path, root, root.issue())
    async with serving(context=offering(files)) as port, serving() as silent, serving(saying(b"no")) as wrong:
        await probe(port, files)
        await asyncio.sleep(0.05)
        before = descriptors()
        for _ in range(3):
            await probe(port, files)
            await probe(silent, timeout_s=0.05)
            await probe(wrong)
        after = await descriptors_when(before)
    assert after == before
