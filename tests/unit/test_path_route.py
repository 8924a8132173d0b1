"""What a trace makes of the answers: a route, where it ends, and whether it is the one of before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probes.ports import PingErrorKind
from probes.protocols.path_route import Hop, Route, Trail

TARGET = "10.4.4.1"
PASSED, PROHIBITED = PingErrorKind.TTL_EXCEEDED, PingErrorKind.PROHIBITED
REFUSED = PingErrorKind.PORT_UNREACHABLE
Answer = tuple[int, str, PingErrorKind | None]


def route(*answers: Answer) -> Route:
    trail = Trail(TARGET)
    for ttl, address, kind in answers:
        trail.answered(ttl, address, 0.01, kind)
    return trail.route()


def addresses(found: Route) -> list[str]:
    return [hop.address for hop in found.hops]


def through(*hops: str) -> Route:
    """A route by its hops, in words; `*` is silent."""
    return Route(TARGET, tuple(Hop(ttl, () if hop == "*" else (hop,)) for ttl, hop in enumerate(hops, start=1)), True)


def test_the_route_ends_where_the_destination_answers_first() -> None:
    found = route((4, TARGET, None), (1, "a", PASSED), (3, TARGET, REFUSED), (2, "b", PASSED))
    assert (addresses(found), found.reached) == (["a", "b", TARGET], True)


def test_a_hop_that_does_not_answer_keeps_its_place() -> None:
    assert addresses(route((1, "a", PASSED), (3, TARGET, None))) == ["a", "*", TARGET]


def test_a_broken_route_ends_with_the_last_hop_that_answers() -> None:
    found = route((1, "a", PASSED), (3, "c", PASSED))
    assert (addresses(found), found.reached, found.last and found.last.address) == (["a", "*", "c"], False, "c")


def test_nothing_at_all_is_a_route_without_hops() -> None:
    assert (route().hops, route().last, route().reached) == ((), None, False)


def test_a_router_that_refuses_ends_the_route_and_is_named_once() -> None:
    found = route((1, "a", PASSED), (2, "b", PASSED), (3, "b", PROHIBITED), (4, "b", PROHIBITED))
    assert addresses(found) == ["a", "b"]
    assert found.last is not None
    assert found.last.kind is PROHIBITED


def test_a_firewall_behind_the_last_hop_is_a_hop() -> None:
    found = route((1, "a", PASSED), (2, "wall", PROHIBITED), (3, "wall", PROHIBITED))
    assert (addresses(found), found.reached) == (["a", "wall"], False)


def test_a_router_that_refuses_only_now_and_then_is_the_next_hop_whichever_request_it_refused() -> None:
    found = route((1, "a", PASSED), (9, "wall", PROHIBITED))
    assert [(hop.ttl, hop.address) for hop in found.hops] == [(1, "a"), (2, "wall")]
    assert addresses(route((7, "wall", PROHIBITED))) == ["wall"]


def test_a_router_that_refuses_udp_and_lets_echoes_pass_ends_nothing() -> None:
    found = route((1, "a", PASSED), (2, "b", PROHIBITED), (3, "c", PASSED))
    assert addresses(found) == ["a", "b", "c"]


def test_a_port_unreachable_of_somebody_else_is_no_arrival() -> None:
    assert not route((1, "a", PASSED), (2, "10.4.4.9", REFUSED)).reached


def test_all_that_answer_at_one_distance_are_kept() -> None:
    found = route((1, "a", PASSED), (1, "b", PASSED), (1, "a", PASSED))
    assert found.hops[0].addresses == ("a", "b")


def test_only_what_is_silent_is_asked_again() -> None:
    trail = Trail(TARGET)
    trail.answered(1, "a", None, PASSED)
    assert trail.silent(4) == [2, 3, 4]
    trail.answered(3, TARGET, None, None)
    assert trail.silent(4) == [2]


answers = st.tuples(
    st.integers(1, 30), st.sampled_from(["a", "b", "c", TARGET]), st.sampled_from([*PingErrorKind, None])
)


@given(st.lists(answers))
def test_whatever_comes_the_hops_are_in_order_and_the_last_one_answers(given_answers: list[Answer]) -> None:
    found = route(*given_answers)
    assert [hop.ttl for hop in found.hops] == list(range(1, len(found.hops) + 1))
    assert found.reached == any(address == TARGET for _, address, _ in given_answers)
    if found.hops:
        assert found.hops[-1].addresses
    assert found.reached <= (found.last is not None and found.last.address == TARGET)


def test_a_silent_hop_is_no_other_route_and_the_hash_stays_once_it_is_known() -> None:
    whole, partly = through("a", "b", TARGET), through("a", "*", TARGET)
    assert partly.same_as(whole)
    assert partly.filled(whole).hash == whole.hash != partly.hash
    assert whole.filled(partly).hash == whole.hash


def test_another_hop_or_another_length_is_another_route() -> None:
    assert not through("a", "c", TARGET).same_as(through("a", "b", TARGET))
    assert not through("a", "b", "c", TARGET).same_as(through("a", "b", TARGET))


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert through("10.200.0.254", "*", TARGET).hash == 0xA853658B
