"""One probe of each target, side by side; what breaks is one row, and what is worst comes first."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
from collections.abc import Callable

import pytest
from rich.console import Console

from agent import check
from agent.check import AT_ONCE, HINTS, Choice, Outcome, as_data, chosen_targets, exit_code, probe_all
from agent.errors import Unusable
from agent.terminal import WIDE
from probes import metrics
from probes.model import Settings
from probes.ports import Kind, Net
from probes.results import Beat, Reading, Reason, Result, Target, TargetState
from tests.unit.fakes import NO_NET, FakeClock, NoSettings, fake_kind, province


def target(name: str, kind: str = "fake", **labels: str) -> Target:
    return Target(name, kind, NoSettings(), 10, {**labels, "target": name, "kind": kind})


async def probed(answer: Callable[[Beat], Result], *names: str) -> list[Outcome]:
    kind = fake_kind("fake", answer)
    return await probe_all([target(name) for name in names], {"fake": kind}, NO_NET, FakeClock(), lambda: None)


def answers(**reasons: Reason | None) -> Callable[[Beat], Result]:
    return lambda beat: Result(reasons[beat.target])


def outcome(reason: Reason | None = None, *readings: Reading, detail: str = "", **labels: str) -> Outcome:
    return Outcome(target("link/01290/primary", **labels), Result(reason, readings, detail=detail), 0.25)


def shown(*outcomes: Outcome, hints: bool = True) -> str:
    console = Console(file=io.StringIO(), width=WIDE)
    console.print(check.table(outcomes, hints=hints))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_the_worst_come_first_and_otherwise_the_order_stays() -> None:
    outcomes = await probed(
        answers(a=None, b=Reason.SLOW, c=Reason.REFUSED, d=Reason.SUSPECT, e=Reason.TIMEOUT), "a", "b", "c", "d", "e"
    )
    assert [outcome.target.id for outcome in outcomes] == ["c", "e", "b", "d", "a"]


async def test_every_probe_is_a_single_one() -> None:
    beats: list[Beat] = []

    def answer(beat: Beat) -> Result:
        beats.append(beat)
        return Result()

    await probed(answer, "a", "b")
    assert [(beat.target, beat.continuous, beat.memory) for beat in beats] == [("a", False, None), ("b", False, None)]


async def test_a_probe_that_breaks_is_one_row_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def answer(beat: Beat) -> Result:
        if beat.target == "broken":
            raise ValueError("no such\nthing")
        return Result()

    with caplog.at_level(logging.INFO):
        broken, fine = await probed(answer, "fine", "broken")
    assert (broken.result.reason, broken.result.detail) == (Reason.INTERNAL, "unexpected failure, see the log")
    assert fine.result.grade is TargetState.UP
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "the probe of broken failed in a way nobody expected; please report it: ValueError: no such thing at test_check"
    )
    assert record.exc_info is None


async def test_a_probe_without_end_is_ended() -> None:
    async def hang(_: Settings, __: Net, ___: Beat) -> Result:
        await asyncio.Event().wait()
        raise AssertionError

    kinds = {"fake": Kind("fake", NoSettings, hang, deadline_s=0.05)}
    (only,) = await probe_all([target("a")], kinds, NO_NET, FakeClock(), lambda: None)
    assert (only.result.reason, only.result.detail) == (Reason.TIMEOUT, "no end within 0.05 s")


async def test_probes_run_side_by_side_within_the_bound_and_each_is_counted() -> None:
    running, most, counted = 0, 0, 0

    async def busy(_: Settings, __: Net, ___: Beat) -> Result:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return Result()

    def advance() -> None:
        nonlocal counted
        counted += 1

    targets = [target(str(number)) for number in range(3 * AT_ONCE)]
    await probe_all(targets, {"fake": Kind("fake", NoSettings, busy)}, NO_NET, FakeClock(), advance)
    assert (most, counted) == (AT_ONCE, 3 * AT_ONCE)


async def test_waiting_for_a_place_is_not_part_of_the_duration() -> None:
    clock = FakeClock()

    async def one_second(_: Settings, __: Net, ___: Beat) -> Result:
        clock.go(1)
        return Result()

    targets = [target(str(number)) for number in range(2 * AT_ONCE)]
    kinds = {"fake": Kind("fake", NoSettings, one_second)}
    outcomes = await probe_all(targets, kinds, NO_NET, clock, lambda: None)
    assert {outcome.duration_s for outcome in outcomes} == {1}


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ([None, None], 0),
        ([None, Reason.LOSS], 1),
        ([None, Reason.SUSPECT], 1),
        ([None, Reason.INTERNAL], 1),
        ([Reason.SLOW, Reason.REFUSED, None], 2),
        ([], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst(reasons: list[Reason | None], code: int) -> None:
    assert exit_code([outcome(reason) for reason in reasons]) == code


def test_there_is_a_hint_for_every_reason() -> None:
    assert set(HINTS) == set(Reason)
    assert all(hint.strip() for hint in HINTS.values())


def test_a_row_says_who_how_why_how_fast_and_what_to_do() -> None:
    readings = [Reading(metrics.LINK_RTT_MEAN, 0.3121), Reading(metrics.LINK_RTT_P95, 0.4)]
    text = shown(outcome(Reason.LATENCY, *readings, detail="5 of 5 answered, mean 312 ms", commune="01290"))
    title, _, row = text.splitlines()
    assert title.split()[:3] == ["Target", "State", "Reason"]
    assert [cell.strip() for cell in row.split("   ") if cell.strip()] == [
        "link/01290/primary Xã Bảo Lâm",
        "degraded",
        "latency",
        "rtt 312.1, p95 400.0",
        "5 of 5 answered, mean 312 ms",
        HINTS[Reason.LATENCY],
    ]


def test_phases_go_by_their_names_and_without_any_the_whole_is_told() -> None:
    phases = [
        Reading(metrics.PROBE_DURATION, 0.001, ("resolve",)),
        Reading(metrics.PROBE_DURATION, 0.0325, ("connect",)),
    ]
    assert "resolve 1.0, connect 32.5" in shown(outcome(None, *phases))
    assert "total 250.0" in shown(outcome(None, Reading(metrics.DEVICE_GROUP_OK, 1, ("system",))))


def test_what_a_device_says_neither_rules_the_terminal_nor_is_read_as_markup() -> None:
    text = shown(outcome(Reason.PARTIAL, detail="[red]a[/] \x1b[2Jb\nc\x07"))
    assert "[red]a[/]  [2Jb c" in text
    assert "\x1b" not in text


def test_without_room_hints_stand_below_once_for_each_reason() -> None:
    outcomes = [outcome(Reason.TIMEOUT), outcome(Reason.TIMEOUT), outcome(Reason.SLOW), outcome(None)]
    assert "What to do" not in shown(*outcomes, hints=False)
    assert [text.plain for text in check.legend(outcomes)] == [
        f"timeout: {HINTS[Reason.TIMEOUT]}",
        f"slow: {HINTS[Reason.SLOW]}",
    ]


def test_the_summary_counts_each_state_worst_first() -> None:
    assert check.summary([outcome(), outcome(), outcome(Reason.LOSS), outcome(Reason.REFUSED)]).plain == (
        "1 down, 1 degraded, 2 up"
    )


def test_an_outcome_as_data_is_plain_json() -> None:
    readings = [Reading(metrics.PROBE_DURATION, 0.5, ("connect",)), Reading(metrics.LINK_JITTER, math.nan)]
    data = json.loads(json.dumps(as_data(outcome(Reason.SLOW, *readings, detail="took 4 s")), allow_nan=False))
    assert data == {
        "id": "link/01290/primary",
        "kind": "fake",
        "labels": {"target": "link/01290/primary", "kind": "fake"},
        "grade": "degraded",
        "reason": "slow",
        "detail": "took 4 s",
        "readings": [
            {"family": "lienxa_probe_duration_seconds", "labels": {"phase": "connect"}, "value": 0.5},
            {"family": "lienxa_link_jitter_seconds", "labels": {}, "value": None},
        ],
        "duration_s": 0.25,
    }
    assert as_data(outcome())["reason"] is None


def test_secrets_are_read_only_where_a_device_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("inventory")
    monkeypatch.delenv("COMMUNITY", raising=False)
    (only,) = chosen_targets(province(), folder, Choice(patterns=["service/*"]))
    assert only.id == "service/gateway"
    with pytest.raises(Unusable, match=r"^credentials\.lab\.community: the environment variable COMMUNITY is not set$"):
        chosen_targets(province(), folder, Choice(kinds=["snmp"]))
    monkeypatch.setenv("COMMUNITY", "hidden-word")
    (device,) = chosen_targets(province(), folder, Choice(kinds=["snmp"]))
    assert device.settings.agent.community.get_secret_value() == "hidden-word"  # type: ignore[attr-defined]
    assert "hidden-word" not in json.dumps(as_data(Outcome(device, Result(), 0)))
