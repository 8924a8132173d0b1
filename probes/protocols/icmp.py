"""The ICMP engine: every stream of echo requests over one raw socket per family, paced, stamped by the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import math
import secrets
import time
from collections import OrderedDict
from heapq import heappop, heappush, heapreplace

from probes.ports import PingWindow
from probes.protocols.icmp_packet import EchoV4, EchoV6, Identity
from probes.protocols.icmp_socket import EchoSocket, IcmpUnavailable
from probes.protocols.ping_series import PingSeries, round_trip_s
from probes.protocols.ping_stream import FIRST_WINDOWS_S, PingStream
from probes.protocols.tcp import meaning

__all__ = ["IcmpEngine", "IcmpUnavailable"]

TICK_S = 0.01
"""Shortest time between two rounds of sending: what falls due within it leaves together."""
BATCH = 256
"""Most requests sent, and most replies read, before other work gets its turn."""
LATE_MEMORY_S = 10.0
"""How long after its time-out a request is remembered, so that a late reply is told from a duplicate."""


class IcmpEngine:
    """Implements `probes.ports.Pings`. `open()` inside a running loop, `close()` at the end."""

    def __init__(self, timeout_s: float = 2.0, identity: Identity | None = None) -> None:
        """`timeout_s` holds for every request; `identity` is drawn at random unless given."""
        self._timeout_s = timeout_s
        self._timeout_ns = int(timeout_s * 1e9)
        self._identity = identity or Identity(secrets.randbelow(0xFFFF) + 1, secrets.randbits(64))
        self._edges: dict[int, EchoSocket] = {}  # by IP version
        self._streams: dict[str, PingStream] = {}
        self._by_key: dict[int, PingStream] = {}
        self._heap: list[tuple[float, int, PingStream]] = []
        # packet number -> stream, sent on the realtime clock (ns), sent on the monotonic clock (ns)
        self._outstanding: dict[int, tuple[PingStream, int, int]] = {}
        # packet number -> stream, sent on the monotonic clock (ns): what may still be answered late
        self._expired: OrderedDict[int, tuple[PingStream, int]] = OrderedDict()
        self._number = 1
        self._oldest = 1  # no number below it is outstanding
        self._keys = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stray = 0
        """Replies to our id that match no request of ours."""
        self.send_errors = 0
        """Requests that could not leave this machine; they count for no stream's loss."""

    @property
    def socket_drops(self) -> int:
        """Replies that the kernel dropped because our receive buffer was full (SO_RXQ_OVFL)."""
        return sum(edge.drops for edge in self._edges.values())

    @property
    def receive_buffer_bytes(self) -> int:
        """Real size of the IPv4 socket's receive buffer; 0 while closed."""
        return self._edges[4].buffer_bytes if 4 in self._edges else 0

    def open(self) -> None:
        """Open the sockets; raises `IcmpUnavailable`. Without IPv6 on this machine, IPv6 targets stay unsent."""
        self._loop = asyncio.get_running_loop()
        self._edges[4] = EchoSocket(EchoV4(self._identity))
        with contextlib.suppress(OSError, IcmpUnavailable):
            self._edges[6] = EchoSocket(EchoV6(self._identity))
        for edge in self._edges.values():
            self._loop.add_reader(edge.fileno(), self._drain, edge)

    def close(self) -> None:
        """Stop sending, close the sockets, release whoever waits for a window."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_due = None, math.inf
        for stream in list(self._streams.values()):
            self._drop(stream)
            stream.settled.set()
        for edge in self._edges.values():
            if self._loop is not None:
                self._loop.remove_reader(edge.fileno())
            edge.close()
        self._edges.clear()
        self._heap.clear()
        self._outstanding.clear()
        self._expired.clear()

    async def window(self, stream: str, address: str, packets_per_s: float, *, continuous: bool = True) -> PingWindow:
        """See `probes.ports.Pings`. A stream whose address changes begins anew."""
        flow = self._streams.get(stream)
        if flow is not None and flow.address != address:
            self._drop(flow)
            flow = None
        if flow is None:
            flow = self._start(stream, address, packets_per_s)
        else:
            flow.ask(time.monotonic())
        if flow.interval_s != 1 / packets_per_s:
            flow.interval_s = 1 / packets_per_s
            flow.series.resize(packets_per_s)
        try:
            if flow.burst is not None:
                await flow.settled.wait()
            return flow.series.close(time.monotonic())
        finally:
            if not continuous:
                self._drop(flow)

    def _start(self, name: str, address: str, packets_per_s: float) -> PingStream:
        if self._loop is None:
            raise RuntimeError("the ICMP engine is not open")
        edge = self._edges.get(ipaddress.ip_address(address).version)
        now = time.monotonic()
        key = next(self._keys) & 0xFFFFFFFF
        stream = PingStream(
            name, key, address, 1 / packets_per_s, edge, PingSeries(packets_per_s), now, now + FIRST_WINDOWS_S
        )
        self._streams[name] = self._by_key[key] = stream
        heappush(self._heap, (now, key, stream))
        self._arm()
        return stream

    def _drop(self, stream: PingStream) -> None:
        stream.running = False
        self._by_key.pop(stream.key, None)
        if self._streams.get(stream.name) is stream:
            del self._streams[stream.name]

    def _tick(self) -> None:
        """Send what is due, expire what is overdue, set the timer for the next round."""
        self._timer, self._timer_due = None, math.inf
        try:
            self._send_due()
            self._expire()
        finally:  # whatever happens in one round, there is a next one
            self._arm()

    def _send_due(self) -> None:
        heap = self._heap
        now = time.monotonic()
        for _ in range(BATCH):
            if not heap or heap[0][0] > now:
                break
            due, key, stream = heap[0]
            if now > stream.until:
                self._drop(stream)
            if not stream.running:
                heappop(heap)
                continue
            self._send(stream)
            heapreplace(heap, (stream.next_due(due, now), key, stream))

    def _send(self, stream: PingStream) -> None:
        number = self._number
        self._number = number + 1
        if stream.burst_unsent:
            stream.began(number)
        edge = stream.edge
        if edge is None:
            self._unsent(stream, number, "no IPv6 on this machine")
            return
        packet = edge.echo.request(number, stream.key)
        monotonic = time.monotonic_ns()
        sent = time.time_ns()
        try:
            edge.send(packet, (stream.address, 0))
        except OSError as error:  # a full queue or no way out: ours, not the link's
            self._unsent(stream, number, meaning(error))
        else:
            self._outstanding[number] = (stream, sent, monotonic)

    def _unsent(self, stream: PingStream, number: int, why: str) -> None:
        self.send_errors += 1
        stream.series.unsent(why)
        stream.final(number)

    def _arm(self) -> None:
        """Set the timer for the next request, or for the oldest one's time-out, whichever comes first."""
        now = time.monotonic()
        due = self._heap[0][0] if self._heap else math.inf
        if self._outstanding:
            oldest = self._outstanding.get(self._oldest)
            sent = oldest[2] / 1e9 if oldest else now
            due = min(due, sent + self._timeout_s)
        if due >= self._timer_due or due == math.inf or self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_later(max(due - now, TICK_S), self._tick)

    def _drain(self, edge: EchoSocket) -> bool:
        """Read a batch of replies; says whether none is left."""
        now = time.monotonic()
        offset = _clock_offset()
        outstanding, reply, receive = self._outstanding, edge.echo.reply, edge.receive
        for _ in range(BATCH):
            try:
                data, source, stamp = receive()
            except BlockingIOError:
                return True
            except OSError:  # an error of the interface or the buffer, reported once
                continue
            echo = reply(data)
            if echo is None:
                self._failed(edge, data, source, now)
                continue
            number, key = echo
            entry = outstanding.get(number)
            if entry is None:
                self._again(number, key, source)
                continue
            stream, sent, monotonic = entry
            if source != stream.address:
                self.stray += 1
                continue
            del outstanding[number]
            rtt_s = round_trip_s(sent, stamp, offset - (sent - monotonic))
            if rtt_s > self._timeout_s:
                stream.series.lost(now)
                stream.series.late()
            else:
                stream.series.answered(now, rtt_s)
            if stream.burst is not None:
                stream.final(number)
        return False

    def _again(self, number: int, key: int, source: str) -> None:
        """A reply to a request that has its fate: late, a duplicate, or made up."""
        expired = self._expired.get(number)
        if expired is not None and expired[0].address == source:
            del self._expired[number]
            expired[0].series.late()
            return
        stream = self._by_key.get(key)
        if stream is not None and stream.address == source and 0 < number < self._number:
            stream.series.duplicate()
        else:
            self.stray += 1

    def _failed(self, edge: EchoSocket, data: bytes, hop: str, now: float) -> None:
        """An ICMP error ends the request that it quotes, or explains its loss; anything else is stray."""
        quote = edge.echo.error(data)
        if quote is not None:
            newest = self._number - 1
            number = quote.number if quote.number is not None else newest - ((newest - quote.sequence) & 0xFFFF)
            entry = self._outstanding.get(number)
            if entry is not None and entry[0].address == quote.destination:
                del self._outstanding[number]
                self._expired[number] = (entry[0], entry[2])
                entry[0].series.lost(now)
                entry[0].series.failed(hop)
                entry[0].final(number)
                return
            expired = self._expired.get(number)
            if expired is not None and expired[0].address == quote.destination:
                expired[0].series.failed(hop)  # neighbour discovery gives up after 3 s, when the time-out has passed
                return
        self.stray += 1

    def _expire(self) -> None:
        """Count as lost what has no reply within the time-out, once every reply has been read."""
        outstanding = self._outstanding
        horizon = time.monotonic_ns() - self._timeout_ns
        while self._expired and next(iter(self._expired.values()))[1] < horizon - LATE_MEMORY_S * 1e9:
            self._expired.popitem(last=False)
        drained = False
        while self._oldest < self._number:
            entry = outstanding.get(self._oldest)
            if entry is not None:
                if entry[2] > horizon:
                    return
                if not drained:
                    drained = self._drain_all()
                    if not drained:
                        return
                    continue  # it may have been answered
                del outstanding[self._oldest]
                stream = entry[0]
                self._expired[self._oldest] = (stream, entry[2])
                stream.series.lost(time.monotonic())
                stream.final(self._oldest)
            self._oldest += 1

    def _drain_all(self) -> bool:
        """Empty the buffers; gives up in a flood, so that others get their turn."""
        return all(any(self._drain(edge) for _ in range(64)) for edge in self._edges.values())


def _clock_offset() -> int:
    """Realtime minus monotonic in ns; read again where we were interrupted between the two."""
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        if time.monotonic_ns() - before < 100_000:
            break
    return wall - before
