"""TLS over a connected socket, with all that the handshake shows, also where the certificate is not to be trusted.

pyOpenSSL, as the standard library's `ssl` ends a handshake at the first fault of a certificate and then shows none,
knows no stapled OCSP answers, and has no chain before Python 3.13.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto

from probes import metrics
from probes.protocols import certificates, stapling
from probes.protocols.attempt import Failed
from probes.protocols.certificates import WEAKNESSES, Certificate, CertificateUnreadable, Weakness
from probes.results import Reading, Reason

CHUNK_BYTES = 1 << 14
KEPT_S = 3600.0
"""How long a file of authorities is used before it is read again."""
OLD_VERSIONS = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})
"""RFC 7568, RFC 8996."""
_LEGACY_SERVER_CONNECT = 0x4  # openssl/ssl.h: servers without RFC 5746 are measured, not turned away
_MOST_FAULTS = 16

_CODES = SSL.X509VerificationCodes
_FAULTS = {
    _CODES.ERR_CERT_HAS_EXPIRED: "{who} expired",
    _CODES.ERR_CERT_NOT_YET_VALID: "{who} is not valid yet",
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed certificate",
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN: "unknown authority",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT: "unknown authority",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unknown authority, or the server leaves out an intermediate",
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unknown authority, or the server leaves out an intermediate",
    _CODES.ERR_CERT_SIGNATURE_FAILURE: "{who} has a wrong signature",
    _CODES.ERR_CERT_REVOKED: "{who} is revoked",
    _CODES.ERR_INVALID_CA: "{who} may not issue certificates",
    _CODES.ERR_INVALID_PURPOSE: "{who} is not meant for servers",
    _CODES.ERR_CERT_CHAIN_TOO_LONG: "the chain is too long",
    _CODES.ERR_PATH_LENGTH_EXCEEDED: "the chain is longer than an authority in it allows",
}


class TlsError(Failed):
    """No session came about, or it broke."""


@dataclass(slots=True)
class _Seen:
    """What the callbacks of one handshake have noted."""

    faults: list[tuple[int, int]] = field(default_factory=list)
    """Depth in the chain (0 is the server's own certificate) and X.509 error."""
    staple: bytes = b""


@dataclass(frozen=True, slots=True)
class Session:
    """What one handshake has shown."""

    version: str
    """`TLS 1.3`."""
    cipher: str
    chain: tuple[Certificate, ...]
    """As sent, the server's own first; empty where that one is not readable."""
    path: tuple[Certificate, ...]
    """From the server's own to the authority that we trust; empty without one."""
    trouble: str
    """Why the certificate is not to be trusted for this host; empty if it is."""
    weaknesses: frozenset[Weakness]
    staple: bytes = b""
    """A stapled OCSP answer, DER."""


class TlsContexts:
    """Implements `probes.ports.Tls`: what is trusted, read from disk outside the loop and kept."""

    def __init__(self, authorities: Path | None = None) -> None:
        """`authorities` (PEM) stand in for those of the system."""
        self._authorities = authorities
        self._kept: dict[str | None, tuple[float, SSL.Context]] = {}

    async def context(self, ca_file: str | None) -> SSL.Context:
        """The system's authorities, and those of `ca_file` (PEM); raises `TlsError` where that cannot be read."""
        kept = self._kept.get(ca_file)
        if kept is None or time.monotonic() - kept[0] > KEPT_S:
            made = await asyncio.to_thread(_context, self._authorities, ca_file)
            kept = self._kept[ca_file] = (time.monotonic(), made)
        return kept[1]


class TlsStream:
    """Bytes over TLS on a connected, non-blocking socket, which the caller closes."""

    def __init__(self, connection: socket.socket, context: SSL.Context, server_name: str) -> None:
        """`server_name` is asked for (SNI, unless it is an address) and must be the certificate's."""
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._seen = _Seen()
        self._server_name = server_name.removesuffix(".")
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self._seen)
        self._tls.set_connect_state()
        self._tls.request_ocsp()
        if not _is_address(server_name):
            self._tls.set_tlsext_host_name(self._server_name.encode("idna"))

    async def handshake(self) -> Session:
        """Raises `TlsError`; a certificate that is not to be trusted is no error, but told."""
        await self._drive(self._tls.do_handshake)
        seen = self._seen
        known: dict[bytes, Certificate] = {}
        chain, trouble = _read_all(self._tls.get_peer_cert_chain() or [], known)
        path = () if seen.faults else _read_all(self._tls.get_verified_chain() or [], known)[0]
        faults = [] if trouble is None else [trouble]
        faults += [_words(depth, code) for depth, code in seen.faults]
        if chain and not certificates.is_for(chain[0], self._server_name):
            faults.append(_other_host(chain[0]))
        version = self._tls.get_protocol_version_name()
        return Session(
            version=version.replace("TLSv", "TLS ").replace("SSLv", "SSL "),
            cipher=self._tls.get_cipher_name() or "",
            chain=chain,
            path=path,
            trouble="; ".join(dict.fromkeys(faults)),
            weaknesses=frozenset(_weaknesses(version, chain)),
            staple=seen.staple,
        )

    async def receive(self, limit: int) -> bytes:
        """At most `limit` bytes; empty at the end. Raises `TlsError`."""
        try:
            received: bytes = await self._drive(partial(self._tls.recv, limit))
        except SSL.ZeroReturnError:
            return b""
        return received

    async def send(self, data: bytes) -> None:
        """All of it; raises `TlsError`."""
        for start in range(0, len(data), CHUNK_BYTES):  # what one record takes (RFC 8446 5.1)
            await self._drive(partial(self._tls.send, data[start : start + CHUNK_BYTES]))

    async def _drive(self, step: Any) -> Any:
        """One step of OpenSSL's, with what it wants from the network."""
        while True:
            try:
                done = step()
            except SSL.WantReadError:
                await self._flush()
                received = await self._wire(self._loop.sock_recv(self._socket, CHUNK_BYTES))
                if not received:
                    raise TlsError(Reason.TLS_ERROR, "the server closed the connection") from None
                self._tls.bio_write(received)
            except SSL.ZeroReturnError:
                raise
            except SSL.Error as error:
                await self._say_why()
                raise TlsError(Reason.TLS_ERROR, _meaning(error)) from None
            else:
                await self._flush()
                return done

    async def _flush(self) -> None:
        while True:
            try:
                waiting = self._tls.bio_read(CHUNK_BYTES)
            except SSL.WantReadError:
                return
            await self._wire(self._loop.sock_sendall(self._socket, waiting))

    async def _say_why(self) -> None:
        """Send the alert, so that the server's log tells the same as ours; whether it arrives is all the same."""
        try:
            await self._flush()
        except (TlsError, SSL.Error):
            return

    async def _wire(self, transfer: Any) -> Any:
        try:
            return await transfer
        except OSError as error:
            detail = "the server reset the connection" if isinstance(error, ConnectionError) else str(error.strerror)
            raise TlsError(Reason.TLS_ERROR, detail) from None


