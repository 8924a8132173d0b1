"""What the kind makes of a link's windows: the TCP fall-back, the budget, quality. On loopback and made-up windows."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent.state import Fold, fold
from probes import metrics
from probes.kinds.icmp import IcmpSettings, check
from probes.ports import PLAIN_PING, PingErrorKind, PingOptions, PingWindow
from probes.protocols.icmp import IcmpEngine
from probes.protocols.icmp.series import PingSeries
from probes.results import Reason, Result, TargetState
from tests.probes.conftest import SystemClock, TestNet, beat, free_port, in_namespace, value
from tests.probes.test_icmp import an_engine, answer_no_more

HERE = "127.4.0.9"


@dataclass
class MovedClock(SystemClock):
    """Wall time as told."""

    at: float = 1_700_000_000.0

    def wall(self) -> float:
        return self.at


@dataclass
class ToldPings:
    """Windows made of what the test says: seconds until the reply, none where it did not come."""

    fates: list[float | None] = field(default_factory=lambda: [0.02] * 10)
    error: bool = False
    suspect: str | None = None
    paces: list[float] = field(default_factory=list)
    options: PingOptions = PLAIN_PING
    series: PingSeries = field(default_factory=lambda: PingSeries(1.0))
    now: float = 1000.0

    async def window(
        self,
        stream: str,
        address: str,
        packets_per_s: float,
        *,
        continuous: bool = True,
        options: PingOptions = PLAIN_PING,
    ) -> PingWindow:
        self.paces.append(packets_per_s)
        self.options = options
        self.now += 10
        for rtt in self.fates:
            if rtt is None:
                self.series.lost(self.now)
            else:
                self.series.answered(self.now, rtt)
        if self.error:
            self.series.failed("10.0.0.1", PingErrorKind.HOST_UNREACHABLE)
        return self.series.close(self.now)._replace(suspect=self.suspect)


@contextlib.contextmanager
def listening(address: str = HERE) -> Iterator[int]:
    """A TCP port that accepts."""
    with socket.create_server((address, 0)) as server:
        yield server.getsockname()[1]


async def beats(pings: ToldPings, count: int = 1, clock: SystemClock | None = None, **settings: object) -> list[Result]:
    """So many beats of one link, its memory handed on."""
    net = TestNet(clock=clock or SystemClock(), pings=pings)
    given = IcmpSettings.model_validate({"address": HERE, **settings})
    results: list[Result] = []
    for _ in range(count):
        results.append(await check(given, net, beat(results[-1].memory if results else None)))
    return results


SILENT: list[float | None] = [None] * 10


async def test_a_port_that_accepts_or_refuses_proves_that_a_link_without_pings_lives() -> None:
    with listening() as port:
        (accepts,) = await beats(ToldPings(SILENT), tcp_port=port)
    (refuses,) = await beats(ToldPings(SILENT), tcp_port=port)
    for result, word in ((accepts, "answers"), (refuses, "refuses")):
        assert result.grade is TargetState.UP
        assert re.fullmatch(rf"0 of 10 answered; ICMP filtered, TCP {port} {word} in \d+ ms", result.detail)
        connected = value(result, metrics.PROBE_DURATION, "connect")
        assert connected is not None
        assert 0 < connected < 0.1


async def test_where_only_pings_are_filtered_their_loss_is_not_told_as_the_links() -> None:
    with listening() as port:
        results = await beats(ToldPings(SILENT), 8, tcp_port=port)
    assert {result.reason for result in results} == {None}
    assert value(results[-1], metrics.LINK_LOSS) is None
    assert value(results[-1], metrics.LINK_SENT) == 80


async def test_neither_pings_nor_tcp_is_down_and_both_are_told() -> None:
    pings = ToldPings(SILENT, error=True)

    async def scenario() -> Result:
        return (await beats(pings, address="192.0.2.1", tcp_port=443))[0]

    result = await asyncio.to_thread(in_namespace, scenario)
    assert (result.reason, result.grade) == (Reason.UNREACHABLE, TargetState.DOWN)
    assert result.detail == "0 of 10 answered; host unreachable, says 10.0.0.1; TCP 443: Network is unreachable"
    assert value(result, metrics.LINK_LOSS) == 1


async def test_a_port_that_does_not_answer_is_waited_for_no_longer_than_three_seconds() -> None:
    with socket.socket() as full:
        full.bind((HERE, 0))
        full.listen(0)
        port = full.getsockname()[1]
        with contextlib.ExitStack() as waiting:
            for _ in range(3):  # fill its queue: what comes then is dropped
                client = waiting.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex((HERE, port))
            began = asyncio.get_running_loop().time()
            (result,) = await beats(ToldPings(SILENT), tcp_port=port)
    assert result.reason is Reason.TIMEOUT
    assert result.detail == f"0 of 10 answered; TCP {port} does not answer within 3 s"
    assert asyncio.get_running_loop().time() - began < 4


async def test_tcp_is_not_asked_while_a_ping_is_answered_or_we_are_in_doubt() -> None:
    port = free_port()
    for pings in (ToldPings([None] * 9 + [0.02]), ToldPings([]), ToldPings(SILENT, suspect="the clock was set")):
        (result,) = await beats(pings, tcp_port=port)
        assert "TCP" not in result.detail
        assert value(result, metrics.PROBE_DURATION, "connect") is None


def test_tcp_answers_for_a_host_that_ignores_pings() -> None:
    async def scenario() -> Result:
        answer_no_more()
        pings = an_engine(timeout_s=0.2)
        try:
            with listening("127.0.0.1") as port:
                settings = IcmpSettings(address="127.0.0.1", packets_per_s=50.0, tcp_port=port, source="127.0.0.1")
                return await check(settings, TestNet(pings=pings), beat())
        finally:
            pings.close()

    result = in_namespace(scenario)
    assert result.reason is None
    assert "ICMP filtered, TCP" in result.detail


async def test_a_suspect_window_says_nothing_of_the_link_however_bad_it_is() -> None:
    pings = ToldPings(SILENT, suspect="the agent's own socket lost 3 replies")
    (result,) = await beats(pings)
    assert (result.reason, result.detail) == (Reason.SUSPECT, "the agent's own socket lost 3 replies")
    assert result.grade is TargetState.UNKNOWN


def states(results: list[Result]) -> list[TargetState]:
    """The damped state after each beat."""
    folds = [Fold()]
    for number, result in enumerate(results):
        folds.append(fold(folds[-1], result.grade, 10.0 * number, fall=3, rise=2))
    return [at.state for at in folds[1:]]


@pytest.mark.parametrize(
    ("before", "settled"),
    [([0.02] * 10, TargetState.UP), ([0.4] * 10, TargetState.DEGRADED), (SILENT, TargetState.DOWN)],
    ids=["up", "slow", "silent"],
)
@pytest.mark.parametrize("meanwhile", [SILENT, [0.9] * 10, [0.02] * 10], ids=["lost", "late", "well"])
async def test_the_state_holds_while_our_own_measuring_is_in_doubt_whatever_it_shows(
    before: list[float | None], settled: TargetState, meanwhile: list[float | None]
) -> None:
    pings = ToldPings(before)
    memory: object = None
    results: list[Result] = []
    for number in range(14):
        if number == 4:
            pings.fates, pings.suspect = meanwhile, "the event loop stood still for 2.5 s"
        result = await check(IcmpSettings(address=HERE, mos=1.1), TestNet(pings=pings), beat(memory))
        memory = result.memory
        results.append(result)
    assert {result.reason for result in results[4:]} == {Reason.SUSPECT}
    assert set(states(results)[3:]) == {settled}


async def test_everything_that_degrades_a_link_is_a_series_and_goes_with_it() -> None:
    pings = ToldPings([0.1, 0.5] * 15)
    results = await beats(pings, 4)
    pings.fates = [0.02] * 60
    results += await beats(pings, 4)
    shown = [
        sorted(reading.labels[0] for reading in result.readings if reading.family is metrics.LINK_DEGRADED)
        for result in results
    ]
    assert shown[3] == ["jitter", "latency", "quality"]
    assert results[3].reason is Reason.LATENCY
    assert shown[-1] == []


async def test_a_silent_link_is_down_and_not_degraded() -> None:
    results = await beats(ToldPings(SILENT), 4)
    assert not [reading for result in results for reading in result.readings if reading.family is metrics.LINK_DEGRADED]


async def test_quality_is_told_by_both_formulas() -> None:
    (result,) = await beats(ToldPings([0.1] * 10))
    found = {
        (family, formula): value(result, family, formula)
        for family in (metrics.LINK_R_FACTOR, metrics.LINK_MOS)
        for formula in ("g107", "simplified")
    }
    assert found == {  # 60 ms from mouth to ear, no jitter, no loss
        (metrics.LINK_R_FACTOR, "g107"): pytest.approx(93.2 - 0.024 * 60, abs=1e-3),
        (metrics.LINK_R_FACTOR, "simplified"): pytest.approx(93.2 - 60 / 40, abs=1e-3),
        (metrics.LINK_MOS, "g107"): pytest.approx(4.378, abs=2e-3),
        (metrics.LINK_MOS, "simplified"): pytest.approx(4.378, abs=2e-3),
    }


async def test_a_link_that_is_silent_has_no_quality() -> None:
    (result,) = await beats(ToldPings(SILENT))
    assert not [reading for reading in result.readings if reading.family is metrics.LINK_MOS]


async def test_a_budget_slows_the_pace_and_is_told() -> None:
    pings = ToldPings()
    (result,) = await beats(pings, budget_mb_per_day=10)
    assert pings.paces == [pytest.approx(0.654, abs=1e-3)]
    assert value(result, metrics.LINK_PROBE_BUDGET) == 10_000_000
    assert value(result, metrics.LINK_PROBE_BYTES) == 10 * 168
    (unbounded,) = await beats(pings)
    assert pings.paces[-1] == 1
    assert value(unbounded, metrics.LINK_PROBE_BUDGET) is None


async def test_a_spent_budget_stops_everything_until_the_next_day() -> None:
    pings, clock = ToldPings(SILENT), MovedClock()
    budget: dict[str, Any] = {"budget_mb_per_day": 0.005, "tcp_port": 443}
    results = await beats(pings, 9, clock, **budget)
    asked = len(pings.paces)
    assert 4 <= asked < 9
    assert (results[-1].reason, results[-1].grade) == (Reason.SUSPECT, TargetState.UNKNOWN)
    assert results[-1].detail == "today's 0.005 MB for probing are spent"
    spent = value(results[-1], metrics.LINK_PROBE_BYTES)
    assert spent is not None
    assert 5000 <= spent < 5000 + 10 * 84 + 200
    clock.at += 86_400
    net = TestNet(clock=clock, pings=pings)
    settings = IcmpSettings.model_validate({"address": HERE, **budget})
    again = await check(settings, net, beat(results[-1].memory))
    assert again.reason is None
    assert len(pings.paces) == asked + 1


async def test_what_the_inventory_says_of_the_packets_reaches_the_engine() -> None:
    pings = ToldPings()
    wanted: dict[str, Any] = {"dscp": 46, "size_bytes": 1472, "dont_fragment": True, "source": "127.0.0.2", "ttl": 9}
    await beats(pings, **wanted)
    assert pings.options == PingOptions(46, 1472, True, "127.0.0.2", 9)


async def test_the_engine_tells_five_minutes_of_a_running_stream(engine: IcmpEngine) -> None:
    await engine.window("here", HERE, 50.0)
    await asyncio.sleep(0.2)
    figures = engine.figures("here")
    assert figures is not None
    assert figures.sent >= figures.received > 5  # the open window included
    assert figures.rtt_s is not None
    assert list(figures.rtt_s) == [min(figures.rtt_s), *figures.rtt_s[1:4], max(figures.rtt_s)]
    assert figures.r_factors.keys() == {"g107", "simplified"}
    assert engine.figures("elsewhere") is None
