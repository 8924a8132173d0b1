"""Device profiles: values out of what devices send, files that are whole, errors that are clear."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from hypothesis import given
from hypothesis import strategies as st

from probes import metrics
from probes import profiles as package
from probes.metrics import FAMILIES, PREFIX
from probes.profiles import Library, load, objects, read, shipped
from probes.profiles.age import WRAP_S, Age, aged
from probes.profiles.signal import judged
from probes.profiles.values import Raw, label_reader, number, reader, text
from probes.results import Reading

FOLDER = Path(package.__file__).parent
FILES = sorted(FOLDER.glob("*.yaml"))
ROOT = Path(__file__).parents[2]
ALL = pytest.mark.parametrize("profile", shipped().profiles.values(), ids=shipped().profiles.keys())


# Values


@pytest.mark.parametrize(
    ("how", "raw", "expected"),
    [
        ({}, 5, 5),
        ({}, -5, -5),
        ({}, b"-106 dBm", -106),
        ({}, "16.1", 16.1),
        ({}, b" +7\0", 7),
        ({}, b"", None),
        ({}, b"\0\0", None),
        ({}, b"n/a", None),
        ({}, float("nan"), None),
        ({}, float("inf"), None),
        ({}, 2**70, None),
        ({}, b"9" * 70000, None),
        ({"scale": 0.01}, 35, 0.35),
        ({"scale": 0.1}, -70, -7.0),
        ({"scale": 60}, b"43", 2580),
        ({"scale": 125000}, 100, 12.5e6),
        ({"low": -140, "high": -44}, -105, -105),
        ({"low": -140, "high": -44}, 0, None),
        ({"low": -140, "high": -44}, -141, None),
        ({"low": 0, "high": 5e9}, 4294967295, None),
        ({"low": 0, "high": 5e9}, 2147483647, None),
        ({"low": -3e9, "high": 5e9}, -2147483648, None),
        ({"low": 0, "high": 5e9}, 65535, None),
        ({}, 4294967295, 4294967295),
        ({"low": 0}, 4294967295, 4294967295),
        ({"low": 0}, -1, None),
        ({"low": 0}, b"12", 12),
        ({"absent": (9999,)}, 9999, None),
        ({"absent": (9999,)}, 9998, 9998),
        ({"absent": ("N/A", "none*")}, b"n/a", None),
        ({"absent": ("N/A", "none*")}, b"None yet 5", None),
        ({"absent": (0,), "scale": 0.1}, 0, None),
        ({"kind": "unsigned"}, -1835401583, 2459565713),
        ({"kind": "unsigned"}, 7, 7),
        ({"kind": "ticks"}, 438000, 4380),
        ({"kind": "ticks", "low": 0, "high": 100}, 20000, None),
        ({"kind": "hex"}, b"\x01\x00", 256),
        ({"kind": "hex"}, b"0x1F", 31),
        ({"kind": "hex"}, "1F 20", 0x1F20),
        ({"kind": "hex"}, b"", None),
        ({"kind": "hex"}, b"123456789", None),
        ({"kind": "hex"}, 12, 12),
        ({"kind": "date"}, bytes([0x07, 0xE8, 2, 29, 12, 30, 15, 0]), 1709209815),
        ({"kind": "date"}, bytes([0x07, 0xE8, 2, 29, 12, 30, 15, 0]) + b"+\x07\x00", 1709209815 - 25200),
        ({"kind": "date"}, bytes([0x07, 0xE8, 2, 29, 12, 30, 15, 0]) + b"-\x01\x1e", 1709209815 + 5400),
        ({"kind": "date"}, bytes([0x07, 0xE8, 13, 29, 12, 30, 15, 0]), None),
        ({"kind": "date"}, b"2024-02-29", None),
        ({"kind": "bits", "flag": (2,)}, b"\x20", 1),
        ({"kind": "bits", "flag": (2,)}, b"\x40", 0),
        ({"kind": "bits", "flag": (9,)}, b"\x00\x40", 1),
        ({"kind": "bits", "flag": (2,)}, b"0010000000000000", 1),
        ({"kind": "bits", "flag": (3,)}, b"0010000000000000", 0),
        ({"kind": "bits", "flag": (3,)}, b"", None),
        ({"kind": "bits", "flag": (3,)}, 8, None),
        ({"flag": (5,)}, 5, 1),
        ({"flag": (5,)}, b"5", 1),
        ({"flag": (5,)}, 3, 0),
        ({"flag": (5,), "low": 1, "high": 7}, 0, None),
        ({"flag": (5,), "low": 1, "high": 7}, 8, None),
        ({"flag": (5,), "low": 1, "high": 7, "absent": (1,)}, 1, None),
        ({"flag": (5,), "low": 1, "high": 7}, b"5", 1),
        ({"flag": ("registered*", "roaming")}, b"Registered, home", 1),
        ({"flag": ("registered*", "roaming")}, b"ROAMING ", 1),
        ({"flag": ("registered*", "roaming")}, b"roaming soon", 0),
        ({"flag": ("registered*",), "absent": ("N/A",)}, b"n/a", None),
        ({"flag": ("registered*",)}, b"", None),
        ({"above": 0}, 90, 1),
        ({"above": 0}, 0, 0),
        ({"above": 0, "low": 0, "high": 100}, 4294967295, None),
        ({"values": {7: 4, 2: 3}}, 7, 4),
        ({"values": {7: 4, 2: 3}}, b"7", 4),
        ({"values": {7: 4, 2: 3}}, 8, None),
        ({"values": {"LTE*": 4, "WCDMA": 3}}, b"lte-a", 4),
        ({"values": {"LTE*": 4, "WCDMA": 3}}, b"wcdma", 3),
        ({"values": {"LTE*": 4, "WCDMA": 3}}, b"wcdma2", None),
        ({"pattern": r"load (\d+)"}, b"Load 17 %", 17),
        ({"pattern": r"load (\d+)"}, b"idle", None),
    ],
)
def test_a_number_is_read_from_what_devices_send(how: dict[str, Any], raw: Raw, expected: float | None) -> None:
    assert reader(**how)(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"  RUT955 \0\0", "RUT955"),
        (b"Mi\xe9n", "Mi\xe9n"),
        ("Cổng".encode(), "Cổng"),
        (b"line 1\r\nline 2", "line 1 line 2"),
        (b"x" * 65536, "x" * 120),
        ("ổ".encode() * 30000, "ổ" * 120),
        (5, "5"),
        (None, ""),
        (b"modem 352761064656839 ok", "modem ... ok"),
        (b"89470129999000014256", "..."),
        (b"+84 912345678", "+84 912345678"),
    ],
)
def test_a_text_is_one_line_without_numbers_of_subscribers(raw: Raw | None, expected: str) -> None:
    assert text(raw) == expected


@pytest.mark.parametrize(
    ("how", "raw", "expected"),
    [
        ({}, b"Orange SK", "Orange SK"),
        ({"absent": ("n/a",)}, b"N/A", ""),
        ({"values": {7: "LTE"}}, 7, "LTE"),
        ({"values": {7: "LTE"}}, 9, ""),
        ({"pattern": r"Version ([^,]+)"}, b"Vigor, Version 4.3, x", "4.3"),
        ({"pattern": r"Version ([^,]+)"}, b"Vigor", ""),
    ],
)
def test_a_label_is_read_from_what_devices_send(how: dict[str, Any], raw: Raw, expected: str) -> None:
    assert label_reader(**how)(raw) == expected


ANYTHING = st.one_of(st.binary(), st.text(), st.integers(), st.floats())


@given(
    st.sampled_from(["number", "unsigned", "ticks", "hex", "date", "bits"]),
    st.sampled_from(
        [{}, {"low": 0, "high": 100, "scale": 0.01}, {"low": 0}, {"above": 3}, {"values": {1: 2, "a*": 3}}]
    ),
    ANYTHING,
)
def test_no_value_upsets_a_reader(kind: Any, how: Any, raw: Raw) -> None:
    if kind == "bits" and "values" not in how:
        how = {"flag": (1,)}
    found = reader(kind, **how)(raw)
    assert found is None or -(2**64) <= found <= 2**64
    assert len(text(raw)) <= 120
    assert text(raw).isprintable() or not text(raw).isascii()
    number(raw)


# The files


def test_every_file_is_one_profile_named_as_the_file() -> None:
    assert list(shipped().profiles) == sorted(file.stem for file in FILES)
    assert [key for key, profile in shipped().profiles.items() if profile.id != key] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_key_is_written_twice(file: Path) -> None:
    pending = [yaml.compose(file.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            pending += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            pending += node.value


def test_an_object_has_one_name_in_all_profiles() -> None:
    names: dict[str, set[str]] = {}
    for profile in shipped().profiles.values():
        for item in objects(profile):
            names.setdefault(item["oid"], set()).add(item["object"])
    assert {oid: told for oid, told in names.items() if len(told) > 1} == {}


@ALL
def test_no_group_feeds_a_family_twice_from_one_object(profile: package.Profile) -> None:
    for group in profile.groups:
        for fed in (group.scalars, *(table.columns for table in group.tables)):
            keys = [(item.family, item.oid, item.where and item.where.values, repr(item.labels)) for item in fed]
            assert len(keys) == len(set(keys)), group.name


@ALL
def test_scalars_end_in_zero_and_columns_do_not(profile: package.Profile) -> None:
    for group in profile.groups:
        for item in group.scalars:
            assert all(oid["oid"].endswith(".0") for oid in package.model.named(item.model_dump())), item.family
        for table in group.tables:
            for column in table.columns:
                assert not any(oid["oid"].endswith(".0") for oid in package.model.named(column.model_dump()))


@ALL
def test_ratios_come_from_percents_and_flags_from_decisions(profile: package.Profile) -> None:
    for group in profile.groups:
        for item in (*group.scalars, *(column for table in group.tables for column in table.columns)):
            family = item.catalogue
            sources = item.first or item.any or (() if item.oid is None else (item,))
            for source in sources:
                if family.unit == "flag":
                    assert source.flag is not None or source.above is not None, item.family
                if family.unit in {"ratio", "celsius", "dbm", "db", "volts"}:
                    assert source.range is not None, item.family
                if family.unit == "ratio" and source.range is not None and item.decimals is None:
                    assert source.range[1] * source.scale <= 2, item.family


def test_the_general_groups_are_those_that_inventories_may_already_demand() -> None:
    assert {"system", "interfaces", "ups"} <= set(shipped().general)


@pytest.mark.parametrize(
    ("object_id", "description", "expected"),
    [
        ("1.3.6.1.4.1.14988.1", "RouterOS RB912R-2nD", ["mikrotik", "printer", "ups-card", "standard"]),
        (
            "1.3.6.1.4.1.8072.3.2.10",
            "Linux gw",
            ["teltonika", "teltonika-old", "net-snmp", "printer", "ups-card", "standard"],
        ),
        ("1.3.6.1.4.1.2011.2.224.133", "", ["huawei", "printer", "ups-card", "standard"]),
        ("1.3.6.1.4.1.2011.6.174.4.1.2.4", "", ["printer", "ups-card", "standard"]),
        ("1.3.6.1.4.1.90", "", ["printer", "ups-card", "standard"]),
        ("", "", ["printer", "ups-card", "standard"]),
    ],
)
def test_the_most_particular_profile_comes_first(object_id: str, description: str, expected: list[str]) -> None:
    assert [profile.id for profile in shipped().candidates(object_id, description)] == expected


def test_small_groups_come_before_big_ones_and_the_system_before_all() -> None:
    plan = shipped().plan(("interfaces", "system"), ("mikrotik",))
    names = [asked.group.name for asked in plan.asked]
    assert names[0] == "system"
    assert names.index("cell") < names.index("interfaces")
    assert {asked.group.name for asked in plan.asked if asked.demanded} == {"system", "interfaces"}


def test_a_profiles_group_takes_the_place_of_the_general_one() -> None:
    (system, ups, _) = shipped().plan(("system", "ups"), ("apc",)).asked
    assert system.demanded
    assert ups.demanded
    assert all(".318." in oid for oid in ups.group.oids)


def test_nothing_is_read_on_import() -> None:
    program = "from probes.profiles import shipped; assert shipped.cache_info().currsize == 0"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_the_wheel_ships_every_file() -> None:
    included = {item.distribution_path for item in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"probes/profiles/{file.name}" for file in FILES} - included == set()


# A deployer's own

GOOD = """\
id: modem
title: Modem
source: a MIB
match: {object_id: [1.3.6.1.4.1.99999]}
also: [linux]
groups:
  - name: cell
    scalars:
      - {family: cell_rsrp_dbm, object: rsrp, oid: 1.3.6.1.4.1.99999.1.0, range: [-140, -44]}
    tables:
      - names: index
        columns:
          - {family: sensor_volts, object: volts, oid: 1.3.6.1.4.1.99999.2.1, range: [0, 60]}
