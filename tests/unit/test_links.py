"""What the API tells of links."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent import links
from agent.diagnosis import Exit
from agent.plan import plan
from probes import metrics
from probes.ports import PingFigures
from probes.protocols.icmp.series import FIGURES_S, PingSeries
from probes.results import Reading, Reason, Result, TargetState
from tests.unit.fakes import province
from tests.unit.test_monitor import Page
from tests.unit.test_plan import ask


class Settled:
    """Knows that every target is up, and nothing of routers."""

    def state(self, _: str) -> TargetState:
        return TargetState.UP

    def reason(self, _: str) -> Reason | None:
        return None

    def router_says(self, _: Exit) -> tuple[bool | None, bool | None]:
        return None, None


def steady(lost: int = 0) -> PingSeries:
    """Five minutes at a packet a second, closed every 10 s: 20 ms, 30 ms, and so on by turns."""
    series = PingSeries(1.0)
    for second in range(300):
        if second < lost:
            series.lost(1000.0 + second)
        else:
            series.answered(1000.0 + second, 0.02 if second % 2 else 0.03)
        if second % 10 == 9:
            series.close(1001.0 + second)
    return series


def test_five_minutes_are_told_with_both_scores() -> None:
    figures = steady(lost=3).figures(1300.0)
    assert (figures.window_s, figures.sent, figures.received) == (FIGURES_S, 300, 297)
    assert figures.rtt_s == pytest.approx((0.02, 0.025, 0.03, 0.03, 0.03), abs=1e-4)
    assert figures.jitter_s == pytest.approx(0.01, abs=1e-4)
    assert figures.r_factors.keys() == {"g107", "simplified"}


def test_a_window_that_is_open_counts_and_what_is_older_than_five_minutes_does_not() -> None:
    series = steady()
    series.answered(1300.0, 0.5)
    assert series.figures(1300.0).sent == 301
    series.close(1310.0)
    assert series.figures(1310.0).sent == 291
    assert series.figures(1310.0).rtt_s is not None
    assert series.figures(9999.0).sent == 0
    assert series.figures(9999.0).rtt_s is None


def test_what_is_remembered_of_a_link_is_small() -> None:
    """Ten thousand links at a packet a second: 30 MB."""
    series = steady()
    held = sum(part.buffer_info()[1] * part.itemsize for part in (series._past, series._past_times))
    assert held <= 8 * 310


def test_every_link_is_told_and_one_without_an_address_is_unobserved_never_up() -> None:
    whole = province()
    figures = steady().figures(1300.0)

    def known(target: str) -> PingFigures | None:
        return figures if target == "link/01290/primary" else None

    told = asyncio.run(links.told(whole, plan(whole, ask).topology, Settled(), known))
    first, backup, other = told["links"]
    assert (first["commune"], first["state"], first["sent"], first["loss_ratio"]) == ("01290", "up", 300, 0)
    assert first["rtt_s"].keys() == {"min", "mean", "p95", "p99", "max"}
    assert 4 < first["mos"]["g107"] < 4.5
    assert backup == {"commune": "01290", "link": "backup", "role": "backup", "medium": "lte", "state": "unobserved"}
    assert (other["address"], "sent" in other) == ("10.4.5.1", False)


WAYS = [
    {"address": "10.4.4.1", "interface": "ether1"},
    {"role": "backup", "medium": "lte", "interface": "lte1"},
    {"id": "vsat", "role": "backup", "medium": "vsat", "interface": "ether9"},
]
ROUTER = {"id": "router", "role": "router", "address": "10.4.4.1", "credential": "lab"}


def test_what_the_router_says_of_a_link_is_told_beside_its_state_and_makes_no_link_up() -> None:
    page = Page(communes=[{"code": "01290", "links": WAYS, "devices": [ROUTER]}], trunks=[])
    said = (
        Reading(metrics.INTERFACE_OPER_UP, 0, ("ether1",)),
        Reading(metrics.INTERFACE_OPER_UP, 1, ("lte1",)),
        Reading(metrics.DEFAULT_ROUTE_METRIC, 20, ("lte1",)),
    )
    for _ in range(3):
        page.beat(values={"device/01290/router": said})
    told = asyncio.run(links.told(page.province, page.plan.topology, page.monitor, lambda _: None))
    shown = {row["link"]: [row[key] for key in ("state", "interface_up", "carries")] for row in told["links"]}
    assert shown == {
        "primary": ["up", False, False],
        "backup": ["unobserved", True, True],
        "vsat": ["unobserved", None, False],
    }
    assert page.get("lienxa_commune_cause", commune="01290") == {("on_backup",): 1}


def test_what_makes_a_link_degraded_or_down_is_told() -> None:
    page = Page()
    degraded, down = page.plan.targets[2], page.plan.targets[4]
    for _ in range(4):
        page.clock.go(1)
        page.monitor.report(degraded, Result(Reason.JITTER), page.clock.now)
        page.monitor.report(down, Result(Reason.UNREACHABLE), page.clock.now)
    page.monitor.round()
    told = asyncio.run(links.told(page.province, page.plan.topology, page.monitor, lambda _: None))
    assert [(row["state"], row.get("reason")) for row in told["links"]] == [
        ("degraded", "jitter"),
        ("unobserved", None),
        ("down", "unreachable"),
    ]


def test_telling_many_links_does_not_hold_the_loop() -> None:
    links_of = [{"id": f"l{number}", "address": f"10.4.5.{number + 1}"} for number in range(250)]
    whole = province(communes=[{"code": "01290", "links": links_of}], trunks=[])
    series = steady()
    topology = plan(whole, ask).topology
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario() -> dict[str, Any]:
        beside = asyncio.create_task(others())
        found = await links.told(whole, topology, Settled(), lambda _: series.figures(1300.0))
        beside.cancel()
        return found

    told = asyncio.run(scenario())
    assert len(told["links"]) == 250
    assert turns >= 250 // links.AT_ONCE


def test_the_page_says_which_links_are_observed() -> None:
    page = Page()
    assert page.get("lienxa_link_info", commune="01290") == {
        ("primary", "fibre", "primary", "yes"): 1,
        ("backup", "lte", "backup", "no"): 1,
    }
