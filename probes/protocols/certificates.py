"""What a certificate says (RFC 5280), read from bytes that nobody vouches for."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeVar, get_args

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

LARGEST_BYTES = 1 << 16
"""Real ones have 1 to 10 KiB."""
LONGEST_WORDS = 200
SHORTEST_RSA_BITS, SHORTEST_EC_BITS = 2048, 224
"""112 bits of strength (NIST SP 800-57 part 1, table 2)."""

Weakness = Literal["old_protocol", "short_key", "sha1_signature", "self_signed"]
WEAKNESSES: tuple[Weakness, ...] = get_args(Weakness)

Value = TypeVar("Value")


class CertificateUnreadable(ValueError):
    """The bytes are no certificate; the message says why, in a line of our own words."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The facts of one certificate; times in seconds since 1970. What it does not tell readably is empty or None."""

    subject: str
    issuer: str
    """Distinguished names (RFC 4514), printable, at most `LONGEST_WORDS` characters."""
    not_before_s: float
    not_after_s: float
    names: tuple[str, ...]
    """Host names, in lower case, and addresses that it is for (subjectAltName)."""
    serial: int | None
    key_bits: int | None
    short_key: bool
    signature_hash: str
    """`sha256`, `sha1`; empty where the signature has none or one that is unknown."""
    self_issued: bool
    """Whether it names itself as its issuer, as roots do."""
    parsed: x509.Certificate = field(repr=False, compare=False)

    @property
    def old_signature(self) -> bool:
        """Whether it hangs on a hash with known collisions (RFC 9155); a root's own signature proves nothing anyway."""
        return not self.self_issued and self.signature_hash in {"md5", "sha1"}


def read(der: bytes) -> Certificate:
    """One certificate, DER; raises `CertificateUnreadable`, and nothing else."""
    if len(der) > LARGEST_BYTES:
        raise CertificateUnreadable(f"certificate of more than {LARGEST_BYTES >> 10} KiB")
    try:
        with warnings.catch_warnings(action="ignore"):  # of serial numbers and names against the rules
            parsed = x509.load_der_x509_certificate(der)
            starts, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm, OverflowError, x509.InvalidVersion):
        raise CertificateUnreadable("damaged certificate") from None
    with warnings.catch_warnings(action="ignore"):
        key = _readable(parsed.public_key, None)
        bits = (
            key.key_size if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey) else None
        )
        shortest = SHORTEST_EC_BITS if isinstance(key, ec.EllipticCurvePublicKey) else SHORTEST_RSA_BITS
        return Certificate(
            subject=_readable(lambda: words(parsed.subject.rfc4514_string()), ""),
            issuer=_readable(lambda: words(parsed.issuer.rfc4514_string()), ""),
            not_before_s=starts.timestamp(),
            not_after_s=ends.timestamp(),
            names=_readable(lambda: _names(parsed), ()),
            serial=_readable(lambda: parsed.serial_number, None),
            key_bits=bits,
            short_key=bits is not None and bits < shortest,
            signature_hash=_readable(lambda: _hash(parsed), ""),
            self_issued=_readable(lambda: parsed.subject == parsed.issuer, False),
            parsed=parsed,
        )


def is_for(certificate: Certificate, host: str) -> bool:
    """Whether the certificate is for this host name or address (RFC 9525 6: no common name, `*` as the first label)."""
    host = host.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(host)) in certificate.names
    except ValueError:
        _, _, parent = host.partition(".")
        return host in certificate.names or ("." in parent and f"*.{parent}" in certificate.names)


def first_end_s(certificates: Sequence[Certificate]) -> float:
    """When the first of them ends."""
    return min(certificate.not_after_s for certificate in certificates)


def day(seconds: float) -> str:
    """A time as people write days, UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def words(text: str) -> str:
    """Text from outside in one line, without control characters, and cut."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text[: LONGEST_WORDS + 1])
    return shown if len(shown) <= LONGEST_WORDS else f"{shown[: LONGEST_WORDS - 1]}…"


def _readable(look: Callable[[], Value], otherwise: Value) -> Value:
    """One part, as parts are decoded only when they are looked at."""
    try:
        return look()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return otherwise


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    try:
        told = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = [name.lower().removesuffix(".") for name in told.get_values_for_type(x509.DNSName)]
    return (*hosts, *(str(address) for address in told.get_values_for_type(x509.IPAddress)))


def _hash(parsed: x509.Certificate) -> str:
    algorithm = parsed.signature_hash_algorithm
    return algorithm.name if algorithm is not None else ""
