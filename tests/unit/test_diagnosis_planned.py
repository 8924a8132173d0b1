"""Planned cuts and maintenance: what they explain, what they silence, and what they must not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Self

import pytest
from pydantic import TypeAdapter

from agent.diagnosis import Change, Memory, Overlays, PlannedCut, Service, Topology, Trunk, step
from probes.results import Cause, CommuneState, Overlay
from tests.unit.test_diagnosis import BEAT, CODES, Story, battery, mains, site

MAINTENANCE, PLANNED, NONE = Overlay.MAINTENANCE, Overlay.PLANNED, Overlay.NONE
ALONE = "01786"


@dataclass
class Planned(Story):
    """A story over which something lies."""

    overlays: Overlays = field(default_factory=Overlays)

    def step(self, changes: list[Change]) -> None:
        self.memory, self.outcome = step(self.memory, self.topology, changes, self.now, self.overlays)
        self.history += [f"{item.what} {item.subject}" for item in self.outcome.transitions if item.what != "verdict"]
        self.seen.append({code: verdict.state for code, verdict in self.outcome.verdicts.items()})

    def announce(self, *codes: str, since: float | None = None) -> Self:
        """The electricity company's cut lies over these communes from now on, by default because it may begin now."""
        cut = PlannedCut(self.now if since is None else since, "2026-11-22 06:00 to 11:00")
        self.overlays = Overlays(communes=dict.fromkeys(codes, PLANNED), cuts=dict.fromkeys(codes, cut))
        return self

    def work_on(self, *, communes: tuple[str, ...] = (), trunk: str = "", service: str = "") -> Self:
        self.overlays = Overlays(
            communes=dict.fromkeys(communes, MAINTENANCE),
            trunks={trunk: MAINTENANCE} if trunk else {},
            services={service: MAINTENANCE} if service else {},
        )
        return self

    def over(self) -> Self:
        self.overlays = Overlays()
        return self

    def evidence(self, code: str) -> list[str]:
        return [item.rule for item in self.outcome.verdicts[code].evidence]

    def overlay(self, code: str) -> Overlay:
        return self.outcome.verdicts[code].overlay

    def paged(self) -> dict[str, list[str]]:
        """What rules select: incidents under no overlay, with their members under none."""
        return {
            key: sorted(set(incident.members) - set(incident.covered))
            for key, incident in self.outcome.incidents.items()
            if incident.overlay is NONE
        }


def told(topology: Topology, *, ups: bool = False) -> Planned:
    charged = {f"device/{code}/ups": mains() for code in topology.communes} if ups else {}
    return Planned(topology, ups=charged).go(3)


def around(*, ups: bool = False, probed: bool = True) -> Topology:
    communes = {code: site(code, "ring-west", ups=ups) for code in CODES} | {ALONE: site(ALONE, ups=ups)}
    return Topology(
        communes,
        trunks={"ring-west": Trunk(target="trunk/ring-west" if probed else None)},
        services={"portal": Service("service/portal")},
        references=("reference/hub",),
        link_beat_s=BEAT,
        device_beat_s=BEAT,
        service_beat_s=BEAT,
        recovery_hold_s=6 * BEAT,
    )


@pytest.fixture
def story() -> Planned:
    return told(around())


def test_a_commune_that_goes_dark_within_an_announced_cut_lost_its_power_and_pages_nobody(story: Planned) -> None:
    story.announce(ALONE).cut(ALONE).go(6)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.POWER,))
    assert story.evidence(ALONE) == ["planned_cut", "nothing_known"]
    assert story.outcome.verdicts[ALONE].evidence[0].facts == "a power cut was announced: 2026-11-22 06:00 to 11:00"
    assert story.overlay(ALONE) is PLANNED
    assert (story.open(), story.paged()) == ({f"commune/{ALONE}": [ALONE]}, {})
    assert story.outcome.incidents[f"commune/{ALONE}"].cause is Cause.POWER


def test_a_commune_that_is_up_or_degraded_within_an_announced_cut_lies_under_it_too() -> None:
    story = told(around(ups=True), ups=True).announce(ALONE).go(1)
    assert (story.state(ALONE), story.overlay(ALONE)) == ((CommuneState.UP, ()), PLANNED)
    story.ups[f"device/{ALONE}/ups"] = battery(0.9, 3600)
    story.go(1)
    assert (story.state(ALONE), story.overlay(ALONE)) == ((CommuneState.DEGRADED, (Cause.ON_BATTERY,)), PLANNED)
    assert story.overlay(CODES[0]) is NONE


