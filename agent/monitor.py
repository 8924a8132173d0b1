"""From a result to series and verdicts: fold, diagnosis, and what both put into the series table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent import diagnosis
from agent.accounts import Accounts
from agent.calendar import Calendar
from agent.diagnosis import Change, Exit, Memory, Outcome, Topology, Verdict, View
from agent.series import SeriesTable
from agent.state import Fold, fold
from probes import metrics, units
from probes.model import Province, Service
from probes.ports import Clock
from probes.results import (
    NOT_CONNECTED,
    Cause,
    CommuneState,
    Overlay,
    Reading,
    Reason,
    Result,
    RootKind,
    Target,
    TargetState,
)

log = logging.getLogger(__name__)

DOWN_CAUSES = (Cause.POWER, Cause.TRUNK, Cause.LINK, Cause.SIGNAL, Cause.DEVICE, Cause.UNEXPLAINED)
"""Causes of a dark commune, pre-created for its incident, so that a revision never removes a series."""


WAYS = (metrics.INTERFACE_OPER_UP, metrics.DEFAULT_ROUTE_METRIC)
"""What the diagnosis wants to know of each interface of a router."""


class Monitor:
    """Keeps each target's state and the diagnosis's memory, and writes all of it into the series table."""

    def __init__(
        self, province: Province, topology: Topology, table: SeriesTable, clock: Clock, calendar: Calendar | None = None
    ) -> None:
        """Nothing is known yet; every commune's verdict starts as unknown. Without a calendar no cuts are announced."""
        self.calendar = calendar or Calendar(province)
        self.outcome = Outcome({}, {}, (), vantage_up=True)
        self.changed: Callable[[Target, TargetState], None] = _nobody
        """Told of every change of a target's damped state, right after its result; it must not block."""
        self._province = province
        self._topology = topology
        self._table = table
        self._clock = clock
        self._memory = Memory()
        self._folds: dict[str, Fold] = {}
        self._results: dict[str, dict[str, int]] = {}
        self._changes: list[Change] = []
        self._routers = topology.routers()
        self._accounts = Accounts()
        self._shown_incidents: set[str] = set()
        self._shown_verdicts: dict[str, Verdict] = {}
        self._shown_cells: set[tuple[str, Overlay]] = set()
        self._described: set[str] = set()
        self._describe()

    def update(self, province: Province, topology: Topology, calendar: Calendar | None = None) -> None:
        """Go on with another inventory of the same province: what has left it leaves the page, the rest stays."""
        kept = topology.targets()
        for name in [name for name in self._folds if name not in kept]:
            del self._folds[name], self._results[name]
            self._table.drop(f"target/{name}")
        self._changes = [change for change in self._changes if change.target in kept]
        for owner in self._described:
            self._table.drop(owner)
        gone = self._topology.communes.keys() - topology.communes.keys()
        for commune in gone & self._shown_verdicts.keys():
            self._table.drop(f"commune/{commune}")
            del self._shown_verdicts[commune]
        for commune, overlay in [cells for cells in self._shown_cells if cells[0] in gone]:
            self._table.drop(_cells(commune, overlay))
            self._shown_cells.remove((commune, overlay))
        self._province, self._topology = province, topology
        self._routers = topology.routers()
        self.calendar = calendar or Calendar(province)
        self._describe()

    def report(self, target: Target, result: Result, started: float) -> None:
        """Take in one result; `started` is the monotonic start of its beat."""
        timings = self._province.timings
        before = self._folds.get(target.id, Fold())
        after = fold(before, result.grade, started, fall=timings.fall, rise=timings.rise)
        self._folds[target.id] = after
        counts = self._results.setdefault(target.id, {})
        outcome = result.reason or "ok"
        counts[outcome] = counts.get(outcome, 0) + 1
        self._table.put(
            f"target/{target.id}",
            target.labels,
            [*self._target_readings(after, counts), *result.readings],
            result.distributions,
        )
        self._changes.append(
            Change(
                target=target.id,
                at=started,
                state=after.state,
                since=after.since,
                answered=result.grade in {TargetState.UP, TargetState.DEGRADED},
                reason=result.reason,
                values={reading.family.name: reading.value for reading in result.readings if not reading.labels},
                by_interface=_by_interface(result.readings) if target.id in self._routers else {},
            )
        )
        if after.state is not before.state:
            log.info("%s is %s (was %s)%s", target.id, after.state, before.state, _because(result))
            self.changed(target, after.state)

    def round(self) -> Outcome:
        """One step of the diagnosis over everything that was reported since the last."""
        changes, self._changes = self._changes, []
        now = self._clock.monotonic()
        overlays = self.calendar.at(self._clock.wall(), now)
        self._memory, self.outcome = diagnosis.step(self._memory, self._topology, changes, now, overlays)
        self._accounts.take_in(self.outcome.verdicts, self.outcome.transitions, now)
        for transition in self.outcome.transitions:
            if transition.what != "verdict":
                log.info("%s %s: %s", transition.subject, transition.what, transition.after or transition.before)
        self._put_communes()
        self._put_incidents()
        return self.outcome

    @property
    def ready(self) -> bool:
        """Whether there has been a result, and a round of diagnosis over it."""
        return bool(self._memory.targets)

    def state(self, target: str) -> TargetState:
        """The damped state of a target; unknown where none of its beats has settled it."""
        return self._folds.get(target, Fold()).state

    def reason(self, target: str) -> Reason | None:
        """What makes a target degraded or down."""
        seen = self._memory.targets.get(target)
        if seen is None or seen.state in {TargetState.UP, TargetState.UNKNOWN}:
            return None
        return seen.degraded_by if seen.state is TargetState.DEGRADED else seen.reason

    def router_says(self, way: Exit) -> tuple[bool | None, bool | None]:
        """Whether a link's interface is up, and whether the router sends by it; none where it does not tell."""
        return diagnosis.router_says(View(self._topology, self._memory.targets, self._clock.monotonic()), way)

    def wall(self, monotonic: float) -> float:
        """A monotonic moment as seconds since 1970, for display."""
        return self._clock.wall() - self._clock.monotonic() + monotonic

    def _describe(self) -> None:
        """Series that follow from the inventory alone."""
        self._described = set()
        for commune in self._province.communes:
            unit = units.by_code().get(commune.code)
            named, type_ = (unit.name, unit.type) if unit else (commune.code, "")
            own = (named, type_, commune.site_class, commune.trunk or "")
            self._describe_one("commune", commune.code, {}, Reading(metrics.COMMUNE_INFO, 1, own))
            for link in commune.links:
                own_link = (link.role, "no" if link.address is None else "yes")
                where = {"commune": commune.code, "medium": link.medium}
                owner = f"inventory/link/{commune.code}/{link.id}"
                self._describe_one("link", link.id, where, Reading(metrics.LINK_INFO, 1, own_link), owner=owner)
            for service in commune.services:
                self._describe_service(service, {"commune": commune.code})
        for trunk in self._province.trunks:
            own_words = (trunk.name or trunk.id, trunk.parent or "")
            self._describe_one("trunk", trunk.id, {}, Reading(metrics.TRUNK_INFO, 1, own_words))
        for service in self._province.services:
            self._describe_service(service, {})
        for issue in self._province.known_issues:
            about = Reading(metrics.KNOWN_ISSUE_INFO, 1, (issue.id, issue.title, issue.owner, issue.state))
            for service_id in issue.services or ("",):
                self._describe_one("service", service_id, {}, about, owner=f"inventory/issue/{issue.id}/{service_id}")

    def _describe_service(self, service: Service, where: Mapping[str, str]) -> None:
        labels = {**where, "path": service.via}
        readings = [Reading(metrics.SERVICE_INFO, 1, (service.name or service.id, service.layer))]
        if not service.connected:
            labels |= {"target": "/".join(("service", *where.values(), service.id)), "kind": service.kind}
            readings.append(Reading(metrics.TARGET_STATE, 1, (NOT_CONNECTED,)))
        owner = "/".join(("inventory", "service", *where.values(), service.id))
        self._describe_one("service", service.id, labels, *readings, owner=owner)

    def _describe_one(self, label: str, name: str, more: Mapping[str, str], *info: Reading, owner: str = "") -> None:
        owner = owner or f"inventory/{label}/{name}"
        self._table.put(owner, {label: name, **more}, info)
        self._described.add(owner)

    def _target_readings(self, state: Fold, counts: Mapping[str, int]) -> Iterator[Reading]:
        for name in TargetState:
            yield Reading(metrics.TARGET_STATE, float(state.state is name), (name,))
        if state.state is not TargetState.UNKNOWN:
            yield Reading(metrics.TARGET_STATE_SINCE, self.wall(state.since))
        for outcome, count in counts.items():
            yield Reading(metrics.TARGET_RESULTS, count, (outcome,))
        yield Reading(metrics.TARGET_LAST_RESULT, self._clock.wall())

    def _put_communes(self) -> None:
        """Render what has changed since the last round: most communes are as they were, but for one cell of seconds.

        The cells of every overlay that the inventory can bring are there from the start, so that no increase is lost.
        """
        back = {commune for transition in self.outcome.transitions for commune in transition.members}
        for commune, verdict in self.outcome.verdicts.items():
            labels = {"commune": commune}
            if commune in back or verdict.state is CommuneState.DOWN or verdict != self._shown_verdicts.get(commune):
                self._table.put(f"commune/{commune}", labels, self._commune_readings(commune, verdict))
                self._shown_verdicts[commune] = verdict
            for overlay in {*self.calendar.overlays, verdict.overlay}:
                if overlay is verdict.overlay or (commune, overlay) not in self._shown_cells:
                    self._table.put(_cells(commune, overlay), labels, self._seconds(commune, overlay))
                    self._shown_cells.add((commune, overlay))

    def _seconds(self, commune: str, overlay: Overlay) -> Iterator[Reading]:
        for state in CommuneState:
            seconds = self._accounts.seconds.get((commune, state, overlay), 0.0)
            yield Reading(metrics.COMMUNE_STATE_SECONDS, seconds, (state, overlay))

    def _commune_readings(self, commune: str, verdict: Verdict) -> Iterator[Reading]:
        for state in CommuneState:
            yield Reading(metrics.COMMUNE_STATE, float(verdict.state is state), (state,))
        for overlay in Overlay:
            yield Reading(metrics.COMMUNE_OVERLAY, float(verdict.overlay is overlay), (overlay,))
        for cause in verdict.causes:
            yield Reading(metrics.COMMUNE_CAUSE, 1, (cause,))
        if verdict.root is not None:
            kind, root = verdict.root
            yield Reading(metrics.COMMUNE_INCIDENT, 1, (root, kind))
        if verdict.state is CommuneState.DOWN:
            yield Reading(metrics.COMMUNE_SILENT_SINCE, self.wall(verdict.since))
            for name, (value, at) in verdict.last_words.items():
                yield Reading(metrics.COMMUNE_LAST_WORDS, value, (name,))
                yield Reading(metrics.COMMUNE_LAST_WORDS_TIMESTAMP, self.wall(at), (name,))
        for cause in DOWN_CAUSES:
            outage = self._accounts.outages.get((commune, cause))
            if outage is not None:
                yield Reading(metrics.OUTAGE_SECONDS, outage, (cause,))

    def _put_incidents(self) -> None:
        shown = set()
        for key, incident in self.outcome.incidents.items():
            root = (incident.root, incident.kind)
            causes = DOWN_CAUSES if incident.kind is RootKind.COMMUNE else (incident.cause,)
            members = len(incident.members)
            readings = [
                Reading(metrics.INCIDENT_COMMUNES, members - len(incident.covered), root)
                if incident.overlay is Overlay.NONE
                else Reading(metrics.INCIDENT_OVERLAY, members, (*root, incident.overlay)),
                Reading(metrics.INCIDENT_OPENED, self.wall(incident.began), root),
                *(Reading(metrics.INCIDENT_CAUSE, float(incident.cause is cause), (*root, cause)) for cause in causes),
            ]
            self._table.put(f"incident/{key}", {}, readings)
            shown.add(key)
        for key in self._shown_incidents - shown:
            self._table.drop(f"incident/{key}")
        self._shown_incidents = shown


def _cells(commune: str, overlay: Overlay) -> str:
    """The owner of a commune's cells of seconds under one overlay."""
    return f"seconds/{commune}/{overlay}"


def _by_interface(readings: Iterable[Reading]) -> dict[str, dict[str, float]]:
    """What tells which interface of a router carries: family -> interface -> value."""
    found: dict[str, dict[str, float]] = {}
    for reading in readings:
        if reading.family in WAYS:
            found.setdefault(reading.family.name, {})[reading.labels[0]] = reading.value
    return found


def _nobody(_: Target, __: TargetState) -> None:
    """Takes no notice."""


def _because(result: Result) -> str:
    if result.reason is None:
        return ""
    return f": {result.reason}" + (f", {result.detail}" if result.detail else "")
