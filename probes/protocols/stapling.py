"""Whether the OCSP answer that a server sends along in the handshake (RFC 6066 8) is a good one (RFC 6960)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from probes.protocols.certificates import Certificate

Status = Literal["good", "revoked", "unknown", "invalid", "none"]
STATUSES: tuple[Status, ...] = get_args(Status)
SKEW = timedelta(minutes=5)
"""By how much a responder's clock may be ahead of ours."""


_STATES: Mapping[ocsp.OCSPCertStatus, tuple[Status, str]] = MappingProxyType(
    {
        ocsp.OCSPCertStatus.GOOD: ("good", ""),
        ocsp.OCSPCertStatus.REVOKED: ("revoked", "the certificate is revoked"),
        ocsp.OCSPCertStatus.UNKNOWN: ("unknown", "the stapled OCSP answer does not know the certificate"),
    }
)


def judge(staple: bytes, chain: tuple[Certificate, ...], now_s: float) -> tuple[Status, str]:
    """What the staple says of the first of `chain`, and in words why it says nothing; `now_s` since 1970."""
    if not staple:
        return "none", "no OCSP answer is stapled"
    try:
        return _judge(staple, chain, datetime.fromtimestamp(now_s, UTC))
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return "invalid", "the stapled OCSP answer is damaged"


def _judge(staple: bytes, chain: tuple[Certificate, ...], now: datetime) -> tuple[Status, str]:
    response = ocsp.load_der_ocsp_response(staple)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return "invalid", f"the stapled OCSP answer is an error: {response.response_status.name.lower()}"
    single = next((single for single in response.responses if single.serial_number == chain[0].serial), None)
    trouble = ""
    if single is None:
        trouble = "is for another certificate"
    elif single.this_update_utc > now + SKEW:
        trouble = "is not valid yet"
    elif single.next_update_utc is not None and single.next_update_utc < now:
        trouble = "is out of date"
    elif len(chain) < 2:
        trouble = "proves nothing without the issuer's certificate"
    elif not any(_signed_by(response, signer) for signer in _signers(response, chain[1].parsed)):
        trouble = "is not signed by the certificate's issuer"
    if single is None or trouble:
        return "invalid", f"the stapled OCSP answer {trouble}"
    return _STATES[single.certificate_status]


def _signers(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> Iterator[x509.Certificate]:
    """Who may sign: the issuer, and whom it has given the right to (RFC 6960 4.2.2.2)."""
    yield issuer
    for delegate in response.certificates[:4]:
        try:
            usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            delegate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in usage:
            yield delegate


def _signed_by(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, algorithm = signer.public_key(), response.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(response.signature, response.tbs_response_bytes)
        else:
            return False
    except InvalidSignature:
        return False
    return True
