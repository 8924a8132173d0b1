"""One step of the diagnosis; the order in which rules speak is visible here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.diagnosis import rules
from agent.diagnosis.facts import Change, Memory, Overlays, Topology, Trap
from agent.diagnosis.incidents import is_own, open_incidents, vantage_incident, with_cause
from agent.diagnosis.memory import remember_sight, take_in, within
from agent.diagnosis.outcome import Incident, Outcome, Verdict
from agent.diagnosis.overlays import laid_over, planned_cuts, under_overlay
from agent.diagnosis.rules import Vantage, View
from agent.diagnosis.transitions import incident_changes, verdict_changes
from agent.diagnosis.verdicts import blind, keep_since, verdict_on
from probes.results import CommuneState, Overlay


def step(
    memory: Memory,
    topology: Topology,
    changes: Iterable[Change],
    now: float,
    overlays: Overlays | None = None,
    traps: Iterable[Trap] = (),
) -> tuple[Memory, Outcome]:
    """Take in what changed and say what it means.

    Order of precedence: a lost vantage silences everything; then failing trunks explain the communes behind them;
    then each dark commune is judged alone, by its last words first and by announced power cuts second; then what is
    degraded. `overlays` of the moment are laid over all of it last. `now` and all times are monotonic seconds.
    """
    overlays = overlays or Overlays()
    memory = within(memory, topology)
    targets = take_in(memory.targets, changes, traps)
    sight, silent_since = rules.vantage(View(topology, targets, now))
    memory = remember_sight(replace(memory, targets=targets), sight, silent_since, now)
    view = View(topology, targets, now, memory.blind_since, memory.seeing_since, overlays)
    if sight is Vantage.LOST:
        verdicts = {commune: blind(memory.verdicts.get(commune), now) for commune in topology.communes}
        verdicts = _laid_over(verdicts, overlays)
        frozen = vantage_incident(memory, now, overlays.vantage)
        return _outcome(memory, verdicts, frozen, now, vantage_up=False)
    held = _held(memory, view, sight)
    dark = {
        commune: since
        for commune in topology.communes
        if commune not in held and (since := rules.dark_since(view, commune)) is not None
    }
    own = {incident.root: incident.began for incident in memory.incidents.values() if is_own(incident)}
    announced = planned_cuts(view, dark, memory.verdicts)
    failing = rules.failing_trunks(view, dark, own, announced)
    incidents = open_incidents(memory, view, dark, failing, held, doubtful=sight is not Vantage.CLEAR)
    verdicts = {}
    for commune in topology.communes:
        before = memory.verdicts.get(commune)
        if commune in held and before is not None:
            verdicts[commune] = before
        else:
            verdict = verdict_on(view, commune, dark, announced, failing, incidents, before)
            verdicts[commune] = keep_since(verdict, before, now)
    verdicts = _laid_over(verdicts, overlays)
    incidents = {
        key: under_overlay(with_cause(incident, verdicts), verdicts, overlays) for key, incident in incidents.items()
    }
    return _outcome(memory, verdicts, incidents, now, vantage_up=True)


def _laid_over(verdicts: Mapping[str, Verdict], overlays: Overlays) -> dict[str, Verdict]:
    over = overlays.communes
    return {commune: laid_over(verdict, over.get(commune, Overlay.NONE)) for commune, verdict in verdicts.items()}


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


def _outcome(
    memory: Memory,
    verdicts: Mapping[str, Verdict],
    incidents: Mapping[str, Incident],
    now: float,
    *,
    vantage_up: bool,
) -> tuple[Memory, Outcome]:
    transitions = (
        *verdict_changes(memory.verdicts, verdicts, now),
        *incident_changes(memory.incidents, incidents, now),
    )
    return replace(memory, verdicts=verdicts, incidents=incidents), Outcome(
        verdicts, incidents, transitions, vantage_up
    )
