"""One aiohttp session for all HTTP probes: a fresh connection for each request; who asks, in headers or TLS."""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import aiohttp
from pydantic import SecretStr

from probes.ports import HttpAuth
from probes.protocols.connector import PhasedConnector

READ_BYTES = 1 << 16
"""What waits to be read from one server, at most twice; then the kernel lets it wait."""


def open_session(version: str, ca_file: Path | None = None) -> aiohttp.ClientSession:
    """The session for `Net.http`, to be made once inside the running loop and closed with `await session.close()`.

    `version` is told to servers; `ca_file` holds further certificate authorities (PEM). Time-outs are the caller's.
    """
    context = ssl.create_default_context()  # reads the system's authorities: 40 ms, hence once
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    session = aiohttp.ClientSession(
        connector=PhasedConnector(ssl=context, force_close=True, limit=0, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"lienxa/{version} (+monitoring)", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=False,
        auto_decompress=False,  # done within limits, see `body.py`
        read_bufsize=READ_BYTES,
    )
    session._retry_connection = False  # a probe that asks again by itself hides what it is there to see
    return session


ENCRYPTED = "is encrypted, and nobody is there to type its passphrase; `openssl pkey -in OLD -out NEW` decrypts it"

_ANOTHER_KEY = frozenset(
    {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED", "UNKNOWN_CERTIFICATE_TYPE"}
)
"""OpenSSL's words for a key of another certificate, or of another algorithm than it."""


class CertificateRefused(Exception):
    """A client certificate or its key cannot be used; `part` is the one that is wrong, the message says why."""

    def __init__(self, part: Literal["certificate", "key"], why: str) -> None:
        """`why` holds nothing of what was read."""
        super().__init__(why)
        self.part = part


def client_context(
    certificate: str, key: SecretStr, *, verify: bool = True, ca_file: Path | None = None
) -> ssl.SSLContext:
    """What shows a client certificate (PEM, with its chain) to servers; raises `CertificateRefused`.

    Not for the event loop: reading the system's authorities takes 40 ms.
    """
    secret = key.get_secret_value()
    if "-----BEGIN CERTIFICATE-----" not in certificate:
        raise CertificateRefused("certificate", "holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)")
    if "PRIVATE KEY-----" not in secret:
        raise CertificateRefused("key", "holds no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)")
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    _show(context, certificate, secret)
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its key from memory, as OpenSSL's files: nothing secret touches a disk."""
    locked = False

    def no_passphrase() -> str:
        nonlocal locked  # without this function OpenSSL would ask on the terminal
        locked = True
        return ""

    with _in_memory(certificate) as certificate_file, _in_memory(key) as key_file:
        try:
            context.load_cert_chain(certificate_file, key_file, password=no_passphrase)
        except (ssl.SSLError, ValueError) as error:
            if locked:
                raise CertificateRefused("key", ENCRYPTED) from None
            raise _refusal(error, certificate) from None


def _refusal(error: ssl.SSLError | ValueError, certificate: str) -> CertificateRefused:
    reason = getattr(error, "reason", None) or ""
    if reason in _ANOTHER_KEY:
        return CertificateRefused("key", "does not belong to the certificate")
    try:
        ssl.create_default_context(cadata=certificate)
    except (ssl.SSLError, ValueError):
        return CertificateRefused("certificate", "holds a certificate that is damaged")
    if "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        return CertificateRefused("certificate", f"is too weak for this machine ({reason.lower().replace('_', ' ')})")
    return CertificateRefused("key", "is damaged, or no key that OpenSSL knows")


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A file's name, whose content only this process can read, and that no disk ever holds."""
    descriptor = os.memfd_create("lienxa")
    try:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(descriptor, data) :]
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def authorization(auth: HttpAuth) -> str | None:
    """The `Authorization` field (RFC 9110 11.6.2) that says who asks, if it is said that way."""
    if token := auth.token.get_secret_value():
        return f"Bearer {token}"  # RFC 6750 2.1
    if not auth.user:
        return None
    words = unicodedata.normalize("NFC", f"{auth.user}:{auth.password.get_secret_value()}")  # RFC 7617 2.1
    return f"Basic {base64.b64encode(words.encode()).decode()}"
