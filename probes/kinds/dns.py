"""Whether a name server answers a question, as it should, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from dns.message import Message
from pydantic import AfterValidator, Field, StringConstraints

from probes import metrics
from probes.model import AbsolutePath, Host, IpAddress, Pattern, Port, Seconds, Settings, Several, Timeout
from probes.model.patterns import compiled
from probes.ports import Kind, Net
from probes.protocols import dns, tcp, tls
from probes.protocols.attempt import Attempt, Failed
from probes.results import Beat, Reading, Reason, Result

PORTS: Mapping[str, int] = MappingProxyType({"udp": 53, "tcp": 53, "tls": 853})

_REASONS: Mapping[str, Reason] = MappingProxyType(
    {"NXDOMAIN": Reason.NXDOMAIN, "SERVFAIL": Reason.SERVFAIL, "REFUSED": Reason.QUERY_REFUSED}
)
"""By response code; any other one that is not expected is a wrong status."""


def _name(value: str) -> str:
    dns.name_of(value)
    return value


class DnsSettings(Settings):
    """A question to one name server, whose answer is looked at."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=253), AfterValidator(_name)] = Field(
        examples=["portal.example"]
    )
    """The name that is asked for; an address for `record: PTR`."""
    record: Literal["A", "AAAA", "CNAME", "MX", "NS", "SOA", "TXT", "SRV", "CAA", "PTR", "DS", "DNSKEY"] = "A"
    """The type of records that is asked for."""
    server: Host = Field(examples=["10.4.0.53"])
    """The name server that is asked."""
    port: Port | None = None
    """Where it listens: 53, with `transport: tls` 853, unless given."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    """How it is asked; over UDP an answer that does not fit is asked for again over TCP."""
    recursion: bool = True
    """Whether the server is to ask others; false for a server that is asked for its own zones."""
    timeout_s: Timeout = 5
    """How long an attempt may take; after that the server counts as not answering."""
    slow_s: Seconds = 1
    """An answer that took longer counts as slow."""
    rcode: Annotated[
        Several[Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "NOTAUTH"]],
        Field(min_length=1),
    ] = ("NOERROR",)
    """Response codes that are as they should be."""
    min_records: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many records of the type the answer must have, where it is not an error."""
    answers: Several[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        (), examples=[["203.0.113.10"]]
    )
    """Texts each of which must be the data of a record, as `dig +short` shows it."""
    answers_match: Several[Pattern] = Field((), examples=[["v=spf1"]])
    """Regular expressions (RE2) each of which must match the data of a record."""
    authenticated: bool = False
    """Whether the resolver must say that it has validated the answer (DNSSEC, flag AD)."""
    server_name: Host | None = Field(None, examples=["resolver.example"])
    """With `transport: tls`, the name that the certificate must have; `server` unless given."""
    verify_tls: bool = True
    """With `transport: tls`, whether the certificate must be valid."""
    ca_file: AbsolutePath | None = Field(None, examples=["/etc/lienxa/authorities.pem"])
    """With `transport: tls`, further authorities that are trusted (PEM)."""
    source: IpAddress | None = Field(None, examples=["10.4.0.2"])
    """Address of this machine to ask from; the routing table chooses unless given."""


async def check(settings: DnsSettings, net: Net, beat: Beat) -> Result:  # noqa: ARG001  # every kind takes a beat
    """One question, not repeated: a lost packet is a lost beat, and the state bears some."""
    attempt = Attempt(net.clock)
    records = await attempt.within(settings.timeout_s, _ask(settings, net, attempt))
    if isinstance(records, Failed):
        return Result(records.reason, tuple(attempt.readings()), detail=records.detail)
    readings = attempt.readings()
    readings.append(Reading(metrics.DNS_ANSWER_RECORDS, len(records.data)))
    readings.append(Reading(metrics.DNS_AUTHENTICATED, records.authenticated))
    if records.serial is not None:
        readings.append(Reading(metrics.DNS_SOA_SERIAL, records.serial))
    reason, detail = _judge(settings, records, attempt.took_s)
    return Result(reason, tuple(readings), detail=detail)


async def _ask(settings: DnsSettings, net: Net, attempt: Attempt) -> dns.Records:
    asked = dns.question(
        dns.name_of(settings.query),
        settings.record,
        recursion=settings.recursion,
        validation=settings.authenticated,
    )
    port = settings.port or PORTS[settings.transport]
    with attempt.timed("resolve"):
        endpoints = await tcp.resolve(settings.server, port)
    answer: Message | None = None
    if settings.transport == "udp":
        with attempt.timed("connect"):
            connection = dns.udp_socket(endpoints[0], settings.source)
        with connection, attempt.timed("request"):
            answer = await dns.ask_udp(connection, asked)
    if answer is None or dns.truncated(answer):
        with attempt.timed("connect"):
            connection = await tcp.connect(endpoints, settings.source)
        with connection:
            stream: tcp.PlainStream | tls.TlsStream = tcp.PlainStream(connection)
            if settings.transport == "tls":
                context = await net.tls.context(settings.ca_file)
                stream = tls.TlsStream(connection, context, settings.server_name or settings.server)
                with attempt.timed("tls"):
                    session = await stream.handshake()
                if settings.verify_tls and session.trouble:
                    raise Failed(Reason.TLS_ERROR, session.trouble)
            with attempt.timed("request"):
                answer = await dns.ask_stream(stream, asked)
    return dns.records_of(answer, settings.record)


def _judge(settings: DnsSettings, records: dns.Records, took_s: float) -> tuple[Reason | None, str]:
    """Why the answer does not pass, and in words."""
    if records.rcode not in settings.rcode:
        return _REASONS.get(records.rcode, Reason.WRONG_STATUS), f"the name server says {records.rcode}"
    if records.rcode == "NOERROR" and (wrong := _wrong(settings, records)):
        return Reason.WRONG_CONTENT, wrong
    if took_s > settings.slow_s:
        return Reason.SLOW, f"took {took_s:.1f} s"
    return None, ", ".join(records.data[:3]) or records.rcode


def _wrong(settings: DnsSettings, records: dns.Records) -> str:
    if len(records.data) < settings.min_records:
        return f"{len(records.data)} {settings.record} records in place of {settings.min_records} or more"
    for text in settings.answers:
        if text not in records.data:
            return f"{text} is not among the records"
    for pattern in settings.answers_match:
        if not any(compiled(pattern).search(text) for text in records.data):
            return f"no record matches {pattern}"
    if settings.authenticated and not records.authenticated:
        return "the resolver has not validated the answer"
    return ""


KIND = Kind("dns", DnsSettings, check)