def readings(session: Session, now_s: float) -> Iterator[Reading]:
    """The session's series; `now_s` since 1970."""
    yield Reading(metrics.TLS_VERSION, 1, (session.version,))
    yield Reading(metrics.TLS_CIPHER, 1, (session.cipher,))
    for weakness in WEAKNESSES:
        yield Reading(metrics.TLS_WEAKNESS, weakness in session.weaknesses, (weakness,))
    if session.chain:
        yield Reading(metrics.CERTIFICATE_NOT_AFTER, session.chain[0].not_after_s)
        yield Reading(metrics.CERTIFICATE_CHAIN_NOT_AFTER, certificates.first_end_s(session.chain))
        stapled, _ = staple_of(session, now_s)
        for status in stapling.STATUSES:
            yield Reading(metrics.OCSP_STAPLE, status == stapled, (status,))


def staple_of(session: Session, now_s: float) -> tuple[stapling.Status, str]:
    """What the stapled OCSP answer says, and why it says nothing."""
    return stapling.judge(session.staple, session.path or session.chain, now_s)


def _context(authorities: Path | None, ca_file: str | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # weak ones are found, which needs a session
    context.set_options(_LEGACY_SERVER_CONNECT)
    context.set_verify(SSL.VERIFY_PEER, _noted)
    context.set_ocsp_client_callback(_stapled)
    try:
        if authorities is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(str(authorities))
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except SSL.Error:
        raise TlsError(Reason.SUSPECT, f"no certificates of authorities (PEM) can be read from {ca_file}") from None
    return context


def _noted(connection: SSL.Connection, _: crypto.X509, code: int, depth: int, ok: int) -> bool:
    """Note a fault and go on: the handshake shows the rest."""
    seen = connection.get_app_data()
    if not ok and len(seen.faults) < _MOST_FAULTS:
        seen.faults.append((depth, code))
    return True


def _stapled(connection: SSL.Connection, staple: bytes, _: object) -> bool:
    connection.get_app_data().staple = staple
    return True


def _read_all(chain: list[crypto.X509], known: dict[bytes, Certificate]) -> tuple[tuple[Certificate, ...], str | None]:
    """What is readable of a chain; none of it and why, where the server's own certificate is not.

    `known` are those that have been read already.
    """
    read = []
    for depth, sent in enumerate(chain):
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, sent)
        try:
            certificate = known[der] = known.get(der) or certificates.read(der)
            read.append(certificate)
        except CertificateUnreadable as error:
            if depth == 0:
                return (), str(error)
    return tuple(read), None


def _weaknesses(version: str, chain: tuple[Certificate, ...]) -> Iterator[Weakness]:
    if version in OLD_VERSIONS:
        yield "old_protocol"
    if any(certificate.short_key for certificate in chain):
        yield "short_key"
    if any(certificate.old_signature for certificate in chain):
        yield "sha1_signature"
    if chain and chain[0].self_issued:
        yield "self_signed"


def _words(depth: int, code: int) -> str:
    who = "the certificate" if depth == 0 else "a certificate of the chain"
    return _FAULTS.get(code, "{who} is not valid (X.509 error {code})").format(who=who, code=code)


def _other_host(certificate: Certificate) -> str:
    shown = [certificates.words(name) for name in certificate.names[:3]]
    more = f" and {len(certificate.names) - 3} more" if len(certificate.names) > 3 else ""
    return (
        f"the certificate is for another host: {', '.join(shown)}{more}" if shown else "the certificate names no host"
    )


def _meaning(error: SSL.Error) -> str:
    """OpenSSL's reason: the last part of its last entry."""
    entries = error.args[0] if error.args else ()
    if not isinstance(entries, list | tuple) or not entries:
        return "the server closed the connection"
    return str(entries[-1][-1]) or "TLS error"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
