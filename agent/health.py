"""The agent's own condition as others see it: series, status and log of what puts its measuring in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from probes import metrics
from probes.ports import Clock, PingWindow
from probes.protocols.icmp import IcmpEngine
from probes.protocols.icmp.health import Doubt
from probes.results import Distribution, Reading

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the loopback's window is closed and doubts are looked for."""


class Health:
    """What the ICMP engine knows of itself, with this machine's loopback as its witness."""

    def __init__(self, pings: IcmpEngine, clock: Clock) -> None:
        """Nothing is in doubt yet."""
        self._pings, self._clock = pings, clock
        self._loopback: dict[str, PingWindow] = {}
        self._doubts: dict[Doubt, tuple[float, str]] = {}  # with their beginning, wall time

    async def watch(self) -> None:
        """Keep the loopback going, and log when a doubt begins and ends."""
        while True:
            self._loopback = await self._pings.loopback()
            self._tell()
            await asyncio.sleep(LOOK_S)

    def _tell(self) -> None:
        doubts = self._pings.health.doubts(self._clock.monotonic())
        for doubt in self._doubts.keys() - doubts.keys():
            began, text = self._doubts.pop(doubt)
            lasted = self._clock.wall() - began
            log.info("vantage: %s is over after %.0f s: %s", doubt, lasted, text)
        for doubt, text in doubts.items():
            began, _ = self._doubts.get(doubt, (self._clock.wall(), ""))
            if doubt not in self._doubts:
                log.warning("vantage: %s: %s; results that this touches are suspect", doubt, text)
            self._doubts[doubt] = began, text

    def readings(self) -> Iterator[Reading]:
        """The agent's own series about it."""
        health = self._pings.health
        yield Reading(metrics.CLOCK_STEPS, health.clock_steps)
        yield Reading(metrics.ICMP_EXCUSED, health.excused)
        for doubt in Doubt:
            yield Reading(metrics.VANTAGE_SUSPECT, float(doubt in self._doubts), (doubt,))
        for address, window in self._loopback.items():
            if window.recent_sent:
                yield Reading(metrics.LOOPBACK_LOSS, 1 - window.recent_received / window.recent_sent, (address,))
            if window.recent_rtts_s:
                yield Reading(metrics.LOOPBACK_RTT_MAX, max(window.recent_rtts_s), (address,))

    def distributions(self) -> list[Distribution]:
        """Histograms: lateness of the event loop and of requests, and what lies between our send stamp and the wire."""
        pings, health = self._pings, self._pings.health
        return [
            Distribution(metrics.LOOP_LAG, tuple(health.lag_counts), health.lag_sum_s),
            Distribution(metrics.ICMP_SEND_LATENESS, tuple(pings.lateness_counts), pings.lateness_sum_s),
            Distribution(metrics.ICMP_SEND_DELAY, *pings.send_delay),
        ]

    def status(self) -> dict[str, Any]:
        """JSON-ready: what is in doubt and since when (seconds since 1970), and the loopback's last 60 s."""
        return {
            "suspect": {doubt: {"since": began, "text": text} for doubt, (began, text) in self._doubts.items()},
            "loopback": {
                address: {
                    "sent": window.recent_sent,
                    "received": window.recent_received,
                    "rtt_max_s": max(window.recent_rtts_s, default=None),
                }
                for address, window in self._loopback.items()
            },
            "socket_drops": self._pings.socket_drops,
            "excused_requests": self._pings.health.excused,
            "clock_steps": self._pings.health.clock_steps,
        }
