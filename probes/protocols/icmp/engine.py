"""The ICMP engine: every stream of echo requests over one socket per family, paced, stamped by the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import math
import secrets
import time
from bisect import bisect_left
from collections.abc import Callable

from probes.metrics import LATENESS_BUCKETS_S, SEND_DELAY_BUCKETS_S
from probes.ports import PLAIN_PING, PingFigures, PingOptions, PingWindow
from probes.protocols.icmp.access import IcmpUnavailable, described, is_raw, open_edge
from probes.protocols.icmp.edge import Edge, Send, replies_held
from probes.protocols.icmp.fates import Fates
from probes.protocols.icmp.health import PingHealth, WitnessSeries
from probes.protocols.icmp.packet import TURNS, EchoV4, EchoV6, Identity
from probes.protocols.icmp.refusal import refusal_of, why_unsent
from probes.protocols.icmp.series import PingSeries
from probes.protocols.icmp.stream import FIRST_WINDOWS_S, PingStream
from probes.protocols.icmp.transmit import SendDelays
from probes.protocols.icmp.watch import Watch, clock_offset_ns
from probes.protocols.icmp.wheel import Wheel
from probes.protocols.tcp import meaning
from probes.schedule import TICK_S

__all__ = ["IcmpEngine", "IcmpUnavailable"]

READ_BATCHES = 4
"""So many are read before other work gets its turn."""
LEAST_BURST, CATCH_UP = 16, 2
"""Most requests of one round: so many, and so many times a round's share of all streams' paces."""
ROTATION_S = 300.0
"""How long requests carry ids of one block. Far above the time-out, as only the block before is remembered."""
UNSURE_NS = 200_000
"""A request whose sending took longer was interrupted. Only a transmit stamp within this time proves that it had left.

