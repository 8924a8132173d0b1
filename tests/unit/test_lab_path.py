"""Ways through the simulated WAN: what lies on them, and what they do to packets."""

from __future__ import annotations

import ipaddress
from random import Random

import pytest

from deploy.lab import LabError, packets
from deploy.lab.path import QUEUE_S, Fate, Hop, Path, Segment, Trip, travel
from deploy.lab.topology import Topology
from probes.model import Province
from tests.unit.test_lab_packets import ECHO_REQUEST, ipv4

PROVINCE = Province.model_validate(
    {
        "province": "04",
        "credentials": {"lab": {"community": {"env": "X"}}},
        "trunks": [
            {"id": "radio", "parent": "ring", "address": "10.4.240.2"},
            {"id": "ring", "address": "10.4.240.1"},
            {"id": "fibre", "parent": "ring"},
        ],
        "communes": [
            {
                "code": "01290",
                "trunk": "radio",
                "links": [
                    {"role": "primary", "address": "10.4.1.1"},
                    {"role": "backup", "medium": "lte", "address": "10.4.1.3"},
                ],
                "devices": [
                    {"id": "router", "role": "router", "address": "10.4.1.1", "credential": "lab"},
                    {"id": "ups", "role": "ups", "address": "10.4.1.2", "credential": "lab"},
                ],
            },
            {"code": "01294", "trunk": "fibre", "links": [{"address": "fd00:4::1"}]},
            {"code": "01273", "links": [{"address": "10.4.3.1"}]},
        ],
        "services": [{"id": "portal", "kind": "http", "settings": {"url": "http://10.4.250.1:8080/x"}}],
    }
)


def names(topology: Topology, address: str) -> list[str]:
    return [item.name for item in topology.path(ipaddress.ip_address(address).packed).items]


RADIO = ["hub", "hub-gateway", "ring-entry", "ring", "ring-node", "radio-entry", "radio", "radio-node"]


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("10.4.1.1", [*RADIO, "01290", "01290/primary"]),
        ("10.4.1.3", [*RADIO, "01290", "01290/backup"]),
        ("10.4.1.2", [*RADIO, "01290"]),
        ("10.4.240.2", RADIO[:-1]),
        ("10.4.240.1", RADIO[:4]),
        ("10.201.0.1", RADIO[:5]),
        ("fd00:201::1", RADIO[:5]),
        ("10.200.0.254", ["hub"]),
        ("fd00:200::fe", ["hub"]),
        ("fd00:4::1", [*RADIO[:5], "fibre-entry", "fibre", "01294", "01294/primary"]),
        ("10.4.3.1", ["hub", "hub-gateway", "01273", "01273/primary"]),
        ("10.4.250.1", ["hub", "hub-gateway", "portal"]),
        ("192.0.2.1", ["hub", "hub-gateway"]),
    ],
)
def test_an_address_lies_behind_its_trunks_commune_and_link(address: str, way: list[str]) -> None:
    assert names(Topology(PROVINCE), address) == way


def test_addresses_and_networks_are_segments_of_whatever_lies_in_them() -> None:
    topology = Topology(PROVINCE)
    before = names(topology, "10.4.1.2")
    topology.segment("10.4.1.0/24")
    topology.segment("10.4.1.2")
    topology.segment("fd00::/16")
    topology.changed()
    assert names(topology, "10.4.1.2") == [*before, "10.4.1.0/24", "10.4.1.2"]
    assert names(topology, "10.4.3.1")[-1] == "01273/primary"
    assert names(topology, "fd00:4::1")[-1] == "fd00::/16"


def test_an_unknown_segment_is_named_with_what_may_be_meant() -> None:
    with pytest.raises(LabError) as caught:
        Topology(PROVINCE).segment("0129")
    assert str(caught.value) == (
        "unknown segment '0129'; did you mean '01294' or '01290' or '01273'? "
        "(known: hub, trunk and service ids, commune codes, CODE/LINK, any address or network)"
    )


