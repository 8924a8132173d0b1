"""Scenarios as data: what is right, and the whole text of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent import inventory
from deploy.lab import CAO_BANG, LabError
from deploy.lab.portals import Portal
from deploy.lab.scenario import Scenario, load, parse_event, shipped
from deploy.lab.topology import Topology
from deploy.lab.world import World
from probes import units
from probes.model import Province


def cao_bang() -> Province:
    return inventory.load(CAO_BANG)


class NoWan:
    """A forwarder that only remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    async def impair(self, name: str, changes: Any) -> None:
        self.told.append(("impair", name, dict(changes)))

    async def clear(self, name: str | None) -> None:
        self.told.append(("clear", name))

    async def dark(self, name: str, is_dark: bool) -> None:
        self.told.append(("dark", name, is_dark))

    async def stats(self) -> dict[str, Any]:
        return {}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wan() -> NoWan:
    return NoWan()


def never() -> Any:
    raise OSError(98, "Address already in use")


@pytest.fixture
def world(clock: Clock, wan: NoWan) -> World:
    province = cao_bang()
    portals = {service.id: Portal({"/": service}, never) for service in province.services}
    return World(province, Topology(province), wan, portals, clock, battery_s=20)


def test_the_shipped_province_is_cao_bang_whole() -> None:
    province = cao_bang()
    assert [commune.code for commune in province.communes] == [unit.code for unit in units.communes("04")]
    behind = {trunk.id: [c.code for c in province.communes if c.trunk == trunk.id] for trunk in province.trunks}
    assert [len(codes) for codes in behind.values()].count(20) == 1
    assert any(trunk.parent for trunk in province.trunks)
    assert any(trunk.address is None for trunk in province.trunks)
    with_ups = {c.code for c in province.communes if any(device.role == "ups" for device in c.devices)}
    assert {"01290", "01321", "01324"} <= with_ups
    assert 15 <= len(with_ups) <= 22
    addresses = [link.address for c in province.communes for link in c.links]
    assert len(addresses) == len(set(addresses))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_scenario_can_be_played_in_the_shipped_province(name: str, world: World) -> None:
    scenario = load(name, world)
    assert scenario.name == name
    assert scenario.lasts_s <= 100
    assert all(event.told() for event in scenario.events)


def test_a_scenario_that_nobody_ships_is_named_with_those_that_are(world: World) -> None:
    with pytest.raises(LabError) as caught:
        load("hard-nihgt", world)
    assert str(caught.value) == (
        "unknown scenario 'hard-nihgt'; did you mean 'hard-night'? "
        "(known: hard-night, portal-overload, trunk-cut), or the path of a .yaml file"
    )


def test_every_error_of_a_scenario_is_told_at_once_with_line_and_place(tmp_path: Path, world: World) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        """name: wrong
about: everything that can be wrong with the form
batery: 20s
events:
  - {at: 60, cut: "01290"}
  - {at: 5s, ct: "01290"}
  - at: 10s
    impair:
      segment: "01290"
      loss: 1.5
      dely_ms: 3
  - {at: 10s, cut: "01290", restore: "01290"}
  - {at: 10s, cut: []}
  - {at: 10s, portal_slow: national-portal}
  - {at: 10s, power_cut: 1321}
""",
        encoding="utf-8",
    )
    with pytest.raises(LabError) as caught:
        load(str(path), world)
    actions = (
        "cut, unreachable, restore, impair, clear, power_cut, power_back, portal_overload, portal_error, "
        "portal_wrong, portal_refuse, portal_slow, portal_ok"
    )
    assert str(caught.value).splitlines() == [
        f"{path}:3: batery: unknown key 'batery'; did you mean 'battery'? (known: name, about, battery, events)",
        f"{path}:5: events[0].at: must be a time such as 20s, 2m or 1m30s, not 60",
        f"{path}:6: events[1].ct: unknown key 'ct'; did you mean 'cut'? (known: at, {actions})",
        f"{path}:10: events[2].impair.loss: must be less than or equal to 1, not 1.5",
        f"{path}:11: events[2].impair.dely_ms: unknown key 'dely_ms'; did you mean 'delay_ms'? "
        "(known: segment, delay_ms, jitter_ms, loss, rate_kbps)",
        f"{path}:12: events[3]: must name exactly one of {actions}; found cut, restore",
        f"{path}:13: events[4].cut: must not be empty",
        f"{path}:14: events[5].portal_slow: must be a mapping (`key: value` lines), not 'national-portal'",
        f"{path}:15: events[6].power_cut: must be a list, not 1321",
    ]


