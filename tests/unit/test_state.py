"""A state follows several beats, never one."""

from hypothesis import given
from hypothesis import strategies as st

from agent.state import Fold, fold
from probes.results import TargetState

UP, DEGRADED, DOWN, UNKNOWN = TargetState.UP, TargetState.DEGRADED, TargetState.DOWN, TargetState.UNKNOWN


def states(*grades: TargetState, start: Fold | None = None) -> list[TargetState]:
    at = start or Fold()
    seen = []
    for moment, grade in enumerate(grades):
        at = fold(at, grade, float(moment), fall=3, rise=2)
        seen.append(at.state)
    return seen


def test_the_first_good_beat_is_believed() -> None:
    assert states(UP) == [UP]


def test_a_target_that_never_answered_is_unknown_until_it_has_failed_often_enough() -> None:
    assert states(DOWN, DOWN, DOWN) == [UNKNOWN, UNKNOWN, DOWN]


def test_two_lost_beats_are_not_an_outage_but_three_are() -> None:
    assert states(UP, DOWN, DOWN, UP, DOWN, DOWN, DOWN) == [UP, UP, UP, UP, UP, UP, DOWN]


def test_one_good_beat_does_not_end_an_outage() -> None:
    assert states(UP, DOWN, DOWN, DOWN, UP, DOWN, UP, UP)[-5:] == [DOWN, DOWN, DOWN, DOWN, UP]


def test_bad_beats_of_two_kinds_settle_on_what_all_of_them_reach() -> None:
    assert states(UP, DEGRADED, DOWN, DOWN)[-1] is DEGRADED
    assert states(UP, DEGRADED, DOWN, DOWN, DOWN, DOWN)[-1] is DOWN


def test_a_target_recovers_through_degraded_only_as_far_as_its_beats_say() -> None:
    assert states(UP, DOWN, DOWN, DOWN, DEGRADED, UP)[-1] is DEGRADED


def test_a_beat_that_says_nothing_changes_nothing() -> None:
    assert states(UP, DOWN, DOWN, UNKNOWN, DOWN)[-2:] == [UP, DOWN]


def test_an_outage_began_with_its_first_bad_beat() -> None:
    at = Fold()
    for moment, grade in enumerate((UP, DOWN, DOWN, DOWN)):
        at = fold(at, grade, 10.0 * moment, fall=3, rise=2)
    assert (at.state, at.since) == (DOWN, 10.0)


@given(st.lists(st.sampled_from([UP, DEGRADED, DOWN, UNKNOWN]), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_a_state_changes_only_when_the_last_beats_agree(grades: list[TargetState], fall: int, rise: int) -> None:
    badness = {UP: 0, DEGRADED: 1, DOWN: 2}
    at = Fold()
    spoken: list[TargetState] = []
    for moment, grade in enumerate(grades):
        before = at
        at = fold(at, grade, float(moment), fall=fall, rise=rise)
        if grade is not UNKNOWN:
            spoken.append(grade)
        if at.state is not before.state and before.state is not UNKNOWN:
            needed = fall if badness[at.state] > badness[before.state] else rise
            latest = [badness[word] for word in spoken[-needed:]]
            assert len(latest) == needed
            assert all((word > badness[before.state]) == (badness[at.state] > badness[before.state]) for word in latest)
