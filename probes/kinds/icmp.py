"""Whether a host answers echo requests, how fast and how surely."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from pydantic import Field

from probes import metrics, quality
from probes.model import LIMITS, Host, IpAddress, Port, Ratio, Score, Seconds, Settings
from probes.ports import (
    LARGEST_PING_BYTES,
    PLAIN_PING,
    SMALLEST_PING_BYTES,
    Kind,
    Net,
    PingErrorKind,
    PingOptions,
    PingWindow,
)
from probes.protocols import tcp
from probes.protocols.icmp.budget import Spent, pace, round_trip_bytes
from probes.protocols.icmp.limits import Course, Limits
from probes.protocols.icmp.series import percentile
from probes.results import DEGRADING, Beat, Distribution, Reading, Reason, Result

LONGEST_CONNECT_S, SHORTEST_CONNECT_S = 3.0, 1.0
"""How long the TCP fall-back may take: half a beat within these. A SYN is repeated after one second (RFC 6298)."""
MEGABYTE = 1_000_000


class IcmpSettings(Settings):
    """A host that is pinged: several echo requests in each beat, evenly spread, timed by the kernel."""

    address: Host = Field(examples=["10.4.1.1"])
    """What is pinged: an IP address or a host name."""
    packets_per_s: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How often a request is sent."""
    loss_ratio: Ratio = LIMITS["fibre"]["loss_ratio"]
    """Share of requests without an answer, over the last 30 beats, from which it counts as degraded."""
    latency_s: Seconds = LIMITS["fibre"]["latency_s"]
    """Round-trip time that 95 % of a minute's replies must keep, or it counts as degraded."""
    jitter_s: Seconds = LIMITS["fibre"]["jitter_s"]
    """Jitter (RFC 3550) above which it counts as degraded."""
    mos: Score = LIMITS["fibre"]["mos"]
    """Mean opinion score (ITU-T G.107) below which it counts as degraded."""
    dscp: Annotated[int, Field(ge=0, le=63)] = PLAIN_PING.dscp
    """Class of service that requests carry (RFC 2474); 46 is that of voice."""
    size_bytes: Annotated[int, Field(ge=SMALLEST_PING_BYTES, le=LARGEST_PING_BYTES)] = PLAIN_PING.size_bytes
    """Length of a request without its IP header."""
    dont_fragment: bool = PLAIN_PING.dont_fragment
    """A request that is too long for a part of the path is refused there, in place of being cut in pieces."""
    source: IpAddress | None = Field(PLAIN_PING.source, examples=["10.4.250.2"])
    """Address of this machine to send from; its routing table chooses where none is given."""
    ttl: Annotated[int, Field(ge=1, le=255)] = PLAIN_PING.ttl
    """Routers that a request may pass (hop limit in IPv6)."""
    tcp_port: Port | None = Field(None, examples=[443])
    """Where pings may be filtered: a port that is tried when no ping of a beat is answered. Whether it accepts or
    refuses, the host lives."""
    budget_mb_per_day: Annotated[float, Field(gt=0, le=10_000)] | None = Field(None, examples=[10])
    """Most that probing may cost in a day, in millions of bytes; requests are sent as rarely as that needs."""

    @cached_property
    def options(self) -> PingOptions:
        """How the requests look."""
        chosen = PingOptions(self.dscp, self.size_bytes, self.dont_fragment, self.source, self.ttl)
        return PLAIN_PING if chosen == PLAIN_PING else chosen

    @cached_property
    def limits(self) -> Limits:
        """Where a host that answers counts as degraded."""
        return Limits(self.loss_ratio, self.latency_s, self.jitter_s, self.mos)

    @property
    def budget_bytes(self) -> float | None:
        """What a day may cost, if bounded."""
        return None if self.budget_mb_per_day is None else self.budget_mb_per_day * MEGABYTE


@dataclass(slots=True)
class _Memory:
    """What is carried from beat to beat."""

    course: Course = field(default_factory=Course)
    spent: Spent = field(default_factory=Spent)


async def check(settings: IcmpSettings, net: Net, beat: Beat) -> Result:
    """Close the stream's window and judge it; what cannot be known is left out of the readings."""
    memory = beat.memory if isinstance(beat.memory, _Memory) else _Memory()
    budget = settings.budget_bytes
    if budget is not None and memory.spent.today(net.clock.wall()) >= budget:
        # nobody asks for the stream's windows any more, so that it ends
        detail = f"today's {settings.budget_mb_per_day:g} MB for probing are spent"
        return Result(Reason.SUSPECT, _costs(settings, memory.spent), detail=detail, memory=memory)
    try:
        address = await net.names.address(settings.address)
    except socket.gaierror as error:  # nothing was sent: the resolver's fault, or the inventory's, not the link's
        costs = _costs(settings, memory.spent)
        return Result(Reason.DNS_ERROR, costs, detail=tcp.meaning(error), memory=memory, blameless=True)
    bytes_each = round_trip_bytes(address, settings.size_bytes)
    window = await net.pings.window(
        beat.target,
        address,
        pace(settings.packets_per_s, bytes_each, budget),
        continuous=beat.continuous,
        options=settings.options,
    )
    memory.spent.pinged(window, bytes_each)
    reasons, detail = _judge(settings, window, memory.course, once=not beat.continuous)
    readings = _counted(window)
    connected_s = None
    if {Reason.TIMEOUT, Reason.UNREACHABLE}.intersection(reasons) and settings.tcp_port is not None:
        memory.spent.connected()
        connected_s, words = await _connect(address, settings.tcp_port, settings.source, net, beat)
        detail = f"{detail}; {words}"
    if connected_s is None:
        readings += _measured(window)
    else:  # what pings say of loss and latency is the filter's
        memory.course.alive()
        reasons = (Reason.LATENCY,) if connected_s > settings.latency_s else ()
        readings += (Reading(metrics.PROBE_DURATION, connected_s, ("connect",)),)
    readings += tuple(Reading(metrics.LINK_DEGRADED, 1.0, (reason,)) for reason in reasons if reason in DEGRADING)
    return Result(
        reason=reasons[0] if reasons else None,
        readings=(*readings, *_costs(settings, memory.spent)),
        distributions=(Distribution(metrics.LINK_RTT, window.rtt_counts, window.rtt_sum_s),),
        detail=detail,
        memory=memory,
    )


