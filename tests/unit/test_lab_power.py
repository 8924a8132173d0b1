"""Mains and batteries, with the time handed in."""

from __future__ import annotations

import pytest

from deploy.lab.power import RECHARGE, Site

UPS = Site(runtime_s=20.0, booted=-1000.0)
BARE = Site(runtime_s=0.0, booted=-1000.0)


def test_a_site_without_a_ups_is_dark_at_once_and_boots_with_the_mains() -> None:
    cut = BARE.cut(100)
    assert not cut.lit(100)
    back = cut.back(160)
    assert back.lit(160)
    assert back.booted == 160


def test_a_battery_drains_evenly_counts_its_seconds_and_then_all_is_dark() -> None:
    cut = UPS.cut(100)
    assert [cut.charge_at(at) for at in (100, 105, 110, 120, 130)] == pytest.approx([1, 0.75, 0.5, 0, 0])
    assert [cut.on_battery_s(at) for at in (100, 110)] == [0, 10]
    assert cut.left_s(105) == pytest.approx(15)
    assert cut.line_bads == 1
    assert [cut.lit(at) for at in (100, 119.9, 120, 130)] == [True, True, False, False]
    assert cut.dark_from == 120


def test_mains_that_return_in_time_restart_nothing() -> None:
    back = UPS.cut(100).back(110)
    assert back.booted == UPS.booted
    assert back.on_battery_s(111) == 0


def test_mains_that_return_late_restart_everything_with_an_empty_battery() -> None:
    back = UPS.cut(100).back(150)
    assert back.booted == 150
    assert back.charge_at(150) == 0
    assert back.line_bads == 1


def test_a_battery_recharges_and_a_second_cut_finds_it_as_full_as_it_is() -> None:
    back = UPS.cut(100).back(110)
    assert back.charge_at(110 + 20 * RECHARGE / 4) == pytest.approx(0.75)
    assert back.charge_at(10_000) == 1
    again = back.cut(110 + 20 * RECHARGE / 4)
    assert again.dark_from == pytest.approx(110 + 20 * RECHARGE / 4 + 15)
    assert again.line_bads == 2


def test_cutting_what_is_cut_and_restoring_what_is_on_change_nothing() -> None:
    cut = UPS.cut(100)
    assert cut.cut(110) == cut
    assert UPS.back(110) == UPS


@pytest.mark.parametrize("mains", [True, False])
def test_another_battery_is_as_full_as_the_old_one(mains: bool) -> None:
    before = UPS.cut(100).back(110) if mains else UPS.cut(100)
    after = before.with_runtime(900, 111)
    assert after.charge_at(111) == pytest.approx(before.charge_at(111))
    assert after.on_battery_s(111) == before.on_battery_s(111)
    assert after.left_s(111) == pytest.approx(900 * before.charge_at(111))


def test_a_battery_for_a_site_without_a_ups_is_no_battery() -> None:
    assert BARE.with_runtime(900, 1) == BARE