def test_a_battery_that_ran_empty_within_an_announced_cut_pages_nobody() -> None:
    story = told(around(ups=True), ups=True).announce(ALONE)
    story.ups[f"device/{ALONE}/ups"] = battery(0.1, 60)
    story.go(2).cut(ALONE).go(6)
    assert story.evidence(ALONE) == ["on_battery", "planned_cut"]
    assert story.paged() == {}


@pytest.mark.parametrize(("reading", "rule"), [(mains(), "on_mains"), (battery(0.95, 3600), "battery_left")])
def test_a_proven_link_cut_pages_during_an_announced_cut(reading: dict[str, float], rule: str) -> None:
    story = told(around(ups=True), ups=True).announce(ALONE)
    story.ups[f"device/{ALONE}/ups"] = reading
    story.go(2).cut(ALONE).go(6)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.LINK,))
    assert (story.evidence(ALONE), story.overlay(ALONE)) == ([rule], NONE)
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}


def test_a_link_cut_that_turns_out_to_be_the_announced_one_pages_no_longer() -> None:
    story = told(around(ups=True), ups=True).announce(ALONE)
    story.ups[f"device/{ALONE}/ups"] = battery(0.95, 100)
    story.go(1).cut(ALONE).go(6)
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}
    story.go(8)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.POWER,))
    assert (story.overlay(ALONE), story.paged()) == (PLANNED, {})


def test_still_dark_after_the_end_is_an_ordinary_incident_that_still_says_power(story: Planned) -> None:
    story.announce(ALONE).cut(ALONE).go(6)
    story.over().go(1)
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.POWER,))
    assert story.evidence(ALONE) == ["planned_cut_over", "nothing_known"]
    facts = "a power cut was announced: 2026-11-22 06:00 to 11:00; it should be over"
    assert story.go(3).outcome.verdicts[ALONE].evidence[0].facts == facts
    assert story.history == [f"opened commune/{ALONE}", f"overlay commune/{ALONE}"]


def test_a_silence_of_its_own_after_an_announced_cut_is_not_blamed_on_it(story: Planned) -> None:
    story.announce(ALONE).cut(ALONE).go(6)
    story.heal(ALONE).go(4)
    story.over().go(1).cut(ALONE).go(6)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.UNEXPLAINED,))
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}


def test_a_silence_older_than_the_announced_cut_is_not_explained_by_it_and_pages_on(story: Planned) -> None:
    story.cut(ALONE).go(6)
    story.announce(ALONE).go(3)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.UNEXPLAINED,))
    assert (story.overlay(ALONE), story.paged()) == (NONE, {f"commune/{ALONE}": [ALONE]})


def test_a_cut_that_is_told_to_us_late_still_explains_a_silence_that_began_within_it(story: Planned) -> None:
    began = story.now
    story.cut(ALONE).go(6)
    story.announce(ALONE, since=began - 1800).go(1)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.POWER,))
    assert story.paged() == {}


def test_a_second_announced_cut_does_not_explain_what_outlasted_the_first(story: Planned) -> None:
    story.announce(ALONE).cut(ALONE).go(6)
    story.over().go(2)
    story.announce(ALONE).go(2)
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}


def test_a_valley_that_goes_dark_within_an_announced_cut_is_no_failing_trunk() -> None:
    story = told(around(probed=False)).announce(*CODES).cut(*CODES).go(6)
    assert story.open() == {f"commune/{code}": [code] for code in CODES}
    assert {story.state(code) for code in CODES} == {(CommuneState.DOWN, (Cause.POWER,))}
    assert story.paged() == {}
    story.over().go(6)
    assert story.paged() == {f"commune/{code}": [code] for code in CODES}


def test_a_trunk_pages_for_its_communes_without_those_under_an_overlay(story: Planned) -> None:
    story.announce(*CODES[:3])
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    assert story.open() == {"trunk/ring-west": list(CODES)}
    assert story.paged() == {"trunk/ring-west": [CODES[3]]}
    assert story.evidence(CODES[0]) == ["behind_trunk", "planned_cut"]
    assert story.over().go(1).paged() == {"trunk/ring-west": list(CODES)}


def test_a_trunk_all_of_whose_communes_lie_under_an_announced_cut_pages_nobody(story: Planned) -> None:
    story.announce(*CODES)
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    assert story.paged() == {}
    assert story.outcome.incidents["trunk/ring-west"].overlay is PLANNED


