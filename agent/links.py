"""What the API tells of every link: its state, and what the last five minutes measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from agent.diagnosis import Exit, Topology
from probes import quality
from probes.model import Link, Province
from probes.ports import PingFigures
from probes.results import Reason, TargetState

AT_ONCE = 32
"""Links whose figures are computed before other work gets its turn: about 3 ms."""
UNOBSERVED = "unobserved"
"""In place of a state: a link without an address of its own is never called up."""
RTTS = ("min", "mean", "p95", "p99", "max")


class Known(Protocol):
    """What the monitor knows: see there."""

    def state(self, target: str) -> TargetState: ...
    def reason(self, target: str) -> Reason | None: ...
    def router_says(self, way: Exit) -> tuple[bool | None, bool | None]: ...


async def told(
    province: Province,
    topology: Topology,
    known: Known,
    figures: Callable[[str], PingFigures | None],
) -> dict[str, Any]:
    """All links as JSON-ready data, unobserved ones included; times in seconds, null where nothing was measured."""
    rows: list[dict[str, Any]] = []
    for commune in province.communes:
        site = topology.communes[commune.code]
        targets = {link.id: link.target for link in site.links}
        ways = {way.link: way for way in site.exits}
        for link in commune.links:
            row = _row(commune.code, link, targets.get(link.id), known, figures)
            rows.append(row | _way(ways[link.id], known) if link.id in ways else row)
            if len(rows) % AT_ONCE == 0:
                await asyncio.sleep(0)
    return {"province": province.province, "links": rows}


def _row(
    commune: str,
    link: Link,
    target: str | None,
    known: Known,
    figures: Callable[[str], PingFigures | None],
) -> dict[str, Any]:
    row: dict[str, Any] = {"commune": commune, "link": link.id, "role": link.role, "medium": link.medium}
    if target is None:
        return row | {"state": UNOBSERVED}
    row |= {"state": known.state(target), "reason": known.reason(target), "target": target, "address": link.address}
    seen = figures(target)
    return row if seen is None else row | _measured(seen)


def _way(way: Exit, known: Known) -> dict[str, Any]:
    """What the router says of it; null where it does not tell."""
    up, carries = known.router_says(way)
    return {"interface": way.interface, "interface_up": up, "carries": carries}


def _measured(seen: PingFigures) -> dict[str, Any]:
    rtts = {name: round(rtt, 7) for name, rtt in zip(RTTS, seen.rtt_s, strict=True)} if seen.rtt_s else None
    return {
        "window_s": seen.window_s,
        "sent": seen.sent,
        "received": seen.received,
        "loss_ratio": round(1 - seen.received / seen.sent, 6) if seen.sent else None,
        "rtt_s": rtts,
        "jitter_s": None if seen.jitter_s is None else round(seen.jitter_s, 7),
        "r_factor": {formula: round(r, 2) for formula, r in seen.r_factors.items()},
        "mos": {formula: round(quality.mos(r), 2) for formula, r in seen.r_factors.items()},
    }
