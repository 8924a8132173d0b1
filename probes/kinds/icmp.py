"""Whether a host answers echo requests, how fast and how surely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Annotated

from pydantic import Field

from probes import metrics
from probes.model import IpAddress, Seconds, Settings
from probes.ports import Kind, Net, PingWindow
from probes.results import Beat, Distribution, Reading, Reason, Result


class IcmpSettings(Settings):
    """`loss_ratio` and `latency_s` are where a beat counts as degraded."""

    address: IpAddress
    packets_per_s: Annotated[float, Field(gt=0, le=100)] = 1.0
    loss_ratio: Annotated[float, Field(gt=0, le=1)] = 0.2
    latency_s: Seconds = 0.15


async def check(settings: IcmpSettings, net: Net, beat: Beat) -> Result:
    """Close the stream's window and judge it; what cannot be known is left out of the readings."""
    window = await net.pings.window(beat.target, settings.address, settings.packets_per_s, continuous=beat.continuous)
    reason, detail = _judge(settings, window)
    return Result(
        reason=reason,
        readings=_readings(window),
        distributions=(Distribution(metrics.LINK_RTT, window.rtt_counts, window.rtt_sum_s),),
        detail=detail,
    )


def _judge(settings: IcmpSettings, window: PingWindow) -> tuple[Reason | None, str]:
    """Why the closing window does not pass, and in words."""
    if not window.sent:
        return Reason.SUSPECT, window.send_error or "no request has got its fate yet"
    counted = f"{window.received} of {window.sent} answered"
    if not window.received:
        if window.errors:
            return Reason.UNREACHABLE, f"{counted}; unreachable, says {window.error_hop}"
        return Reason.TIMEOUT, counted
    if 1 - window.received / window.sent >= settings.loss_ratio:
        return Reason.LOSS, counted
    if window.rtts_s and (mean := fmean(window.rtts_s)) > settings.latency_s:
        return Reason.LATENCY, f"{counted}, mean {mean * 1000:.0f} ms"
    return None, counted


def _readings(window: PingWindow) -> tuple[Reading, ...]:
    readings = [
        Reading(metrics.LINK_SENT, window.total_sent),
        Reading(metrics.LINK_RECEIVED, window.total_received),
        Reading(metrics.LINK_LATE, window.total_late),
        Reading(metrics.LINK_DUPLICATES, window.total_duplicates),
        Reading(metrics.LINK_ERRORS, window.total_errors),
    ]
    if window.recent_sent:
        readings.append(Reading(metrics.LINK_LOSS, 1 - window.recent_received / window.recent_sent))
    if window.recent_rtts_s:
        ordered = sorted(window.recent_rtts_s)
        readings += (
            Reading(metrics.LINK_RTT_MEAN, fmean(ordered)),
            Reading(metrics.LINK_RTT_P95, _percentile(ordered, 0.95)),
            Reading(metrics.LINK_RTT_P99, _percentile(ordered, 0.99)),
        )
    if window.jitter_s is not None:
        readings.append(Reading(metrics.LINK_JITTER, window.jitter_s))
    return tuple(readings)


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by `share` of all (nearest rank)."""
    return ordered[math.ceil(share * len(ordered)) - 1]


KIND = Kind("icmp", IcmpSettings, check)
