"""The files of traps: whole, strict, and of both forms of an identifier."""

from __future__ import annotations

import pytest

from probes.results import Sign
from probes.traps import Objects, catalogue, read

ALARM = "1.3.6.1.2.1.33.1.6.2.1.2.7"
ON_BATTERY, LOW = "1.3.6.1.2.1.33.1.6.3.2", "1.3.6.1.2.1.33.1.6.3.3"


@pytest.mark.parametrize(
    ("oid", "objects", "name"),
    [
        ("1.3.6.1.6.3.1.1.5.1", {}, "cold_start"),
        ("1.3.6.1.6.3.1.1.5.2", {}, "warm_start"),
        ("1.3.6.1.6.3.1.1.5.3", {}, "link_down"),
        ("1.3.6.1.6.3.1.1.5.4", {}, "link_up"),
        ("1.3.6.1.6.3.1.1.5.5", {}, "authentication_failure"),
        ("1.3.6.1.2.1.33.2.1", {}, "ups_on_battery"),
        ("1.3.6.1.2.1.33.2.0.1", {}, "ups_on_battery"),
        ("1.3.6.1.2.1.33.2.3", {ALARM: ON_BATTERY}, "ups_on_battery"),
        ("1.3.6.1.2.1.33.2.0.3", {ALARM: LOW}, "ups_battery_low"),
        ("1.3.6.1.2.1.33.2.3", {ALARM: "1.3.6.1.2.1.33.1.6.3.8"}, "ups_alarm_added"),
        ("1.3.6.1.2.1.33.2.0.4", {ALARM: ON_BATTERY}, "ups_on_mains"),
        ("1.3.6.1.4.1.318.0.5", {}, "ups_on_battery"),
        ("1.3.6.1.4.1.318.0.9", {}, "ups_on_mains"),
        ("1.3.6.1.4.1.318.0.7", {}, "ups_battery_low"),
        ("1.3.6.1.4.1.9.9.661.0.2", {}, "modem_down"),
        ("1.3.6.1.4.1.14988.1.1.9.0.2", {}, "temperature"),
        ("1.3.6.1.2.1.158.0.2", {"1.3.6.1.2.1.158.1.6.1.4.3.1": 257}, "dying_gasp"),
        ("1.3.6.1.2.1.158.0.2", {"1.3.6.1.2.1.158.1.6.1.4.3.1": 256}, "oam_event"),
        ("1.3.6.1.4.1.99999.0.1", {}, None),
        ("1", {}, None),
    ],
)
def test_a_trap_is_found_in_either_form(oid: str, objects: Objects, name: str | None) -> None:
    found = catalogue().find(oid, objects)
    assert (found and found.name) == name


def test_every_on_battery_trap_says_so_to_the_diagnosis_and_as_a_reading() -> None:
    told = [trap for trap in catalogue().traps if trap.name == "ups_on_battery"]
    assert len(told) == 3
    assert all((trap.sign, trap.values) == (Sign.ON_BATTERY, {"ups_on_battery": 1}) for trap in told)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{name: up, object: x, oid: 1.3.6, values: {interface_oper_up: 1}}", "is no family of a device as a whole"),
        ("{name: up, object: x, oid: 1.3.6, sign: sunny}", "own.yaml: traps.0.sign"),
        ("{name: up, object: x, oid: ifUp}", "own.yaml: traps.0.oid"),
        ("{name: up, object: x, oid: 1.3.6, colour: red}", "own.yaml: traps.0.colour"),
        ("{name: [", "own.yaml: "),
    ],
)
def test_a_wrong_file_is_told_with_its_place(line: str, error: str) -> None:
    with pytest.raises(ValueError, match=error.replace(".", r"\.")):
        read("own.yaml", f"id: own\nsource: nowhere\ntraps:\n  - {line}\n")
