"""The way to an address: requests for every distance at once, and who says that they have come so far."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

from probes.ports import PLAIN_PING, PingErrorKind, PingOptions
from probes.protocols.icmp.access import IcmpUnavailable, open_edge
from probes.protocols.icmp.bpf import nothing
from probes.protocols.icmp.datagram import RECEIVE_ERRORS, receive_error
from probes.protocols.icmp.edge import SO_TIMESTAMPNS, Edge, attach, fragment, with_options
from probes.protocols.icmp.packet import TURNS, Echo, Identity, Quote
from probes.protocols.icmp.refusal import refusal_of
from probes.protocols.path_packet import PORT, UDP_BYTES, SteadyEchoV4, SteadyEchoV6, SteadyUdp
from probes.protocols.path_route import Route, Trail
from probes.protocols.tcp import meaning

__all__ = ["trace"]

FURTHEST = 30
"""Hops; no way inside a country is longer."""
GROUP, GROUP_GAP_S = 6, 0.05
"""So many requests leave at once, and how long until the next ones: a burst would be shaped, or lost by us."""
ROUND_S = 0.75
"""How long answers are waited for once a round's requests are out; they count until the trace ends."""
TICK_S = 0.05
"""How often answers are read: the kernel has stamped them."""
_ROUND_NUMBERS = 64
_MAX_RTT_S = 5.0

Answers = Iterator[tuple[int, str, int | None, PingErrorKind | None]]
"""Number of the request, who answered, the kernel's stamp (ns since 1970), what the error said or None for a reply."""


async def trace(address: str, options: PingOptions = PLAIN_PING) -> Route:
    """The route that packets to an address take, within about 3 s.

    Three rounds: echo for all distances, UDP and then echo again for those that stay silent. Source address and
    traffic class are those of `options`. Where raw sockets are not allowed, echoes are all there is.
    """
    host = ipaddress.ip_address(address)
    options = replace(options, size_bytes=PLAIN_PING.size_bytes, dont_fragment=False)
    refusal = refusal_of(host, options, (4, 6))
    if refusal:
        return Route(str(host), problem=refusal)
    with contextlib.ExitStack() as opened:
        try:
            echo = opened.enter_context(contextlib.closing(_Echoes(str(host), host.version, options)))
        except (OSError, IcmpUnavailable) as error:
            return Route(str(host), problem=meaning(error) if isinstance(error, OSError) else str(error))
        ways: list[_Echoes | _Datagrams] = [echo, echo, echo]
        with contextlib.suppress(OSError):  # not allowed: echoes alone
            ways[1] = opened.enter_context(contextlib.closing(_Datagrams(echo.edge.echo, str(host), options)))
        return await _Trace(str(host), ways).run()


class _Trace:
    """One trace, while it runs."""

    def __init__(self, host: str, ways: list[_Echoes | _Datagrams]) -> None:
        self._host = host
        self._ways = ways
        self._trail = Trail(host)
        self._sent: dict[int, tuple[int, int]] = {}  # number -> hops allowed, ns since 1970
        self._problem = ""

    async def run(self) -> Route:
        for turn, way in enumerate(self._ways):
            wanted = self._trail.silent(FURTHEST)
            for first in range(0, len(wanted), GROUP):
                for ttl in wanted[first : first + GROUP]:
                    self._send(way, turn * _ROUND_NUMBERS + ttl, ttl)
                await asyncio.sleep(GROUP_GAP_S)
                self._read()
                if self._trail.reached_at is not None:
                    break  # whatever was not asked yet lies behind the destination
            if not self._sent:
                return Route(self._host, problem=self._problem)
            until = time.monotonic() + ROUND_S
            while self._trail.silent(FURTHEST) and time.monotonic() < until:
                await asyncio.sleep(TICK_S)
                self._read()
        return self._trail.route()

    def _send(self, way: _Echoes | _Datagrams, number: int, ttl: int) -> None:
        sent = time.time_ns()
        try:
            way.send(number, ttl)
        except OSError as error:
            self._problem = meaning(error)
        else:
            self._sent[number] = ttl, sent

    def _read(self) -> None:
        for way in {id(way): way for way in self._ways}.values():
            for number, address, stamp, kind in way.answers():
                if number not in self._sent or (kind is None and address != self._host):
                    continue
                ttl, sent = self._sent[number]
                took = ((time.time_ns() if stamp is None else stamp) - sent) / 1e9
                self._trail.answered(ttl, address, took if 0 <= took < _MAX_RTT_S else None, kind)


class _Echoes:
    """Echo requests of one trace, through sockets of its own: the engine's ids and checksums vary, these must not."""

    def __init__(self, host: str, version: int, options: PingOptions) -> None:
        """Raises OSError or `IcmpUnavailable`."""
        identity = Identity(TURNS + secrets.randbelow(0x10000 - TURNS), secrets.randbits(64))
        self.edge: Edge = open_edge(SteadyEchoV4(identity) if version == 4 else SteadyEchoV6(identity))
        self.close = self.edge.close
        self._host = host
        self._options = options

    def send(self, number: int, ttl: int) -> None:
        """The request of a number, allowed so many hops; raises OSError."""
        send = self.edge.sender(replace(self._options, ttl=ttl))
        send(self.edge.echo.request(number, 0), (self._host, 0))

    def answers(self) -> Answers:
        """All that have come."""
        while True:
            try:
                arrivals = self.edge.read()
            except OSError:  # an error of the interface, told once
                continue
            if not arrivals:
                return
            for came, address, stamp, _ in arrivals:
                if isinstance(came, Quote):
                    if came.destination == self._host:
                        yield came.sequence, address, stamp, came.kind
                elif came is not None:
                    yield came[0], address, stamp, None


class _Datagrams:
    """UDP requests of one trace; what is said of them waits in the socket's error queue, which needs no filter.

    A raw socket: the error queue of a UDP socket leaves out the UDP header, which is all that many a router quotes.
    """

    def __init__(self, echo: Echo, host: str, options: PingOptions) -> None:
        """Raises OSError where that is not allowed, or nothing leads to the host."""
        self._echo, self._host = echo, host
        self._options = replace(options, size_bytes=UDP_BYTES)
        self._socket = socket.socket(echo.family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_UDP)
        self.close = self._socket.close
        try:
            attach(self._socket, nothing())  # replies proper are not asked for: the port should be closed
            fragment(self._socket, echo, never=False)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(*RECEIVE_ERRORS[echo.version], 1)
            if options.source is not None:
                self._socket.bind((options.source, 0))
            self._socket.connect((host, 0))
            ports = (0xC000 + secrets.randbelow(0x4000), PORT)
            source = self._socket.getsockname()[0]
            self._udp = SteadyUdp(echo, source, host, ports, secrets.randbelow(65_000))
        except BaseException:
            self._socket.close()
            raise

    def send(self, number: int, ttl: int) -> None:
        """See `_Echoes.send`."""
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # of an earlier request: it waits in the queue
        send = with_options(self._socket, self._echo, replace(self._options, ttl=ttl))
        send(self._udp.request(number), (self._host, 0))

    def answers(self) -> Answers:
        """See `_Echoes.answers`."""
        while True:
            try:
                quote, hop, stamp = receive_error(self._socket, self._udp, self._host)
            except OSError:  # mostly BlockingIOError: none waits
                return
            if quote is not None:
                yield quote.sequence, hop, stamp, quote.kind
