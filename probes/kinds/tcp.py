"""Whether a TCP port accepts a connection, and says what it should."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from probes.model import AbsolutePath, Host, IpAddress, Pattern, Port, Seconds, Settings, Several, Timeout
from probes.ports import Kind, Net
from probes.protocols import dialog, tcp, tls
from probes.protocols.attempt import Attempt, Failed, OutOfTime, Stream
from probes.results import Beat, Reading, Reason, Result


class TcpStep(Settings):
    """One step of a conversation over TCP: what is waited for, then sent, then whether TLS begins."""

    expect: Pattern | None = Field(None, examples=["^220 "])
    """Lines are read until one matches this regular expression (RE2), at most 64 KiB."""
    send: Annotated[str, StringConstraints(max_length=1000)] | None = Field(None, examples=["QUIT\r"])
    """Text that is sent with a line feed behind it; `${1}`, `${name}` are groups of the last match, `$$` is `$`."""
    starttls: bool = False
    """Whether TLS begins after this step."""
    within_s: Timeout | None = Field(None, examples=[2])
    """How long the step may take; `timeout_s` is for all of them together."""

    @model_validator(mode="after")
    def _says_something(self) -> TcpStep:
        if self.expect is None and self.send is None and not self.starttls:
            raise ValueError("says nothing; give `expect`, `send` or `starttls: true`")
        return self


class TcpSettings(Settings):
    """A TCP port: a connection is opened and closed again; what is said in between is told in `steps`."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[\w.:%-]+$")] = Field(
        examples=["gateway.example"]
    )
    """Host name or address."""
    port: Port = Field(examples=[443])
    """Where the connection goes."""
    timeout_s: Timeout = 5
    """How long an attempt may take; after that the service counts as not answering."""
    slow_s: Seconds = 3
    """An attempt that took longer counts as slow."""
    steps: Annotated[Several[TcpStep], Field(max_length=50)] = Field((), examples=[[{"expect": "^SSH-2.0-"}]])
    """A conversation, as blackbox_exporter's `query_response`; nothing is sent unless told here."""
    tls: bool = False
    """Whether TLS begins at once."""
    server_name: Host | None = Field(None, examples=["gateway.example"])
    """With TLS, the name that is asked for (SNI) and that the certificate must have; `host` unless given."""
    verify_tls: bool = True
    """With TLS, whether the certificate must be valid."""
    ca_file: AbsolutePath | None = Field(None, examples=["/etc/lienxa/authorities.pem"])
    """With TLS, further authorities that are trusted (PEM)."""
    source: IpAddress | None = Field(None, examples=["10.4.0.2"])
    """Address of this machine to connect from; the routing table chooses unless given."""


async def check(settings: TcpSettings, net: Net, beat: Beat) -> Result:  # noqa: ARG001  # every kind takes a beat
    """Resolve, connect, talk where there are steps, close; the time-out is for all of it together."""
    talk = _Talk(settings, net)
    failed = await talk.attempt.within(settings.timeout_s, talk.run())
    readings = (*talk.attempt.readings(), *talk.readings)
    if failed is None:
        took_s = talk.attempt.took_s
        slow = took_s > settings.slow_s
        return Result(Reason.SLOW if slow else None, readings, detail=f"took {took_s:.1f} s" if slow else "")
    if isinstance(failed, OutOfTime) and talk.dialog is not None and talk.attempt.phase == "request":
        failed = talk.dialog.late(f"{settings.timeout_s:g} s")
    return Result(failed.reason, readings, detail=failed.detail)


class _Talk:
    """One attempt, and what it has found until it ended."""

    def __init__(self, settings: TcpSettings, net: Net) -> None:
        self._settings = settings
        self._net = net
        self.attempt = Attempt(net.clock)
        self.readings: tuple[Reading, ...] = ()
        self.dialog: dialog.Dialog | None = None

    async def run(self) -> None:
        settings = self._settings
        with self.attempt.timed("resolve"):
            endpoints = await tcp.resolve(settings.host, settings.port)
        with self.attempt.timed("connect"):
            connection = await tcp.connect(endpoints, settings.source)
        with connection:
            if not settings.tls and not settings.steps:
                return

            async def begin() -> Stream:
                context = await self._net.tls.context(settings.ca_file)
                stream = tls.TlsStream(connection, context, settings.server_name or settings.host)
                with self.attempt.timed("tls"):
                    session = await stream.handshake()
                self.readings = tuple(tls.readings(session, self._net.clock.wall()))
                if settings.verify_tls and session.trouble:
                    raise Failed(Reason.TLS_ERROR, session.trouble)
                return stream

            self.dialog = dialog.Dialog(tcp.PlainStream(connection), self.attempt, begin)
            if settings.tls:
                await self.dialog.begin_tls()
            await self.dialog.run([dialog.Step(**step.model_dump()) for step in settings.steps])


KIND = Kind("tcp", TcpSettings, check)
