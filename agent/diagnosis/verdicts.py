"""What is said of each commune."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.diagnosis import degraded, rules
from agent.diagnosis.incidents import is_own
from agent.diagnosis.outcome import Evidence, Incident, Verdict
from agent.diagnosis.rules import View
from probes.results import Cause, CommuneState, Reason, TargetState


def verdict_on(
    view: View,
    commune: str,
    dark: Mapping[str, float],
    announced: Mapping[str, Evidence],
    failing: Mapping[str, float],
    incidents: Mapping[str, Incident],
    before: Verdict | None,
) -> Verdict:
    """The verdict on one commune as things stand; it has no memory but the last words."""
    if commune in dark and rules.never_answered(view, commune):
        return _never_answered(view, dark[commune])
    if commune in dark:
        words = rules.words_of(view, commune, before)
        return _dark(view, commune, dark[commune], announced.get(commune), failing, incidents, words)
    site = view.topology.communes[commune]
    seen = [view.targets[link.target] for link in site.links if link.target in view.targets]
    if all(link.state is TargetState.UNKNOWN for link in seen) and not any(degraded.routed_to_backup(view, site)):
        if any(link.reason is Reason.DNS_ERROR for link in seen):
            text = "the host name of its link does not resolve; is it right, does the resolver answer?"
            return Verdict(CommuneState.UNKNOWN, evidence=(Evidence("not_resolved", text),))
        return Verdict(CommuneState.UNKNOWN, evidence=(Evidence("not_seen", "no link of it has been judged yet"),))
    found = degraded.degradations(view, commune)
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


def _dark(
    view: View,
    commune: str,
    since: float,
    cut: Evidence | None,
    failing: Mapping[str, float],
    incidents: Mapping[str, Incident],
    words: Mapping[str, tuple[float, float]],
) -> Verdict:
    """Why a commune is dark, in this order: a trunk that explains it, its last words, an announced power cut."""
    owner = next((incident for incident in incidents.values() if commune in incident.members), None)
    root = (owner.kind, owner.root) if owner else None
    trunk = owner.root if owner and not is_own(owner) else None
    if owner is None:
        trunk = rules.outermost_failing(view, commune, failing)
    if trunk is not None:
        cause, evidence = Cause.TRUNK, Evidence("behind_trunk", f"lies behind {trunk}, which fails")
    else:
        cause, evidence = rules.power_or_link(view, since, words)
    if cut is None:
        return Verdict(CommuneState.DOWN, (cause,), since, (evidence,), root, words)
    if cause is Cause.UNEXPLAINED:
        return Verdict(CommuneState.DOWN, (Cause.POWER,), since, (cut, evidence), root, words)
    return Verdict(CommuneState.DOWN, (cause,), since, (evidence, cut), root, words)


def blind(before: Verdict | None, now: float) -> Verdict:
    """The verdict while the agent itself cannot see."""
    verdict = Verdict(CommuneState.BLIND, evidence=(Evidence("vantage_lost", "the agent itself cannot see"),))
    return keep_since(verdict, before, now)


def keep_since(verdict: Verdict, before: Verdict | None, now: float) -> Verdict:
    """A verdict that stays the same keeps its beginning; a dark one knows its own."""
    if before is not None and before.state is verdict.state:
        return replace(verdict, since=before.since)
    return verdict if verdict.since else replace(verdict, since=now)
