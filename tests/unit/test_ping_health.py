"""What went wrong with us, and which losses that excuses: as little as can be, and never one that is proven."""

from __future__ import annotations

import pytest

from probes.protocols.icmp.health import LOOK_S, TOLD_S, WITNESS_HEARD_S, Doubt, PingHealth, WitnessSeries
from probes.protocols.icmp.series import CERTAIN_SILENCE, VOID, PingSeries

TIMEOUT_S = 2.0
SECOND_NS = 1_000_000_000


def watched(seconds: float = 10.0, *, step_ns: int = 0, drops: int = 0, late_s: float = 0.0) -> PingHealth:
    """Health that has been called each 0.1 s until then, all well; then once more, with what is given."""
    health = PingHealth(TIMEOUT_S)
    now = 0.0
    while now < seconds:
        health.due = now
        health.look(now, SECOND_NS, {4: 0, 6: 0}, called=True)
        now += LOOK_S
    health.due = now
    health.look(now + late_s, SECOND_NS + step_ns, {4: drops, 6: 0}, called=True)
    return health


def test_nothing_wrong_excuses_nothing() -> None:
    health = watched()
    assert health.doubts(10.2) == {}
    assert health.excuse(4, 9.0, 11.0) is None
    assert (health.excused, health.clock_steps, health.lag_sum_s) == (0, 0, 0)


def test_replies_that_our_socket_dropped_excuse_what_waited_for_one_meanwhile_in_that_family() -> None:
    health = watched(drops=12)
    why = "the agent's own socket lost 12 replies"
    assert health.doubts(10.2) == {Doubt.SOCKET_DROPS: why}
    assert health.excuse(4, 9.0, 11.0) == why
    assert health.excuse(6, 9.0, 11.0) is None
    assert health.excuse(4, 10.5, 12.5) is None, "sent after the drops"
    assert health.excuse(4, 7.5, 9.5) is None, "timed out before the drops"
    assert health.excuse(4, 9.0, 11.5, late=True) is None, "its reply was not dropped: it came, late"
    assert health.excused == 1


def test_a_stall_excuses_only_where_it_lasted_longer_than_a_request_may_take() -> None:
    short = watched(late_s=TIMEOUT_S - 0.1)
    assert short.excuse(4, 9.9, 12.1) is None
    assert short.doubts(12.1) == {}
    assert sum(short.lag_counts) > 90
    assert short.lag_counts[-1] == 1
    long = watched(late_s=TIMEOUT_S + 0.5)
    for late in (False, True):
        assert long.excuse(4, 9.9, 12.6, late=late) == "the event loop stood still for 2.5 s"
    assert long.excuse(4, 12.7, 14.7) is None


def test_a_stall_is_known_to_whoever_asks_before_the_timer_is_called_and_counts_once() -> None:
    health = watched()
    health.due = 10.2
    health.look(14.0, SECOND_NS, {}, called=False)
    counted = sum(health.lag_counts)
    assert health.excuse(4, 10.15, 14.0) is not None
    health.look(14.001, SECOND_NS, {}, called=True)
    assert sum(health.lag_counts) == counted
    assert health.lag_sum_s == pytest.approx(3.8)


def test_a_clock_that_is_set_is_counted_and_told_and_excuses_no_loss() -> None:
    health = watched(step_ns=3_200_000_000)
    assert health.clock_steps == 1
    assert health.doubts(10.2) == {Doubt.CLOCK_STEP: "the clock was set by +3.2 s"}
    assert health.excuse(4, 9.0, 11.0) is None
    assert health.why_untimed(10.2).endswith("the clock was set by +3.2 s")


def test_what_two_clocks_read_apart_by_less_than_a_millisecond_is_no_step_however_often() -> None:
    health = watched()
    for turn in range(100):
        health.look(11 + turn * LOOK_S, SECOND_NS + turn % 2 * 900_000, {})
    assert health.clock_steps == 0


def test_a_loopback_that_loses_excuses_others_of_its_family_and_not_itself() -> None:
    health = watched()
    series = WitnessSeries(1.0, 4, health)
    series.answered(9.0, 0.00002)
    series.lost(10.0)
    assert health.excuse(4, 8.5, 10.5) == "this machine lost 1 request to itself"
    assert health.excuse(6, 8.5, 10.5) is None
    assert health.excuse(4, 8.5, 10.5, witness=True) is None
    assert health.excuse(4, 10.0, 12.0) is None
    assert list(health.doubts(10.5)) == [Doubt.LOOPBACK_LOSS]


def test_a_loopback_that_never_answered_is_no_witness_and_one_fallen_silent_is_none_for_long() -> None:
    health = PingHealth(TIMEOUT_S)
    health.witness(4, 1.0, answered=False)
    assert health.excuse(4, 0.0, 1.5) is None
    assert health.doubts(1.5) == {}
    health.witness(4, 2.0, answered=True)
    silent = 2.0 + WITNESS_HEARD_S
    health.witness(4, silent, answered=False)
    assert health.excuse(4, silent - 1, silent + 1) is None
    assert list(health.doubts(silent)) == [Doubt.LOOPBACK_LOSS], "though it is told"


def test_a_doubt_is_told_for_a_minute_and_then_forgotten() -> None:
    health = watched(drops=1)
    assert health.doubts(10 + TOLD_S) == {Doubt.SOCKET_DROPS: "the agent's own socket lost 1 reply"}
    assert health.doubts(10.2 + TOLD_S) == {}


def test_what_is_excused_is_nobodys_loss_and_makes_its_window_suspect_and_no_other() -> None:
    series = PingSeries(1.0)
    series.answered(1.0, 0.02)
    series.excused("why")
    window = series.close(2.0)
    assert (window.sent, window.received, window.total_sent, window.suspect) == (1, 1, 1, "why")
    series.lost(3.0)
    assert series.close(4.0).suspect is None


def test_a_silence_that_is_proven_stays_one_whatever_else_is_excused() -> None:
    series = PingSeries(1.0)
    for _ in range(CERTAIN_SILENCE):
        series.lost(1.0)
    series.excused("why")
    window = series.close(2.0)
    assert (window.sent, window.received, window.suspect) == (CERTAIN_SILENCE, 0, None)
    for _ in range(CERTAIN_SILENCE):
        series.lost(3.0)
    series.answered(3.0, VOID)
    series.excused("why")
    assert series.close(4.0).suspect == "why"
