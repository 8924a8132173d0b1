"""What pinging a link costs."""

from __future__ import annotations

import pytest

from probes.protocols.icmp.budget import CONNECT_BYTES, DAY_S, Spent, pace, round_trip_bytes
from probes.protocols.icmp.series import PingSeries


def test_a_ping_a_second_costs_fourteen_and_a_half_megabytes_a_day() -> None:
    each = round_trip_bytes("10.4.1.1", 64)
    assert each == 2 * 84
    assert each * DAY_S / 1e6 == pytest.approx(14.5, abs=0.02)
    assert round_trip_bytes("2001:db8::1", 64) == 2 * 104


@pytest.mark.parametrize(("budget", "expected"), [(None, 1.0), (20e6, 1.0), (10e6, 0.654), (1e6, 0.0654)])
def test_pings_are_sent_as_rarely_as_the_budget_needs(budget: float | None, expected: float) -> None:
    found = pace(1.0, 168, budget)
    assert found == pytest.approx(expected, rel=1e-3)
    assert budget is None or found * 168 * DAY_S <= budget


def test_bytes_are_counted_once_and_go_on_when_a_stream_begins_anew() -> None:
    spent, series = Spent(), PingSeries(1.0)
    series.answered(1.0, 0.02)
    series.lost(2.0)
    spent.pinged(series.close(3.0), 168)
    assert spent.total == 3 * 84
    series.duplicate()
    spent.pinged(series.close(13.0), 168)
    assert spent.total == 4 * 84
    again = PingSeries(1.0)
    again.answered(20.0, 0.02)
    spent.pinged(again.close(23.0), 168)
    spent.connected()
    assert spent.total == 6 * 84 + CONNECT_BYTES


def test_a_day_begins_at_midnight_in_vietnam() -> None:
    midnight = 1_700_000_000 // DAY_S * DAY_S + 17 * 3600  # 17:00 UTC
    spent = Spent()
    assert spent.today(midnight - 10) == 0
    spent.total = 500
    assert spent.today(midnight - 1) == 500
    assert spent.today(midnight) == 0
    spent.total = 700
    assert spent.today(midnight + 3600) == 200
