"""What the diagnosis knows: the province's topology, what was last seen of each target, and its own memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.diagnosis.outcome import Incident, Verdict
from probes.model import LinkRole, Reason, TargetState


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a commune, by the target that probes it; without one it is unobserved."""

    id: str
    role: LinkRole
    target: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a commune."""

    id: str
    target: str


@dataclass(frozen=True, slots=True)
class Site:
    """A commune as the diagnosis sees it."""

    trunk: str | None = None
    links: tuple[Link, ...] = ()
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk; without a target it is judged by the communes behind it."""

    parent: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service and the target that probes it."""

    target: str


@dataclass(frozen=True, slots=True)
class Topology:
    """How a province hangs together, with the intervals that its rules need, in seconds."""

    communes: Mapping[str, Site] = field(default_factory=dict)
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    link_beat_s: float = 10.0
    device_beat_s: float = 60.0
    recovery_hold_s: float = 120.0

    def ancestors(self, commune: str) -> tuple[str, ...]:
        """The trunks that a commune lies behind, innermost first."""
        found: list[str] = []
        at = self.communes[commune].trunk
        while at is not None and at in self.trunks and at not in found:
            found.append(at)
            at = self.trunks[at].parent
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Change:
    """What a beat changed for one target: its damped state since when, whether the latest beat passed, new readings.

    `values` maps metric families to plain values. `answered` is whether the latest beat reached the target at all.
    """

    target: str
    at: float
    state: TargetState
    since: float
    answered: bool
    reason: Reason | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of one target; `readings` maps a family to (value, time) of its latest reading."""

    at: float
    state: TargetState
    since: float
    decided: float
    answered: bool
    reason: Reason | None
    readings: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Memory:
    """All that one step hands to the next: plain data that survives a round trip through JSON."""

    targets: Mapping[str, Seen] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