def test_the_lab_says_that_it_resolves_no_names() -> None:
    named = PROVINCE.model_copy(update={"trunks": (PROVINCE.trunks[1].model_copy(update={"address": "ring.example"}),)})
    with pytest.raises(LabError, match=r"the lab resolves no names: give ring\.example an IP address"):
        Topology(named.model_copy(update={"communes": ()}))


def test_two_objects_of_one_name_are_refused() -> None:
    twice = PROVINCE.model_copy(update={"services": (PROVINCE.services[0].model_copy(update={"id": "ring"}),)})
    with pytest.raises(LabError, match="two objects of the province are called 'ring'"):
        Topology(twice)


class Way:
    """One path of a topology, with packets sent along it at the time 100 s."""

    now = 100.0

    def __init__(self, topology: Topology, address: str = "10.4.1.1") -> None:
        self.topology = topology
        self.path = topology.path(ipaddress.ip_address(address).packed)
        self.chance = Random(1)

    def send(self, *, ttl: int = 64, back: bool = False, size: int = 35, now: float = now) -> Trip | None:
        packet = ipv4(ECHO_REQUEST + bytes(size - 35), ttl=ttl)
        return travel(Trip.begin(packet, self.path, back, now), now, self.chance)


@pytest.fixture
def way() -> Way:
    return Way(Topology(PROVINCE))


def answer_of(trip: Trip | None) -> tuple[str, bytes]:
    """Who answered with an ICMP error, and its type and code."""
    assert trip is not None
    assert trip.back
    assert trip.ended
    return str(ipaddress.ip_address(packets.source(trip.packet))), trip.packet[20:22]


@pytest.mark.parametrize("back", [False, True])
def test_a_healthy_way_costs_no_time_and_one_hop_for_each_router(way: Way, back: bool) -> None:
    trip = way.send(back=back)
    assert trip is not None
    assert trip.ended
    assert (trip.at, packets.ttl(trip.packet)) == (way.now, 64 - 5)


def test_delays_add_up_each_way(way: Way) -> None:
    for name, delay in (("hub", 1.0), ("ring", 10.0), ("01290/primary", 5.5)):
        way.topology.segment(name).impair({"delay_ms": delay})
    for back in (False, True):
        trip = way.send(back=back)
        assert trip is not None
        assert trip.at == pytest.approx(way.now + 0.0165)


def test_each_hop_answers_when_the_count_runs_out_after_what_was_crossed_there_and_back(way: Way) -> None:
    way.topology.segment("ring").impair({"delay_ms": 10.0})
    hops = ["10.200.0.254", "10.201.0.2", "10.4.240.1", "10.201.0.1", "10.4.240.2"]
    for ttl, hop in enumerate(hops, start=1):
        trip = way.send(ttl=ttl)
        assert answer_of(trip) == (hop, b"\x0b\x00")
        assert trip is not None
        assert trip.at == pytest.approx(way.now + (0.02 if ttl > 2 else 0))
    arrived = way.send(ttl=6)
    assert arrived is not None
    assert not arrived.back


def test_hops_before_a_cut_answer_and_those_beyond_are_silent(way: Way) -> None:
    way.topology.segment("ring").impair({"cut": True})
    assert [answer_of(way.send(ttl=ttl))[0] for ttl in (1, 2)] == ["10.200.0.254", "10.201.0.2"]
    assert [way.send(ttl=ttl) for ttl in (3, 4, 64)] == [None, None, None]
    assert way.topology.segment("ring").dropped == {Fate.CUT: 3}


def test_the_last_router_before_an_unreachable_segment_says_so(way: Way) -> None:
    way.topology.segment("01290/primary").impair({"unreachable": True})
    assert answer_of(way.send()) == ("10.4.240.2", b"\x03\x01")
    assert way.send(back=True) is None
    backup = Way(way.topology, "10.4.1.3").send()
    assert backup is not None
    assert not backup.back


def test_a_dark_site_stays_dark_when_its_cut_is_mended(way: Way) -> None:
    site = way.topology.segment("01290")
    site.dark = True
    site.impair({"cut": True})
    site.impair({"cut": False})
    assert way.send() is None
    site.dark = False
    assert way.send() is not None


