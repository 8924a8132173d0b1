"""Beats run side by side; a probe that breaks does not end the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import pytest

from agent.runner import EARLY_S, Runner
from probes import metrics
from probes.ports import Kind
from probes.results import Beat, Conditions, Reading, Reason, Result, Target
from tests.unit.fakes import NO_NET, NoSettings, fake_kind


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


def target(name: str, kind: str, beat_s: float = 0.02, **labels: str) -> Target:
    return Target(name, kind, NoSettings(), beat_s, {"commune": "01290", **labels})


class Reports:
    """Collects results until there are enough."""

    def __init__(self, wanted: int) -> None:
        self.results: list[tuple[str, Result]] = []
        self.enough = asyncio.Event()
        self._came = asyncio.Event()
        self._wanted = wanted

    def __call__(self, reported: Target, result: Result, started: float) -> None:
        self.results.append((reported.id, result))
        self._came.set()
        if len(self.results) >= self._wanted:
            self.enough.set()

    async def until(self, name: str, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.of(name)) < count:
                self._came.clear()
                await self._came.wait()

    def of(self, name: str) -> list[Result]:
        return [result for reported, result in self.results if reported == name]


async def beats(reports: Reports, targets: list[Target], *kinds: Kind) -> Runner:
    runner = Runner({kind.name: kind for kind in kinds}, NO_NET, SystemClock(), reports)
    task = asyncio.create_task(runner.run(targets))
    await asyncio.wait_for(reports.enough.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return runner


async def test_what_a_probe_remembers_comes_back_with_its_next_beat() -> None:
    reports = Reports(4)
    counting = fake_kind("count", lambda beat: Result(memory=(beat.memory or 0) + 1))  # type: ignore[operator]  # an int
    await beats(reports, [target("a", "count")], counting)
    assert [result.memory for result in reports.of("a")][:4] == [1, 2, 3, 4]


async def test_a_probe_that_breaks_is_one_result_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken(beat: Beat) -> Result:
        raise ZeroDivisionError

    reports = Reports(12)
    kinds = (fake_kind("broken", broken), fake_kind("fine", lambda _: Result()))
    with caplog.at_level(logging.CRITICAL, "agent.runner"):
        runner = await beats(reports, [target("a", "broken"), target("b", "fine")], *kinds)
    assert {result.reason for result in reports.of("a")} == {Reason.INTERNAL}
    assert {result.reason for result in reports.of("b")} == {None}
    assert runner.tally.crashes["broken"] == len(reports.of("a"))


async def test_a_report_that_breaks_ends_nobody_either(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Reports):
        def __call__(self, reported: Target, result: Result, started: float) -> None:
            super().__call__(reported, result, started)
            if result.reason is None and reported.id == "a":
                raise OverflowError

    reports = Broken(12)
    with caplog.at_level(logging.CRITICAL, "agent.runner"):
        await beats(reports, [target("a", "fine"), target("b", "fine")], fake_kind("fine", lambda _: Result()))
    assert Reason.INTERNAL in {result.reason for result in reports.of("a")}
    assert len(reports.of("b")) > 2


async def test_a_probe_learns_how_its_link_looks() -> None:
    seen: list[Conditions] = []

    def device(beat: Beat) -> Result:
        seen.append(beat.conditions)
        return Result()

    link = fake_kind(
        "link", lambda _: Result(readings=(Reading(metrics.LINK_LOSS, 0.25), Reading(metrics.LINK_RTT_MEAN, 0.6)))
    )
    await beats(
        Reports(20),
        [target("l", "link", link="primary"), target("d", "device"), target("x", "device", commune="01294")],
        link,
        fake_kind("device", device),
    )
    assert Conditions(0.6, 0.25) in seen
    assert Conditions() in seen


async def test_lateness_is_counted_for_every_beat() -> None:
    reports = Reports(5)
    runner = await beats(reports, [target("a", "fine")], fake_kind("fine", lambda _: Result()))
    assert sum(runner.tally.lateness_counts) >= 5


async def test_targets_that_stay_the_same_go_on_while_others_come_and_go() -> None:
    reports = Reports(3)
    counting = fake_kind("count", lambda beat: Result(memory=(beat.memory or 0) + 1))  # type: ignore[operator]  # an int
    runner = Runner({"count": counting}, NO_NET, SystemClock(), reports)
    task = asyncio.create_task(runner.run([target("stays", "count"), target("goes", "count")]))
    await asyncio.wait_for(reports.enough.wait(), 5)
    runner.update([target("stays", "count"), target("comes", "count")])
    gone = len(reports.of("goes"))
    await reports.until("comes", 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stayed = [result.memory for result in reports.of("stays")]
    assert stayed == list(range(1, len(stayed) + 1))
    assert len(reports.of("goes")) == gone


async def test_a_probe_that_swallows_its_cancellation_ends_all_the_same() -> None:
    answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.Event()

    async def check(_: NoSettings, __: object, ___: Beat) -> Result:
        waiting.set()
        with contextlib.suppress(asyncio.CancelledError):  # as wait_for of 3.11 does when its result comes as well
            await answered
        return Result()

    reports = Reports(1)
    runner = Runner({"deaf": Kind("deaf", NoSettings, check)}, NO_NET, SystemClock(), reports)
    task = asyncio.create_task(runner.run([target("a", "deaf")]))
    await asyncio.wait_for(waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert reports.results == []


async def test_a_target_whose_settings_change_begins_anew() -> None:
    reports = Reports(3)
    counting = fake_kind("count", lambda beat: Result(memory=(beat.memory or 0) + 1))  # type: ignore[operator]  # an int
    runner = Runner({"count": counting}, NO_NET, SystemClock(), reports)
    task = asyncio.create_task(runner.run([target("a", "count")]))
    await asyncio.wait_for(reports.enough.wait(), 5)
    reports.results.clear()
    runner.update([target("a", "count", beat_s=0.03)])
    await reports.until("a", 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reports.of("a")[0].memory == 1


async def test_a_hastened_target_beats_at_once_and_its_grid_stays() -> None:
    reports = Reports(1)
    runner = Runner({"fine": fake_kind("fine", lambda _: Result())}, NO_NET, SystemClock(), reports)
    task = asyncio.create_task(runner.run([target("slow", "fine", beat_s=3600), target("other", "fine", beat_s=3600)]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    runner.hasten("slow")
    runner.hasten("nobody")
    await reports.until("slow", 1)
    assert [name for name, _ in reports.results] == ["slow"]
    assert sum(runner.tally.lateness_counts) == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_however_often_a_target_is_hastened_it_is_spared() -> None:
    reports = Reports(1)
    runner = Runner({"fine": fake_kind("fine", lambda _: Result())}, NO_NET, SystemClock(), reports)
    task = asyncio.create_task(runner.run([target("slow", "fine", beat_s=3600)]))
    await asyncio.sleep(0)
    runner.hasten("slow")
    await reports.until("slow", 1)
    began = time.monotonic()
    for _ in range(100):
        runner.hasten("slow")
    await reports.until("slow", 2)
    assert time.monotonic() - began > EARLY_S - 0.5
    assert len(reports.of("slow")) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
