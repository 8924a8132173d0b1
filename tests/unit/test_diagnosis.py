"""One cause, one incident: the diagnosis as sentences."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pytest
from pydantic import TypeAdapter

from agent.diagnosis import (
    Change,
    Device,
    Link,
    Memory,
    Outcome,
    Service,
    Site,
    Topology,
    Trunk,
    step,
)
from agent.state import Fold, fold
from probes import metrics
from probes.results import Cause, CommuneState, Reason, Result, TargetState

BEAT = 10.0


def site(code: str, trunk: str | None = None, *, ups: bool = False, backup: bool = False) -> Site:
    links = [Link("primary", "primary", f"link/{code}/primary")]
    if backup:
        links.append(Link("backup", "backup", f"link/{code}/backup"))
    devices = [Device("router", f"device/{code}/router")]
    if ups:
        devices.append(Device("ups", f"device/{code}/ups"))
    return Site(trunk, tuple(links), tuple(devices))


@dataclass
class Story:
    """A province told second by second: every target beats on a grid of its own through the real fold, and answers
    unless it is in `silent`."""

    topology: Topology
    now: float = 1000.0
    memory: Memory = field(default_factory=Memory)
    silent: set[str] = field(default_factory=set)
    unresolved: set[str] = field(default_factory=set)
    folds: dict[str, Fold] = field(default_factory=dict)
    ups: dict[str, Mapping[str, float]] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=lambda: Outcome({}, {}, (), vantage_up=True))
    history: list[str] = field(default_factory=list)
    seen: list[dict[str, CommuneState]] = field(default_factory=list)

    def targets(self) -> list[str]:
        topology = self.topology
        sites = topology.communes.values()
        found = [link.target for at in sites for link in at.links] + [
            item.target for at in sites for item in at.devices
        ]
        found += [trunk.target for trunk in topology.trunks.values() if trunk.target]
        found += [service.target for service in topology.services.values()]
        return found + list(topology.references)

    def beat_s(self, target: str) -> float:
        kind = target.partition("/")[0]
        beats = {"device": self.topology.device_beat_s, "service": self.topology.service_beat_s}
        return beats.get(kind, self.topology.link_beat_s)

    def go(self, beats: float = 1) -> Self:
        """So many link beats later."""
        for _ in range(round(beats * BEAT)):
            self.now += 1
            due = [name for name in self.targets() if (self.now - zlib.crc32(name.encode())) % self.beat_s(name) == 0]
            self.step([self.change(target) for target in due])
        return self

    def step(self, changes: list[Change]) -> None:
        self.memory, self.outcome = step(self.memory, self.topology, changes, self.now)
        self.history += [f"{item.what} {item.subject}" for item in self.outcome.transitions if item.what != "verdict"]
        self.seen.append({code: verdict.state for code, verdict in self.outcome.verdicts.items()})

    def change(self, target: str) -> Change:
        answers = target not in self.silent | self.unresolved
        grade = TargetState.UP if answers else TargetState.DOWN
        if target in self.unresolved:
            grade = Result(Reason.DNS_ERROR, blameless=True).grade
        at = self.folds[target] = fold(self.folds.get(target, Fold()), grade, self.now, fall=3, rise=self.topology.rise)
        values = self.ups.get(target, {}) if answers and target.endswith("/ups") else {}
        reason = None if answers else Reason.DNS_ERROR if target in self.unresolved else Reason.TIMEOUT
        return Change(target, self.now, at.state, at.since, answered=answers, reason=reason, values=values)

    def cut(self, *codes: str) -> Self:
        self.silent |= {target for target in self.targets() for code in codes if f"/{code}/" in target}
        return self

    def heal(self, *codes: str) -> Self:
        self.silent = {target for target in self.silent if not any(f"/{code}/" in target for code in codes)}
        return self

    def state(self, code: str) -> tuple[CommuneState, tuple[Cause, ...]]:
        verdict = self.outcome.verdicts[code]
        return verdict.state, verdict.causes

    def open(self) -> dict[str, list[str]]:
        return {key: sorted(incident.members) for key, incident in self.outcome.incidents.items()}


def mains(charge: float = 1.0) -> Mapping[str, float]:
    return {metrics.UPS_ON_BATTERY.name: 0, metrics.UPS_CHARGE.name: charge}


def battery(charge: float, runtime_s: float) -> Mapping[str, float]:
    return {metrics.UPS_ON_BATTERY.name: 1, metrics.UPS_CHARGE.name: charge, metrics.UPS_RUNTIME.name: runtime_s}


CODES = ("01290", "01294", "01297", "01304")


@pytest.fixture
def story() -> Story:
    communes = {code: site(code, "ring-west", ups=True) for code in CODES} | {"01786": site("01786", ups=True)}
    topology = Topology(
        communes,
        trunks={"ring-west": Trunk(target="trunk/ring-west")},
        services={"portal": Service("service/portal")},
        references=("reference/hub",),
        link_beat_s=BEAT,
        device_beat_s=BEAT,
        service_beat_s=BEAT,
        recovery_hold_s=6 * BEAT,
    )
    return Story(topology, ups={f"device/{code}/ups": mains() for code in communes}).go(3)


def told(communes: dict[str, Site], trunks: dict[str, Trunk] | None = None, **more: Any) -> Story:
    """A small province that has been healthy for three beats."""
    options: dict[str, Any] = {"references": ("reference/hub",), "link_beat_s": BEAT, "device_beat_s": BEAT, **more}
    return Story(Topology(communes, trunks or {}, **options)).go(3)


def test_a_healthy_province_has_no_incident(story: Story) -> None:
    assert {story.state(code) for code in story.topology.communes} == {(CommuneState.UP, ())}
    assert story.open() == {}


def test_a_commune_is_unknown_before_its_first_answer() -> None:
    story = Story(Topology({"01290": site("01290")}))
    story.step([])
    assert story.state("01290") == (CommuneState.UNKNOWN, ())


def test_a_commune_that_never_answered_is_a_finding_and_opens_nothing() -> None:
    story = told({"01290": site("01290"), "01294": site("01294")}, references=())
    story = Story(story.topology).cut("01290").go(9)
    assert story.state("01290") == (CommuneState.UNKNOWN, ())
    story.go(8)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.UNEXPLAINED,))
    assert [item.rule for item in story.outcome.verdicts["01290"].evidence] == ["never_answered"]
    assert story.history == []


def test_a_commune_whose_name_does_not_resolve_is_unknown_and_accuses_nobody_nor_shields_anybody() -> None:
    codes = ("01290", "01294", "01297", "01304")
    story = told({code: site(code, "ring") for code in codes}, trunks={"ring": Trunk()}, references=())
    story = Story(story.topology, unresolved={"link/01290/primary"}).go(15)
    assert story.state("01290") == (CommuneState.UNKNOWN, ())
    assert [item.rule for item in story.outcome.verdicts["01290"].evidence] == ["not_resolved"]
    assert story.history == []
    story.cut("01294").go(6)
    assert story.open() == {"commune/01294": ["01294"]}


def test_a_trunk_whose_name_does_not_resolve_holds_back_no_incident_behind_it() -> None:
    story = told({code: site(code, "ring") for code in CODES}, trunks={"ring": Trunk(target="trunk/ring")})
    story.unresolved = {"trunk/ring"}
    story.go(5).cut("01294").go(6)
    assert story.open() == {"commune/01294": ["01294"]}


def test_references_whose_names_do_not_resolve_blind_nobody_while_links_answer(story: Story) -> None:
    story.unresolved = set(story.topology.references)
    first = len(story.seen)
    story.go(12).cut("01786").go(8)
    assert story.open() == {"commune/01786": ["01786"]}
    assert CommuneState.BLIND not in {state for states in story.seen[first:] for state in states.values()}


def test_a_commune_that_went_dark_on_mains_lost_its_link(story: Story) -> None:
    story.cut("01786").go(5)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.LINK,))
    assert story.open() == {"commune/01786": ["01786"]}
    assert [item.rule for item in story.outcome.verdicts["01786"].evidence] == ["on_mains"]


def test_a_verdict_comes_within_four_beats_and_its_incident_within_five(story: Story) -> None:
    story.cut("01786").go(4)
    assert story.state("01786")[0] is CommuneState.DOWN
    assert story.go(1).open() == {"commune/01786": ["01786"]}


def test_an_incident_waits_one_beat_for_its_siblings(story: Story) -> None:
    story.cut("01786")
    while story.outcome.verdicts["01786"].state is not CommuneState.DOWN:
        story.go(0.1)
    assert story.open() == {}
    assert story.go(0.9).open() == {}
    assert story.go(0.1).open() == {"commune/01786": ["01786"]}


def test_a_commune_that_went_dark_on_battery_lost_its_power(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.12, 60)
    assert story.go(1).state("01786") == (CommuneState.DEGRADED, (Cause.ON_BATTERY,))
    story.cut("01786").go(8)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.outcome.verdicts["01786"].last_words["ups_charge_ratio"][0] == 0.12


def test_at_its_return_a_commune_is_up_or_still_dark_for_the_cause_that_was_said(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.12, 60)
    story.go(1).cut("01786").go(6)
    story.ups["device/01786/ups"] = mains(0.3)
    story.heal("01786").go(4)
    assert "revised commune/01786" not in story.history
    assert story.history == ["opened commune/01786", "closed commune/01786"]


def test_an_old_reading_of_a_ups_does_not_hold_for_ever(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.5, 600)
    assert story.go(1).state("01786") == (CommuneState.DEGRADED, (Cause.ON_BATTERY,))
    story.ups["device/01786/ups"] = {}  # it answers, but its battery group cannot be read any more
    assert story.go(1).state("01786") == (CommuneState.UP, ())


def test_a_full_battery_rules_power_out_until_its_runtime_is_over(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.95, 100)
    story.go(1).cut("01786").go(6)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.LINK,))
    story.go(6)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.history == ["opened commune/01786", "revised commune/01786"]


def test_a_ups_that_does_not_tell_its_charge_is_not_said_to_be_empty(story: Story) -> None:
    story.ups["device/01786/ups"] = {metrics.UPS_ON_BATTERY.name: 1}
    story.memory = Memory()
    story.go(2).cut("01786").go(5)
    assert story.outcome.verdicts["01786"].evidence[0].facts == "the UPS was on battery before the silence"


def test_a_commune_of_which_nothing_is_known_is_unexplained() -> None:
    story = told({"01290": site("01290"), "01294": site("01294")}).cut("01290").go(5)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.UNEXPLAINED,))


def test_a_commune_whose_router_answers_is_not_dark_though_pings_are_lost(story: Story) -> None:
    story.silent.add("link/01786/primary")
    story.go(8)
    assert story.state("01786") == (CommuneState.DEGRADED, (Cause.LOSS,))
    assert story.open() == {}


def test_a_dead_trunk_is_one_incident_for_all_communes_behind_it(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    assert story.open() == {"trunk/ring-west": list(CODES)}
    assert story.state("01290") == (CommuneState.DOWN, (Cause.TRUNK,))
    assert story.state("01786") == (CommuneState.UP, ())
    assert story.history == ["opened trunk/ring-west"]


def test_communes_that_go_dark_a_beat_before_their_trunk_wait_for_it(story: Story) -> None:
    story.cut(*CODES).go(1)
    story.silent.add("trunk/ring-west")
    story.go(6)
    assert story.history == ["opened trunk/ring-west"]


def test_a_trunk_that_merely_answers_no_pings_explains_nothing(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.go(10)
    assert story.open() == {}
    story.ups["device/01290/ups"] = battery(0.1, 60)
    story.go(1).cut("01290").go(8)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.open() == {"commune/01290": ["01290"]}


def test_after_a_trunk_returns_its_communes_are_held_until_they_are_probed(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    story.silent.discard("trunk/ring-west")
    story.heal(*CODES).go(8)
    assert {item for item in story.history if item.startswith("opened")} == {"opened trunk/ring-west"}
    assert story.open() == {}


def test_a_commune_still_dark_after_its_trunk_returned_gets_an_incident_of_its_own(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    story.silent.discard("trunk/ring-west")
    story.heal(*CODES[1:]).go(9)
    assert story.open() == {"commune/01290": ["01290"]}


def test_a_commune_dark_long_before_its_trunk_keeps_its_own_incident(story: Story) -> None:
    story.ups["device/01290/ups"] = battery(0.1, 60)
    story.go(1).cut("01290").go(20)
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    assert story.open() == {"commune/01290": ["01290"], "trunk/ring-west": list(CODES[1:])}
    assert story.state("01290") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.history == ["opened commune/01290", "opened trunk/ring-west"]


def test_the_outermost_failing_trunk_is_the_root() -> None:
    communes = {code: site(code, "inner") for code in CODES}
    story = told(communes, {"outer": Trunk(target="trunk/outer"), "inner": Trunk("outer", "trunk/inner")})
    story.silent |= {"trunk/outer", "trunk/inner"}
    story.cut(*CODES).go(6)
    assert story.open() == {"trunk/outer": list(CODES)}


def test_a_trunk_without_a_probe_is_inferred_from_its_communes() -> None:
    communes = {code: site(code, "valley") for code in CODES} | {"01786": site("01786")}
    story = told(communes, {"valley": Trunk()}).cut(*CODES).go(6)
    assert story.open() == {"trunk/valley": list(CODES)}


def test_a_commune_dark_long_before_does_not_hide_an_unprobed_trunk() -> None:
    communes = {code: site(code, "valley") for code in CODES}
    story = told(communes, {"valley": Trunk()}).cut("01290").go(30).cut(*CODES).go(6)
    assert story.open() == {"commune/01290": ["01290"], "trunk/valley": list(CODES[1:])}


def test_a_commune_that_dies_alone_behind_a_living_trunk_is_its_own_root(story: Story) -> None:
    story.cut("01290").go(6)
    assert story.open() == {"commune/01290": ["01290"]}


def test_on_backup_is_degraded_and_a_lost_backup_is_too() -> None:
    story = told({"01290": site("01290", backup=True)})
    story.silent.add("link/01290/primary")
    assert story.go(4).state("01290") == (CommuneState.DEGRADED, (Cause.ON_BACKUP,))
    story.silent = {"link/01290/backup"}
    assert story.go(6).state("01290") == (CommuneState.DEGRADED, (Cause.BACKUP_LOST,))


def test_links_that_die_together_are_never_called_a_failover() -> None:
    story = told({"01290": site("01290", backup=True)}).cut("01290")
    first = len(story.seen)
    story.go(6)
    assert {states["01290"] for states in story.seen[first:]} == {CommuneState.UP, CommuneState.DOWN}


def test_a_device_dead_while_the_link_answers_degrades_its_commune(story: Story) -> None:
    story.silent.add("device/01786/router")
    assert story.go(4).state("01786") == (CommuneState.DEGRADED, (Cause.DEVICE,))


def test_a_dead_service_is_an_incident_and_degrades_no_commune(story: Story) -> None:
    story.silent.add("service/portal")
    assert story.go(4).open() == {"service/portal": []}
    assert {story.state(code)[0] for code in story.topology.communes} == {CommuneState.UP}
    story.silent.clear()
    assert story.go(3).open() == {}


def test_when_nothing_answers_any_more_nobody_is_blamed(story: Story) -> None:
    first = len(story.seen)
    story.silent = set(story.targets())
    story.go(8)
    assert {story.state(code)[0] for code in story.topology.communes} == {CommuneState.BLIND}
    assert story.open() == {"vantage/agent": []}
    story.silent.clear()
    story.go(8)
    assert {story.state(code)[0] for code in story.topology.communes} == {CommuneState.UP}
    assert story.history == ["opened vantage/agent", "closed vantage/agent"]
    said = {state for states in story.seen[first:] for state in states.values()}
    assert said == {CommuneState.UP, CommuneState.BLIND}


@pytest.mark.parametrize("references", [("reference/hub",), ()])
def test_our_own_outage_accuses_nobody_at_default_beats_with_and_without_references(
    references: tuple[str, ...],
) -> None:
    communes = {code: site(code, "ring", ups=True) for code in CODES} | {"01786": site("01786", backup=True)}
    services = {"portal": Service("service/portal"), "gateway": Service("service/gateway")}
    story = told(
        communes,
        {"ring": Trunk(target="trunk/ring")},
        services=services,
        references=references,
        device_beat_s=60,
        service_beat_s=60,
    ).go(20)
    first = len(story.seen)
    story.silent = set(story.targets())
    story.go(60)
    story.silent.clear()
    story.go(30)
    assert story.history == ["opened vantage/agent", "closed vantage/agent"]
    assert {state for states in story.seen[first:] for state in states.values()} == {
        CommuneState.UP,
        CommuneState.BLIND,
    }


def test_one_dead_reference_among_living_targets_blinds_nobody(story: Story) -> None:
    first = len(story.seen)
    story.silent.add("reference/hub")
    story.go(12).cut("01786").go(8)
    assert story.open() == {"commune/01786": ["01786"]}
    assert CommuneState.BLIND not in {state for states in story.seen[first:] for state in states.values()}


def test_a_real_outage_stays_open_while_we_are_blind(story: Story) -> None:
    story.cut("01786").go(6)
    before = set(story.silent)
    story.silent = set(story.targets())
    story.go(8)
    assert "commune/01786" in story.open()
    story.silent = before
    story.go(8)
    assert story.open() == {"commune/01786": ["01786"]}
    assert story.history == ["opened commune/01786", "opened vantage/agent", "closed vantage/agent"]


def test_an_outage_that_began_while_we_were_blind_counts_from_when_we_saw_again(story: Story) -> None:
    story.silent = set(story.targets())
    story.go(30)
    returned = story.now
    story.heal(*CODES)
    story.silent -= {"trunk/ring-west", "service/portal", "reference/hub"}
    story.go(8)
    assert story.open() == {"commune/01786": ["01786"]}
    assert story.outcome.incidents["commune/01786"].began >= returned


def test_the_order_of_changes_within_a_step_does_not_matter(story: Story) -> None:
    story.cut(*CODES[:2]).go(3.5)
    changes = [story.change(target) for target in story.targets()]
    outcomes = []
    for seed in range(20):
        random.Random(seed).shuffle(changes)
        outcomes.append(step(story.memory, story.topology, changes, story.now)[1])
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_memory_survives_a_round_trip_through_json(story: Story) -> None:
    story.cut("01786").go(6)
    kept = TypeAdapter(Memory)
    assert kept.validate_json(kept.dump_json(story.memory)) == story.memory


def test_a_commune_moved_to_another_trunk_leaves_the_incident_of_the_old_one(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    moved = replace(story.topology.communes["01290"], trunk=None)
    story.topology = replace(story.topology, communes={**story.topology.communes, "01290": moved})
    assert story.go(1).open() == {"commune/01290": ["01290"], "trunk/ring-west": list(CODES[1:])}


def test_an_unprobed_trunk_that_leaves_the_inventory_takes_its_incident_along() -> None:
    story = told({code: site(code, "valley") for code in CODES}, {"valley": Trunk()}).cut(*CODES).go(6)
    story.topology = replace(story.topology, trunks={})
    assert set(story.go(1).open()) == {f"commune/{code}" for code in CODES}


def test_an_incident_whose_members_leave_the_inventory_is_withdrawn(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES, "01786").go(6)
    assert set(story.open()) == {"trunk/ring-west", "commune/01786"}
    story.topology = replace(story.topology, communes={"01290": story.topology.communes["01290"]})
    story.go(1)
    assert story.open() == {"trunk/ring-west": ["01290"]}
    story.topology = replace(story.topology, communes={}, trunks={})
    story.go(1)
    assert story.open() == {}