def test_every_unknown_name_is_told_with_what_may_be_meant(tmp_path: Path, world: World) -> None:
    path = tmp_path / "names.yaml"
    path.write_text(
        """name: names
about: well formed, of another province
events:
  - {at: 1s, cut: bao-lac-rng}
  - {at: 1s, power_cut: ["01321", "01322"]}
  - {at: 1s, portal_slow: {service: portal, seconds: 5}}
  - {at: 1s, portal_overload: identity-gateway}
  - {at: 1s, impair: {segment: 10.4.0.0/33, loss: 1}}
  - {at: 1s, clear: everything}
""",
        encoding="utf-8",
    )
    with pytest.raises(LabError) as caught:
        load(str(path), world)
    kinds = "(known: hub, trunk and service ids, commune codes, CODE/LINK, any address or network)"
    portals = "(known: national-portal, provincial-portal, identity-gateway)"
    assert str(caught.value).splitlines() == [
        f"{path}:4: events[0].cut[0]: unknown segment 'bao-lac-rng'; did you mean 'bao-lac-ring' or 'bao-lam-radio'? "
        f"{kinds}",
        f"{path}:5: events[1].power_cut[1]: unknown commune '01322'; did you mean '01822' or '01392' or '01327'? "
        "(known: 01273 … 01822)",
        f"{path}:6: events[2].portal_slow.service: unknown service 'portal' {portals}",
        f"{path}:7: events[3].portal_overload[0]: 'identity-gateway' is of kind tcp, "
        "where only portal_refuse and portal_ok can be done",
        f"{path}:8: events[4].impair.segment: unknown segment '10.4.0.0/33' {kinds}",
    ]
    assert load(str(path)).name == "names"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: must be a mapping (`key: value` lines), not None"),
        ("name: [", ":1: is not YAML: expected the node content, but found '<stream end>'"),
        ("name: x\nabout: y\nevents: []\n", ":3: events: must not be empty"),
        (
            "name: x\nabout: \x01\n",
            ":1: is not YAML: unacceptable character #x0001: special characters are not allowed",
        ),
        ("name: x\nevents:\n- {at: !!int ''}\n", ":3: is not YAML: '' has no meaning in YAML; write it in quotes"),
        ("name: x\nevents:\n- {at: !!bool x}\n", ":3: is not YAML: 'x' has no meaning in YAML; write it in quotes"),
        ("[" * 3000, ":1: too many lists and mappings inside each other; is it a scenario?"),
        (
            "name: x\nabout: y\nbattery: 0s\nevents: [{at: 1s, cut: hub}]\n",
            ":3: battery: must be greater than 0, not '0s'",
        ),
        (
            "name: x\nabout: y\nevents: [{at: .nan, cut: hub}]\n",
            ":3: events[0].at: must be greater than or equal to 0, not nan",
        ),
        ("about: y\nevents: [{at: 1s, cut: hub}]\n", ":1: name: is required"),
    ],
)
def test_files_that_are_no_scenario(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}{message}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"none.yaml: cannot be read: No such file or directory"):
        load(str(tmp_path / "none.yaml"))


def test_events_happen_in_the_order_of_their_time(tmp_path: Path, world: World) -> None:
    path = tmp_path / "order.yaml"
    path.write_text("name: x\nabout: y\nevents:\n- {at: 1m30s, cut: hub}\n- {at: 5s, restore: hub}\n", encoding="utf-8")
    assert [(event.at_s, event.told()) for event in load(str(path), world).events] == [
        (5, "restore: hub"),
        (90, "cut: hub"),
    ]


async def test_an_event_from_outside_is_checked_alike(world: World) -> None:
    with pytest.raises(LabError) as caught:
        parse_event({"cutt": "01290"}, world)
    assert str(caught.value).startswith("cutt: unknown key 'cutt'; did you mean 'cut'? (known: at, cut, ")


async def act(world: World, **event: Any) -> None:
    await world.act(parse_event(event, world))


async def test_cuts_go_to_the_wan_and_to_the_routers_view(world: World, wan: NoWan) -> None:
    await act(world, cut=["01290/primary", "10.4.7.0/24"])
    assert not world.link_works("01290", "primary")
    assert world.link_works("01290", "backup")
    await act(world, restore="01290/primary")
    assert world.link_works("01290", "primary")
    await act(world, impair={"segment": "hub", "delay_ms": 5, "loss": 0.1})
    assert wan.told == [
        ("impair", "01290/primary", {"cut": True}),
        ("impair", "10.4.7.0/24", {"cut": True}),
        ("impair", "01290/primary", {"cut": False, "unreachable": False}),
        ("impair", "hub", {"delay_ms": 5, "loss": 0.1}),
    ]


async def test_a_power_cut_darkens_at_once_what_has_no_ups_and_later_what_has_one(
    world: World, wan: NoWan, clock: Clock
) -> None:
    await act(world, power_cut=["01273", "01290"])
    assert wan.told == [("dark", "01273", True)]
    clock.now += 25
    await act(world, power_cut="01279")
    assert wan.told[1:] == [("dark", "01279", True), ("dark", "01290", True)]
    assert world.status()["sites"]["01290"] == {"mains": False, "lit": False, "charge": 0.0, "on_battery_s": 25.0}
    await act(world, power_back=["01273", "01279", "01290"])
    assert sorted(wan.told[3:]) == [("dark", "01273", False), ("dark", "01279", False), ("dark", "01290", False)]
    assert world.sites["01290"].booted == clock.now


async def test_a_portal_that_cannot_listen_again_is_an_error_with_its_reason(world: World) -> None:
    with pytest.raises(LabError, match="national-portal could not listen again: Address already in use"):
        await act(world, portal_ok="national-portal")


@pytest.fixture
def stories(world: World) -> tuple[Scenario, Scenario]:
    return load("trunk-cut", world), load("hard-night", world)


async def test_only_one_scenario_is_played_at_a_time(world: World, stories: tuple[Scenario, Scenario]) -> None:
    await world.play(stories[0])
    with pytest.raises(LabError, match="scenario 'trunk-cut' is still being played"):
        await world.play(stories[1])
    await world.stop()
    assert world.playing is None
