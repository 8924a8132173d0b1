"""What the diagnosis remembers: taking in what was seen, and letting go of what left the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.diagnosis.facts import Change, Memory, Seen, Topology
from agent.diagnosis.outcome import Incident
from agent.diagnosis.rules import Vantage
from probes.results import DEGRADING, RootKind


def within(memory: Memory, topology: Topology) -> Memory:
    """The memory without what has left the inventory: incidents are withdrawn with their root or last member."""
    known = topology.targets()
    roots = {
        RootKind.COMMUNE: topology.communes.keys(),
        RootKind.TRUNK: topology.trunks.keys(),
        RootKind.SERVICE: topology.services.keys(),
        RootKind.VANTAGE: {"agent"},
    }
    incidents = {}
    for key, incident in memory.incidents.items():
        members = {code: since for code, since in incident.members.items() if _belongs(code, incident, topology)}
        if incident.root in roots[incident.kind] and (members or not incident.members):
            incidents[key] = replace(incident, members=members)
    return replace(
        memory,
        targets={name: seen for name, seen in memory.targets.items() if name in known},
        verdicts={code: verdict for code, verdict in memory.verdicts.items() if code in topology.communes},
        incidents=incidents,
    )


def _belongs(commune: str, incident: Incident, topology: Topology) -> bool:
    """Whether a commune is still in the inventory, and still behind the trunk that explained it."""
    if commune not in topology.communes:
        return False
    return incident.kind is not RootKind.TRUNK or incident.root in topology.ancestors(commune)


def remember_sight(memory: Memory, sight: Vantage, silent_since: float, now: float) -> Memory:
    """When the vantage was lost and when it was regained."""
    if sight is Vantage.LOST:
        began = silent_since if memory.blind_since is None or memory.seeing_since is not None else memory.blind_since
        return replace(memory, blind_since=began, seeing_since=None)
    if memory.blind_since is not None and memory.seeing_since is None:
        return replace(memory, seeing_since=now)
    return memory


def take_in(before: Mapping[str, Seen], changes: Iterable[Change]) -> dict[str, Seen]:
    """The targets as last seen, with these changes."""
    targets = dict(before)
    for change in changes:
        seen = targets.get(change.target)
        readings = dict(seen.readings) if seen else {}
        readings.update({family: (value, change.at) for family, value in change.values.items()})
        by_interface = dict(seen.by_interface) if seen else {}
        by_interface.update({family: (values, change.at) for family, values in change.by_interface.items()})
        answered_before = seen.answered_at if seen else None
        targets[change.target] = Seen(
            first_at=seen.first_at if seen else change.at,
            answered_at=change.at if change.answered else answered_before,
            at=change.at,
            state=change.state,
            since=change.since,
            decided=seen.decided if seen and seen.state is change.state else change.at,
            answered=change.answered,
            reason=change.reason,
            readings=readings,
            degraded_by=change.reason if change.reason in DEGRADING else seen.degraded_by if seen else None,
            by_interface=by_interface,
        )
    return targets
