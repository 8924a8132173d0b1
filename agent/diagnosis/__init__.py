"""The diagnosis: from memory and changes to new memory, verdicts and incidents. Pure: no clock, no I/O."""

from agent.diagnosis.degraded import router_says
from agent.diagnosis.facts import (
    Change,
    Device,
    Exit,
    Link,
    Memory,
    Overlays,
    PlannedCut,
    Seen,
    Service,
    Site,
    Topology,
    Trunk,
)
from agent.diagnosis.outcome import Evidence, Incident, Outcome, Transition, Verdict
from agent.diagnosis.rules import View
from agent.diagnosis.step import step

__all__ = [
    "Change", "Device", "Evidence", "Exit", "Incident", "Link", "Memory", "Outcome", "Overlays", "PlannedCut", "Seen",
    "Service", "Site", "Topology", "Transition", "Trunk", "Verdict", "View", "router_says", "step",
]  # fmt: skip
