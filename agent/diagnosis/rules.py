"""The rules: each small, named, with its reason; `step` puts them in order."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.diagnosis.facts import Device, Link, Overlays, Seen, Topology
from agent.diagnosis.outcome import Evidence, Verdict
from probes import metrics
from probes.results import BLAMELESS, Cause, CommuneState, Reason, TargetState

READINGS = {
    "ups_charge_ratio": metrics.UPS_CHARGE.name,
    "ups_on_battery": metrics.UPS_ON_BATTERY.name,
    "ups_runtime_seconds": metrics.UPS_RUNTIME.name,
}
"""Last words worth keeping, by the name that they are exported under."""


class Vantage(StrEnum):
    """How well the agent itself can see."""

    CLEAR = "clear"
    DOUBTFUL = "doubtful"
    LOST = "lost"


@dataclass(frozen=True)
class View:
    """What was last seen, the topology it is read by, what is remembered of our own blindness, and the overlays."""

    topology: Topology
    targets: Mapping[str, Seen]
    now: float
    blind_since: float | None = None
    seeing_since: float | None = None
    overlays: Overlays = field(default_factory=Overlays)

    def state(self, target: str | None) -> TargetState:
        """The damped state of a target; unknown where nothing was seen."""
        seen = self.targets.get(target) if target else None
        return seen.state if seen else TargetState.UNKNOWN

    def down(self, target: str | None) -> bool:
        """Whether a target is down for sure."""
        return self.state(target) is TargetState.DOWN

    def stale(self, target: str | None, beat_s: float) -> bool:
        """Whether a state is left over from our blindness: its target has not had its chance to be seen well since."""
        seen = self.targets.get(target) if target else None
        if seen is None or self.seeing_since is None:
            return False
        return seen.at < self.seeing_since + (self.topology.rise + 1) * beat_s

    def silent(self, target: str | None) -> bool:
        """Whether a target did not answer lately, though it may not be down for sure."""
        seen = self.targets.get(target) if target else None
        return seen is not None and not seen.answered

    def answered_after(self, target: str, moment: float) -> bool:
        """Whether a target has answered since a moment."""
        seen = self.targets.get(target)
        return seen is not None and seen.answered_at is not None and seen.answered_at > moment

    def observed(self, links: Iterable[Link]) -> list[Seen]:
        """What was seen of those links that are probed."""
        return [self.targets[link.target] for link in links if link.target in self.targets]


_NOT_ASKED = BLAMELESS | {Reason.DNS_ERROR}


def vantage(view: View) -> tuple[Vantage, float]:
    """Whether the agent itself can see, and since when it may not have.

    Reason: when nothing near the agent answers, nobody else is to blame. Watched are the references, or where there
    are none all links and trunks, three at least. They raise doubt as soon as all of them are silent, so that no
    commune is accused in the beat before; after three beats the vantage is lost. Anything that answers two beats after
    they did shows that only they are dead.
    """
    topology = view.topology
    watched = topology.references or topology.pinged()
    seen = [view.targets[target] for target in watched if target in view.targets]
    if not seen or any(target.answered for target in seen) or (not topology.references and len(seen) < 3):
        return Vantage.CLEAR, view.now
    silent_since = max(_last_sign(target) for target in seen)
    others = set(view.targets) - set(watched)
    if any(view.answered_after(target, silent_since + 2 * topology.link_beat_s) for target in others):
        return Vantage.CLEAR, view.now
    lost = view.now >= silent_since + 3 * topology.link_beat_s
    return Vantage.LOST if lost else Vantage.DOUBTFUL, silent_since


def _last_sign(seen: Seen) -> float:
    return seen.first_at if seen.answered_at is None else seen.answered_at


def dark_since(view: View, commune: str) -> float | None:
    """Since when every observed link of a commune has been down; none while something of it may still live.

    A device that answers in a beat after the links fell silent shows that only pings are lost. What went dark while
    we were blind counts from when we saw again.
    """
    site = view.topology.communes[commune]
    links = view.observed(site.links)
    if not links or any(link.state is not TargetState.DOWN for link in links):
        return None
    since = max(link.since for link in links)
    if devices_answer(view, site.devices, since):
        return None
    blind, seeing = view.blind_since, view.seeing_since
    return seeing if blind is not None and seeing is not None and blind <= since < seeing else since


def devices_answer(view: View, devices: Iterable[Device], since: float) -> bool:
    """Whether a device answers in a beat that lay wholly after `since`."""
    return any(
        seen.answered and seen.at > since + 2 * view.topology.link_beat_s
        for device in devices
        if (seen := view.targets.get(device.target)) is not None
    )


def left_from_blindness(view: View, commune: str) -> bool:
    """Whether a commune's links are down only as far as we knew before we were blind, or while we were."""
    links = [link.target for link in view.topology.communes[commune].links if link.target in view.targets]
    return any(view.down(target) and view.stale(target, view.topology.link_beat_s) for target in links)