"""
SCALAR = "{family: cell_rsrp_dbm, object: rsrp, oid: 1.3.6.1.4.1.99999.1.0, range: [-140, -44]}"
COLUMN = "{family: sensor_volts, object: volts, oid: 1.3.6.1.4.1.99999.2.1, range: [0, 60]}"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("id: modem", "id: modem\ncolour: red", "colour: Extra inputs are not permitted"),
        ("id: modem", "id: router", "id: 'router' belongs into router.yaml"),
        ("id: modem", "\tid: modem", "line 1: found character that cannot start any token"),
        (GOOD, "", "Input should be a valid dictionary or instance of Profile"),
        ("source: a MIB\n", "", "source: Field required"),
        (
            "match: {object_id: [1.3.6.1.4.1.99999]}",
            "match: {}",
            "match: needs object_id, description or probe; leave match out for a profile asked by name only",
        ),
        (
            "match: {object_id: [1.3.6.1.4.1.99999]}",
            "match: {description: 'Modem('}",
            "match.description: no regular expression: missing ), unterminated subpattern at position 5",
        ),
        ("[1.3.6.1.4.1.99999]", "[enterprises.9]", None),
        ("cell_rsrp_dbm", "cell_rspr_dbm", "no family lienxa_cell_rspr_dbm in the metric catalogue"),
        ("object: rsrp, ", "", "object and oid go together"),
        ("object: rsrp,", "object: simIccid,", "numbers of subscribers, SIM cards and devices are never read"),
        (SCALAR, "{family: cell_rsrp_dbm}", "needs an oid, first, any or share; only an info family"),
        ("[-140, -44]}", "[-44, -140]}", "range must be the lowest, then the highest value"),
        ("[-140, -44]}", "[-140, -44], scale: 0}", "scale must not be 0"),
        ("[-140, -44]}", "[-140, -44], flag: [1], above: 3}", "only one of flag and above can decide"),
        ("[-140, -44]}", "[-140, -44], type: bits}", "bits need a flag: the numbers of the bits that count"),
        ("[-140, -44]}", "[-140, -44], type: string}", "type: Input should be 'number', 'unsigned',"),
        ("[-140, -44]}", "[-140, -44], pattern: 'x'}", "must have exactly one group in parentheses"),
        ("[-140, -44]}", "[-140, -44], reduce: max}", "scalars.0: reduce is for the columns of a table"),
        ("[-140, -44]}", "[-140, -44], labels: {modem: x}}", "lienxa_cell_rsrp_dbm has no label modem of its own"),
        ("range: [0, 60]}", "range: [0, 60], labels: {interface: x}}", "lienxa_sensor_volts has no label interface"),
        ("- names: index\n", "- limit: 5\n", "columns.0: sensor_volts needs its label reading, or the table names"),
        (COLUMN, COLUMN.replace("sensor_volts", "ups_battery_volts"), "has one value for the device: give reduce"),
        (SCALAR, SCALAR.replace("cell_rsrp_dbm", "sensor_volts"), "scalars.0: sensor_volts needs its labels: reading"),
        (
            "object: volts, oid: 1.3.6.1.4.1.99999.2.1",
            "object: volts, oid: 1.3.6.1.4.1.99999.1.0",
            "is called rsrp and",
        ),
        ("- names: index", "- limit: 5000\n        names: index", "limit: Input should be less than or equal to 1024"),
        ("- name: cell", "- name: Cell", "name: String should match pattern"),
    ],
)
def test_a_wrong_file_is_told_by_file_and_path(right: str, wrong: str, message: str | None) -> None:
    assert right in GOOD
    with pytest.raises(ValueError, match=r"^modem\.yaml: ") as caught:
        read("modem.yaml", GOOD.replace(right, wrong))
    said = str(caught.value).splitlines()
    assert all(line.startswith("modem.yaml: ") for line in said)
    wanted = "match.object_id.0: must be an object identifier in numbers, such as" if message is None else message
    assert wanted in str(caught.value)


def test_own_profiles_join_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "modem.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a profile", encoding="utf-8")
    library = load(tmp_path)
    assert set(library.profiles) == {*shipped().profiles, "modem"}
    assert library != shipped()
    assert library == load(tmp_path)
    assert library.candidates("1.3.6.1.4.1.99999.7", "")[0].id == "modem"


def test_an_own_profile_replaces_a_shipped_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "zte.yaml").write_text(GOOD.replace("id: modem", "id: zte"), encoding="utf-8")
    assert load(tmp_path).profiles["zte"].title == "Modem"


def test_all_errors_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("id: modem", "id: a").replace("linux", "lynx"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(GOOD.replace("id: modem", "id: b").replace("linux", "apc"), encoding="utf-8")
    (tmp_path / "c.yaml").write_text("id: c", encoding="utf-8")
    (tmp_path / "d.yaml").write_bytes(b"id: \xff")
    with pytest.raises(ValueError, match="lynx") as caught:
        load(tmp_path)
    said = [re.sub(r" \(known: .*", "", line) for line in str(caught.value).splitlines()]
    assert said == [
        "d.yaml: is not UTF-8",
        "c.yaml: title: Field required",
        "c.yaml: source: Field required",
        "a.yaml: also.0: no profile 'lynx'",
        "b.yaml: also.0: 'apc' is recognised by itself; only profiles without match can be named",
    ]


def test_a_general_group_has_one_owner(tmp_path: Path) -> None:
    mine = "id: mine\ntitle: Mine\nsource: mine\ngroups:\n  - name: ups\n    scalars:\n      - " + SCALAR + "\n"
    (tmp_path / "mine.yaml").write_text(mine, encoding="utf-8")
    with pytest.raises(ValueError, match="is already in") as caught:
        load(tmp_path)
    assert str(caught.value) == "mine.yaml: groups: 'ups' is already in ups.yaml"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file or directory"):
        load(tmp_path / "nowhere")


def test_the_example_of_the_documentation_is_a_profile(tmp_path: Path) -> None:
    said = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", said, re.DOTALL)
    (tmp_path / "example-modem.yaml").write_text(example, encoding="utf-8")
    library = load(tmp_path)
    assert [group.name for group in library.profiles["example-modem"].groups] == ["cell", "health"]


def test_the_documentation_names_every_key_of_a_reading() -> None:
    said = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    keys = {*package.model.Reading.model_fields, *package.model.Table.model_fields, *package.model.Group.model_fields}
    assert {key for key in keys if f"`{key}" not in said and f", `{key}" not in said} - {"name", "columns"} == set()


def test_a_library_is_not_copied() -> None:
    from copy import deepcopy

    assert deepcopy(shipped()) is shipped()
    assert isinstance(shipped(), Library)


# How long a device is up


def told(uptime: float | None = None, **more: float) -> dict[str, float]:
    """What a system group says."""
    values = {"device_uptime_seconds": uptime, **more}
    return {PREFIX + name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("before", "now", "after_s", "restarts", "wraps"),
    [
        pytest.param(told(1000), told(1060), 60, 0, 0, id="it goes on"),
        pytest.param(told(1000), told(30), 60, 1, 0, id="a restart"),
        pytest.param(told(1000), told(1010), 3600, 1, 0, id="a restart in a long silence"),
        pytest.param(told(WRAP_S - 20), told(40), 60, 0, 1, id="a wrap"),
        pytest.param(told(WRAP_S - 20), told(5), 3600, 1, 0, id="a restart where a wrap was due"),
        pytest.param(told(1000), told(1059), 60, 0, 0, id="a slow clock"),
        pytest.param(
            told(5000, device_host_uptime_seconds=9000),
            told(10, device_host_uptime_seconds=9060),
            60,
            0,
            0,
            id="only the agent restarted",
        ),
        pytest.param(
            told(5000, device_host_uptime_seconds=9000),
            told(10, device_host_uptime_seconds=20),
            60,
            1,
            0,
            id="agent and host",
        ),
        pytest.param(told(device_boots=3), told(device_boots=4), 60, 1, 0, id="boots alone"),
        pytest.param(told(device_boots=3), told(device_boots=3), 60, 0, 0, id="the same boots"),
        pytest.param(told(1000), told(), 60, 0, 0, id="nothing said"),
    ],
)
def test_a_wrap_is_told_from_a_restart(
    before: dict[str, float], now: dict[str, float], after_s: float, restarts: int, wraps: int
) -> None:
    age = aged(aged(None, before, 100.0), now, 100.0 + after_s)
    assert (age.restarts, age.wraps, age.restarted) == (restarts, wraps, bool(restarts))


def test_wraps_before_our_time_are_known_by_the_engines_seconds() -> None:
    assert aged(None, told(1000, device_engine_time_seconds=1000 + 2 * round(WRAP_S)), 0).wraps == 2
    assert aged(None, told(4304, device_engine_time_seconds=3703088), 0).wraps == 0


@given(
    st.lists(
        st.tuples(st.floats(0, 1e9), *[st.one_of(st.none(), st.floats(-1e12, 1e12)) for _ in range(4)]), max_size=8
    )
)
def test_no_clock_upsets_the_age(beats: list[tuple[float | None, ...]]) -> None:
    age: Age | None = None
    at = 0.0
    for elapsed, uptime, host, boots, engine in beats:
        at += elapsed or 0.0
        said = {"device_host_uptime_seconds": host, "device_boots": boots, "device_engine_time_seconds": engine}
        age = aged(age, told(uptime, **{name: value for name, value in said.items() if value is not None}), at)
        assert age.restarts >= 0


# How good a cell is


def band(before: str | None = None, **said: float) -> str | None:
    """Of a modem that says this."""
    readings = [Reading(FAMILIES[f"{PREFIX}cell_{name}"], value) for name, value in said.items()]
    kept, found = judged(readings, before)  # type: ignore[arg-type]  # the table's words are bands
    shown = {item.labels[0] for item in kept if item.family is metrics.CELL_QUALITY and item.value == 1}
    assert shown == ({found} if found else set())
    return found


@pytest.mark.parametrize(
    ("said", "before", "expected"),
    [
        ({"rsrp_dbm": -90}, None, "good"),
        ({"rsrp_dbm": -105}, None, "good"),
        ({"rsrp_dbm": -106}, None, "weak"),
        ({"rsrp_dbm": -103}, "weak", "weak"),
        ({"rsrp_dbm": -102}, "weak", "good"),
        ({"rsrp_dbm": -103}, "good", "good"),
        ({"rsrp_dbm": -125}, None, "none"),
        ({"rsrp_dbm": -90, "rsrq_db": -16}, None, "weak"),
        ({"rsrp_dbm": -90, "sinr_db": 2}, None, "weak"),
        ({"rsrp_dbm": -90, "sinr_db": 5}, "weak", "weak"),
        ({"rsrp_dbm": -90, "registered": 0}, None, "none"),
        ({"rsrp_dbm": -90, "connected": 0}, None, "none"),
        ({"registered": 0}, None, "none"),
        ({"rsrp_dbm": -90, "registered": 1, "connected": 1}, "none", "good"),
        ({"rssi_dbm": -94}, None, "good"),
        ({"rssi_dbm": -96}, None, "weak"),
        ({"rssi_dbm": -114}, None, "none"),
        ({"rsrp_dbm": -90, "rssi_dbm": -60}, None, "good"),
        ({"rssi_dbm": -60, "generation": 3}, None, "weak"),
        ({"generation": 4}, None, None),
        ({"generation": 2}, None, "weak"),
        ({}, "weak", None),
    ],
)
def test_one_scale_says_how_good_a_signal_is(said: dict[str, float], before: str | None, expected: str | None) -> None:
    assert band(before, **said) == expected


def test_what_a_modem_remembers_of_lte_is_not_shown_in_a_3g_cell() -> None:
    said = {metrics.CELL_RSRP: -74, metrics.CELL_SINR: 14.1, metrics.CELL_RSSI: -103, metrics.CELL_GENERATION: 3}
    kept, _ = judged([Reading(family, value) for family, value in said.items()], None)
    assert {item.family for item in kept} == {metrics.CELL_RSSI, metrics.CELL_GENERATION, metrics.CELL_QUALITY}


def test_a_whole_channel_is_never_weaker_than_one_subcarrier() -> None:
    kept, _ = judged([Reading(metrics.CELL_RSRP, -90), Reading(metrics.CELL_RSSI, -110)], None)
    assert metrics.CELL_RSSI not in {item.family for item in kept}
