"""The tsa kind against OpenSSL's own stamps, and against replies that prove less than they should."""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import ValidationError

from deploy.lab.doubles import Double, Manner, serving
from deploy.lab.doubles.keys import Holder, authority, ec_key, rsa_key
from deploy.lab.doubles.tsa import Authority, refusal
from probes import metrics
from probes.kinds import tsa as kind
from probes.kinds.tsa import TsaSettings, check
from probes.protocols import stamps
from probes.protocols.signatures import Untrusted
from probes.results import Reason, Result, TargetState
from tests.probes.conftest import SystemClock, TestNet, beat, free_port, value
from tests.probes.doubles import MANNERS, nobodys_tls

STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
CA = authority(key=rsa_key())
SIGNER = CA.issue("stamps", rsa_key(), usage=STAMPING)
FAILED, REFUSED = Reason.SERVER_FAILURE, Reason.REJECTED
QUESTION = stamps.Question(bytes(range(32)), 0x1234567890ABCDEF)


async def probe(net: TestNet, url: str, **given: object) -> Result:
    """One beat."""
    told = {"url": f"{url}/", "ca": CA.text, "timeout_s": 3.0, "slow_s": 1.0, **given}
    return await check(TsaSettings.model_validate(told), net, beat())


@pytest.fixture
def tsa(tmp_path: Path) -> Authority:
    """An authority that is well."""
    return Authority(SIGNER, tmp_path)


@MANNERS
async def test_each_manner_has_its_reason(net: TestNet, tsa: Authority, manner: Manner, reason: Reason | None) -> None:
    tsa.manner = manner
    async with serving(tsa) as url:
        assert (await probe(net, url, slow_s=0.5)).reason is reason


async def test_a_stamp_passes_with_its_skew_and_its_signers_end(net: TestNet, tsa: Authority) -> None:
    async with serving(tsa) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (None, "stamped")
    assert -1 <= (value(result, metrics.TSA_CLOCK_SKEW) or 0) <= 0  # whole seconds are cut off
    ends = SIGNER.certificate.not_valid_after_utc.timestamp()
    assert value(result, metrics.TSA_CERTIFICATE_NOT_AFTER) == ends


MIDDLE = CA.issue("middle", ca=True)
OTHER = authority("other")


@pytest.mark.parametrize(
    ("signer", "chain", "ess"),
    [
        (CA.issue("a", ec_key(), usage=STAMPING), [], "sha256"),
        (CA.issue("b", rsa_key(), usage=STAMPING), [CA], "sha1"),
        (CA.issue("c", rsa_key(), usage=STAMPING), [MIDDLE, OTHER, CA], "sha384"),
        (MIDDLE.issue("d", usage=STAMPING), [OTHER, MIDDLE], "sha256"),
    ],
    ids=["ECDSA", "RSA with ESSCertID of SHA-1", "certificates in any order", "below an intermediate CA"],
)
async def test_every_sort_of_good_stamp_passes(
    net: TestNet, tmp_path: Path, signer: Holder, chain: list[Holder], ess: str
) -> None:
    tsa = await asyncio.to_thread(Authority, signer, tmp_path, chain, ess)
    async with serving(tsa) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (None, "stamped")


async def test_a_signer_of_another_authority_is_told_if_one_is_named(net: TestNet, tsa: Authority) -> None:
    async with serving(tsa) as url:
        named, any_will_do = await probe(net, url, ca=OTHER.text), await probe(net, url, ca=None)
    assert (named.reason, named.detail) == (Reason.BAD_SIGNATURE, "the signer's certificate does not come from `ca`")
    assert any_will_do.reason is None


