"""The rules: each small, named, with its reason; `step` puts them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.diagnosis.facts import Link, Seen, Topology
from agent.diagnosis.outcome import Evidence
from probes import metrics
from probes.model import Cause, Reason, TargetState

READINGS = {
    "ups_charge_ratio": metrics.UPS_CHARGE.name,
    "ups_on_battery": metrics.UPS_ON_BATTERY.name,
    "ups_runtime_seconds": metrics.UPS_RUNTIME.name,
}
"""Last words worth keeping, by the name that they are exported under."""


@dataclass(frozen=True)
class View:
    """What was last seen, with the topology it is read by."""

    topology: Topology
    targets: Mapping[str, Seen]
    now: float

    def state(self, target: str | None) -> TargetState:
        """The damped state of a target; unknown where nothing was seen."""
        seen = self.targets.get(target) if target else None
        return seen.state if seen else TargetState.UNKNOWN

    def down(self, target: str | None) -> bool:
        """Whether a target is down for sure."""
        return self.state(target) is TargetState.DOWN

    def silent(self, target: str | None) -> bool:
        """Whether a target did not answer lately, though it may not be down for sure."""
        seen = self.targets.get(target) if target else None
        return seen is not None and not seen.answered


def vantage_lost(view: View) -> bool:
    """None of the references near the agent answers; without references, nothing answers at all.

    Reason: then it is the agent that cannot see, and nobody else is to blame. Silent is enough, down is not waited
    for: a commune must not be accused in the beat before the references are down too. Three targets at least.
    """
    references = view.topology.references
    if references:
        return all(view.silent(target) for target in references)
    observed = [seen for seen in view.targets.values() if seen.state is not TargetState.UNKNOWN or not seen.answered]
    return len(observed) >= 3 and all(not seen.answered for seen in observed)


def vantage_lost_since(view: View) -> float | None:
    """Since when everything that would show our vantage is down for sure; none while part of it is only silent."""
    watched = [view.targets[target] for target in view.topology.references] or [
        seen for seen in view.targets.values() if seen.state is not TargetState.UNKNOWN
    ]
    if not watched or any(seen.state is not TargetState.DOWN for seen in watched):
        return None
    return max(seen.since for seen in watched)


def dark_since(view: View, commune: str) -> float | None:
    """Since when every observed link of a commune has been down; none while one of them may still work."""
    links = [link for link in view.topology.communes[commune].links if link.target in view.targets]
    if not links or not all(view.down(link.target) for link in links):
        return None
    return max(view.targets[link.target].since for link in links)


def dark_decided(view: View, commune: str) -> float:
    """When the last of a dark commune's links was found down: the settling beat counts from here."""
    targets = [link.target for link in view.topology.communes[commune].links if link.target in view.targets]
    return max(view.targets[target].decided for target in targets)


def failing_trunks(view: View, dark: Mapping[str, float]) -> dict[str, float]:
    """The trunks that fail, with since when.

    A probed trunk fails when its own probe is down. One that is not probed fails when all of its communes, two at
    least, went dark within two beats of each other: chance does not do that.
    """
    behind: dict[str, list[str]] = {trunk: [] for trunk in view.topology.trunks}
    for commune, site in view.topology.communes.items():
        if any(link.target in view.targets for link in site.links):
            for ancestor in view.topology.ancestors(commune):
                behind[ancestor].append(commune)
    failing = {}
    for name, trunk in view.topology.trunks.items():
        if trunk.target is not None:
            if view.down(trunk.target):
                failing[name] = view.targets[trunk.target].since
        elif len(behind[name]) >= 2 and all(commune in dark for commune in behind[name]):
            times = [dark[commune] for commune in behind[name]]
            if max(times) - min(times) <= 2 * view.topology.link_beat_s:
                failing[name] = min(times)
    return failing


def outermost_failing(view: View, commune: str, failing: Iterable[str]) -> str | None:
    """The failing trunk that explains a dark commune: the one nearest to the hub."""
    failing = set(failing)
    found = [trunk for trunk in view.topology.ancestors(commune) if trunk in failing]
    return found[-1] if found else None


def last_words(view: View, commune: str) -> dict[str, tuple[float, float]]:
    """The latest readings of a commune's devices that tell how it was before it went silent."""
    words: dict[str, tuple[float, float]] = {}
    for device in view.topology.communes[commune].devices:
        seen = view.targets.get(device.target)
        for name, family in READINGS.items():
            if seen and family in seen.readings:
                words[name] = seen.readings[family]
    return words


def power_or_link(view: View, since: float, words: Mapping[str, tuple[float, float]]) -> tuple[Cause, Evidence]:
    """Why a single commune is dark, from its last words.

    On mains within two device beats of the silence: not the power. On battery, more than half charged and with more
    runtime left than the silence has lasted: the link. On battery otherwise: power. Nothing known: unexplained.
    """
    if "ups_on_battery" not in words:
        return Cause.UNEXPLAINED, Evidence("nothing_known", "no reading of mains or battery before the silence")
    on_battery, at = words["ups_on_battery"]
    if not on_battery:
        if since - at <= 2 * view.topology.device_beat_s:
            return Cause.LINK, Evidence(
                "on_mains", f"the UPS was on mains {max(0.0, since - at):.0f} s before the silence"
            )
        return Cause.UNEXPLAINED, Evidence("stale_mains", f"the last reading of the UPS was {since - at:.0f} s old")
    charge = words.get("ups_charge_ratio", (0.0, at))[0]
    runtime, read_at = words.get("ups_runtime_seconds", (0.0, at))
    if charge > 0.5 and runtime > view.now - read_at:
        return Cause.LINK, Evidence("battery_left", f"on battery, but {charge:.0%} charged with {runtime:.0f} s left")
    return Cause.POWER, Evidence("on_battery", f"the UPS was on battery at {charge:.0%} charge before the silence")


def degradations(view: View, commune: str) -> list[tuple[Cause, Evidence]]:
    """Everything that is wrong with a commune that is not dark."""
    site = view.topology.communes[commune]
    found: list[tuple[Cause, Evidence]] = []
    for link in site.links:
        seen = view.targets.get(link.target)
        if seen and seen.state is TargetState.DEGRADED:
            cause = Cause.LATENCY if seen.reason is Reason.LATENCY else Cause.LOSS
            found.append((cause, Evidence(f"link_{cause}", f"link {link.id} is degraded: {cause}")))
    found += _redundancy(view, site.links)
    for device in site.devices:
        seen = view.targets.get(device.target)
        reading = seen.readings.get(metrics.UPS_ON_BATTERY.name) if seen else None
        if seen and seen.answered and reading and reading[0]:
            found.append((Cause.ON_BATTERY, Evidence("ups_on_battery", f"{device.id} feeds its load from the battery")))
        if view.down(device.target):
            found.append((Cause.DEVICE, Evidence("device_down", f"{device.id} does not answer while the link does")))
    return found


def _redundancy(view: View, links: Iterable[Link]) -> list[tuple[Cause, Evidence]]:
    """A commune that lives on one of its links only: on backup, or with its backup lost.

    The one it lives on must answer now: links that die together are found down a beat apart, and that is no failover.
    """
    if not any(link.target in view.targets and not view.silent(link.target) for link in links):
        return []
    found = []
    for role, cause, means in (
        ("primary", Cause.ON_BACKUP, "the backup carries"),
        ("backup", Cause.BACKUP_LOST, "nothing would carry if the primary failed"),
    ):
        down = [link.id for link in links if link.role == role and view.down(link.target)]
        if down:
            found.append((cause, Evidence(cause, f"{', '.join(down)} is down, {means}")))
    return found
