"""When streams are due: the timing wheel, without any packet."""

from __future__ import annotations

import pytest

from probes.protocols.icmp.wheel import SLOT_S, Wheel
from tests.probes.test_icmp_fates import a_stream


def test_a_stream_that_moves_is_taken_once() -> None:
    wheel, stream, other = Wheel(), a_stream(), a_stream()
    stream.due = other.due = 20.0
    wheel.put(stream)
    wheel.put(other)
    assert wheel.remove(stream)
    stream.due = 10.0
    wheel.put(stream)
    assert wheel.first() == pytest.approx(10.0, abs=SLOT_S)
    assert wheel.take(15.0, 10) == [stream]
    assert wheel.take(25.0, 10) == [other]


def test_a_stream_that_is_due_already_stays() -> None:
    wheel, streams = Wheel(), [a_stream() for _ in range(3)]
    for stream in streams:
        stream.due = 10.0
        wheel.put(stream)
    assert wheel.take(11.0, 1) == streams[:1]
    assert not wheel.remove(streams[1])
    assert wheel.take(11.0, 9) == streams[1:]