@pytest.mark.parametrize(
    ("reply", "reason", "detail", "grade"),
    [
        (refusal("rejection", "bad_alg"), Reason.REJECTED, "no stamp: bad_alg", TargetState.DEGRADED),
        (refusal("rejection", "unaccepted_policy"), REFUSED, "no stamp: unaccepted_policy", TargetState.DEGRADED),
        (refusal("rejection"), Reason.REJECTED, "no stamp: rejection", TargetState.DEGRADED),
        (refusal("rejection", "system_failure"), FAILED, "no stamp: system_failure", TargetState.DOWN),
        (refusal("rejection", "time_not_available"), FAILED, "no stamp: time_not_available", TargetState.DOWN),
        (refusal("waiting"), Reason.OVERLOADED, "no stamp: waiting", TargetState.DEGRADED),
        (b"", Reason.PROTOCOL_ERROR, "the answer is no time-stamp reply", TargetState.DOWN),
        (b"<html>", Reason.PROTOCOL_ERROR, "the answer is no time-stamp reply", TargetState.DOWN),
        (b"\x30\x80" * 30_000, Reason.PROTOCOL_ERROR, "the answer is no time-stamp reply", TargetState.DOWN),
        (b"0" * (1 << 20), Reason.PROTOCOL_ERROR, "the answer is no time-stamp reply", TargetState.DOWN),
        (b"\x30\x05\x30\x03\x02\x01\x00", Reason.PROTOCOL_ERROR, "the answer is no time-stamp reply", TargetState.DOWN),
    ],
)  # fmt: skip
async def test_each_reply_without_a_stamp_has_its_reason(
    net: TestNet, tsa: Authority, reply: bytes, reason: Reason, detail: str, grade: TargetState
) -> None:
    tsa.instead = reply
    async with serving(tsa) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail, result.grade) == (reason, detail, grade)


async def test_openssls_own_refusal_is_read(net: TestNet, tsa: Authority) -> None:
    tsa.instead = await tsa.stamp(b"no query")
    async with serving(tsa) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.REJECTED, "no stamp: bad_data_format")


async def test_a_stamp_for_somebody_else_does_not_pass(net: TestNet, tsa: Authority) -> None:
    tsa.instead = await tsa.stamp(QUESTION.encode())
    async with serving(tsa) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (
        Reason.WRONG_CONTENT,
        "the stamp repeats another request's nonce, or none",
    )


async def test_a_stamp_of_another_message_does_not_pass(tsa: Authority) -> None:
    reply = await tsa.stamp(stamps.Question(bytes(32), QUESTION.nonce).encode())
    with pytest.raises(stamps.Wrong, match="the stamp is for another message"):
        stamps.read(reply, QUESTION, None)


class WrongClock(SystemClock):
    """A machine whose clock is wrong."""

    def __init__(self, offset_s: float) -> None:
        self.offset_s = offset_s

    def wall(self) -> float:
        """Seconds since 1970, and the error."""
        return time.time() + self.offset_s


@pytest.mark.parametrize(("offset_s", "reason"), [(-90, Reason.CLOCK_SKEW), (90, Reason.CLOCK_SKEW), (30, None)])
async def test_clocks_that_differ_by_a_minute_degrade_and_are_measured(
    net: TestNet, tsa: Authority, offset_s: float, reason: Reason | None
) -> None:
    net.clock = WrongClock(offset_s)
    async with serving(tsa) as url:
        result = await probe(net, url)
    assert result.reason is reason
    assert value(result, metrics.TSA_CLOCK_SKEW) == pytest.approx(-offset_s, abs=2.5)


def test_a_stamp_that_took_long_to_come_has_no_skew() -> None:
    made = datetime(2026, 1, 1, 0, 1, 0, tzinfo=UTC)
    at = made.timestamp()
    assert kind._skew_s(made, at - 1, at + 130) == 0
    assert kind._skew_s(made, at + 5, at + 130) == -5
    assert kind._skew_s(made, at - 130, at - 7) == 7


async def test_broken_tls_is_told(net: TestNet, tsa: Authority, tmp_path: Path) -> None:
    async with serving(tsa, nobodys_tls(tmp_path)) as url:
        strict, lenient = await probe(net, url), await probe(net, url, verify_tls=False)
    assert (strict.reason, lenient.reason) == (Reason.TLS_ERROR, None)


async def test_nobody_there_is_refused(net: TestNet) -> None:
    assert (await probe(net, f"http://127.0.0.1:{free_port()}")).reason is Reason.REFUSED


async def test_a_page_in_place_of_a_service_is_a_wrong_status(net: TestNet) -> None:
    class Gone(Double):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.Response(status=404)

    async with serving(Gone()) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.WRONG_STATUS, "status 404")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A stamp for `QUESTION`, with its signer's certificate first."""
    return asyncio.run(Authority(SIGNER, tmp_path_factory.mktemp("tsa")).stamp(QUESTION.encode()))


def judged(reply: bytes) -> str:
    try:
        said = stamps.read(reply, QUESTION, CA.certificate)
    except stamps.Wrong as error:
        return f"{error.reason}: {error}"
    except Untrusted as error:
        return f"bad_signature: {error}"
    return type(said).__name__


def test_the_stamp_that_is_damaged_below_is_good(good: bytes) -> None:
    assert judged(good) == "Stamp"


