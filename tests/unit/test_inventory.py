"""A good inventory becomes a province, fast; a bad one becomes lines for people, whatever it is."""

from __future__ import annotations

import copy
import json
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agent.inventory import InventoryError, load
from probes.model import Province
from probes.registry import KINDS
from probes.systems import systems
from tests.bench.inventories import by_class, written_out
from tests.unit.inventories import SMALL, WHOLE


def test_a_good_inventory_becomes_a_province(tmp_path: Path) -> None:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(SMALL, encoding="utf-8")
    province = load(file)
    assert province.communes[0].links[1].id == "backup"
    assert province.communes[0].links[1].address is None
    assert (province.timings.link_beat_s, province.timings.device_beat_s) == (2, 2)
    assert province.services[0].settings == {"url": "http://10.4.250.1/"}


def test_every_key_of_the_top_level_is_in_the_inventory_that_tests_spoil(tmp_path: Path) -> None:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(WHOLE, encoding="utf-8")
    assert load(file).model_fields_set == set(Province.model_fields)


def test_no_kind_may_wait_longer_than_the_runner_does() -> None:
    bounds = {
        kind.name: [fact.le for fact in field.metadata if hasattr(fact, "le")]
        for kind in KINDS.values()
        if (field := kind.settings.model_fields.get("timeout_s"))
    }
    assert {"dns", "http", "ocsp", "oidc", "snmp", "tcp", "tls", "tsa"} <= set(bounds)
    assert bounds == {name: [KINDS[name].deadline_s] for name in bounds}


@pytest.mark.parametrize("text", [by_class("79"), written_out("79")], ids=["by class", "written out"])
def test_the_largest_province_loads_in_less_than_two_seconds(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ho-chi-minh-city.yaml"
    file.write_text(text, encoding="utf-8")
    began = time.perf_counter()
    province = load(file)
    took_s = time.perf_counter() - began
    parts = [part for commune in province.communes for part in (*commune.links, *commune.devices, *commune.services)]
    assert (len(province.communes), len(parts)) == (168, 1512)
    assert took_s < 2


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["04", "01273", "10.4.1", "{prefix}.1", "{prefix}", "10.4.0.0/16", "ring", "remote", "national-portal"])
    | st.sampled_from(["2026-11-22 22:00", "weekly", "FREQ=DAILY;COUNT=0", "v3", "tcp", "http", "icmp", "primary", "router"])
)  # fmt: skip
KEYS = [
    *Province.model_fields,
    *("code", "id", "links", "devices", "kind", "use", "prefix", "site_class", "without", "remote", "thresholds"),
    *("address", "role", "medium", "credential", "community", "user", "version", "password", "file", "env", "host", "url"),
    *("start", "end", "repeat", "trunk", "parent", "name", "phone", "latency_s", "loss_ratio", "slow_s", "timeout_s"),
    *("profile", "link_packets", "ping_timeout_s", "connected", "settings", "<<", "x"),
]  # fmt: skip
keys = st.sampled_from(KEYS)
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5))
WHOLE_DATA = yaml.safe_load(WHOLE)
FUZZ = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},  # which traces every line
)


@settings(FUZZ, max_examples=200)
@given(st.dictionaries(keys, trees, max_size=8))
def test_no_yaml_whatever_gives_a_traceback(tmp_path: Path, data: object) -> None:
    told_or_loaded(tmp_path / "any.yaml", yaml.safe_dump(data, allow_unicode=True))


@settings(FUZZ, max_examples=200)
@given(st.data())
def test_no_value_put_anywhere_into_a_good_inventory_gives_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    whole = copy.deepcopy(WHOLE_DATA)
    for _ in range(data.draw(st.integers(1, 3))):
        at = whole
        while True:
            step = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[step], dict | list) or not at[step] or data.draw(st.booleans()):
                at[step] = data.draw(trees)
                break
            at = at[step]
    told_or_loaded(tmp_path / "any.yaml", json.dumps(whole))


@settings(FUZZ, max_examples=100)
@given(st.lists(st.dictionaries(keys, trees, max_size=6), min_size=2, max_size=3))
def test_no_folder_whatever_gives_a_traceback(tmp_path: Path, files: list[object]) -> None:
    folder = tmp_path / "any"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, data in enumerate(files):
        (folder / f"{number}.yaml").write_text(json.dumps(data), encoding="utf-8")
    told_or_loaded(folder)


tags = st.sampled_from(["int", "float", "bool", "timestamp", "binary", "null", "str", "set", "map", "seq", "omap", "x"])
tagged = st.builds(
    "province: !!{} {}".format, tags, st.text() | st.sampled_from(['""', "_", "-", "[]", "{a: b}", "1:2", '"4\\n"'])
)


@settings(FUZZ, max_examples=500)
@given(st.text() | tagged | st.text(alphabet="[]{}:,-?&*!|>'\"%@` \n\tab1.<#"))
def test_no_text_whatever_gives_a_traceback(tmp_path: Path, text: str) -> None:
    told_or_loaded(tmp_path / "any.yaml", text)


RAW = re.compile(r"Input should|String should|Value error|Field required|should have at|should be (a|greater|less)")


def told_or_loaded(path: Path, text: str | None = None) -> None:
    """Every error is one line that begins with the file's name, in our own words."""
    if text is not None:
        path.write_text(text, encoding="utf-8")
    told = errors_of(path)
    assert told is None or told
    assert all(line.startswith(str(path)) and line.isprintable() for line in told or ())
    assert [line for line in told or () if RAW.search(line)] == []


def errors_of(path: Path) -> list[str] | None:
    try:
        load(path)
    except InventoryError as error:
        return error.errors
    return None


def test_the_systems_that_the_fuzz_switches_on_are_there() -> None:
    assert "national-portal" in systems()
