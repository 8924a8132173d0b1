"""One cause, one incident: the diagnosis as sentences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

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
from probes import metrics
from probes.model import Cause, CommuneState, Reason, TargetState

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
    """A province told beat by beat: every target answers unless it is in `silent`."""

    topology: Topology
    now: float = 1000.0
    memory: Memory = field(default_factory=Memory)
    silent: set[str] = field(default_factory=set)
    since: dict[str, float] = field(default_factory=dict)
    ups: dict[str, Mapping[str, float]] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=lambda: Outcome({}, {}, (), vantage_up=True))
    history: list[str] = field(default_factory=list)
    beats_bad: dict[str, int] = field(default_factory=dict)

    def targets(self) -> list[str]:
        topology = self.topology
        sites = topology.communes.values()
        found = [link.target for at in sites for link in at.links] + [
            item.target for at in sites for item in at.devices
        ]
        found += [trunk.target for trunk in topology.trunks.values() if trunk.target]
        found += [service.target for service in topology.services.values()]
        return found + list(topology.references)

    def go(self, beats: int = 1) -> Story:
        for _ in range(beats):
            self.now += BEAT
            changes = [self.change(target) for target in self.targets()]
            self.memory, self.outcome = step(self.memory, self.topology, changes, self.now)
            self.history += [
                f"{item.what} {item.subject}" for item in self.outcome.transitions if item.what != "verdict"
            ]
        return self

    def change(self, target: str) -> Change:
        if target not in self.silent:
            back = self.beats_bad.pop(target, 0)
            since = self.now if back else self.since.get(target, self.now)
            self.since[target] = since
            values = self.ups.get(target, {}) if target.endswith("/ups") else {}
            return Change(target, self.now, TargetState.UP, since, answered=True, values=values)
        bad = self.beats_bad[target] = self.beats_bad.get(target, 0) + 1
        if bad == 1:
            self.since[target] = self.now
        state = TargetState.DOWN if bad >= 3 else TargetState.UP
        return Change(target, self.now, state, self.since[target], answered=False, reason=Reason.TIMEOUT)

    def cut(self, *codes: str) -> Story:
        self.silent |= {target for target in self.targets() for code in codes if f"/{code}/" in target}
        return self

    def heal(self, *codes: str) -> Story:
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
        recovery_hold_s=6 * BEAT,
    )
    return Story(topology, ups={f"device/{code}/ups": mains() for code in communes}).go(3)


def test_a_healthy_province_has_no_incident(story: Story) -> None:
    assert {story.state(code) for code in story.topology.communes} == {(CommuneState.UP, ())}
    assert story.open() == {}


def test_a_commune_is_unknown_before_its_first_answer() -> None:
    story = Story(Topology({"01290": site("01290")}))
    story.memory, story.outcome = step(Memory(), story.topology, (), 1000.0)
    assert story.state("01290") == (CommuneState.UNKNOWN, ())


def test_a_commune_that_went_dark_on_mains_lost_its_link(story: Story) -> None:
    story.cut("01786").go(5)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.LINK,))
    assert story.open() == {"commune/01786": ["01786"]}
    assert [item.rule for item in story.outcome.verdicts["01786"].evidence] == ["on_mains"]


def test_an_incident_waits_one_beat_for_its_siblings(story: Story) -> None:
    story.cut("01786").go(3)
    assert story.state("01786")[0] is CommuneState.DOWN
    assert story.open() == {}
    assert story.go().open() == {"commune/01786": ["01786"]}


def test_a_commune_that_went_dark_on_battery_lost_its_power(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.12, 60)
    assert story.go().state("01786") == (CommuneState.DEGRADED, (Cause.ON_BATTERY,))
    story.cut("01786").go(8)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.outcome.verdicts["01786"].last_words["ups_charge_ratio"][0] == 0.12


def test_devices_that_answer_before_the_link_is_trusted_do_not_change_what_was_said(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.12, 60)
    story.go().cut("01786").go(6)
    story.ups["device/01786/ups"] = mains(0.3)
    story.silent.discard("device/01786/ups")
    assert story.go().state("01786") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.outcome.verdicts["01786"].last_words["ups_charge_ratio"][0] == 0.12


def test_a_full_battery_rules_power_out_until_its_runtime_is_over(story: Story) -> None:
    story.ups["device/01786/ups"] = battery(0.95, 100)
    story.go().cut("01786").go(5)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.LINK,))
    story.go(6)
    assert story.state("01786") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.history == ["opened commune/01786", "revised commune/01786"]


def test_a_commune_of_which_nothing_is_known_is_unexplained() -> None:
    communes = {"01290": site("01290"), "01294": site("01294")}
    story = Story(Topology(communes, link_beat_s=BEAT, device_beat_s=BEAT)).go(2).cut("01290").go(5)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.UNEXPLAINED,))


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


def test_after_a_trunk_returns_its_communes_are_held_until_they_are_probed(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    story.silent.discard("trunk/ring-west")
    story.heal("01290").go(1)
    assert story.open() == {"trunk/ring-west": ["01294", "01297", "01304"]}
    story.heal(*CODES).go(1)
    assert story.history == ["opened trunk/ring-west", "returned trunk/ring-west", "closed trunk/ring-west"]


def test_a_commune_still_dark_after_its_trunk_returned_gets_an_incident_of_its_own(story: Story) -> None:
    story.silent.add("trunk/ring-west")
    story.cut(*CODES).go(6)
    story.silent.discard("trunk/ring-west")
    story.heal(*CODES[1:]).go(8)
    assert story.open() == {"commune/01290": ["01290"]}


def test_the_outermost_failing_trunk_is_the_root() -> None:
    communes = {code: site(code, "inner") for code in CODES}
    trunks = {"outer": Trunk(target="trunk/outer"), "inner": Trunk("outer", "trunk/inner")}
    story = Story(Topology(communes, trunks, references=("reference/hub",), link_beat_s=BEAT)).go(2)
    story.silent |= {"trunk/outer", "trunk/inner"}
    story.cut(*CODES).go(6)
    assert story.open() == {"trunk/outer": list(CODES)}


def test_a_trunk_without_a_probe_is_inferred_from_its_communes() -> None:
    communes = {code: site(code, "valley") for code in CODES} | {"01786": site("01786")}
    story = Story(Topology(communes, {"valley": Trunk()}, link_beat_s=BEAT, recovery_hold_s=50)).go(2)
    story.cut(*CODES).go(6)
    assert story.open() == {"trunk/valley": list(CODES)}


def test_a_commune_that_dies_alone_behind_a_living_trunk_is_its_own_root(story: Story) -> None:
    story.cut("01290").go(6)
    assert story.open() == {"commune/01290": ["01290"]}


def test_on_backup_is_degraded_and_a_lost_backup_is_too() -> None:
    story = Story(Topology({"01290": site("01290", backup=True)}, references=("reference/hub",))).go(2)
    story.silent.add("link/01290/primary")
    assert story.go(4).state("01290") == (CommuneState.DEGRADED, (Cause.ON_BACKUP,))
    story.silent = {"link/01290/backup"}
    assert story.go(4).state("01290") == (CommuneState.DEGRADED, (Cause.BACKUP_LOST,))


def test_links_that_die_together_are_never_called_a_failover() -> None:
    story = Story(Topology({"01290": site("01290", backup=True)}, references=("reference/hub",))).go(2)
    story.silent.add("link/01290/primary")
    story.go(1)
    story.silent.add("link/01290/backup")
    seen = [story.go().state("01290") for _ in range(4)]
    assert seen[:2] == [(CommuneState.UP, ())] * 2
    assert seen[-1] == (CommuneState.DOWN, (Cause.UNEXPLAINED,))


def test_a_device_dead_while_the_link_answers_degrades_its_commune(story: Story) -> None:
    story.silent.add("device/01786/router")
    assert story.go(4).state("01786") == (CommuneState.DEGRADED, (Cause.DEVICE,))


def test_a_dead_service_is_an_incident_and_degrades_no_commune(story: Story) -> None:
    story.silent.add("service/portal")
    assert story.go(4).open() == {"service/portal": []}
    assert {story.state(code)[0] for code in story.topology.communes} == {CommuneState.UP}
    story.silent.clear()
    assert story.go(1).open() == {}


def test_when_the_references_are_silent_nobody_is_blamed(story: Story) -> None:
    story.silent = set(story.targets())
    story.go(6)
    assert {story.state(code)[0] for code in story.topology.communes} == {CommuneState.BLIND}
    assert story.open() == {"vantage/agent": []}
    story.silent.clear()
    assert story.go(2).open() == {}
    assert {story.state(code)[0] for code in story.topology.communes} == {CommuneState.UP}


def test_a_real_outage_stays_open_while_we_are_blind(story: Story) -> None:
    story.cut("01786").go(6)
    before = set(story.silent)
    story.silent = set(story.targets())
    lost = story.now
    story.go(5)
    assert "commune/01786" in story.open()
    assert story.outcome.incidents["vantage/agent"].began == lost + BEAT
    story.silent = before
    story.go(3)
    assert story.open() == {"commune/01786": ["01786"]}
    assert "closed commune/01786" not in story.history


def test_the_order_of_changes_within_a_step_does_not_matter(story: Story) -> None:
    story.cut(*CODES[:2]).go(2)
    story.now += BEAT
    changes = [story.change(target) for target in story.targets()]
    outcomes = [
        step(story.memory, story.topology, order, story.now)[1]
        for order in itertools.islice(itertools.permutations(changes), 50)
    ]
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_memory_survives_a_round_trip_through_json(story: Story) -> None:
    story.cut("01786").go(6)
    kept = TypeAdapter(Memory)
    assert kept.validate_json(kept.dump_json(story.memory)) == story.memory
