"""What devices tell of themselves, as evidence: power or link."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from agent.diagnosis import Device, Link, Memory, Site, Topology, Trap, step
from probes import metrics
from probes.results import Cause, CommuneState, Sign
from tests.unit.test_diagnosis import BEAT, Story, mains

UPS, ROUTER = "device/01290/ups", "device/01290/router"


@pytest.fixture
def story() -> Story:
    devices = (Device("router", ROUTER), Device("ups", UPS))
    site = Site(None, (Link("primary", "primary", "link/01290/primary"),), devices)
    topology = Topology({"01290": site}, references=("reference/hub",), link_beat_s=BEAT, device_beat_s=6 * BEAT)
    return Story(topology, ups={UPS: mains()}).go(13)


def tell(story: Story, target: str, sign: Sign | None = None, **values: float) -> None:
    told = {f"lienxa_{name}": value for name, value in values.items()}
    trap = Trap(target, story.now, sign, told)
    story.memory, story.outcome = step(story.memory, story.topology, [], story.now, traps=[trap])


def rules(story: Story) -> list[str]:
    return [evidence.rule for evidence in story.outcome.verdicts["01290"].evidence]


def test_without_a_trap_the_last_reading_on_mains_means_the_link(story: Story) -> None:
    assert story.cut("01290").go(5).state("01290") == (CommuneState.DOWN, (Cause.LINK,))


def test_a_ups_that_went_on_battery_just_before_the_silence_means_power(story: Story) -> None:
    tell(story, UPS, Sign.ON_BATTERY, ups_on_battery=1)
    story.cut("01290").go(5)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.POWER,))
    assert rules(story) == ["trap_on_battery"]
    assert story.outcome.verdicts["01290"].last_words["ups_on_battery"][0] == 1


def test_a_ups_that_told_it_was_back_on_mains_does_not_mean_power(story: Story) -> None:
    tell(story, UPS, Sign.ON_BATTERY, ups_on_battery=1)
    story.now += 1
    tell(story, UPS, ups_on_battery=0)
    assert story.cut("01290").go(5).state("01290") == (CommuneState.DOWN, (Cause.LINK,))


def test_a_battery_told_of_long_before_the_silence_leaves_the_old_rules(story: Story) -> None:
    tell(story, UPS, Sign.ON_BATTERY, ups_on_battery=1)
    story.go(12).cut("01290").go(5)
    assert "trap_on_battery" not in rules(story)


def test_a_dying_gasp_means_power_where_no_ups_tells(story: Story) -> None:
    story.ups = {}
    tell(story, ROUTER, Sign.DYING_GASP)
    story.cut("01290").go(5)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.POWER,))


def test_a_cold_start_during_the_silence_revises_the_cause_to_power(story: Story) -> None:
    story.cut("01290").go(6)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.LINK,))
    tell(story, ROUTER, Sign.COLD_START)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.POWER,))
    assert story.outcome.incidents["commune/01290"].cause is Cause.POWER
    assert rules(story) == ["trap_cold_start"]


def test_a_port_that_went_down_is_told_and_decides_nothing(story: Story) -> None:
    tell(story, ROUTER, Sign.LINK_DOWN)
    story.cut("01290").go(5)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.LINK,))
    assert rules(story) == ["on_mains", "trap_link_down"]


def test_a_result_of_a_beat_that_began_before_the_trap_does_not_undo_it(story: Story) -> None:
    began = story.now
    tell(story, UPS, Sign.ON_BATTERY, ups_on_battery=1)
    story.now += 2
    story.step([replace(story.change(UPS), at=began - 1)])
    assert story.memory.targets[UPS].readings[metrics.UPS_ON_BATTERY.name] == (1, began)


def test_what_traps_told_survives_a_restart(story: Story) -> None:
    tell(story, UPS, Sign.ON_BATTERY, ups_on_battery=1)
    kept = TypeAdapter(Memory)
    story.memory = kept.validate_json(kept.dump_json(story.memory))
    story.cut("01290").go(5)
    assert story.state("01290") == (CommuneState.DOWN, (Cause.POWER,))


def test_a_trap_of_a_device_that_was_never_asked_is_no_evidence_yet() -> None:
    topology = Topology({"01290": Site(None, (), (Device("ups", UPS),))})
    memory, _ = step(Memory(), topology, [], 10.0, traps=[Trap(UPS, 9.0, Sign.ON_BATTERY)])
    assert memory.targets == {}
