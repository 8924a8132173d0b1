"""What the agent says of its own measuring: series, status and log."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import cast

import pytest

from agent.health import Health
from probes import metrics
from probes.protocols.icmp import IcmpEngine
from probes.protocols.icmp.health import LOOK_S, TOLD_S, Doubt, PingHealth
from tests.unit.fakes import FakeClock

SECOND_NS = 1_000_000_000


class Watched:
    """The agent's health over a real `PingHealth` that the test lets see its troubles."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.own = PingHealth(2.0)
        pings = SimpleNamespace(
            health=self.own,
            socket_drops=0,
            lateness_counts=[0, 0, 3, 0, 0, 1, 0, 0],
            lateness_sum_s=0.3,
            send_delay=((5, *[0] * 9), 0.00004),
        )
        self.health = Health(cast(IcmpEngine, pings), self.clock)
        self.look()

    def look(self, *, step_ns: int = 0, drops: int = 0, late_s: float = 0.0) -> None:
        self.own.due = self.clock.now + LOOK_S
        self.clock.go(LOOK_S + late_s)
        self.own.look(self.clock.now, SECOND_NS + step_ns, {4: drops}, called=True)
        self.health._tell()

    def suspect(self) -> set[str]:
        """The doubts that the page shows."""
        return {
            reading.labels[0]
            for reading in self.health.readings()
            if reading.family is metrics.VANTAGE_SUSPECT and reading.value
        }


@pytest.mark.parametrize(
    ("trouble", "doubt", "text"),
    [
        ({"drops": 7}, Doubt.SOCKET_DROPS, "the agent's own socket lost 7 replies"),
        ({"late_s": 2.5}, Doubt.LOOP_STALL, "the event loop stood still for 2.5 s"),
        ({"step_ns": 3 * SECOND_NS}, Doubt.CLOCK_STEP, "the clock was set by +3 s"),
    ],
)
def test_each_trouble_of_our_own_is_on_the_page_in_the_status_and_in_the_log_until_it_is_over(
    trouble: dict[str, int], doubt: Doubt, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watched = Watched()
    assert (watched.suspect(), watched.health.status()["suspect"]) == (set(), {})
    watched.look(**trouble)
    assert watched.suspect() == {doubt}
    assert watched.health.status()["suspect"] == {doubt: {"since": watched.clock.wall(), "text": text}}
    watched.clock.go(TOLD_S + 1)
    after = {key: value for key, value in trouble.items() if key != "late_s"}
    watched.look(**after)
    assert (watched.suspect(), watched.health.status()["suspect"]) == (set(), {})
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.messages[0] == f"vantage: {doubt}: {text}; results that this touches are suspect"
    assert caplog.messages[1].startswith(f"vantage: {doubt} is over after 61 s")


def test_lateness_of_the_loop_and_of_requests_is_a_histogram_each() -> None:
    watched = Watched()
    watched.look(late_s=0.3)
    shown = {item.family: item for item in watched.health.distributions()}
    lag = shown[metrics.LOOP_LAG]
    assert lag.counts == (1, 0, 0, 0, 0, 1, 0, 0)
    assert lag.total == pytest.approx(0.3)
    assert shown[metrics.ICMP_SEND_LATENESS].counts == (0, 0, 3, 0, 0, 1, 0, 0)
    assert shown[metrics.ICMP_SEND_LATENESS].total == 0.3
