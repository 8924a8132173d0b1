"""Signatures and who may make them: what OCSP and time stamps have in common (RFC 5280, 6960, 3161)."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ObjectIdentifier
from pydantic import AfterValidator, StringConstraints

MALFORMED = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, AttributeError,
             UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
             x509.UnsupportedGeneralNameType)  # fmt: skip
"""What parsers of DER raise over bytes that are none, or none that they know; reading is lazy, so anywhere."""
MAX_CERTIFICATES = 10
"""More than this an answer never needs; the rest is not looked at."""
MAX_CHAIN = 4


def load(pem: str) -> x509.Certificate:
    """One certificate in PEM form; raises what `MALFORMED` names."""
    with forgiving():
        return x509.load_pem_x509_certificate(pem.encode())


def _pem(value: str) -> str:
    try:
        load(value).public_key()
    except MALFORMED:
        raise ValueError(
            "must be one certificate in PEM form: `-----BEGIN CERTIFICATE-----` and what follows, as a block after `|`"
        ) from None
    return value


PemCertificate = Annotated[str, StringConstraints(max_length=16384), AfterValidator(_pem)]
"""A certificate as text; certificates are public, so it may stand in an inventory."""


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """Read certificates that break RFC 5280 where it does not matter, such as a serial number that is not positive.

    cryptography warns of them; a monitor has nobody to warn in the middle of an answer. No `await` inside.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


class Untrusted(Exception):
    """A signature, or whoever made it, does not hold; the message says why and repeats nothing of the answer."""


def verify(signer: x509.Certificate, signature: bytes, signed: bytes, algorithm: HashAlgorithm, *, pss: bool) -> None:
    """Raise `Untrusted` unless `signature` over `signed` was made with the signer's key."""
    key = signer.public_key()
    try:
        match key:
            case rsa.RSAPublicKey():
                scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO) if pss else padding.PKCS1v15()
                key.verify(signature, signed, scheme, algorithm)
            case ec.EllipticCurvePublicKey():
                key.verify(signature, signed, ec.ECDSA(algorithm))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                raise Untrusted("the signer's key is of a sort that nobody signs with")
    except InvalidSignature:
        raise Untrusted("the signature is wrong") from None


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key made the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *MALFORMED):
        return False
    return True


def issued_under(certificate: x509.Certificate, ca: x509.Certificate, others: Iterable[x509.Certificate]) -> bool:
    """Whether a chain of at most `MAX_CHAIN` certificates leads from `certificate` to `ca`, over CAs among `others`."""
    authorities = [other for other in others if _is_ca(other)]
    current = certificate
    for _ in range(MAX_CHAIN):
        if current == ca or issued_by(current, ca):
            return True
        above = next((other for other in authorities if other != current and issued_by(current, other)), None)
        if above is None:
            return False
        current = above
    return False


def may(certificate: x509.Certificate, usage: ObjectIdentifier, *, critical: bool = False) -> bool:
    """Whether the certificate's extended key usage (RFC 5280 4.2.1.12) names `usage`, critically if so asked."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, *MALFORMED):
        return False
    return usage in found.value and (found.critical or not critical)


def valid_at(certificate: x509.Certificate, moment: datetime) -> bool:
    """Whether the certificate was valid then."""
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *MALFORMED):
        return False