Where that comes later, or none is known, its reply has no time: within the kernel too a sending is interrupted, between
where captures see a packet and where the driver stamps it, so that no stamp tells of an interrupted departure.
"""
LOOPBACKS = {4: "127.0.0.1", 6: "::1"}
"""By IP version."""
LOOPBACK_PER_S = 1.0
SAMPLE_NS = 100_000_000
"""Time between two requests whose transmit stamp is asked for."""
DOUBT = 1000
"""After two interrupted sendings among so many requests, so many more are stamped: a busy machine interrupts many."""


class IcmpEngine:
    """Implements `probes.ports.Pings`. `open()` inside a running loop, `close()` at the end."""

    def __init__(
        self,
        timeout_s: float = 2.0,
        identity: Identity | None = None,
        rotation_s: float = ROTATION_S,
        offset_ns: Callable[[], int] = clock_offset_ns,
    ) -> None:
        """`timeout_s` holds for every request; `identity` is drawn at random unless given."""
        self._identity = identity or Identity(_a_block(()), secrets.randbits(64))
        self._rotation_s = rotation_s
        self._rotate_at = math.inf
        self._edges: dict[int, Edge] = {}  # by IP version
        self._delays: dict[int, SendDelays] = {}  # the same
        self._sample_due_ns = 0
        self._interrupted = self._stamp_until = 0  # packet numbers
        self._streams: dict[str, PingStream] = {}
        self.health = PingHealth(timeout_s)
        """Whether the windows can be trusted."""
        self._offset_ns = offset_ns
        self._watch = Watch(self.health, self._edges, offset_ns)
        self._fates = Fates(timeout_s, self.health)
        self._wheel = Wheel()
        self._packets_per_s = 0.0  # of all streams
        self._pause_s = TICK_S  # between two rounds of sending; shorter where a stream is faster
        self._keys = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self.send_errors = 0
        """Requests that could not leave this machine; they count for no stream's loss."""
        self.unsure_sends = 0
        """Requests whose send stamp may be wrong by more than `UNSURE_NS`."""
        self.lateness_counts = [0] * (len(LATENESS_BUCKETS_S) + 1)
        """Of requests behind their schedule, by `LATENESS_BUCKETS_S`; the last one is the rest."""
        self.lateness_sum_s = 0.0

    @property
    def socket_drops(self) -> int:
        """Replies that the kernel dropped because our receive buffer was full; see `edge.Drops`."""
        return sum(edge.drops for edge in self._edges.values())

    @property
    def stray(self) -> int:
        """See `Fates.stray`."""
        return self._fates.stray

    @property
    def forged(self) -> int:
        """See `Fates.forged`."""
        return self._fates.forged

    @property
    def raw(self) -> bool:
        """Whether raw sockets are in use; if not, unprivileged datagram sockets."""
        return is_raw(self._edges)

    @property
    def receive_buffer_bytes(self) -> int:
        """Real size of the smallest receive buffer; 0 while closed."""
        return min((edge.buffer_bytes for edge in self._edges.values()), default=0)

    @property
    def receive_buffer_replies(self) -> int:
        """About how many replies that buffer holds at one time."""
        return replies_held(self.receive_buffer_bytes)

    @property
    def send_delay(self) -> tuple[tuple[int, ...], float]:
        """Counts by `SEND_DELAY_BUCKETS_S` (the last one is the rest) and the sum in seconds, of a sample."""
        counts = [0] * (len(SEND_DELAY_BUCKETS_S) + 1)
        for delays in self._delays.values():
            delays.collect()
            counts = [so_far + more for so_far, more in zip(counts, delays.counts, strict=True)]
        return tuple(counts), sum(delays.total_s for delays in self._delays.values())

    def describe(self) -> str:
        """For the log at start: the method, what is missing for a better one, what the buffer holds."""
        return described(self._edges)

    def open(self) -> None:
        """Open the sockets; raises `IcmpUnavailable`. Without IPv6 on this machine, IPv6 targets stay unsent."""
        self._loop = asyncio.get_running_loop()
        self._edges[4] = open_edge(EchoV4(self._identity))
        with contextlib.suppress(OSError, IcmpUnavailable):
            self._edges[6] = open_edge(EchoV6(self._identity))
        for version, edge in self._edges.items():
            self._loop.add_reader(edge.fileno(), self._drain, edge)
            if self.raw:
                with contextlib.suppress(OSError):  # a kernel without transmit stamps
                    self._delays[version] = SendDelays(edge.echo)
        self._rotate_at = time.monotonic() + self._rotation_s
        self._watch.look()
        self._watch.start(self._loop)

    def close(self) -> None:
        """Stop sending, close the sockets, release whoever waits for a window."""
        self._watch.stop()
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
        for delays in self._delays.values():
            delays.close()
        self._edges.clear()
        self._delays.clear()
        self._wheel.clear()
        self._fates.clear()

    async def window(
        self,
        stream: str,
        address: str,
        packets_per_s: float,
        *,
        continuous: bool = True,
        options: PingOptions = PLAIN_PING,
    ) -> PingWindow:
        """See `probes.ports.Pings`."""
        flow = self._streams.get(stream)
        if flow is not None and (flow.address, flow.options) != (address, options):
            self._drop(flow)
            flow = None
        if flow is None:
            flow = self._start(stream, address, packets_per_s, options)
        else:
            flow.ask(time.monotonic())
        if flow.interval_s != 1 / packets_per_s:
            self._packets_per_s += packets_per_s - 1 / flow.interval_s
            flow.interval_s = 1 / packets_per_s
            self._pause_s = min(self._pause_s, flow.interval_s / 2)
            flow.series.resize(packets_per_s)
        try:
            if flow.burst is not None:
                await flow.settled.wait()
            return self._trusted(flow.series.close(time.monotonic()))
        finally:
            if not continuous:
                self._drop(flow)

    def figures(self, stream: str) -> PingFigures | None:
        """What a stream has seen within the last five minutes; none where it does not run."""
        flow = self._streams.get(stream)
        return flow.series.figures(time.monotonic()) if flow is not None else None

    async def loopback(self) -> dict[str, PingWindow]:
        """The window of each of this machine's loopback addresses: its loss is our own. They run while asked for."""
        return {
            address: await self.window(_witness(address), address, LOOPBACK_PER_S)
            for version, address in LOOPBACKS.items()
            if version in self._edges
        }

    def _trusted(self, window: PingWindow) -> PingWindow:
        """With what is known only here: where all replies came, and none with a time, latency is not known."""
        if window.suspect or window.rtts_s or not 0 < window.received == window.sent:
            return window
        return window._replace(suspect=self.health.why_untimed(time.monotonic()))

    def _start(self, name: str, address: str, packets_per_s: float, options: PingOptions) -> PingStream:
        if self._loop is None:
            raise RuntimeError("the ICMP engine is not open")
        host = ipaddress.ip_address(address)
        refusal = refusal_of(host, options, self._edges)
        edge = None if refusal else self._edges[host.version]
        send: Send | None = None
        if edge is not None:
            try:
                send = edge.sender(options)
            except OSError as error:
                edge, refusal = None, meaning(error)
        now = time.monotonic()
        key = next(self._keys) & 0xFFFFFFFF
        interval_s = 1 / packets_per_s
        self._pause_s = min(self._pause_s, interval_s / 2)
        witness = name == _witness(address)
        series = WitnessSeries(packets_per_s, host.version, self.health) if witness else PingSeries(packets_per_s)
        stream = PingStream(
            name, key, address, str(host), interval_s, options, edge, send, refusal, series, now, now + FIRST_WINDOWS_S
        )
        self._streams[name] = self._fates.streams[key] = stream
        self._packets_per_s += packets_per_s
        self._wheel.put(stream)
        self._arm()
        return stream

    def _drop(self, stream: PingStream) -> None:
        if stream.running:
            stream.running = False
            self._packets_per_s -= 1 / stream.interval_s
        self._fates.streams.pop(stream.key, None)
        if self._streams.get(stream.name) is stream:
            del self._streams[stream.name]

    def _tick(self) -> None:
        """Send what is due, expire what is overdue, set the timer for the next round."""
        self._timer, self._timer_due = None, math.inf
        try:
            self._send_due()
            self._fates.expire(self._drain_all)
        finally:  # whatever happens in one round, there is a next one
            self._arm()

    def _send_due(self) -> None:
        """After a stall it is caught up over several rounds: a burst would be our own loss, or the link's."""
        now = time.monotonic()
        if now >= self._rotate_at:
            self._rotate(now)
        wheel, counts = self._wheel, self.lateness_counts
        for stream in wheel.take(now, LEAST_BURST + math.ceil(CATCH_UP * self._packets_per_s * TICK_S)):
            if now > stream.until:
                self._drop(stream)
            if not stream.running:
                continue
            late_s = now - stream.due
            if late_s > 0:
                counts[bisect_left(LATENESS_BUCKETS_S, late_s)] += 1
                self.lateness_sum_s += late_s
            else:
                counts[0] += 1
            self._send(stream)
            stream.go_on(now)
            wheel.put(stream)

    def _rotate(self, now: float) -> None:
        """Another block of ids for all: see `stream.SILENT` for why."""
        self._rotate_at = now + self._rotation_s
        for edge in self._edges.values():
            edge.rotate(_a_block(edge.echo.blocks))

    def _send(self, stream: PingStream) -> None:
        fates = self._fates
        number = fates.number
        fates.number = number + 1
        if stream.burst_unsent:
            stream.began(number)
        edge, send = stream.edge, stream.send
        if edge is None or send is None:
            self._unsent(stream, number, stream.refusal)
            return
        packet = edge.echo.request(number, stream.key, stream.turn)
        delays = None
        monotonic = time.monotonic_ns()
        if monotonic >= self._sample_due_ns and (delays := self._sample(stream)) is not None:
            send = delays.send
            monotonic = time.monotonic_ns()
        sent = time.time_ns()
        try:
            send(packet, stream.destination)
        except OSError as error:  # a full queue or no way out: ours, not the link's
            self._unsent(stream, number, why_unsent(error, stream))
            return
        took = time.monotonic_ns() - monotonic
        if delays is not None:
            delays.sent(number, sent)
        sure = took < UNSURE_NS
        if not sure:
            if 0 < self._interrupted > number - DOUBT:
                self._stamp_until, self._sample_due_ns = number + DOUBT, 0
            self._interrupted = number
            after = None if delays is None else delays.after_ns(number)
            sure = after is not None and 0 <= after < UNSURE_NS
            if not sure:
                self.unsure_sends += 1
        fates.outstanding[number] = (stream, sent, monotonic, sure)

    def _sample(self, stream: PingStream) -> SendDelays | None:
        """What sends this request so that its transmit stamp comes back, if that can be had."""
        delays = self._delays.get(stream.edge.echo.version) if stream.edge else None
        if delays is None or stream.options is not PLAIN_PING:
            return None
        now = time.monotonic_ns()
        self._sample_due_ns = now if self._fates.number < self._stamp_until else now + SAMPLE_NS
        return delays

    def _unsent(self, stream: PingStream, number: int, why: str) -> None:
        self.send_errors += 1
        stream.series.unsent(why)
        stream.final(number)

    def _arm(self) -> None:
        """Set the timer for the next request, or for the oldest one's time-out, whichever comes first."""
        now = time.monotonic()
        due = self._wheel.first()
        overdue = self._fates.first_timeout(now)
        if overdue is not None:
            due = min(due, overdue)
        if due >= self._timer_due or due == math.inf or self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_later(max(due - now, self._pause_s), self._tick)

    def _drain(self, edge: Edge) -> bool:
        """Read some of what waits; says whether nothing is left."""
        now = time.monotonic()
        if now > self.health.due:  # we stood still: known before anything is called late
            self._watch.look()
        offset = self._offset_ns()
        for _ in range(READ_BATCHES):
            try:
                arrivals = edge.read()
            except OSError:  # an error of the interface or the buffer, told once
                continue
            if not arrivals:
                return True
            self._fates.take(arrivals, now, offset)
        return False

    def _drain_all(self) -> bool:
        """Empty the buffers, knowing what they had no room for; gives up in a flood, so that others get their turn."""
        self._watch.look()
        return all(any(self._drain(edge) for _ in range(64)) for edge in self._edges.values())


def _a_block(but: tuple[int, ...]) -> int:
    """A random block of ids; not the first one, which Windows uses for all."""
    while (block := (secrets.randbelow(0x10000 // TURNS - 1) + 1) * TURNS) in but:
        pass
    return block


def _witness(address: str) -> str:
    """The name of a loopback's stream."""
    return f"loopback/{address}"
