"""Whether a commune lives on its backup, by what its router says: the diagnosis as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from pydantic import TypeAdapter

from agent.diagnosis import Change, Exit, Memory, Topology
from probes import metrics
from probes.results import Cause, CommuneState
from tests.unit.test_diagnosis import BEAT, Story, site

CODE = "01290"
ROUTER, PRIMARY = f"device/{CODE}/router", f"link/{CODE}/primary"
EXITS = (Exit("primary", "primary", ROUTER, "ether1"), Exit("backup", "backup", ROUTER, "lte1"))
ON_BACKUP = (CommuneState.DEGRADED, (Cause.ON_BACKUP,))
Said = Mapping[str, Mapping[str, float]]


def says(routes: Mapping[str, float] | None = None, **up: float) -> Said:
    """What a router says: metrics of its default routes, and which interfaces are up."""
    told = {metrics.INTERFACE_OPER_UP.name: {"ether1": 1.0, "lte1": 1.0, "bridge": 1.0, **up}}
    return told if routes is None else {**told, metrics.DEFAULT_ROUTE_METRIC.name: routes}


@dataclass
class Ways(Story):
    """A story in which routers tell of their interfaces."""

    said: dict[str, Said] = field(default_factory=dict)

    def change(self, target: str) -> Change:
        change = super().change(target)
        return replace(change, by_interface=self.said[target]) if change.answered and target in self.said else change


def commune(said: Said, *, pinged: tuple[str, ...] = ("primary",), exits: tuple[Exit, ...] = EXITS) -> Ways:
    """A commune with these of its links pinged, and what its router says, for five beats."""
    whole = site(CODE, backup=True)
    links = tuple(link for link in whole.links if link.role in pinged)
    plain = replace(whole, links=links, exits=exits)
    story = Ways(
        Topology({CODE: plain}, {}, references=("reference/hub",), link_beat_s=BEAT, device_beat_s=BEAT),
        said={ROUTER: said},
    )
    story.go(5)
    return story


def facts(story: Story) -> list[str]:
    return [item.facts for item in story.outcome.verdicts[CODE].evidence]


@pytest.mark.parametrize(
    "said",
    [
        says({"ether1": 1}),
        says({"ether1": 1, "lte1": 20}),
        says({"ether1": 1}, lte1=0),
        says({"tunnel0": 0}),
        says(),
        {},
    ],
    ids=[
        "the primary carries",
        "the backup stands by",
        "a modem that is not dialled in is no failover",
        "a tunnel carries, which is no link",
        "the router tells no route",
        "the router tells nothing",
    ],
)
def test_a_commune_on_its_primary_is_up(said: Said) -> None:
    assert commune(said).state(CODE) == (CommuneState.UP, ())


def test_a_default_route_by_the_backup_is_on_backup_though_the_backup_has_no_address() -> None:
    story = commune(says({"lte1": 20, "ether1": 30}))
    assert story.state(CODE) == ON_BACKUP
    assert facts(story) == ["the router sends by lte1, the interface of link backup"]
    story.said[ROUTER] = says({"lte1": 20, "ether1": 1})
    assert story.go(1).state(CODE) == (CommuneState.UP, ())


def test_a_primary_whose_port_is_down_is_on_backup_though_the_carriers_end_still_answers_pings() -> None:
    story = commune(says(ether1=0))
    assert story.state(CODE) == ON_BACKUP
    assert facts(story) == ["ether1, the router's interface of link primary, is down, and the router answers"]


def test_pings_and_router_that_say_the_same_are_one_cause_with_both_as_evidence() -> None:
    story = commune(says({"lte1": 20}, ether1=0), pinged=("primary", "backup"))
    story.silent.add(PRIMARY)
    story.go(5)
    assert story.state(CODE) == ON_BACKUP
    assert [item.rule for item in story.outcome.verdicts[CODE].evidence] == [
        "primary_interface_down",
        "routed_to_backup",
        "on_backup",
    ]


def test_a_dark_primary_without_any_address_of_the_backup_is_on_backup_as_the_router_answers_by_it() -> None:
    story = commune(says({"lte1": 20}))
    story.silent.add(PRIMARY)
    story.go(6)
    assert story.state(CODE) == (CommuneState.DEGRADED, (Cause.ON_BACKUP,))
    assert story.open() == {}


def test_a_backup_that_the_router_sends_by_is_not_lost_whatever_becomes_of_its_pings() -> None:
    story = commune(says({"lte1": 20}), pinged=("primary", "backup"))
    story.silent.add(f"link/{CODE}/backup")
    assert story.go(5).state(CODE) == ON_BACKUP


def test_without_any_address_the_router_alone_tells_on_backup_and_never_up() -> None:
    story = commune(says({"lte1": 20}), pinged=())
    assert story.state(CODE) == ON_BACKUP
    story.said[ROUTER] = says({"ether1": 1})
    assert story.go(1).state(CODE) == (CommuneState.UNKNOWN, ())


def test_what_a_router_said_holds_for_three_beats_and_only_while_it_answers() -> None:
    story = commune(says({"lte1": 20}))
    story.said[ROUTER] = {}
    assert story.go(2).state(CODE) == ON_BACKUP
    assert story.go(3).state(CODE) == (CommuneState.UP, ())
    story.said[ROUTER] = says({"lte1": 20})
    assert story.go(2).state(CODE) == ON_BACKUP
    story.silent.add(ROUTER)
    assert story.go(2).state(CODE)[1] == ()


def test_a_commune_that_goes_dark_with_its_router_is_down_and_not_on_backup() -> None:
    story = commune(says({"ether1": 1}))
    story.cut(CODE)
    story.said[ROUTER] = says({"lte1": 20})
    causes = set()
    for _ in range(8):
        causes |= set(story.go(1).state(CODE)[1])
    assert story.state(CODE)[0] is CommuneState.DOWN
    assert Cause.ON_BACKUP not in causes


def test_what_a_router_said_survives_json() -> None:
    story = commune(says({"lte1": 20}))
    plain = TypeAdapter(Memory)
    memory = plain.validate_json(plain.dump_json(story.memory))
    assert memory.targets[ROUTER].by_interface == story.memory.targets[ROUTER].by_interface != {}
