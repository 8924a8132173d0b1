"""Counters of devices that go back: what is a reset, and what is not."""

from __future__ import annotations

from probes import metrics
from probes.kinds.snmp.counters import Counters, held
from probes.results import Reading

RECEIVED = metrics.INTERFACE_RECEIVE_BYTES


def told(*values: float) -> list[float]:
    """What one counter says, beat after beat."""
    counters: Counters = {}
    said = []
    for value in values:
        readings, counters = held(counters, [Reading(RECEIVED, value, ("ether1",))])
        said.append(readings[0].value)
    return said


def test_a_counter_that_goes_back_a_little_stays_until_it_is_beyond() -> None:
    assert told(1_000_000, 999_990, 999_999, 1_000_010) == [1_000_000, 1_000_000, 1_000_000, 1_000_010]


def test_a_counter_that_was_reset_or_ran_over_begins_anew() -> None:
    assert told(1_000_000, 0, 10) == [1_000_000, 0, 10]
    assert told(2**32 - 5, 7) == [2**32 - 5, 7]


def test_a_counter_goes_on_after_beats_in_which_it_was_not_read() -> None:
    _, counters = held({}, [Reading(RECEIVED, 1000, ("ether1",))])
    _, counters = held(counters, [])
    assert held(counters, [Reading(RECEIVED, 990, ("ether1",))])[0] == [Reading(RECEIVED, 1000, ("ether1",))]


def test_interfaces_are_told_apart_and_gauges_may_fall() -> None:
    readings = [Reading(RECEIVED, 100, ("ether1",)), Reading(RECEIVED, 60, ("ether2",))]
    _, counters = held({}, [*readings, Reading(metrics.DEVICE_CPU, 0.9)])
    again, _ = held(counters, [Reading(RECEIVED, 70, ("ether2",)), Reading(metrics.DEVICE_CPU, 0.8)])
    assert again == [Reading(RECEIVED, 70, ("ether2",)), Reading(metrics.DEVICE_CPU, 0.8)]


def test_what_is_no_longer_read_is_forgotten() -> None:
    _, counters = held({}, [Reading(RECEIVED, 100, ("ppp-1",)), Reading(RECEIVED, 5, ("ether1",))])
    _, counters = held(counters, [Reading(RECEIVED, 6, ("ether1",))])
    assert list(counters) == [(RECEIVED, ("ether1",))]