def test_a_wrong_signature_and_a_changed_time_are_told(good: bytes) -> None:
    signature = good[:-1] + bytes([good[-1] ^ 1])
    assert judged(signature) == "bad_signature: the signature is wrong"
    place = good.index(b"\x18\x0f20") + 2  # GeneralizedTime of this century
    changed = good[:place] + b"2099" + good[place + 4 :]
    assert judged(changed) == "bad_signature: the signature is for another stamp"


NOT_FOR_STAMPS = "bad_signature: the signer's certificate is not for time stamps (extended key usage, critical)"


@pytest.mark.parametrize(
    ("signer", "verdict"),
    [
        (SIGNER, "Stamp"),
        (CA.issue("a", rsa_key(), usage=ExtendedKeyUsageOID.OCSP_SIGNING), NOT_FOR_STAMPS),
        (CA.issue("b", rsa_key(), usage=STAMPING, critical=False), NOT_FOR_STAMPS),
        (CA.issue("c", rsa_key()), NOT_FOR_STAMPS),
        (
            CA.issue("d", rsa_key(), usage=STAMPING, days=-0.5),
            "bad_signature: the signer's certificate was not valid at the time of the stamp",
        ),
    ],
    ids=["good", "for something else", "not critical", "for anything", "expired"],
)
def test_a_signer_that_may_not_stamp_is_told(signer: Holder, verdict: str) -> None:
    assert judged(stamped_by(signer)) == verdict


def test_a_signature_that_names_another_certificate_is_told() -> None:
    impostor = CA.issue("other", rsa_key(), usage=STAMPING)
    told = judged(stamped_by(SIGNER, names=impostor))
    assert told == "bad_signature: the signature names another certificate"


def test_a_stamp_without_the_certificate_is_told() -> None:
    told = judged(stamped_by(SIGNER, sends=CA))
    assert told == "bad_signature: the signer's certificate is not in the stamp, though it was asked for"


def stamped_by(signer: Holder, *, names: Holder | None = None, sends: Holder | None = None) -> bytes:
    """A stamp such as OpenSSL refuses to make."""
    stamp = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3.4.1",
            "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": QUESTION.digest},
            "serial_number": 1,
            "gen_time": datetime.now(UTC).replace(microsecond=0),
            "nonce": QUESTION.nonce,
        }
    ).dump()
    named = (names or signer).certificate.fingerprint(hashes.SHA256())
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(stamp).digest()]},
            {"type": "signing_certificate_v2", "values": [{"certs": [{"cert_hash": named}]}]},
        ]
    )
    assert isinstance(signer.key, rsa.RSAPrivateKey)
    certificate = asn1.Certificate.load(signer.certificate.public_bytes(serialization.Encoding.DER))
    sent = asn1.Certificate.load((sends or signer).certificate.public_bytes(serialization.Encoding.DER))
    sid = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    info = {
        "version": "v1",
        "sid": cms.SignerIdentifier({"issuer_and_serial_number": sid}),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "rsassa_pkcs1v15"},
        "signature": signer.key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256()),
    }
    signed = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": "sha256"}],
        "encap_content_info": {"content_type": "tst_info", "content": cms.ParsableOctetString(stamp)},
        "certificates": [sent],
        "signer_infos": [info],
    }
    token = {"content_type": "signed_data", "content": cms.SignedData(signed)}
    return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


@given(data=some.data())
@settings(deadline=None, max_examples=300)
def test_no_damaged_stamp_ends_in_a_traceback(data: some.DataObject, good: bytes) -> None:
    place = data.draw(some.integers(0, len(good) - 1))
    changed = data.draw(some.binary(max_size=8))
    damaged = good[:place] + changed + good[place + len(changed) :] if changed else good[:place]
    assert len(judged(damaged)) < 150


@given(some.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_have_a_reason(body: bytes) -> None:
    assert judged(body).startswith(("protocol_error: ", "Refusal"))


def test_the_time_out_may_be_three_minutes_and_no_longer() -> None:
    assert TsaSettings.model_validate({"url": "http://a/", "timeout_s": 180.0}).timeout_s == 180
    with pytest.raises(ValidationError):
        TsaSettings.model_validate({"url": "http://a/", "timeout_s": 181.0})
    with pytest.raises(ValidationError, match="must be one certificate in PEM form"):
        TsaSettings.model_validate({"url": "http://a/", "ca": "tsa.pem"})
