"""What is wrong with a commune that is not dark: weak links, lost redundancy, dead devices and services of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agent.diagnosis.facts import Exit, Seen, Site
from agent.diagnosis.outcome import Evidence
from agent.diagnosis.rules import View
from probes import metrics, quality
from probes.results import Cause, Reason, TargetState

ROUTER_BEATS = 3
"""How long it holds, in device beats, what a router said of its interfaces: one answer may be lost in part."""


def degradations(view: View, commune: str) -> list[tuple[Cause, Evidence]]:
    """Everything that is wrong with a commune that is not dark."""
    site = view.topology.communes[commune]
    found: list[tuple[Cause, Evidence]] = []
    for link in site.links:
        seen = view.targets.get(link.target)
        if seen and seen.state is TargetState.DEGRADED:
            cause = _weakness(seen)
            found.append((cause, Evidence(f"link_{cause}", f"link {link.id} is degraded: {cause}")))
    found += _redundancy(view, site)
    links = view.observed(site.links)
    if links and all(link.state is TargetState.DOWN for link in links):
        lost = Evidence("pings_lost", "no ping is answered, yet its devices answer")
        found = _routed(view, site) or [(Cause.LOSS, lost)]
    for device in site.devices:
        seen = view.targets.get(device.target)
        reading = seen.readings.get(metrics.UPS_ON_BATTERY.name) if seen else None
        if seen and seen.answered and reading and reading[0] and reading[1] == seen.at:  # read in this very beat
            found.append((Cause.ON_BATTERY, Evidence("ups_on_battery", f"{device.id} feeds its load from the battery")))
        if seen and seen.state is TargetState.DOWN and _missed_while_linked(view, seen, links):
            found.append((Cause.DEVICE, Evidence("device_down", f"{device.id} does not answer while the link does")))
    for target in site.services:
        seen = view.targets.get(target)
        if seen and seen.state is TargetState.DOWN and _missed_while_linked(view, seen, links):
            name = target.rpartition("/")[2]
            found.append((Cause.SERVICE, Evidence("service_down", f"{name} does not answer while the link does")))
    return found


def _weakness(link: Seen) -> Cause:
    """What makes a link degraded; where only all of it together does, that without which a meeting gained most."""
    if link.degraded_by is not Reason.QUALITY:
        return _WEAKNESSES.get(link.degraded_by, Cause.LOSS) if link.degraded_by else Cause.LOSS
    families = (metrics.LINK_RTT_MEAN, metrics.LINK_JITTER, metrics.LINK_LOSS)
    rtt_s, jitter_s, loss = (link.readings.get(family.name, (0.0, 0.0))[0] for family in families)
    without = {
        Cause.LOSS: quality.r_factors(rtt_s, jitter_s, 0.0)["g107"],
        Cause.LATENCY: quality.r_factors(0.0, jitter_s, loss)["g107"],
        Cause.JITTER: quality.r_factors(rtt_s, 0.0, loss)["g107"],
    }
    return max(without, key=lambda cause: without[cause])


_WEAKNESSES: Mapping[Reason, Cause] = {Reason.LATENCY: Cause.LATENCY, Reason.JITTER: Cause.JITTER}


def _missed_while_linked(view: View, missing: Seen, links: Iterable[Seen]) -> bool:
    """Whether a device or service left a beat unanswered that lay wholly within the time that a link has answered.

    Reason: they beat more rarely than links; at an outage's beginning they may be found down first, at its end last.
    """
    alive = [link.since for link in links if link.answered and link.state is not TargetState.DOWN]
    if not alive or missing.answered:
        return False
    since = max(min(alive), view.seeing_since or 0.0)
    return missing.at > since + 2 * view.topology.link_beat_s


def _redundancy(view: View, site: Site) -> list[tuple[Cause, Evidence]]:
    """A commune that lives on one of its links only: on backup, or with its backup lost.

    By pings the one it lives on must answer now: links that die together are found down a beat apart, and that is no
    failover. A backup that its router sends by is not lost, whatever becomes of its pings.
    """
    found = _routed(view, site)
    if not any(link.target in view.targets and not view.silent(link.target) for link in site.links):
        return found
    for role, cause, means in (
        ("primary", Cause.ON_BACKUP, "the backup carries"),
        ("backup", Cause.BACKUP_LOST, "nothing would carry if the primary failed"),
    ):
        down = [link.id for link in site.links if link.role == role and view.down(link.target)]
        if down and not (found and cause is Cause.BACKUP_LOST):
            found.append((cause, Evidence(cause, f"{', '.join(down)} is down, {means}")))
    return found


def _routed(view: View, site: Site) -> list[tuple[Cause, Evidence]]:
    return [(Cause.ON_BACKUP, evidence) for evidence in routed_to_backup(view, site)]


def routed_to_backup(view: View, site: Site) -> Iterator[Evidence]:
    """What a commune's routers say of living on its backup, as long as they answer.

    Reason: a backup often has no address that could be pinged, and the far end of a primary may be the carrier's, which
    answers while the commune's own port is dead.
    """
    for way in site.exits:
        if way.role == "backup" and way.interface in _carrying(view, way.target):
            yield Evidence("routed_to_backup", f"the router sends by {way.interface}, the interface of link {way.link}")
        if way.role == "primary" and _says(view, way, metrics.INTERFACE_OPER_UP.name) == 0:
            facts = f"{way.interface}, the router's interface of link {way.link}, is down, and the router answers"
            yield Evidence("primary_interface_down", facts)


def router_says(view: View, way: Exit) -> tuple[bool | None, bool | None]:
    """Whether a link's interface is up, and whether the router sends by it; none where it does not tell."""
    up, carrying = _says(view, way, metrics.INTERFACE_OPER_UP.name), _carrying(view, way.target)
    return None if up is None else up == 1, way.interface in carrying if carrying else None


def _carrying(view: View, router: str) -> set[str]:
    """The interfaces with a router's best default route."""
    metric_of = _told(view, router, metrics.DEFAULT_ROUTE_METRIC.name)
    best = min(metric_of.values(), default=None)
    return {interface for interface, metric in metric_of.items() if metric == best}


def _says(view: View, way: Exit, family: str) -> float | None:
    return _told(view, way.target, family).get(way.interface)


def _told(view: View, router: str, family: str) -> Mapping[str, float]:
    """What a router that answers said of its interfaces not long ago."""
    seen = view.targets.get(router)
    if seen is None or not seen.answered or family not in seen.by_interface:
        return {}
    values, at = seen.by_interface[family]
    return values if view.now - at <= ROUTER_BEATS * view.topology.device_beat_s else {}
