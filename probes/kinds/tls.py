"""Whether a server's TLS is in order: certificate, chain, host, protocol version, and how long it will last."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from probes.model import AbsolutePath, Host, IpAddress, Port, Seconds, Settings, Several, Timeout
from probes.ports import Kind, Net
from probes.protocols import certificates, tcp, tls
from probes.protocols.attempt import Attempt, Failed, Stream
from probes.protocols.certificates import Weakness
from probes.protocols.dialog import STARTTLS, Dialog, StartTls
from probes.results import Beat, Reason, Result

DAY_S = 86_400


class TlsSettings(Settings):
    """A TLS server: a session is opened and closed again, and what the server shows is judged."""

    host: Host = Field(examples=["portal.example"])
    """Host name or address."""
    port: Port = 443
    """Where the connection goes."""
    server_name: Host | None = Field(None, examples=["portal.example"])
    """The name that is asked for (SNI) and that the certificate must have; `host` unless given."""
    starttls: StartTls | None = None
    """The protocol in which TLS begins after some words in the clear; at once unless given."""
    timeout_s: Timeout = 10
    """How long an attempt may take; after that the service counts as not answering."""
    slow_s: Seconds = 5
    """A session that took longer to open counts as slow."""
    expiring_days: Annotated[float, Field(ge=0, le=3650)] = 21
    """With less time left, the certificate counts as expiring."""
    verify_tls: bool = True
    """Whether the certificate must be valid, for this host, from an authority that is trusted."""
    ca_file: AbsolutePath | None = Field(None, examples=["/etc/lienxa/authorities.pem"])
    """Further authorities that are trusted (PEM), such as those of the government."""
    stapling: bool = False
    """Whether the server must send along a good OCSP answer; one that says revoked counts whatever this says."""
    accept: Several[Weakness] = Field((), examples=[["old_protocol"]])
    """Weaknesses that are known and do not count, until the service's owner has mended them."""
    source: IpAddress | None = Field(None, examples=["10.4.0.2"])
    """Address of this machine to connect from; the routing table chooses unless given."""


async def check(settings: TlsSettings, net: Net, beat: Beat) -> Result:  # noqa: ARG001  # every kind takes a beat
    """One handshake, without a byte of the protocol within."""
    attempt = Attempt(net.clock)
    session = await attempt.within(settings.timeout_s, _handshake(settings, net, attempt))
    if isinstance(session, Failed):
        return Result(session.reason, tuple(attempt.readings()), detail=session.detail)
    now_s = net.clock.wall()
    reason, detail = _judge(settings, session, attempt.took_s, now_s)
    return Result(reason, (*attempt.readings(), *tls.readings(session, now_s)), detail=detail)


async def _handshake(settings: TlsSettings, net: Net, attempt: Attempt) -> tls.Session:
    context = await net.tls.context(settings.ca_file)
    with attempt.timed("resolve"):
        endpoints = await tcp.resolve(settings.host, settings.port)
    with attempt.timed("connect"):
        connection = await tcp.connect(endpoints, settings.source)
    with connection:
        stream = tls.TlsStream(connection, context, settings.server_name or settings.host)
        found: list[tls.Session] = []

        async def begin() -> Stream:
            with attempt.timed("tls"):
                found.append(await stream.handshake())
            return stream

        dialog = Dialog(tcp.PlainStream(connection), attempt, begin)
        if settings.starttls is None:
            await dialog.begin_tls()
        elif settings.starttls == "ldap":
            await dialog.start_ldap()
        else:
            await dialog.run(STARTTLS[settings.starttls])
    return found[0]


def _judge(settings: TlsSettings, session: tls.Session, took_s: float, now_s: float) -> tuple[Reason | None, str]:
    """Why what the server shows does not pass, worst first; and in words."""
    stapled, said = tls.staple_of(session, now_s)
    if settings.verify_tls and session.trouble:
        return Reason.TLS_ERROR, session.trouble
    if stapled == "revoked":
        return Reason.TLS_ERROR, f"{said}, as the OCSP answer says that the server sends along"
    ends_s = certificates.first_end_s(session.path or session.chain[:1]) if session.chain else None
    if ends_s is not None and ends_s - now_s < settings.expiring_days * DAY_S:
        return Reason.CERTIFICATE_EXPIRING, f"ends on {certificates.day(ends_s)}"
    if weak := _weak(settings, session, stapled, said):
        return Reason.WEAK_TLS, weak
    if took_s > settings.slow_s:
        return Reason.SLOW, f"took {took_s:.1f} s"
    return None, session.version if ends_s is None else f"{session.version}, ends on {certificates.day(ends_s)}"


def _weak(settings: TlsSettings, session: tls.Session, stapled: str, said: str) -> str:
    """What should be mended, and is not accepted."""
    found = [_words(weakness, session) for weakness in sorted(session.weaknesses.difference(settings.accept))]
    if settings.stapling and stapled != "good":
        found.append(said)
    return ", ".join(found)


def _words(weakness: Weakness, session: tls.Session) -> str:
    match weakness:
        case "old_protocol":
            return session.version
        case "short_key":
            shortest = min((item.key_bits or 0 for item in session.chain if item.short_key), default=0)
            return f"key of {shortest} bits"
        case "sha1_signature":
            return "signature with " + " and ".join(
                sorted({item.signature_hash for item in session.chain if item.old_signature})
            )
        case "self_signed":
            return "self-signed certificate"


KIND = Kind("tls", TlsSettings, check)
