"""SNMP where it is hard, as the runner beats it: behind a link that loses, and good devices among dead ones."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.lab import LabError
from tests.bench import snmp_crowd, snmp_lossy

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


def lossy(communes: int, beats: int) -> dict[str, list[int]]:
    try:
        # a beat is counted when it ends, up to 0.8 of its interval later
        return snmp_lossy.measured(communes, 30.0, (beats + 0.85) * 30.0)["beats"]
    except LabError as error:
        pytest.skip(f"no lab on this machine: {error}")


@pytest.mark.parametrize(("communes", "beats"), [(10, 1), pytest.param(24, 7, marks=pytest.mark.slow)])
def test_a_link_that_loses_a_tenth_and_takes_600_ms_hides_no_signal_no_power_and_few_tables(
    communes: int, beats: int
) -> None:
    counts = lossy(communes, beats)
    assert all(counts[name][1] >= communes * beats * 0.95 for name in ("cell", "ups", "interfaces")), counts
    assert snmp_lossy.share(counts, snmp_lossy.SMALL) > 0.99, counts
    assert snmp_lossy.share(counts, ("interfaces",)) > 0.9, counts


def good_ones(told: dict[str, Any]) -> dict[str, int]:
    return {key: count for key, count in told["outcomes"].items() if key.startswith("good ")}


def test_more_dead_devices_than_the_runner_has_slots_delay_no_good_one() -> None:
    told = snmp_crowd.measured(good=300, dead=400, beat_s=5.0, timeout_s=5.0, beats=3.0)
    assert good_ones(told).keys() == {"good ok"}
    assert good_ones(told)["good ok"] >= 300 * 2
    assert told["outcomes"]["dead timeout"] >= 400, "all of them were waited for"
    assert told["punctual"] / told["beats"] >= 0.99, told


@pytest.mark.slow
def test_two_hundred_slow_or_dead_devices_delay_no_beat_of_two_thousand_good_ones() -> None:
    told = snmp_crowd.measured(good=2_000, dead=200, beat_s=30.0, timeout_s=5.0, beats=3.0)
    assert good_ones(told).keys() == {"good ok"}
    assert good_ones(told)["good ok"] >= 2_000 * 2.9
    assert told["outcomes"]["dead timeout"] >= 200 * 2.5
    assert told["punctual"] / told["beats"] >= 0.99, told
    assert told["descriptors"] <= 4_096
