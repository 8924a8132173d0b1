"""A device is told from another one by its signs, and what only seems to be a sign is none."""

from __future__ import annotations

import pytest

from probes.kinds.snmp.sameness import ACCEPTED_S, Identity, compared, engine_sign, serial_sign

FIRST = {"object_id": "1.3.6.1.4.1.14988.1", "serial_number": "a", "engine_id": "e"}


def after(*beats: dict[str, str], every_s: float = 60.0) -> Identity:
    """What is known after these beats."""
    known = Identity()
    for place, said in enumerate(beats):
        known = compared(known, said, place * every_s)
    return known


@pytest.mark.parametrize(
    ("then", "differs"),
    [
        ({}, set()),
        (FIRST, set()),
        ({**FIRST, "serial_number": "b"}, {"serial_number"}),
        ({"object_id": "1.3.6.1.4.1.9", "serial_number": "", "engine_id": "f"}, {"object_id", "engine_id"}),
        ({**FIRST, "object_id": "1.3.6.1.4.1.14988.2", "engine_id": "f"}, set()),  # other firmware, the same device
        ({**FIRST, "more": "x"}, set()),
    ],
)
def test_a_device_differs_by_the_signs_that_have_changed(then: dict[str, str], differs: set[str]) -> None:
    known = after(FIRST, then)
    assert (known.differs, known.replaced) == (frozenset(differs), int(bool(differs)))


def test_an_engine_id_counts_where_nothing_else_is_known() -> None:
    assert after({"engine_id": "e"}, {"engine_id": "f"}).differs == {"engine_id"}


def test_signs_that_are_told_later_belong_to_the_same_device() -> None:
    known = after({"object_id": "1.3"}, {"object_id": "1.3", "serial_number": "a"}, {"object_id": "1.3"})
    assert (known.differs, known.first) == (frozenset(), {"object_id": "1.3", "serial_number": "a"})


def test_the_first_one_that_comes_back_ends_it_and_counts_once_more() -> None:
    other = {**FIRST, "serial_number": "b"}
    assert after(FIRST, other, {}).differs == {"serial_number"}
    assert (after(FIRST, other, FIRST).differs, after(FIRST, other, FIRST).replaced) == (frozenset(), 2)


def test_after_a_day_the_other_one_is_the_device() -> None:
    other = {**FIRST, "serial_number": "b"}
    assert after(FIRST, other, other, every_s=ACCEPTED_S - 1).differs == {"serial_number"}
    accepted = after(FIRST, other, other, every_s=ACCEPTED_S)
    assert (accepted.differs, accepted.replaced, accepted.first) == (frozenset(), 1, other)


@pytest.mark.parametrize(
    "raw", [None, b"", b"\0\0", b"N/A", "unknown", b"FFFFFFFFFFFF", b"0000000000", 0, b"Not Specified"]
)
def test_what_stands_in_place_of_a_serial_number_is_no_sign(raw: bytes | str | int | None) -> None:
    assert serial_sign(raw) == ""


def test_a_serial_number_is_a_sign_and_cannot_be_read_from_it() -> None:
    assert serial_sign(b"A33309596248 ") == serial_sign("A33309596248") != serial_sign(b"A33309596249")
    assert "A333" not in serial_sign(b"A33309596248")


@pytest.mark.parametrize(
    ("raw", "is_sign"),
    [
        ("800000090300aabbccddee01", True),
        ("80001f8803aabbccddee01", True),
        ("80001f888012345678", False),  # net-snmp's own draw
        ("8000", False),
        ("", False),
    ],
)
def test_an_engine_id_that_is_drawn_at_each_start_is_no_sign(raw: str, is_sign: bool) -> None:
    assert bool(engine_sign(bytes.fromhex(raw))) is is_sign
