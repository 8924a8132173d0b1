"""Whether the status of certificates can be asked: an OCSP request (RFC 6960), and if wanted the revocation list."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID
from pydantic import Field, model_validator

from probes import metrics
from probes.model import Seconds, Settings, Timeout, WebUrl
from probes.ports import Kind, Net
from probes.protocols import web
from probes.protocols.signatures import (
    MALFORMED,
    MAX_CERTIFICATES,
    PemCertificate,
    Untrusted,
    forgiving,
    issued_by,
    load,
    may,
    valid_at,
    verify,
)
from probes.results import Beat, Reading, Reason, Result

NEARLY = timedelta(hours=1)
"""So much of an answer's life is left when it should long have been renewed."""
TOLERANCE = timedelta(minutes=5)
"""So far may two clocks differ, and both be right enough."""
CRL_EVERY_S, CRL_RETRY_S = 3600.0, 300.0
"""How often a revocation list is fetched at most, as it may weigh megabytes; and after a failure."""
MAX_ANSWER_BYTES = 64 << 10
MAX_CRL_BYTES = 16 << 20
STATUS = {status: status.name.lower() for status in ocsp.OCSPCertStatus}


class OcspSettings(Settings):
    """A certificate status service (OCSP): it is asked about one certificate, and its signed answer is checked."""

    url: WebUrl = Field(examples=["http://ocsp.example/"])
    """Where the service answers; it stands in certificates as `OCSP - URI`."""
    certificate: PemCertificate = Field(examples=["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"])
    """The certificate that is asked about, in PEM form: any that is valid and in use, such as an official's."""
    ca: PemCertificate = Field(examples=["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"])
    """The certificate of the authority that issued it, in PEM form."""
    nonce: bool = True
    """Whether the answer must be made for this very request; false for services that prepare answers (RFC 5019)."""
    crl_url: WebUrl | None = Field(None, examples=["http://crl.example/ca.crl"])
    """The authority's revocation list (CRL), if its freshness is to be watched too; fetched hourly."""
    timeout_s: Timeout = 10
    """How long an attempt may take; after that the service counts as not answering."""
    slow_s: Seconds = 3
    """An answer that took longer counts as slow."""
    verify_tls: bool = True
    """Whether the server's certificate must be valid, where `url` is https."""

    @model_validator(mode="after")
    def _belong_together(self) -> OcspSettings:
        if not issued_by(load(self.certificate), load(self.ca)):
            raise ValueError("certificate was not issued by ca: are they of one authority, and not exchanged?")
        return self


@dataclass(frozen=True, slots=True)
class _Memory:
    """The revocation list as it was last seen: when that was (monotonic), and until when it holds."""

    fetched_at: float
    next_update: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether the list can still be used."""
        return self.next_update is not None and self.next_update >= now


class _Failed(Exception):
    """The answer does not pass."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


async def check(settings: OcspSettings, net: Net, beat: Beat) -> Result:
    """One request for one certificate; beside it the revocation list, if one is named, once an hour."""
    memory = beat.memory if isinstance(beat.memory, _Memory) else None
    issuer = load(settings.ca)
    asking = _ask(settings, issuer, net)
    if settings.crl_url is None:
        return await asking
    result, seen = await asyncio.gather(asking, _look_at_list(settings, settings.crl_url, issuer, net, memory))
    result = replace(result, memory=seen)
    if seen.next_update is not None:
        ends = Reading(metrics.CRL_NEXT_UPDATE, seen.next_update.timestamp())
        result = replace(result, readings=(*result.readings, ends))
    if result.reason is None and not seen.holds(_now(net)):
        return replace(result, reason=Reason.STALE_CRL, detail="no revocation list that holds")
    return result


async def _ask(settings: OcspSettings, issuer: x509.Certificate, net: Net) -> Result:
    exchanges = web.Exchanges(net)
    request = _request(load(settings.certificate), issuer, os.urandom(16) if settings.nonce else None)
    asked = web.Asked(
        settings.url,
        method="POST",
        headers={"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"},
        body=request.public_bytes(serialization.Encoding.DER),
        verify_tls=settings.verify_tls,
        max_body_bytes=MAX_ANSWER_BYTES,
    )
    said: list[Reading] = []
    try:
        answer = await exchanges.fetch(asked, settings.timeout_s)
        reason, detail = _judge(answer, request, issuer, _now(net), said)
    except (web.WebError, _Failed) as error:
        return Result(error.reason, (*exchanges.readings(), *said), detail=error.detail)
    if reason is None and exchanges.took_s > settings.slow_s:
        reason, detail = Reason.SLOW, f"took {exchanges.took_s:.1f} s"
    return Result(reason, (*exchanges.readings(), *said), detail=detail)


def _now(net: Net) -> datetime:
    return datetime.fromtimestamp(net.clock.wall(), UTC)


def _request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None) -> ocsp.OCSPRequest:
    """A request of RFC 6960 4.1; SHA-1 names the certificate: what every responder knows (RFC 5019 2.1.1)."""
    name = hashes.SHA1()  # noqa: S303  # a name, no proof
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, name)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build()


def _judge(
    answer: web.Answer, request: ocsp.OCSPRequest, issuer: x509.Certificate, now: datetime, readings: list[Reading]
) -> tuple[Reason | None, str]:
    """Why an answer of the web is no good answer of OCSP, if so; what it says is added to `readings`."""
    if answer.status != 200:
        reason = Reason.OVERLOADED if answer.overloaded else Reason.WRONG_STATUS
        return reason, f"status {answer.status}"
    try:
        with forgiving():
            response = ocsp.load_der_ocsp_response(answer.body)
            _accepted(response.response_status)
            single = _ours(response.responses, request)
            _signed(response, issuer, now)
            return _fresh(response, single, request, now, readings)
    except Untrusted as error:
        return Reason.BAD_SIGNATURE, str(error)
    except MALFORMED:
        return Reason.PROTOCOL_ERROR, "the answer is no OCSP response"


