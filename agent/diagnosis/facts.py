"""What the diagnosis knows: the province's topology, what was last seen of each target, and its own memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.diagnosis.outcome import Incident, Verdict
from probes.model import LinkRole
from probes.results import Overlay, Reason, TargetState


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
class Exit:
    """The interface by which a commune's router, a device by its target, sends over a link, pinged or not."""

    link: str
    role: LinkRole
    target: str
    interface: str


@dataclass(frozen=True, slots=True)
class Site:
    """A commune as the diagnosis sees it."""

    trunk: str | None = None
    links: tuple[Link, ...] = ()
    devices: tuple[Device, ...] = ()
    services: tuple[str, ...] = ()
    """Targets of the services inside the commune."""
    exits: tuple[Exit, ...] = ()


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
    service_beat_s: float = 60.0
    rise: int = 2
    """Good beats in a row until a target's state improves."""
    recovery_hold_s: float = 120.0

    def pinged(self) -> tuple[str, ...]:
        """The targets of all links and trunks."""
        links = (link.target for site in self.communes.values() for link in site.links)
        return (*links, *(trunk.target for trunk in self.trunks.values() if trunk.target is not None))

    def routers(self) -> set[str]:
        """The targets of the devices whose interfaces tell which link carries."""
        return {way.target for site in self.communes.values() for way in site.exits}

    def targets(self) -> set[str]:
        """Every target that the topology speaks of."""
        devices = (device.target for site in self.communes.values() for device in site.devices)
        services = (service.target for service in self.services.values())
        inside = (target for site in self.communes.values() for target in site.services)
        return {*self.pinged(), *devices, *services, *inside, *self.references}

    def ancestors(self, commune: str) -> tuple[str, ...]:
        """The trunks that a commune lies behind, innermost first."""
        found: list[str] = []
        at = self.communes[commune].trunk
        while at is not None and at in self.trunks and at not in found:
            found.append(at)
            at = self.trunks[at].parent
        return tuple(found)


@dataclass(frozen=True, slots=True)
class PlannedCut:
    """A power cut announced for a commune: the earliest moment (monotonic) that it may begin at, and who said what."""

    since: float
    announcement: str


@dataclass(frozen=True, slots=True)
class Overlays:
    """What lies over the province at one moment; who is not named lies under nothing.

    `cuts` are the announced power cuts of the moment, by commune; a commune under maintenance may have one too.
    """

    communes: Mapping[str, Overlay] = field(default_factory=dict)
    trunks: Mapping[str, Overlay] = field(default_factory=dict)
    services: Mapping[str, Overlay] = field(default_factory=dict)
    vantage: Overlay = Overlay.NONE
    cuts: Mapping[str, PlannedCut] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a beat says of one target: its damped state since when, and new readings (metric family -> plain value).

    `at` is when the beat began: one that took long says nothing of what happened while it lasted. `answered` is whether
    this beat reached the target at all; a beat that failed for a reason of ours did not either.
    """

    target: str
    at: float
    state: TargetState
    since: float
    answered: bool
    reason: Reason | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    by_interface: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of a router that tells which link carries: metric family -> interface -> value."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of one target; `readings` maps a family to (value, time) of its latest reading.

    `by_interface` maps a family to (values by interface, time) likewise.
    `first_at` is when it was first heard of, `answered_at` when it last answered, none if it never did.
    """

    first_at: float
    answered_at: float | None
    at: float
    state: TargetState
    since: float
    decided: float
    answered: bool
    reason: Reason | None
    readings: Mapping[str, tuple[float, float]]
    degraded_by: Reason | None = None
    """Why its latest beat that was answered badly did not pass: a beat that passes does not yet end the state."""
    by_interface: Mapping[str, tuple[Mapping[str, float], float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """All that one step hands to the next: plain data that survives a round trip through JSON."""

    targets: Mapping[str, Seen] = field(default_factory=dict)
    blind_since: float | None = None
    """When the vantage was last lost."""
    seeing_since: float | None = None
    """When it was last regained; none while it is lost, and if it never was."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
