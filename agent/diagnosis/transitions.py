"""What changed between two outcomes."""

from __future__ import annotations

from collections.abc import Mapping

from agent.diagnosis.outcome import Incident, Transition, Verdict


def verdict_changes(before: Mapping[str, Verdict], after: Mapping[str, Verdict], now: float) -> list[Transition]:
    """Communes whose state or causes are others than before."""
    changes = []
    for commune, verdict in after.items():
        old = before.get(commune)
        if old is None or (old.state, old.causes) != (verdict.state, verdict.causes):
            changes.append(Transition("verdict", now, commune, _words(old), _words(verdict)))
    return changes


def _words(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return "/".join((verdict.state, ",".join(verdict.causes))) if verdict.causes else str(verdict.state)


def incident_changes(before: Mapping[str, Incident], after: Mapping[str, Incident], now: float) -> list[Transition]:
    """What opened, was revised, lost members or closed. A member that another incident took over did not return."""
    owned = {code for incident in after.values() for code in incident.members}
    changes = []
    for key, incident in after.items():
        old = before.get(key)
        if old is None:
            changes.append(Transition("opened", now, key, "", incident.cause, cause=incident.cause))
            continue
        if old.cause is not incident.cause:
            changes.append(Transition("revised", now, key, old.cause, incident.cause, cause=incident.cause))
        if old.overlay is not incident.overlay:
            changes.append(Transition("overlay", now, key, old.overlay, incident.overlay, cause=incident.cause))
        lit = _dark_for(old, owned, now)
        if lit:
            changes.append(Transition("returned", now, key, old.cause, incident.cause, lit, incident.cause))
    for key, incident in before.items():
        if key not in after:
            lit = _dark_for(incident, owned, now)
            changes.append(Transition("closed", now, key, incident.cause, "", lit, incident.cause))
    return changes


def _dark_for(incident: Incident, owned: set[str], now: float) -> dict[str, float]:
    """How long each member was dark that no incident owns any more, in seconds."""
    return {code: now - since for code, since in incident.members.items() if code not in owned}
