"""A double of a certificate status service: real answers of RFC 6960, and every way to give a wrong one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus

from deploy.lab.doubles import Double
from deploy.lab.doubles.keys import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How the responder answers."""

    error: OCSPResponseStatus | None = None
    """An answer without content, such as TRY_LATER."""
    status: OCSPCertStatus = OCSPCertStatus.GOOD
    made: timedelta = timedelta(0)
    """When `thisUpdate` is, from now."""
    lasts: timedelta | None = timedelta(days=1)
    """When `nextUpdate` is, from now; None leaves it out."""
    nonce: bool | bytes = True
    """Whether the request's nonce is repeated, or another in its place."""
    about: x509.Certificate | None = None
    """Another certificate than the one that was asked about."""
    damaged: bool = False
    """Whether the signature is wrong."""


class Responder(Double):
    """Answers for one certificate, signed by `signer`: the issuer, or whom it entitled."""

    def __init__(self, certificate: x509.Certificate, issuer: Holder, signer: Holder | None = None) -> None:
        """`signer` is the issuer unless given."""
        super().__init__()
        self._certificate = certificate
        self._issuer = issuer
        self._signer = signer
        self.answering = Answering()
        self.crl: bytes | None = None
        """The revocation list under /crl."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One answer in DER."""
        if request.path == "/crl" and self.crl is not None:
            return web.Response(body=self.crl, content_type="application/pkix-crl")
        if request.method != "POST":
            return web.Response(status=405)
        asked = ocsp.load_der_ocsp_request(await request.read())
        return web.Response(body=self.respond(asked), content_type="application/ocsp-response")

    def respond(self, asked: ocsp.OCSPRequest) -> bytes:
        """The answer to one request."""
        how = self.answering
        if how.error is not None:
            return ocsp.OCSPResponseBuilder.build_unsuccessful(how.error).public_bytes(serialization.Encoding.DER)
        now = datetime.now(UTC)
        signer = self._signer or self._issuer
        revoked = how.status is OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=how.about or self._certificate,
            issuer=self._issuer.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303  # a name, no proof
            cert_status=how.status,
            this_update=now + how.made,
            next_update=None if how.lasts is None else now + how.lasts,
            revocation_time=now - timedelta(days=1) if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        if self._signer is not None:
            builder = builder.certificates([signer.certificate])
        nonce = how.nonce if isinstance(how.nonce, bytes) else _nonce(asked) if how.nonce else None
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        response = builder.sign(signer.key, hashes.SHA256())
        body = response.public_bytes(serialization.Encoding.DER)
        if how.damaged:
            changed = bytearray(response.signature)
            changed[-1] ^= 1
            body = body.replace(response.signature, bytes(changed))
        return body


def revocation_list(by: Holder, lasts: timedelta) -> bytes:
    """An empty list that `by` signs."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject)
    builder = builder.last_update(now - timedelta(days=2)).next_update(now + lasts)
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _nonce(asked: ocsp.OCSPRequest) -> bytes | None:
    try:
        return asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None
