"""What becomes of each request: answered, lost, failed; and what answers that nobody asked for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from probes.protocols.icmp.edge import Arrival
from probes.protocols.icmp.health import PingHealth, WitnessSeries
from probes.protocols.icmp.packet import Quote
from probes.protocols.icmp.series import VOID, round_trip_s
from probes.protocols.icmp.stream import PingStream

LATE_MEMORY_S = 10.0
"""How long after its time-out a request is remembered, so that a late reply is told from a duplicate."""


class Fates:
    """Every request that is open or has lately been; each one's fate is counted once, when it is final."""

    def __init__(self, timeout_s: float, health: PingHealth | None = None) -> None:
        """`timeout_s` holds for every request; `health` knows which losses may be of our own making."""
        self._health = health or PingHealth(timeout_s)
        self._timeout_s = timeout_s
        self._timeout_ns = int(timeout_s * 1e9)
        self.outstanding: dict[int, tuple[PingStream, int, int, bool]] = {}
        """Packet number -> stream, sent on the realtime and on the monotonic clock (ns), whether these are sure.

        The engine enters each request here itself, as a call would cost every packet.
        """
        # packet number -> stream, sent on the monotonic clock (ns): what may still be answered late
        self._expired: OrderedDict[int, tuple[PingStream, int]] = OrderedDict()
        self.number = 1
        """The next request's."""
        self._oldest = 1  # no number below it is outstanding
        self.streams: dict[int, PingStream] = {}
        """Running streams by key."""
        self.stray = 0
        """Replies and errors with our nonce that belong to no request of ours, or come from a foreign address."""
        self.forged = 0
        """What only looks ours: our id without our nonce, damaged, or of another length."""

    def first_timeout(self, now: float) -> float | None:
        """When, on the monotonic clock, the oldest open request times out; none without one."""
        if not self.outstanding:
            return None
        oldest = self.outstanding.get(self._oldest)
        return (oldest[2] / 1e9 if oldest else now) + self._timeout_s

    def take(self, arrivals: Iterable[Arrival], now: float, offset_ns: int) -> None:
        """What has come, and what becomes of the requests that it belongs to; `offset_ns` is realtime less monotonic.

        Written for speed: it runs for each reply.
        """
        outstanding = self.outstanding
        timeout_s = self._timeout_s
        for came, source, stamp, ttl in arrivals:
            if type(came) is not tuple:
                if isinstance(came, Quote):
                    self._failed(came, source, now)
                else:
                    self.forged += 1
                continue
            number, key, size = came
            entry = outstanding.get(number)
            if entry is None:
                self._again(number, key, source)
                continue
            stream, sent_ns, monotonic_ns, sure = entry
            if source != stream.host:
                self.stray += 1
                continue
            if size != stream.size:
                self.forged += 1
                continue
            del outstanding[number]
            rtt_s = round_trip_s(sent_ns, stamp, offset_ns - (sent_ns - monotonic_ns))
            if rtt_s > timeout_s:
                if not self._excused(stream, monotonic_ns, now, late=True):
                    stream.series.lost(now)
                stream.series.late()
            else:
                stream.series.answered(now, rtt_s if sure else VOID, ttl)
            stream.silent = 0
            if stream.burst is not None:
                stream.final(number)

    def _excused(self, stream: PingStream, sent_ns: int, now: float, *, late: bool = False) -> bool:
        """Whether a request without a reply in time is nobody's loss."""
        series = stream.series
        witness = isinstance(series, WitnessSeries)
        why = self._health.excuse(stream.version, sent_ns / 1e9, now, witness=witness, late=late)
        if why is not None:
            series.excused(why)
        return why is not None

    def _again(self, number: int, key: int, source: str) -> None:
        """A reply to a request that has its fate: late, a duplicate, or made up."""
        expired = self._expired.get(number)
        if expired is not None and expired[0].host == source:
            del self._expired[number]
            expired[0].series.late()
            return
        stream = self.streams.get(key)
        if stream is not None and stream.host == source and 0 < number < self.number:
            stream.series.duplicate()
        else:
            self.stray += 1

    def _failed(self, quote: Quote, hop: str, now: float) -> None:
        """An ICMP error ends the request that it quotes, or explains its loss; anything else is stray."""
        newest = self.number - 1
        number = quote.number if quote.number is not None else newest - ((newest - quote.sequence) & 0xFFFF)
        entry = self.outstanding.get(number)
        if entry is not None and entry[0].host == quote.destination:
            stream = entry[0]
            del self.outstanding[number]
            self._expired[number] = (stream, entry[2])
            stream.lost(now)
            stream.series.failed(hop, quote.kind, quote.mtu)
            stream.final(number)
            return
        expired = self._expired.get(number)
        if expired is not None and expired[0].host == quote.destination:
            # neighbour discovery gives up after 3 s, when the time-out has passed
            expired[0].series.failed(hop, quote.kind, quote.mtu)
            return
        self.stray += 1

    def expire(self, drain: Callable[[], bool]) -> None:
        """Count as lost what has no reply within the time-out, once `drain` says that every reply has been read."""
        outstanding = self.outstanding
        horizon = time.monotonic_ns() - self._timeout_ns
        while self._expired and next(iter(self._expired.values()))[1] < horizon - LATE_MEMORY_S * 1e9:
            self._expired.popitem(last=False)
        drained = False
        oldest, number = self._oldest, self.number
        while oldest < number:
            entry = outstanding.get(oldest)
            if entry is not None:
                if entry[2] > horizon:
                    break
                if not drained:
                    drained = drain()
                    if not drained:
                        break
                    continue  # it may have been answered
                self._overdue(oldest)
            oldest += 1
        self._oldest = oldest

    def _overdue(self, number: int) -> None:
        """The request's time-out has passed, and no reply waits."""
        stream, _, sent_ns, _ = self.outstanding.pop(number)
        self._expired[number] = (stream, sent_ns)
        now = time.monotonic()
        if not self._excused(stream, sent_ns, now):
            stream.lost(now)
        stream.final(number)

    def clear(self) -> None:
        """Forget every request."""
        self.outstanding.clear()
        self._expired.clear()
        self.streams.clear()
