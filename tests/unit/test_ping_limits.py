"""When a link that answers counts as degraded."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.state import Fold, fold
from probes.model import LIMITS
from probes.protocols.icmp.limits import Course, Limits
from probes.protocols.icmp.series import PingSeries
from probes.results import Reason, Result, TargetState

FIBRE = Limits(**LIMITS["fibre"])
Fate = float | None
"""Seconds until the reply; none where it did not come."""
GOOD: tuple[Fate, ...] = (0.02,) * 10
SILENT: tuple[Fate, ...] = (None,) * 10


class Told:
    """A link told beat by beat, through the real series and the real fold."""

    def __init__(self, limits: Limits = FIBRE) -> None:
        self.series, self.course, self.limits = PingSeries(1.0), Course(), limits
        self.now, self.state = 1000.0, Fold()
        self.reasons: list[Reason | None] = []
        self.states: list[TargetState] = []
        self.words = ""

    def beat(self, fates: Iterable[Fate], times: int = 1) -> Told:
        """The same beat of 10 s so many times over."""
        beats = list(fates)
        for _ in range(times):
            for number, rtt in enumerate(beats):
                at = self.now + number * 10 / len(beats)
                if rtt is None:
                    self.series.lost(at)
                else:
                    self.series.answered(at, rtt)
            self.now += 10
            window = self.series.close(self.now)
            self.course.take(window)
            found = self.course.judge(window, self.limits) if window.received else [(Reason.TIMEOUT, "")]
            self.reasons.append(found[0][0] if found else None)
            self.words = "; ".join(words for _, words in found)
            self.state = fold(self.state, Result(self.reasons[-1]).grade, self.now, fall=3, rise=2)
            self.states.append(self.state.state)
        return self

    def latest(self) -> tuple[Reason | None, TargetState]:
        return self.reasons[-1], self.states[-1]


def with_lost(*lost: int) -> tuple[Fate, ...]:
    """A good beat in which these packets of ten are lost."""
    return tuple(None if number in lost else rtt for number, rtt in enumerate(GOOD))


def test_one_lost_packet_of_sixty_degrades_nothing() -> None:
    link = Told().beat(GOOD, 30).beat(with_lost(3)).beat(GOOD, 30)
    assert set(link.reasons) == {None}


def test_an_interruption_of_nine_seconds_is_no_loss_afterwards() -> None:
    link = Told().beat(GOOD, 10).beat(with_lost(6, 7, 8, 9)).beat(with_lost(0, 1, 2, 3, 4)).beat(GOOD, 30)
    assert set(link.reasons) == {None}


def test_two_percent_on_a_fibre_are_told_within_five_minutes() -> None:
    link = Told().beat(GOOD, 30)
    for _ in range(6):
        link.beat(with_lost(5)).beat(GOOD, 4)
    assert link.latest() == (Reason.LOSS, TargetState.DEGRADED)
    assert link.words == "6 of the last 300 lost"


def test_a_fifth_lost_is_told_within_seven_beats() -> None:
    link = Told().beat(GOOD, 30).beat(with_lost(2, 7), 7)
    assert link.latest() == (Reason.LOSS, TargetState.DEGRADED)


def test_an_outage_is_nobodys_loss_once_it_is_over() -> None:
    link = Told().beat(GOOD, 10).beat(with_lost(5, 6, 7, 8, 9)).beat(SILENT, 6)
    assert link.latest() == (Reason.TIMEOUT, TargetState.DOWN)
    link.beat(with_lost(0, 1, 2)).beat(GOOD, 2)
    assert link.latest() == (None, TargetState.UP)
    assert Reason.LOSS not in link.reasons


def test_a_link_that_is_silent_in_every_third_beat_is_degraded_though_never_down() -> None:
    link = Told()
    for _ in range(8):
        link.beat(SILENT).beat(GOOD, 2)
    assert link.latest() == (Reason.LOSS, TargetState.DEGRADED)


def test_loss_at_the_threshold_does_not_flap() -> None:
    chance = random.Random(4)
    limits = Limits(0.05, 1, 1, 1.1)
    link = Told(limits).beat(GOOD, 30)
    for _ in range(1000):
        link.beat(with_lost(*(number for number in range(10) if chance.random() < 0.05)))
    changes = sum(1 for before, after in zip(link.states, link.states[1:], strict=False) if before is not after)
    assert changes < 15  # in three hours; without hysteresis 40


def test_a_good_mobile_link_of_two_lost_in_a_thousand_stays_up_for_a_day() -> None:
    chance = random.Random(4)
    link = Told(Limits(**LIMITS["lte"])).beat(GOOD, 30)
    for _ in range(8640):
        link.beat(with_lost(*(number for number in range(10) if chance.random() < 0.002)))
    assert set(link.states) == {TargetState.UP}


def test_one_slow_packet_degrades_nothing_even_among_few() -> None:
    link = Told().beat((0.02,), 6).beat((1.0,)).beat((0.02,), 8)
    assert set(link.reasons) == {None}


def test_latency_is_that_of_ninety_five_of_a_hundred() -> None:
    slow = (0.2,) * 2 + (0.02,) * 8
    link = Told(Limits(1, 0.15, 1, 1.1)).beat(GOOD, 6).beat(slow)
    assert link.latest() == (None, TargetState.UP)
    link.beat(slow, 4)
    assert link.latest() == (Reason.LATENCY, TargetState.DEGRADED)
    assert link.words == "95 % within 200 ms"


def test_latency_clears_only_when_clearly_better() -> None:
    link = Told(Limits(1, 0.15, 1, 1.1)).beat((0.16,) * 10, 10).beat((0.14,) * 10, 20)
    assert link.latest() == (Reason.LATENCY, TargetState.DEGRADED)
    link.beat((0.11,) * 10, 8)
    assert link.latest() == (None, TargetState.UP)
    assert Told(Limits(1, 0.15, 1, 1.1)).beat((0.14,) * 10, 20).latest() == (None, TargetState.UP)


def test_a_single_late_packet_is_no_jitter() -> None:
    late = (0.02, 1.5, *GOOD[2:])
    link = Told(Limits(1, 2, 0.03, 1.1)).beat(GOOD, 6).beat(late).beat(GOOD, 6)
    assert set(link.states) == {TargetState.UP}


def test_jitter_that_lasts_is_told_and_goes() -> None:
    unsteady = (0.02, 0.08) * 5
    link = Told(Limits(1, 2, 0.03, 1.1)).beat(GOOD, 6).beat(unsteady, 6)
    assert link.latest() == (Reason.JITTER, TargetState.DEGRADED)
    assert link.words.startswith("jitter ")
    assert link.beat(GOOD, 10).latest() == (None, TargetState.UP)


def test_a_link_on_which_no_meeting_is_possible_is_degraded_though_no_figure_alone_is_bad() -> None:
    link = Told(Limits(0.2, 0.5, 0.1, 3.6)).beat((0.38, 0.44) * 5, 10)
    assert link.latest() == (Reason.QUALITY, TargetState.DEGRADED)
    assert link.words == "mean opinion score 3.5"


def test_a_satellite_link_in_good_weather_is_up() -> None:
    link = Told(Limits(**LIMITS["vsat"])).beat((0.60, 0.64) * 5, 30)
    assert set(link.reasons) == {None}


def test_the_worst_is_named_first_and_all_of_it_in_words() -> None:
    link = Told().beat((None, None, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5), 10)
    assert link.latest() == (Reason.LOSS, TargetState.DEGRADED)
    assert [part.split()[-1] for part in link.words.split("; ")][:2] == ["lost", "ms"]
    assert "jitter" in link.words
    assert "mean opinion score" in link.words


@pytest.mark.parametrize(("lost", "reason"), [(1, None), (2, Reason.LOSS)])
def test_a_probe_by_hand_is_judged_by_its_own_five_packets(lost: int, reason: Reason | None) -> None:
    series, course = PingSeries(1.0), Course()
    for number in range(5):
        if number < lost:
            series.lost(1.0)
        else:
            series.answered(1.0, 0.02)
    window = series.close(2.0)
    course.take(window)
    found = course.judge(window, FIBRE, once=True)
    assert [found_reason for found_reason, _ in found] == ([reason] if reason else [])


@given(st.lists(st.lists(st.none() | st.floats(0, 2), min_size=1, max_size=10), max_size=40))
def test_whatever_comes_is_judged(beats: list[list[Fate]]) -> None:
    link = Told()
    for fates in beats:
        link.beat(fates)
    assert all(reason is None or isinstance(reason, Reason) for reason in link.reasons)