def _judge(settings: IcmpSettings, window: PingWindow, course: Course, *, once: bool) -> tuple[tuple[Reason, ...], str]:
    """Why the closing window does not pass, worst first, and in words."""
    if window.suspect is not None:
        return (Reason.SUSPECT,), window.suspect
    if not window.sent:
        return (Reason.SUSPECT,), window.send_error or "no request has got its fate yet"
    course.take(window)
    counted = f"{window.received} of {window.sent} answered"
    if not window.received:
        if window.errors:
            return (Reason.UNREACHABLE,), f"{counted}; {_error(window)}, says {window.error_hop}"
        return (Reason.TIMEOUT,), counted
    beyond = course.judge(window, settings.limits, once=once)
    return tuple(reason for reason, _ in beyond), "; ".join([counted, *(words for _, words in beyond)])


async def _connect(address: str, port: int, source: str | None, net: Net, beat: Beat) -> tuple[float | None, str]:
    """Seconds that a TCP connection or its refusal took, none if there was neither; and in words."""
    timeout_s = min(LONGEST_CONNECT_S, max(SHORTEST_CONNECT_S, beat.interval_s / 2))
    answer = "answers"
    began = net.clock.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            connection = await tcp.connect(await tcp.resolve(address, port), source)
            connection.close()
    except TimeoutError:
        return None, f"TCP {port} does not answer within {timeout_s:g} s"
    except ConnectionRefusedError:
        answer = "refuses"
    except OSError as error:
        return None, f"TCP {port}: {tcp.meaning(error)}"
    took_s = net.clock.monotonic() - began
    return took_s, f"ICMP filtered, TCP {port} {answer} in {took_s * 1000:.0f} ms"


def _error(window: PingWindow) -> str:
    """The last ICMP error in words."""
    kind = window.error_kind or PingErrorKind.UNREACHABLE
    mtu = "" if window.error_mtu is None else f" for an MTU of {window.error_mtu} bytes"
    return kind.replace("_", " ") + mtu


def _counted(window: PingWindow) -> tuple[Reading, ...]:
    """What holds whoever answers."""
    return (
        Reading(metrics.LINK_SENT, window.total_sent),
        Reading(metrics.LINK_RECEIVED, window.total_received),
        Reading(metrics.LINK_LATE, window.total_late),
        Reading(metrics.LINK_DUPLICATES, window.total_duplicates),
        Reading(metrics.LINK_ERRORS, window.total_errors),
    )


def _measured(window: PingWindow) -> tuple[Reading, ...]:
    """What the last 60 s say of the path."""
    readings = []
    loss = 1 - window.recent_received / window.recent_sent if window.recent_sent else None
    if loss is not None:
        readings.append(Reading(metrics.LINK_LOSS, loss))
    if window.recent_rtts_s:
        ordered = sorted(window.recent_rtts_s)
        mean = sum(ordered) / len(ordered)
        readings += (
            Reading(metrics.LINK_RTT_MEAN, mean),
            Reading(metrics.LINK_RTT_P95, percentile(ordered, 0.95)),
            Reading(metrics.LINK_RTT_P99, percentile(ordered, 0.99)),
        )
        if window.jitter_s is not None and loss is not None:
            readings.append(Reading(metrics.LINK_JITTER, window.jitter_s))
            factors = quality.r_factors(mean, window.jitter_s, loss)
            readings += [Reading(metrics.LINK_R_FACTOR, r, (formula,)) for formula, r in factors.items()]
            readings += [Reading(metrics.LINK_MOS, quality.mos(r), (formula,)) for formula, r in factors.items()]
    if window.reply_ttl is not None:
        readings.append(Reading(metrics.LINK_REPLY_TTL, window.reply_ttl))
    return tuple(readings)


def _costs(settings: IcmpSettings, spent: Spent) -> tuple[Reading, ...]:
    """What probing has cost, and what it may."""
    total = Reading(metrics.LINK_PROBE_BYTES, spent.total)
    budget = settings.budget_bytes
    return (total,) if budget is None else (total, Reading(metrics.LINK_PROBE_BUDGET, budget))


KIND = Kind("icmp", IcmpSettings, check, light=True)
