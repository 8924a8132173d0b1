"""Beats fall on a grid of their own and never pile up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.schedule import first_due, next_due


def test_the_first_beat_lies_within_one_interval() -> None:
    now = 1234.5
    assert now < first_due("link/01290/primary", now, 10) <= now + 10


def test_a_restart_keeps_the_grid() -> None:
    before = first_due("device/01290/ups", 100.0, 60)
    after = first_due("device/01290/ups", 5000.0, 60)
    assert (after - before) % 60 == pytest.approx(0)


def test_names_are_spread_over_the_interval() -> None:
    starts = sorted(first_due(f"link/{code:05}/primary", 0.0, 10) for code in range(1000))
    quarters = [sum(1 for start in starts if low <= start < low + 2.5) for low in (0, 2.5, 5, 7.5)]
    assert min(quarters) > 200


def test_a_quick_run_beats_every_interval() -> None:
    due = 0.1
    sequence = []
    for _ in range(5):
        due, skipped = next_due(due, due + 0.02, 0.1)
        sequence.append((round(due, 3), skipped))
    assert sequence == [(0.2, 0), (0.3, 0), (0.4, 0), (0.5, 0), (0.6, 0)]


def test_a_slow_run_skips_beats_and_stays_on_the_grid() -> None:
    assert next_due(10.0, 37.0, 10) == (40.0, 2)


@given(st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0.01, 3600))
def test_the_next_beat_is_never_in_the_past(due: float, late: float, interval: float) -> None:
    following, skipped = next_due(due, due + late, interval)
    assert following > due
    assert following >= due + late - interval * 1e-6
    assert skipped >= 0
