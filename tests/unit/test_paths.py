"""When paths are traced, how many at once, and what is shown of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.errors import Busy
from agent.paths import AT_ONCE, BROKEN_S, FRESH_S, MOST_ASKED, WHOLE_S, Paths
from agent.series import SeriesTable
from probes.ports import PingErrorKind
from probes.protocols.path_route import Hop, Route
from probes.results import Target, TargetState
from tests.unit.fakes import FakeClock, NoSettings

NAMES = {"10.20.0.1": "Vòng Viettel 2"}
DOWN = TargetState.DOWN


def link(number: int) -> Target:
    labels = {"commune": f"{number:05}", "link": "primary", "medium": "fibre", "target": f"link/{number:05}/primary"}
    return Target(labels["target"], "icmp", NoSettings(), 10, labels)


RING = Target("trunk/ring", "icmp", NoSettings(), 10, {"trunk": "ring", "target": "trunk/ring"})
LINKS = [link(number) for number in range(10)]
ONE = LINKS[0]


def route(*addresses: str, reached: bool = True) -> Route:
    hops = tuple(Hop(ttl, () if address == "*" else (address,), 0.01) for ttl, address in enumerate(addresses, start=1))
    return Route("10.4.4.1", hops, reached)


WHOLE = route("10.20.0.1", "10.20.0.2", "10.4.4.1")
BROKEN = route("10.20.0.1", reached=False)


class Traces:
    """Paths over traces that a test ends by hand."""

    def __init__(self, *targets: Target, found: Route = WHOLE, held: bool = False) -> None:
        self.clock = FakeClock()
        self.table = SeriesTable("04")
        self.paths = Paths(self._trace, self.table, self.clock)
        self.paths.update(targets, NAMES)
        self.began: list[str] = []
        self.found = found
        self.running = self.most = 0
        self.go = asyncio.Event()
        if not held:
            self.go.set()
        self._task = asyncio.create_task(self.paths.run())

    async def _trace(self, target: Target) -> Route:
        self.began.append(target.id)
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go.wait()
        self.running -= 1
        if self.found is ERROR:
            raise ZeroDivisionError
        return self.found

    async def settled(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def change(self, found: Route, target: Target = ONE) -> None:
        self.found = found
        self.paths.changed(target, DOWN)
        await self.settled()

    def value(self, name: str, /, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.table.page()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


ERROR = Route("")
Begin = Callable[..., Traces]


@pytest.fixture
async def begin() -> Begin:  # type: ignore[misc]  # an asynchronous generator, as pytest wants it
    begun: list[Traces] = []

    def make(*targets: Target, found: Route = WHOLE, held: bool = False) -> Traces:
        begun.append(Traces(*targets, found=found, held=held))
        return begun[-1]

    yield make
    for traces in begun:
        await traces.end()


async def test_a_change_of_state_is_traced_and_put_on_the_page(begin: Begin) -> None:
    traces = begin(ONE)
    await traces.change(WHOLE)
    assert traces.value("lienxa_path_reached", commune="00000") == 1
    assert traces.value("lienxa_path_hops", commune="00000", link="primary") == 3
    assert traces.value("lienxa_path_hash", commune="00000") == WHOLE.hash
    assert traces.value("lienxa_path_traced_timestamp_seconds") == traces.clock.wall()
    assert traces.value("lienxa_path_info", last_hop="10.4.4.1", state="whole") == 1
    await traces.change(BROKEN)
    assert traces.value("lienxa_path_reached") == 0
    assert traces.value("lienxa_path_info", last_hop="10.4.4.1") is None
    assert (
        traces.value("lienxa_path_info", last_hop="10.20.0.1", name="10.20.0.1 (Vòng Viettel 2)", state="broken") == 1
    )


async def test_the_status_names_the_hop_after_which_the_path_is_broken(begin: Begin) -> None:
    traces = begin(ONE)
    assert traces.paths.of_commune("00000") is None
    await traces.change(BROKEN)
    told = traces.paths.of_commune("00000")
    assert told is not None
    assert told["broken_after"] == "10.20.0.1 (Vòng Viettel 2)"
    assert told["hops"] == [
        {"ttl": 1, "address": "10.20.0.1", "others": [], "name": "Vòng Viettel 2", "rtt_s": 0.01, "kind": "reply"}
    ]
    await traces.change(WHOLE)
    told = traces.paths.of_commune("00000")
    assert told is not None
    assert (told["reached"], told["broken_after"], told["hash"]) == (True, None, f"{WHOLE.hash:08x}")


async def test_a_commune_shows_its_broken_path_before_its_whole_one(begin: Begin) -> None:
    backup = Target("link/00000/backup", "icmp", NoSettings(), 10, {"commune": "00000", "link": "backup"})
    traces = begin(ONE, backup)
    await traces.change(WHOLE, ONE)
    await traces.change(BROKEN, backup)
    told = traces.paths.of_commune("00000")
    assert told is not None
    assert told["target"] == "link/00000/backup"


async def test_forty_dark_links_are_traced_four_at_a_time_and_their_trunk_first(begin: Begin) -> None:
    links = [link(number) for number in range(40)]
    traces = begin(*links, RING, held=True)
    for target in (*links[:10], RING, *links[10:]):
        traces.paths.changed(target, DOWN)
    await traces.settled()
    assert len(traces.began) == AT_ONCE
    assert traces.began[0] == "trunk/ring"
    traces.go.set()
    await traces.settled()
    await traces.settled()
    assert traces.most == AT_ONCE
    assert sorted(traces.began) == sorted(target.id for target in (*links, RING))


async def test_a_target_that_changes_while_it_is_traced_is_traced_once_more(begin: Begin) -> None:
    traces = begin(ONE, held=True)
    for _ in range(3):
        traces.paths.changed(ONE, DOWN)
        await traces.settled()
    assert traces.began == [ONE.id]
    traces.go.set()
    await traces.settled()
    assert traces.began == [ONE.id, ONE.id]


async def test_only_another_way_to_the_target_counts_as_a_change(begin: Begin) -> None:
    traces = begin(ONE)
    elsewhere = route("10.20.0.1", "10.30.0.2", "10.4.4.1")
    silent = route("10.20.0.1", "*", "10.4.4.1")
    seen = []
    for found in (WHOLE, silent, BROKEN, silent, WHOLE, elsewhere, BROKEN, elsewhere, WHOLE):
        await traces.change(found)
        seen.append(traces.value("lienxa_path_changes_total"))
    assert seen == [0, 0, 0, 0, 0, 1, 1, 1, 2]


async def test_the_hash_of_a_whole_path_stays_while_a_hop_is_silent(begin: Begin) -> None:
    traces = begin(ONE)
    await traces.change(WHOLE)
    await traces.change(route("10.20.0.1", "*", "10.4.4.1"))
    assert traces.value("lienxa_path_hash") == WHOLE.hash


async def test_whoever_asks_gets_a_fresh_path_and_the_same_for_a_while(begin: Begin) -> None:
    traces = begin(ONE)
    first = await traces.paths.ask(ONE.id)
    assert first is not None
    assert first["reached"]
    traces.clock.go(FRESH_S - 1)
    assert await traces.paths.ask(ONE.id) == first
    assert len(traces.began) == 1
    traces.clock.go(2)
    again = await traces.paths.ask(ONE.id)
    assert again is not None
    assert again["at"] > first["at"]
    assert await traces.paths.ask("link/99999/primary") is None


async def test_who_asks_while_it_is_traced_waits_for_that(begin: Begin) -> None:
    traces = begin(ONE, held=True)
    traces.paths.changed(ONE, DOWN)
    await traces.settled()
    asked = asyncio.create_task(traces.paths.ask(ONE.id))
    await traces.settled()
    traces.go.set()
    told = await asked
    await traces.settled()
    assert told is not None
    assert traces.began == [ONE.id]


async def test_too_many_who_ask_are_sent_away(begin: Begin) -> None:
    traces = begin(*LINKS, held=True)
    asked = [asyncio.create_task(traces.paths.ask(target.id)) for target in LINKS[:MOST_ASKED]]
    await traces.settled()
    with pytest.raises(Busy, match="ask again"):
        await traces.paths.ask(LINKS[MOST_ASKED].id)
    traces.go.set()
    assert all(await asyncio.gather(*asked))


async def test_a_whole_path_is_looked_at_about_every_hour_and_a_broken_one_every_five_minutes(begin: Begin) -> None:
    traces = begin(ONE)
    await traces.change(WHOLE)
    for found, early, late in ((BROKEN, WHOLE_S / 2, WHOLE_S), (WHOLE, BROKEN_S - 1, 2)):
        traces.found = found
        began = len(traces.began)
        for seconds, more in ((early, 0), (late, 1)):
            traces.clock.go(seconds)
            traces.paths.look()
            await traces.settled()
            assert len(traces.began) - began == more


async def test_a_target_whose_address_changes_is_traced_anew(begin: Begin) -> None:
    traces = begin(ONE)
    await traces.change(WHOLE)
    traces.paths.update([Target(ONE.id, "icmp", NoSettings(), 5, ONE.labels)], NAMES)
    assert traces.value("lienxa_path_reached") is None
    traces.paths.look()
    await traces.settled()
    assert traces.value("lienxa_path_reached") == 1


async def test_what_leaves_the_inventory_leaves_the_page_and_whoever_waits_for_it_goes_on(begin: Begin) -> None:
    traces = begin(*LINKS[:2])
    await traces.change(WHOLE)
    traces.go.clear()
    asked = asyncio.create_task(traces.paths.ask(LINKS[1].id))
    await traces.settled()
    traces.paths.update([], NAMES)
    assert await asked is None
    assert traces.table.page() == ""
    traces.go.set()
    await traces.settled()
    assert traces.table.page() == ""
    traces.paths.changed(ONE, DOWN)
    await traces.settled()
    assert traces.began == [target.id for target in LINKS[:2]]


async def test_a_new_name_of_a_hop_is_shown_after_a_reload(begin: Begin) -> None:
    traces = begin(ONE)
    await traces.change(BROKEN)
    traces.paths.update([ONE], {"10.20.0.1": "Ring 2"})
    assert traces.value("lienxa_path_info", name="10.20.0.1 (Ring 2)") == 1
    assert traces.began == [ONE.id]


async def test_a_trace_that_breaks_ends_nothing(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    traces = begin(ONE)
    with caplog.at_level(logging.INFO, "agent.paths"):
        await traces.change(ERROR)
        await traces.change(BROKEN)
    assert "in a way nobody expected" in caplog.text
    assert caplog.text.count("ends after 10.20.0.1 (Vòng Viettel 2)") == 1
    assert traces.value("lienxa_path_reached") == 0


async def test_a_path_on_which_nothing_can_be_sent_says_nothing_of_it(begin: Begin) -> None:
    traces = begin(ONE)
    await traces.change(Route("10.4.4.1", problem="no IPv6 on this machine"))
    assert traces.value("lienxa_path_reached") is None
    told = traces.paths.told(ONE.id)
    assert told is not None
    assert told["problem"] == "no IPv6 on this machine"


async def test_a_hop_that_refuses_is_told_with_its_words(begin: Begin) -> None:
    traces = begin(ONE)
    refusing = Hop(1, ("10.20.0.1",), 0.01, PingErrorKind.PROHIBITED)
    await traces.change(Route("10.4.4.1", (refusing,)))
    told = traces.paths.told(ONE.id)
    assert told is not None
    assert told["hops"][0]["kind"] == "prohibited"
