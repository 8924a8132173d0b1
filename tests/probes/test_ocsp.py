"""The ocsp kind against OpenSSL's own responder, and against one of real keys that can be made to answer wrongly."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import ValidationError
from yarl import URL

from deploy.lab.doubles import Double, Manner, serving
from deploy.lab.doubles.keys import Holder, authority, pem, rsa_key
from deploy.lab.doubles.ocsp import Answering, Responder, revocation_list
from probes import metrics
from probes.kinds import ocsp as kind
from probes.kinds.ocsp import OcspSettings, check
from probes.protocols import web as exchange
from probes.results import Reason, Result, TargetState
from tests.probes.conftest import TestNet, beat, free_port, value
from tests.probes.doubles import MANNERS, nobodys_tls

CA = authority(key=rsa_key())
OFFICIAL = CA.issue("official")
DELEGATE = CA.issue("delegate", usage=ExtendedKeyUsageOID.OCSP_SIGNING, critical=False)
DAY = timedelta(days=1)


async def probe(net: TestNet, url: str, memory: object = None, **given: object) -> Result:
    """One beat."""
    told = {"url": f"{url}/", "certificate": OFFICIAL.text, "ca": CA.text, "timeout_s": 3.0, "slow_s": 1.0}
    return await check(OcspSettings.model_validate({**told, **given}), net, beat(memory))


def responder(answering: Answering | None = None, signer: Holder | None = None) -> Responder:
    """A responder for the one certificate."""
    double = Responder(OFFICIAL.certificate, CA, signer)
    double.answering = answering or Answering()
    return double


@MANNERS
async def test_each_manner_has_its_reason(net: TestNet, manner: Manner, reason: Reason | None) -> None:
    double = responder()
    double.manner = manner
    async with serving(double) as url:
        assert (await probe(net, url, slow_s=0.5)).reason is reason


@pytest.mark.parametrize("status", list(OCSPCertStatus))
async def test_what_is_said_of_the_certificate_is_a_value_and_no_failure(net: TestNet, status: OCSPCertStatus) -> None:
    async with serving(responder(Answering(status=status))) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (None, f"the certificate is {status.name.lower()}")
    for name in ("good", "revoked", "unknown"):
        assert value(result, metrics.OCSP_CERTIFICATE_STATUS, name) == (name == status.name.lower())
    assert value(result, metrics.OCSP_NEXT_UPDATE) == pytest.approx(net.clock.wall() + 86400, abs=10)


A, B = OCSPResponseStatus, timedelta


@pytest.mark.parametrize(
    ("answering", "reason", "grade"),
    [
        (Answering(error=A.TRY_LATER), Reason.OVERLOADED, TargetState.DEGRADED),
        (Answering(error=A.INTERNAL_ERROR), Reason.SERVER_FAILURE, TargetState.DOWN),
        (Answering(error=A.UNAUTHORIZED), Reason.REJECTED, TargetState.DEGRADED),
        (Answering(error=A.MALFORMED_REQUEST), Reason.REJECTED, TargetState.DEGRADED),
        (Answering(damaged=True), Reason.BAD_SIGNATURE, TargetState.DOWN),
        (Answering(made=-2 * DAY, lasts=-DAY), Reason.STALE, TargetState.DOWN),
        (Answering(made=B(hours=1)), Reason.CLOCK_SKEW, TargetState.DEGRADED),
        (Answering(made=B(minutes=2)), None, TargetState.UP),
        (Answering(lasts=B(minutes=30)), Reason.NEARLY_STALE, TargetState.DEGRADED),
        (Answering(lasts=None), None, TargetState.UP),
        (Answering(nonce=False), Reason.NO_NONCE, TargetState.DEGRADED),
        (Answering(nonce=bytes(16)), Reason.WRONG_CONTENT, TargetState.DOWN),
        (Answering(about=DELEGATE.certificate), Reason.WRONG_CONTENT, TargetState.DOWN),
    ],
)
async def test_each_wrong_answer_has_its_reason(
    net: TestNet, answering: Answering, reason: Reason | None, grade: TargetState
) -> None:
    async with serving(responder(answering)) as url:
        result = await probe(net, url)
    assert (result.reason, result.grade) == (reason, grade)


async def test_a_service_that_prepares_answers_passes_where_that_is_expected(net: TestNet) -> None:
    async with serving(responder(Answering(nonce=False))) as url:
        assert (await probe(net, url, nonce=False)).reason is None


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (DELEGATE, None),
        (CA.issue("delegate", rsa_key(), usage=ExtendedKeyUsageOID.OCSP_SIGNING), None),
        (CA.issue("not entitled"), Reason.BAD_SIGNATURE),
        (CA.issue("ended", usage=ExtendedKeyUsageOID.OCSP_SIGNING, days=-0.5), Reason.BAD_SIGNATURE),
        (authority("other").issue("theirs", usage=ExtendedKeyUsageOID.OCSP_SIGNING), Reason.BAD_SIGNATURE),
    ],
    ids=["delegate", "with RSA", "without the usage", "no longer valid", "of another authority"],
)
async def test_only_whom_the_issuer_entitled_may_sign(net: TestNet, signer: Holder, reason: Reason | None) -> None:
    async with serving(responder(signer=signer)) as url:
        assert (await probe(net, url)).reason is reason


async def test_the_revocation_list_is_fetched_once_an_hour(net: TestNet) -> None:
    double = responder()
    double.crl = revocation_list(CA, DAY)
    async with serving(double) as url:
        first = await probe(net, url, crl_url=f"{url}/crl")
        second = await probe(net, url, first.memory, crl_url=f"{url}/crl")
    assert (first.reason, second.reason) == (None, None)
    assert value(second, metrics.CRL_NEXT_UPDATE) == pytest.approx(net.clock.wall() + 86400, abs=10)
    assert double.asked == 3


@pytest.mark.parametrize(
    "crl",
    [None, b"", b"no list", revocation_list(CA, -DAY), revocation_list(authority("other"), DAY)],
    ids=["missing", "empty", "no list", "out of date", "of another authority"],
)
async def test_a_list_that_does_not_hold_degrades(net: TestNet, crl: bytes | None) -> None:
    double = responder()
    double.crl = crl
    async with serving(double) as url:
        result = await probe(net, url, crl_url=f"{url}/crl")
    assert (result.reason, result.grade) == (Reason.STALE_CRL, TargetState.DEGRADED)


async def test_a_list_that_is_away_holds_until_its_end(net: TestNet) -> None:
    double = responder()
    double.crl = revocation_list(CA, DAY)
    async with serving(double) as url:
        first = await probe(net, url, crl_url=f"{url}/crl")
        assert isinstance(first.memory, kind._Memory)
        long_ago = kind._Memory(first.memory.fetched_at - 7200, first.memory.next_update)
        later = await probe(net, url, long_ago, crl_url=f"http://127.0.0.1:{free_port()}/crl")
    assert later.reason is None


async def test_broken_tls_is_told(net: TestNet, tmp_path: Path) -> None:
    async with serving(responder(), nobodys_tls(tmp_path)) as url:
        strict, lenient = await probe(net, url), await probe(net, url, verify_tls=False)
    assert (strict.reason, lenient.reason) == (Reason.TLS_ERROR, None)


async def test_nobody_there_is_refused(net: TestNet) -> None:
    assert (await probe(net, f"http://127.0.0.1:{free_port()}")).reason is Reason.REFUSED


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x30\x80" * 20_000, b"\x30\x03\x0a\x01\x00", b"0" * (1 << 20)])
async def test_what_is_no_answer_is_a_bounded_reason(net: TestNet, body: bytes) -> None:
    class Hostile(Double):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.Response(body=body)

    async with serving(Hostile()) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.PROTOCOL_ERROR, "the answer is no OCSP response")


REQUEST = kind._request(OFFICIAL.certificate, CA.certificate, bytes(16))
GOOD = [responder(signer=signer).respond(REQUEST) for signer in (None, DELEGATE)]


def judge(body: bytes) -> tuple[Reason | None, str]:
    answer = exchange.Answer(200, {}, body, len(body), None, URL("http://a/"))
    try:
        return kind._judge(answer, REQUEST, CA.certificate, DELEGATE.certificate.not_valid_before_utc + DAY, [])
    except kind._Failed as error:
        return error.reason, error.detail


def test_the_answers_that_are_damaged_below_are_good() -> None:
    assert [judge(body)[0] for body in GOOD] == [None, None]


@given(some.sampled_from(GOOD), some.data())
@settings(deadline=None, max_examples=400)
def test_no_damaged_answer_passes_and_each_has_a_reason(body: bytes, data: some.DataObject) -> None:
    place = data.draw(some.integers(0, len(body) - 1))
    changed = data.draw(some.binary(max_size=8).filter(lambda octets: octets != body[place : place + len(octets)]))
    damaged = body[:place] + changed + body[place + len(changed) :] if changed else body[:place]
    reason, detail = judge(damaged)
    # a certificate that came along may be damaged where the issuer's own signature needs none
    assert isinstance(reason, Reason) or b"delegate" in body
    assert len(detail) < 120


@given(some.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_have_a_reason(body: bytes) -> None:
    assert isinstance(judge(body)[0], Reason)


def test_certificates_must_be_certificates_that_belong_together() -> None:
    def why(**given: str) -> str:
        told = {"url": "http://a/", "certificate": OFFICIAL.text, "ca": CA.text, **given}
        with pytest.raises(ValidationError) as caught:
            OcspSettings.model_validate(told)
        return str(caught.value)

    assert "must be one certificate in PEM form" in why(certificate="/etc/ssl/official.pem")
    assert "must be one certificate in PEM form" in why(ca=CA.text.replace("M", "N"))
    assert "certificate was not issued by ca" in why(certificate=CA.text, ca=OFFICIAL.text)


@contextlib.asynccontextmanager
async def openssl(folder: Path, *, delegate: bool) -> AsyncIterator[str]:
    """`openssl ocsp` for a CA of one certificate; yields its URL."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl (Debian package openssl)")
    signer = DELEGATE if delegate else CA
    (folder / "ca.pem").write_text(CA.text, encoding="ascii")
    (folder / "signer.pem").write_text(signer.text, encoding="ascii")
    (folder / "signer.key").write_bytes(pem(signer.key))
    ends = OFFICIAL.certificate.not_valid_after_utc
    line = f"V\t{ends:%y%m%d%H%M%SZ}\t\t{OFFICIAL.certificate.serial_number:040X}\tunknown\t/CN=official\n"
    (folder / "index.txt").write_text(line, encoding="ascii")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "openssl", "ocsp", "-port", str(port), "-index", "index.txt", "-CA", "ca.pem",
        "-rsigner", "signer.pem", "-rkey", "signer.key", "-nmin", "1440",
        cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("delegate", [False, True], ids=["the authority", "a delegate"])
async def test_openssls_responder_passes(net: TestNet, tmp_path: Path, delegate: bool) -> None:
    async with openssl(tmp_path, delegate=delegate) as url:
        while (result := await probe(net, url)).reason is Reason.REFUSED:  # noqa: ASYNC110  # no event of openssl
            await asyncio.sleep(0.02)
    assert (result.reason, result.detail) == (None, "the certificate is good")
    assert value(result, metrics.OCSP_CERTIFICATE_STATUS, "good") == 1
    assert value(result, metrics.OCSP_NEXT_UPDATE) == pytest.approx(net.clock.wall() + 86400, abs=120)
