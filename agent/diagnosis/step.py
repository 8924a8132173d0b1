"""One step of the diagnosis; the order in which rules speak is visible here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.diagnosis import rules
from agent.diagnosis.facts import Change, Memory, Seen, Topology
from agent.diagnosis.outcome import Evidence, Incident, Outcome, Transition, Verdict
from agent.diagnosis.rules import Vantage, View
from probes.model import Cause, CommuneState, RootKind, TargetState


def step(memory: Memory, topology: Topology, changes: Iterable[Change], now: float) -> tuple[Memory, Outcome]:
    """Take in what changed and say what it means.

    Order of precedence: a lost vantage silences everything; then failing trunks explain the communes behind them;
    then each dark commune is judged alone; then what is degraded. `now` and all times are monotonic seconds.
    """
    memory = _within(memory, topology)
    targets = _take_in(memory.targets, changes)
    sight, silent_since = rules.vantage(View(topology, targets, now))
    memory = _remember_sight(replace(memory, targets=targets), sight, silent_since, now)
    view = View(topology, targets, now, memory.blind_since, memory.seeing_since)
    if sight is Vantage.LOST:
        verdicts = {commune: _blind(memory.verdicts.get(commune), now) for commune in topology.communes}
        return _outcome(memory, verdicts, _vantage_incident(memory, now), now, vantage_up=False)
    held = _held(memory, view, sight)
    dark = {
        commune: since
        for commune in topology.communes
        if commune not in held and (since := rules.dark_since(view, commune)) is not None
    }
    own = {incident.root: incident.began for incident in memory.incidents.values() if _is_own(incident)}
    failing = rules.failing_trunks(view, dark, own)
    incidents = _incidents(memory, view, dark, failing, held, doubtful=sight is not Vantage.CLEAR)
    verdicts = {}
    for commune in topology.communes:
        before = memory.verdicts.get(commune)
        if commune in held and before is not None:
            verdicts[commune] = before
        else:
            verdicts[commune] = _since(_verdict(view, commune, dark, failing, incidents, before), before, now)
    incidents = {key: _with_cause(incident, verdicts) for key, incident in incidents.items()}
    return _outcome(memory, verdicts, incidents, now, vantage_up=True)


def _within(memory: Memory, topology: Topology) -> Memory:
    """The memory without what has left the inventory: incidents are withdrawn with their root or last member."""
    known = topology.targets()
    if memory.targets.keys() <= known and memory.verdicts.keys() <= topology.communes.keys():
        return memory
    roots = {
        RootKind.COMMUNE: topology.communes.keys(),
        RootKind.TRUNK: topology.trunks.keys(),
        RootKind.SERVICE: topology.services.keys(),
        RootKind.VANTAGE: {"agent"},
    }
    incidents = {}
    for key, incident in memory.incidents.items():
        members = {code: since for code, since in incident.members.items() if code in topology.communes}
        if incident.root in roots[incident.kind] and (members or not incident.members):
            incidents[key] = replace(incident, members=members)
    return replace(
        memory,
        targets={name: seen for name, seen in memory.targets.items() if name in known},
        verdicts={code: verdict for code, verdict in memory.verdicts.items() if code in topology.communes},
        incidents=incidents,
    )


def _remember_sight(memory: Memory, sight: Vantage, silent_since: float, now: float) -> Memory:
    """When the vantage was lost and when it was regained."""
    if sight is Vantage.LOST:
        began = silent_since if memory.blind_since is None or memory.seeing_since is not None else memory.blind_since
        return replace(memory, blind_since=began, seeing_since=None)
    if memory.blind_since is not None and memory.seeing_since is None:
        return replace(memory, seeing_since=now)
    return memory


def _held(memory: Memory, view: View, sight: Vantage) -> set[str]:
    """The communes whose verdict stays as it is for now.

    After blindness those that have not had their beats to be seen well again: they are neither accused nor absolved by
    what is left from before. While the vantage is in doubt those that would only now be called dark.
    """
    held = {commune for commune in view.topology.communes if rules.left_from_blindness(view, commune)}
    if sight is Vantage.DOUBTFUL:
        known = {commune for commune, verdict in memory.verdicts.items() if verdict.state is CommuneState.DOWN}
        held |= {
            commune
            for commune in view.topology.communes
            if commune not in known and rules.dark_since(view, commune) is not None
        }
    return held


def _is_own(incident: Incident) -> bool:
    return incident.kind is RootKind.COMMUNE


def _take_in(before: Mapping[str, Seen], changes: Iterable[Change]) -> dict[str, Seen]:
    targets = dict(before)
    for change in changes:
        seen = targets.get(change.target)
        readings = dict(seen.readings) if seen else {}
        readings.update({family: (value, change.at) for family, value in change.values.items()})
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
        )
    return targets


def _incidents(
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


def _vantage_incident(memory: Memory, now: float) -> dict[str, Incident]:
    """Open incidents stay as they are, frozen; our own blindness is one more."""
    began = now if memory.blind_since is None else memory.blind_since
    lost = Incident(RootKind.VANTAGE, "agent", Cause.VANTAGE, began, now)
    return {lost.key: lost, **memory.incidents}


def _verdict(
    view: View,
    commune: str,
    dark: Mapping[str, float],
    failing: Mapping[str, float],
    incidents: Mapping[str, Incident],
    before: Verdict | None,
) -> Verdict:
    if commune in dark and rules.never_answered(view, commune):
        return _never_answered(view, dark[commune])
    if commune in dark:
        words = _last_words(view, commune, before)
        return _dark(view, commune, dark[commune], failing, incidents, words)
    site = view.topology.communes[commune]
    seen = [view.targets[link.target] for link in site.links if link.target in view.targets]
    if all(link.state is TargetState.UNKNOWN for link in seen):
        return Verdict(CommuneState.UNKNOWN, evidence=(Evidence("not_seen", "no link of it has been judged yet"),))
    found = rules.degradations(view, commune)
    if found:
        causes = tuple(dict.fromkeys(cause for cause, _ in found))
        return Verdict(CommuneState.DEGRADED, causes, evidence=tuple(evidence for _, evidence in found))
    return Verdict(CommuneState.UP)


def _never_answered(view: View, since: float) -> Verdict:
    """A finding, never an incident: most likely the inventory is wrong, or the commune not connected yet."""
    evidence = (Evidence("never_answered", "no link of it has ever answered; is its address right?"),)
    if view.now - since < 10 * view.topology.link_beat_s:
        return Verdict(CommuneState.UNKNOWN, evidence=evidence)
    return Verdict(CommuneState.DOWN, (Cause.UNEXPLAINED,), since, evidence)


def _last_words(view: View, commune: str, before: Verdict | None) -> Mapping[str, tuple[float, float]]:
    """The readings before the silence, kept while it lasts: at its end devices answer before the link is trusted."""
    if before is not None and before.state is CommuneState.DOWN:
        return before.last_words
    return rules.last_words(view, commune)


def _dark(
    view: View,
    commune: str,
    since: float,
    failing: Mapping[str, float],
    incidents: Mapping[str, Incident],
    words: Mapping[str, tuple[float, float]],
) -> Verdict:
    owner = next((incident for incident in incidents.values() if commune in incident.members), None)
    root = (owner.kind, owner.root) if owner else None
    trunk = owner.root if owner and not _is_own(owner) else None
    if owner is None:
        trunk = rules.outermost_failing(view, commune, failing)
    if trunk is not None:
        cause, evidence = Cause.TRUNK, Evidence("behind_trunk", f"lies behind {trunk}, which fails")
    else:
        cause, evidence = rules.power_or_link(view, since, words)
    return Verdict(CommuneState.DOWN, (cause,), since, (evidence,), root, words)


def _blind(before: Verdict | None, now: float) -> Verdict:
    verdict = Verdict(CommuneState.BLIND, evidence=(Evidence("vantage_lost", "the agent itself cannot see"),))
    return _since(verdict, before, now)


def _since(verdict: Verdict, before: Verdict | None, now: float) -> Verdict:
    """A verdict that stays the same keeps its beginning; a dark one knows its own."""
    if before is not None and before.state is verdict.state:
        return replace(verdict, since=before.since)
    return verdict if verdict.since else replace(verdict, since=now)


def _with_cause(incident: Incident, verdicts: Mapping[str, Verdict]) -> Incident:
    """A commune's incident has the cause of its verdict: it may be revised, the root never is."""
    if not _is_own(incident) or verdicts[incident.root].state is not CommuneState.DOWN:
        return incident
    return replace(incident, cause=verdicts[incident.root].causes[0])


def _outcome(
    memory: Memory,
    verdicts: Mapping[str, Verdict],
    incidents: Mapping[str, Incident],
    now: float,
    *,
    vantage_up: bool,
) -> tuple[Memory, Outcome]:
    transitions = (
        *_verdict_changes(memory.verdicts, verdicts, now),
        *_incident_changes(memory.incidents, incidents, now),
    )
    return replace(memory, verdicts=verdicts, incidents=incidents), Outcome(
        verdicts, incidents, transitions, vantage_up
    )


def _verdict_changes(before: Mapping[str, Verdict], after: Mapping[str, Verdict], now: float) -> list[Transition]:
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


def _incident_changes(before: Mapping[str, Incident], after: Mapping[str, Incident], now: float) -> list[Transition]:
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
