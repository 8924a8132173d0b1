"""Which incidents go on, which open, which are over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.diagnosis import rules
from agent.diagnosis.facts import Memory
from agent.diagnosis.outcome import Incident, Verdict
from agent.diagnosis.rules import View
from probes.results import Cause, CommuneState, Overlay, RootKind, TargetState


def is_own(incident: Incident) -> bool:
    """Whether an incident is a commune's own."""
    return incident.kind is RootKind.COMMUNE


def open_incidents(
    memory: Memory,
    view: View,
    dark: Mapping[str, float],
    failing: Mapping[str, float],
    held: set[str],
    *,
    doubtful: bool,
) -> dict[str, Incident]:
    """The open incidents: those that go on, then those that open. A dark commune belongs to one of them at most."""
    owned: set[str] = set()
    found: dict[str, Incident] = {}
    for incident in memory.incidents.values():
        goes_on = _continued(incident, view, dark, failing, held, owned)
        if goes_on is not None:
            found[goes_on.key] = goes_on
            owned.update(goes_on.members)
    if doubtful:
        return found
    for commune in sorted(dark, key=lambda code: (dark[code], code)):
        if commune not in owned and not rules.never_answered(view, commune):
            _explain(found, view, commune, dark, failing)
    for name, service in view.topology.services.items():
        key = f"{RootKind.SERVICE}/{name}"
        left_over = view.stale(service.target, view.topology.service_beat_s)
        if view.down(service.target) and not left_over and key not in found:
            since = view.targets[service.target].since
            found[key] = Incident(RootKind.SERVICE, name, Cause.SERVICE, since, view.now)
    return found


def _continued(
    incident: Incident,
    view: View,
    dark: Mapping[str, float],
    failing: Mapping[str, float],
    held: set[str],
    owned: set[str],
) -> Incident | None:
    """An incident as it stands now; none if it is over.

    A commune's own incident is taken over by a trunk that began to fail in the same beats, not by one that fails later:
    the first that explained a commune keeps it.
    """
    if incident.kind is RootKind.SERVICE:
        service = view.topology.services.get(incident.root)
        return incident if service and view.state(service.target) is not TargetState.UP else None
    if incident.kind is RootKind.COMMUNE:
        if incident.root in held:
            return incident
        trunk = rules.outermost_failing(view, incident.root, failing)
        taken = trunk is not None and incident.began >= failing[trunk] - 2 * view.topology.link_beat_s
        return incident if incident.root in dark and not taken else None
    if incident.kind is RootKind.TRUNK:
        if any(commune in held for commune in incident.members):
            return incident
        return _continued_trunk(incident, view, dark, failing, owned)
    return None  # the vantage is back


def _continued_trunk(
    incident: Incident, view: View, dark: Mapping[str, float], failing: Mapping[str, float], owned: set[str]
) -> Incident | None:
    """A trunk's incident: while it fails it owns the dark communes behind it; once back it holds those not yet probed.

    Reason: communes come back beat by beat after their trunk; without the hold each would open an incident of its own.
    """
    members = {code: since for code, since in incident.members.items() if code in dark and code not in owned}
    if incident.root in failing:
        return replace(incident, members=members, returned=None)
    returned = incident.returned if incident.returned is not None else view.now
    if view.now - returned < view.topology.recovery_hold_s:
        members = {code: since for code, since in members.items() if not _probed_dark_since(view, code, returned)}
        if members:
            return replace(incident, members=members, returned=returned)
    return None


def _probed_dark_since(view: View, commune: str, returned: float) -> bool:
    """Whether a commune stayed silent in a beat that lay wholly after its trunk's return."""
    links = view.observed(view.topology.communes[commune].links)
    after = returned + 2 * view.topology.link_beat_s
    return all(not seen.answered and seen.at > after for seen in links)


def _explain(
    found: dict[str, Incident], view: View, commune: str, dark: Mapping[str, float], failing: Mapping[str, float]
) -> None:
    """Give a dark commune to the incident that explains it, once it has had a beat to settle.

    Reason for the settling beat: 40 communes behind a dying trunk go dark one by one, some before the trunk itself is
    known to be down; they must become one incident, never 39 + 1.
    """
    settled = view.now - rules.dark_decided(view, commune) >= view.topology.link_beat_s
    trunk = rules.outermost_failing(view, commune, failing)
    if trunk is not None:
        key = f"{RootKind.TRUNK}/{trunk}"
        if key in found:
            found[key] = replace(found[key], members={**found[key].members, commune: dark[commune]})
        elif settled:
            began = min(failing[trunk], dark[commune])
            found[key] = Incident(RootKind.TRUNK, trunk, Cause.TRUNK, began, view.now, {commune: dark[commune]})
    elif settled and not any(
        rules.about_to_fail(view, view.topology.trunks[name].target) for name in view.topology.ancestors(commune)
    ):
        key = f"{RootKind.COMMUNE}/{commune}"
        found[key] = Incident(
            RootKind.COMMUNE, commune, Cause.UNEXPLAINED, dark[commune], view.now, {commune: dark[commune]}
        )


def vantage_incident(memory: Memory, now: float, overlay: Overlay) -> dict[str, Incident]:
    """Open incidents stay as they are, frozen, with the overlay they had; our own blindness is one more."""
    began = now if memory.blind_since is None else memory.blind_since
    lost = Incident(RootKind.VANTAGE, "agent", Cause.VANTAGE, began, now)
    incidents = {lost.key: lost, **memory.incidents}
    return {**incidents, lost.key: replace(incidents[lost.key], overlay=overlay)}


def with_cause(incident: Incident, verdicts: Mapping[str, Verdict]) -> Incident:
    """A commune's incident has the cause of its verdict: it may be revised, the root never is."""
    if not is_own(incident) or verdicts[incident.root].state is not CommuneState.DOWN:
        return incident
    return replace(incident, cause=verdicts[incident.root].causes[0])