def test_unprobed_trunk_is_still_inferred_from_its_communes_outside_of_the_cut() -> None:
    story = told(around(probed=False)).announce(*CODES[:2]).cut(*CODES).go(6)
    assert story.open() == {"trunk/ring-west": list(CODES)}
    assert story.paged() == {"trunk/ring-west": list(CODES[2:])}


def test_maintenance_shows_what_is_and_pages_nobody_until_it_is_over() -> None:
    story = told(around(ups=True), ups=True).work_on(communes=(ALONE,)).cut(ALONE).go(6)
    assert story.state(ALONE) == (CommuneState.DOWN, (Cause.LINK,))
    assert (story.overlay(ALONE), story.paged()) == (MAINTENANCE, {})
    story.over().go(1)
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}


def test_maintenance_that_starts_inside_an_outage_silences_it(story: Planned) -> None:
    story.cut(ALONE).go(6)
    story.work_on(communes=(ALONE,)).go(1)
    assert (story.open(), story.paged()) == ({f"commune/{ALONE}": [ALONE]}, {})
    story.over().go(1)
    assert story.paged() == {f"commune/{ALONE}": [ALONE]}
    assert story.history == [f"opened commune/{ALONE}", f"overlay commune/{ALONE}", f"overlay commune/{ALONE}"]


def test_a_trunk_under_maintenance_pages_nobody_for_the_communes_behind_it(story: Planned) -> None:
    story.work_on(trunk="ring-west", communes=CODES)
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    assert story.outcome.incidents["trunk/ring-west"].overlay is MAINTENANCE
    assert story.paged() == {}
    story.over().go(1)
    assert story.paged() == {"trunk/ring-west": list(CODES)}


def test_a_service_under_maintenance_pages_nobody_until_it_is_over(story: Planned) -> None:
    story.work_on(service="portal")
    story.silent.add("service/portal")
    story.go(6)
    assert (story.open(), story.paged()) == ({"service/portal": []}, {})
    assert story.over().go(1).paged() == {"service/portal": []}


def test_our_own_blindness_freezes_what_lies_over_incidents_and_lies_under_a_window_for_everything(
    story: Planned,
) -> None:
    story.announce(ALONE).cut(ALONE).go(6)
    story.silent = set(story.targets())
    story.overlays = replace(story.overlays, vantage=MAINTENANCE)
    story.go(6)
    assert story.state(ALONE)[0] is CommuneState.BLIND
    assert story.overlay(ALONE) is PLANNED
    assert {key: incident.overlay for key, incident in story.outcome.incidents.items()} == {
        "vantage/agent": MAINTENANCE,
        f"commune/{ALONE}": PLANNED,
    }
    story.over().go(1)
    assert story.outcome.incidents["vantage/agent"].overlay is NONE


def test_overlays_survive_a_round_trip_through_json(story: Planned) -> None:
    story.announce(ALONE, *CODES[:1]).cut(ALONE, *CODES).go(6)
    kept = TypeAdapter(Memory)
    assert kept.validate_json(kept.dump_json(story.memory)) == story.memory


def test_an_agent_that_restarts_within_an_announced_cut_goes_on_with_its_incident(story: Planned) -> None:
    story.announce(ALONE).cut(ALONE).go(6)
    kept = TypeAdapter(Memory)
    story.memory = kept.validate_json(kept.dump_json(story.memory))
    story.go(3).over().go(1)
    assert story.evidence(ALONE) == ["planned_cut_over", "nothing_known"]


@pytest.mark.parametrize("seed", range(5))
def test_maintenance_over_everything_changes_nothing_of_what_is_said_and_pages_nobody(seed: int) -> None:
    plain, under = told(around(ups=True), ups=True), told(around(ups=True), ups=True)
    under.overlays = Overlays(
        communes=dict.fromkeys(under.topology.communes, MAINTENANCE),
        trunks={"ring-west": MAINTENANCE},
        services={"portal": MAINTENANCE},
        vantage=MAINTENANCE,
    )
    chance = random.Random(seed)
    for _ in range(8):
        silent = set(chance.sample(plain.targets(), chance.randrange(len(plain.targets()))))
        beats = chance.randrange(1, 8)
        for story in (plain, under):
            story.silent = set(silent)
            story.go(beats)
        bare = {code: replace(verdict, overlay=NONE) for code, verdict in under.outcome.verdicts.items()}
        assert bare == plain.outcome.verdicts
        assert under.open() == plain.open()
        assert under.paged() == {}
