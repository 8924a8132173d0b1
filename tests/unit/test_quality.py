"""Meeting quality agrees with the published check values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.quality import g107_r, heard_delay_s, mos, simplified_r


@pytest.mark.parametrize(
    ("delay_ms", "loss_percent", "r", "score"),
    [
        (0, 0, 93.20, 4.409),
        (50, 0.5, 90.14, 4.343),
        (150, 1, 85.96, 4.228),
        (200, 2, 78.89, 3.981),
        (250, 3, 69.06, 3.553),
        (400, 5, 43.32, 2.230),
        (300, 10, 45.44, 2.338),
    ],
)
def test_g107_gives_its_check_values(delay_ms: float, loss_percent: float, r: float, score: float) -> None:
    found = g107_r(delay_ms / 1000, loss_percent / 100)
    assert found == pytest.approx(r, abs=0.005)
    assert mos(found) == pytest.approx(score, abs=0.0005)


@pytest.mark.parametrize(
    ("one_way_ms", "jitter_ms", "loss_percent", "r", "score"),
    [
        (20, 2, 0, 92.35, 4.39),
        (150, 30, 1, 80.70, 4.05),
        (200, 30, 2, 73.20, 3.74),
        (300, 40, 3, 58.70, 3.03),
        (600, 80, 20, 0, 1.0),
    ],
)
def test_the_simplified_model_gives_its_check_values(
    one_way_ms: float, jitter_ms: float, loss_percent: float, r: float, score: float
) -> None:
    delay_s = heard_delay_s(2 * one_way_ms / 1000, jitter_ms / 1000)
    found = simplified_r(delay_s, loss_percent / 100)
    assert found == pytest.approx(r, abs=0.005)
    assert mos(found) == pytest.approx(score, abs=0.005)


@pytest.mark.parametrize(
    ("r", "score"), [(90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58), (-5, 1), (100, 4.5)]
)
def test_the_score_follows_from_the_r_factor(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.005)


@given(st.floats(0, 60), st.floats(0, 60), st.floats(0, 1))
def test_no_link_whatever_leaves_the_scale(rtt_s: float, jitter_s: float, loss_ratio: float) -> None:
    delay_s = heard_delay_s(rtt_s, jitter_s)
    for r in (simplified_r(delay_s, loss_ratio), g107_r(delay_s, loss_ratio), 5.0):
        assert 0 <= r <= 100
        assert 1 <= mos(r) <= 4.5
