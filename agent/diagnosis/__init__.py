"""The diagnosis: from memory and changes to new memory, verdicts and incidents. Pure: no clock, no I/O."""

from agent.diagnosis.facts import (
    Change,
    Device,
    Link,
    Memory,
    Overlays,
    PlannedCut,
    Seen,
    Service,
    Site,
    Topology,
    Trap,
    Trunk,
)
from agent.diagnosis.outcome import Evidence, Incident, Outcome, Transition, Verdict
from agent.diagnosis.step import step

__all__ = [
    "Change", "Device", "Evidence", "Incident", "Link", "Memory", "Outcome", "Overlays", "PlannedCut", "Seen",
    "Service", "Site", "Topology", "Transition", "Trap", "Trunk", "Verdict", "step",
]  # fmt: skip