def _accepted(status: ocsp.OCSPResponseStatus) -> None:
    """Raise `_Failed` unless the responder did its work (RFC 6960 2.3)."""
    match status:
        case ocsp.OCSPResponseStatus.SUCCESSFUL:
            return
        case ocsp.OCSPResponseStatus.TRY_LATER:
            reason = Reason.OVERLOADED
        case ocsp.OCSPResponseStatus.INTERNAL_ERROR:
            reason = Reason.SERVER_FAILURE
        case _:
            reason = Reason.REJECTED
    raise _Failed(reason, f"the responder says {status.name.lower()}")


def _ours(responses: Iterable[ocsp.OCSPSingleResponse], request: ocsp.OCSPRequest) -> ocsp.OCSPSingleResponse:
    """What the answer says of the certificate that was asked about (RFC 6960 3.2, 1)."""
    for single in responses:
        if (
            single.serial_number == request.serial_number
            and single.issuer_key_hash == request.issuer_key_hash
            and single.issuer_name_hash == request.issuer_name_hash
        ):
            return single
    raise _Failed(Reason.WRONG_CONTENT, "the answer is about another certificate")


def _signed(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> None:
    """Raise `Untrusted` unless the issuer or a delegate of it signed the answer (RFC 6960 4.2.2.2)."""
    algorithm = response.signature_hash_algorithm or hashes.SHA512()  # Ed25519 names none, and needs none
    pss = response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
    signers = [issuer]
    for certificate in response.certificates[:MAX_CERTIFICATES]:
        delegated = may(certificate, ExtendedKeyUsageOID.OCSP_SIGNING) and valid_at(certificate, now)
        if delegated and issued_by(certificate, issuer):
            signers.append(certificate)
    for signer in signers:
        try:
            verify(signer, response.signature, response.tbs_response_bytes, algorithm, pss=pss)
        except Untrusted:
            continue
        return
    raise Untrusted("signed by neither the issuer nor whom it entitled to sign answers")


def _fresh(
    response: ocsp.OCSPResponse,
    single: ocsp.OCSPSingleResponse,
    request: ocsp.OCSPRequest,
    now: datetime,
    readings: list[Reading],
) -> tuple[Reason | None, str]:
    """Whether the answer holds now, and was made for us (RFC 6960 4.2.2.1, 4.4.1)."""
    for status, name in STATUS.items():
        readings.append(Reading(metrics.OCSP_CERTIFICATE_STATUS, float(single.certificate_status is status), (name,)))
    ends = single.next_update_utc
    if ends is not None:
        readings.append(Reading(metrics.OCSP_NEXT_UPDATE, ends.timestamp()))
    asked, answered = _nonce(request.extensions), _nonce(response.extensions)
    if asked is not None and answered is not None and asked != answered:
        return Reason.WRONG_CONTENT, "the answer repeats another request's nonce"
    if ends is not None and ends < now:
        return Reason.STALE, f"the answer ended to be valid at {ends:%Y-%m-%d %H:%M} UTC"
    if single.this_update_utc > now + TOLERANCE:
        return Reason.CLOCK_SKEW, f"the answer is not valid before {single.this_update_utc:%Y-%m-%d %H:%M} UTC"
    if ends is not None and ends - now < NEARLY:
        return Reason.NEARLY_STALE, f"the answer ends to be valid at {ends:%Y-%m-%d %H:%M} UTC"
    if asked is not None and answered is None:
        return Reason.NO_NONCE, "the answer was prepared in advance: it repeats no nonce"
    return None, f"the certificate is {STATUS[single.certificate_status]}"


def _nonce(extensions: x509.Extensions) -> bytes | None:
    try:
        return extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


async def _look_at_list(
    settings: OcspSettings, url: str, issuer: x509.Certificate, net: Net, memory: _Memory | None
) -> _Memory:
    """The revocation list, fetched again if an hour has passed; `next_update` is None where none could be read."""
    now = net.clock.monotonic()
    if memory is not None:
        every_s = CRL_EVERY_S if memory.holds(_now(net)) else CRL_RETRY_S
        if now - memory.fetched_at < every_s:
            return memory
    asked = web.Asked(url, verify_tls=settings.verify_tls, max_body_bytes=MAX_CRL_BYTES)
    known = None if memory is None else memory.next_update  # what was fetched before holds until its end
    try:
        answer = await web.Exchanges(net).fetch(asked, settings.timeout_s)
    except web.WebError:
        return _Memory(now, known)
    found = await asyncio.to_thread(_next_update, answer.body, issuer) if answer.status == 200 else None
    return _Memory(now, found or known)


def _next_update(body: bytes, issuer: x509.Certificate) -> datetime | None:
    """Until when a list that the issuer signed holds. Megabytes are hashed: not for the event loop."""
    try:
        pem = body.lstrip().startswith(b"-----BEGIN")
        found = x509.load_pem_x509_crl(body) if pem else x509.load_der_x509_crl(body)
        if found.issuer != issuer.subject or not found.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]  # other keys raise TypeError
            return None
    except (InvalidSignature, *MALFORMED):
        return None
    return found.next_update_utc


KIND = Kind("ocsp", OcspSettings, check)
