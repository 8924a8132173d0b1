"""A certificate authority for doubles: real keys, made anew each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key() -> rsa.RSAPrivateKey:
    """A new key of 2,048 bits."""
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """A new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Key) -> bytes:
    """A private key as OpenSSL reads it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True)
class Holder:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key = field(repr=False)

    @property
    def text(self) -> str:
        """The certificate in PEM form, as inventories hold it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def issue(
        self,
        name: str,
        key: Key | None = None,
        *,
        usage: ObjectIdentifier | None = None,
        critical: bool = True,
        ca: bool = False,
        days: float = 30,
    ) -> Holder:
        """A certificate that this one's holder signs; `usage` is its only extended key usage."""
        return _issue(name, key or ec_key(), self, usage=usage, critical=critical, ca=ca, days=days)


def authority(name: str = "Double CA", key: Key | None = None) -> Holder:
    """A new root."""
    return _issue(name, key or ec_key(), None, usage=None, critical=False, ca=True, days=365)


def _issue(
    name: str, key: Key, by: Holder | None, *, usage: ObjectIdentifier | None, critical: bool, ca: bool, days: float
) -> Holder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical)
    return Holder(builder.sign(by.key if by else key, hashes.SHA256()), key)