def test_loss_is_a_chance_each_way(way: Way) -> None:
    way.topology.segment("ring").impair({"loss": 0.3})
    for back in (False, True):
        lost = sum(way.send(back=back) is None for _ in range(2000))
        assert 0.26 < lost / 2000 < 0.34
    assert sum(way.topology.segment("ring").dropped.values()) == 4000 - way.topology.segment("ring").forwarded


def test_jitter_spreads_arrivals_and_never_turns_their_order(way: Way) -> None:
    way.topology.segment("ring").impair({"delay_ms": 20.0, "jitter_ms": 10.0})
    arrivals = []
    for number in range(200):
        sent = way.now + number * 0.001
        trip = way.send(now=sent)
        assert trip is not None
        assert 0.02 <= trip.at - sent <= 0.03 + 1e-9
        arrivals.append(trip.at)
    assert arrivals == sorted(arrivals)
    assert len(set(arrivals)) > 20


def test_a_change_on_the_way_does_not_turn_the_order_either(way: Way) -> None:
    way.topology.segment("ring").impair({"delay_ms": 500.0})
    slow = way.send()
    way.topology.segment("ring").impair({"delay_ms": 1.0})
    way.topology.changed()
    after = Way(way.topology).send()
    way.topology.clear()
    healthy = Way(way.topology).send()
    assert slow is not None
    assert after is not None
    assert healthy is not None
    assert slow.at == after.at == way.now + 0.5
    assert healthy.at == way.now


def test_a_slow_address_does_not_hold_up_another_one_behind_the_same_trunk(way: Way) -> None:
    way.topology.segment("01290").impair({"delay_ms": 500.0})
    assert way.send(back=True) is not None
    neighbour = Way(way.topology, "10.4.240.1").send(back=True)
    assert neighbour is not None
    assert neighbour.at == way.now


def test_a_rate_is_shared_and_its_queue_is_bounded() -> None:
    segment = Segment("slow")
    segment.impair({"rate_kbps": 100.0})  # a packet of 1,000 bytes takes 0.08 s
    path = Path((segment,))
    done = [travel(Trip.begin(ipv4(bytes(980)), path, False, 50.0), 50.0, Random(1)) for _ in range(10)]
    at = [trip.at for trip in done if trip]
    assert at == pytest.approx([50.0 + 0.08 * number for number in range(1, 8)])
    assert at[-1] - 0.08 <= 50.0 + QUEUE_S < at[-1]
    assert segment.dropped == {Fate.QUEUE: 3}
    assert travel(Trip.begin(ipv4(bytes(980)), path, True, 50.0), 50.0, Random(1)) is not None


def test_a_queue_is_joined_on_arrival_and_not_before() -> None:
    far, slow = Segment("far"), Segment("slow")
    far.impair({"delay_ms": 100.0})
    slow.impair({"rate_kbps": 80.0})
    hop = Hop("middle", bytes(4), bytes(16))
    waiting = travel(Trip.begin(ipv4(bytes(980)), Path((far, hop, slow)), False, 50.0), 50.0, Random(1))
    assert waiting is not None
    assert not waiting.ended
    assert waiting.at == pytest.approx(50.1)
    early = travel(Trip.begin(ipv4(bytes(980)), Path((slow,)), False, 50.0), 50.0, Random(1))
    assert early is not None
    assert early.at == pytest.approx(50.1)
    done = travel(waiting, waiting.at, Random(1))
    assert done is not None
    assert done.ended
    assert done.at == pytest.approx(50.2)
    assert packets.ttl(done.packet) == 63


def test_healing_takes_everything_but_darkness(way: Way) -> None:
    site = way.topology.segment("01290")
    site.impair({"cut": True, "delay_ms": 5.0})
    site.dark = True
    way.topology.clear()
    assert site.dark
    site.dark = False
    trip = way.send()
    assert trip is not None
    assert trip.at == way.now