def never_answered(view: View, commune: str) -> bool:
    """Whether no link of a commune has ever answered: a mistake in the inventory rather than an outage."""
    return all(link.answered_at is None for link in view.observed(view.topology.communes[commune].links))


def dark_decided(view: View, commune: str) -> float:
    """When the last of a dark commune's links was found down: the settling beat counts from here."""
    return max(link.decided for link in view.observed(view.topology.communes[commune].links))


def failing_trunks(
    view: View, dark: Mapping[str, float], own: Mapping[str, float], announced: Collection[str]
) -> dict[str, float]:
    """The trunks that fail, with since when; `own` are communes with an incident of their own, since when.

    A probed trunk fails when its own probe is down and no primary link behind it has answered since: one that merely
    does not answer pings explains nothing. One that is not probed fails when all communes behind it, two at least, went
    dark within two beats of each other: chance does not do that. Communes that were dark long before, never
    answered, or that an `announced` power cut explains (it darkens a whole valley at once), do not count.
    """
    beat_s = view.topology.link_beat_s
    behind: dict[str, list[str]] = {trunk: [] for trunk in view.topology.trunks}
    for commune, site in view.topology.communes.items():
        if view.observed(site.links):
            for ancestor in view.topology.ancestors(commune):
                behind[ancestor].append(commune)
    failing = {}
    for name, trunk in view.topology.trunks.items():
        if trunk.target is not None:
            if view.down(trunk.target):
                since = view.targets[trunk.target].since
                if not any(_lives(view, commune, since + beat_s) for commune in behind[name]):
                    failing[name] = since
            continue
        judged = [commune for commune in behind[name] if commune not in announced]
        latest = max((dark[commune] for commune in judged if commune in dark), default=0.0)
        counted = [
            commune
            for commune in judged
            if not never_answered(view, commune) and own.get(commune, latest) >= latest - 2 * beat_s
        ]
        times = [dark[commune] for commune in counted if commune in dark]
        if len(times) == len(counted) >= 2 and max(times) - min(times) <= 2 * beat_s:
            failing[name] = min(times)
    return failing


def _lives(view: View, commune: str, moment: float) -> bool:
    links = view.topology.communes[commune].links
    return any(link.role == "primary" and view.answered_after(link.target, moment) for link in links)


def about_to_fail(view: View, target: str | None) -> bool:
    """Whether a target has fallen silent, but not long enough to be down for sure.

    Not one that could not be asked: that may last for ever, and communes behind it would never be told.
    """
    asked = view.silent(target) and view.targets[target or ""].reason not in _NOT_ASKED
    return asked and not view.down(target)


def outermost_failing(view: View, commune: str, failing: Iterable[str]) -> str | None:
    """The failing trunk that explains a dark commune: the one nearest to the hub."""
    failing = set(failing)
    found = [trunk for trunk in view.topology.ancestors(commune) if trunk in failing]
    return found[-1] if found else None


def last_words(view: View, commune: str) -> dict[str, tuple[float, float]]:
    """The latest readings that tell how a commune was before it went silent; of several UPSes, the one read last."""
    spoken = [
        {name: seen.readings[family] for name, family in READINGS.items() if family in seen.readings}
        for device in view.topology.communes[commune].devices
        if (seen := view.targets.get(device.target)) is not None
    ]
    return max(spoken, key=lambda words: max((at for _, at in words.values()), default=-math.inf), default={})


def words_of(view: View, commune: str, before: Verdict | None) -> Mapping[str, tuple[float, float]]:
    """The readings before the silence, kept while it lasts: at its end devices answer before the link is trusted."""
    if before is not None and before.state is CommuneState.DOWN:
        return before.last_words
    return last_words(view, commune)


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
    charge = words["ups_charge_ratio"][0] if "ups_charge_ratio" in words else None
    runtime, read_at = words.get("ups_runtime_seconds", (0.0, at))
    if charge is not None and charge > 0.5 and runtime > view.now - read_at:
        return Cause.LINK, Evidence("battery_left", f"on battery, but {charge:.0%} charged with {runtime:.0f} s left")
    at_charge = "" if charge is None else f" at {charge:.0%} charge"
    return Cause.POWER, Evidence("on_battery", f"the UPS was on battery{at_charge} before the silence")
