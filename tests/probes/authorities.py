"""Certificates of the moment: an authority of the test's own, and what it issues, well or badly."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "portal.test"


@dataclass
class Identity:
    """A certificate with its key and its issuer."""

    certificate: x509.Certificate
    key: Any
    issuer: Identity | None = None

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(self, host: str = HOST, *, also: Sequence[str] = (), key: Any = None, **how: Any) -> Identity:
        """A server's certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in (host, *also)]
        if host == HOST:
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        return _made(host, key, self, names=names, **how)

    def intermediate(self) -> Identity:
        """An authority below this one."""
        return _made("Intermediate", ec.generate_private_key(ec.SECP256R1()), self, authority=True)

    def staple(self, leaf: Identity, **how: Any) -> bytes:
        """This authority's OCSP answer about a certificate: `status`, `days` it still holds."""
        now = datetime.now(UTC)
        status = how.get("status", ocsp.OCSPCertStatus.GOOD)
        return (
            ocsp.OCSPResponseBuilder()
            .add_response(
                leaf.certificate,
                (leaf.issuer or leaf).certificate,
                hashes.SHA1(),  # noqa: S303  # names the certificate (RFC 6960 4.1.1), protects nothing
                status,
                now - timedelta(days=10),
                now + timedelta(days=how.get("days", 1)),
                now if status is ocsp.OCSPCertStatus.REVOKED else None,
                None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.DER)
        )


@dataclass
class Files:
    """What a server loads and a client trusts."""

    chain: Path
    authority: Path
    root: Identity
    leaf: Identity
    others: list[Identity] = field(default_factory=list)


def an_authority() -> Identity:
    """A root."""
    return _made("Root", ec.generate_private_key(ec.SECP256R1()), None, authority=True)


def written(folder: Path, root: Identity, leaf: Identity, *others: Identity) -> Files:
    """The leaf's key, it and the others in one file, the root in another."""
    key = leaf.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain, authority = folder / "chain.pem", folder / "authority.pem"
    chain.write_bytes(key + leaf.pem + b"".join(other.pem for other in others))
    authority.write_bytes(root.pem)
    return Files(chain, authority, root, leaf, list(others))


def _made(
    name: str,
    key: Any,
    issuer: Identity | None,
    *,
    names: list[x509.GeneralName] | None = None,
    authority: bool = False,
    days: float = 90,
    age_days: float = 30,
    hash_: Any = None,
) -> Identity:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=age_days))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    signed = builder.sign(issuer.key if issuer else key, hash_ or hashes.SHA256())
    return Identity(signed, key, issuer)
