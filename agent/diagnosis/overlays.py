"""What lies over verdicts and incidents: announced power cuts as evidence, and what nobody is paged for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.diagnosis import rules
from agent.diagnosis.facts import Overlays
from agent.diagnosis.outcome import Evidence, Incident, Verdict
from agent.diagnosis.rules import View
from probes.results import Cause, CommuneState, Overlay, RootKind

PLANNED_CUT = "planned_cut"
PLANNED_CUT_OVER = "planned_cut_over"


def planned_cuts(view: View, dark: Mapping[str, float], before: Mapping[str, Verdict]) -> dict[str, Evidence]:
    """The dark communes that an announced power cut explains, each with the announcement as evidence.

    Reason: what goes dark when the electricity company said it would has lost its power, unless its UPS proved the
    link cut. A silence that is older than the announced cut is not explained by it. One that began within it and
    outlasts it most likely is that cut, which takes longer: the cause stays, the overlay does not.
    """
    found = {}
    for commune, since in dark.items():
        cause, _ = rules.power_or_link(view, since, rules.words_of(view, commune, before.get(commune)))
        if cause is Cause.LINK:
            continue
        cut = view.overlays.cuts.get(commune)
        if cut is not None and since >= cut.since:
            found[commune] = Evidence(PLANNED_CUT, f"a power cut was announced: {cut.announcement}")
        elif (outlasted := _outlasted(before.get(commune))) is not None:
            found[commune] = outlasted
    return found


def _outlasted(before: Verdict | None) -> Evidence | None:
    """The announcement that explained a silence which has gone on since."""
    if before is None or before.state is not CommuneState.DOWN:
        return None
    for evidence in before.evidence:
        if evidence.rule == PLANNED_CUT:
            return Evidence(PLANNED_CUT_OVER, f"{evidence.facts}; it should be over")
        if evidence.rule == PLANNED_CUT_OVER:
            return evidence
    return None


def laid_over(verdict: Verdict, overlay: Overlay) -> Verdict:
    """A verdict under the overlay of the moment.

    Maintenance lies over anything, a planned cut only over what it may explain. A dark commune that it does not (a
    proven link cut, a silence older than the cut) lies under nothing: it is paged for, and its seconds count.
    """
    if overlay is Overlay.PLANNED and verdict.state is CommuneState.DOWN:
        explained = any(evidence.rule == PLANNED_CUT for evidence in verdict.evidence)
        overlay = Overlay.PLANNED if explained else Overlay.NONE
    return verdict if verdict.overlay is overlay else replace(verdict, overlay=overlay)


def under_overlay(incident: Incident, verdicts: Mapping[str, Verdict], overlays: Overlays) -> Incident:
    """An incident lies under an overlay if its root does, or all of its members do, at least one."""
    own = {RootKind.TRUNK: overlays.trunks, RootKind.SERVICE: overlays.services}.get(incident.kind, {})
    overlay = own.get(incident.root, Overlay.NONE)
    of_members = {commune: verdicts[commune].overlay for commune in incident.members}
    covered = tuple(sorted(commune for commune, lies in of_members.items() if lies is not Overlay.NONE))
    if overlay is Overlay.NONE and covered and len(covered) == len(of_members):
        overlay = Overlay.MAINTENANCE if Overlay.MAINTENANCE in of_members.values() else Overlay.PLANNED
    return replace(incident, overlay=overlay, covered=covered)
