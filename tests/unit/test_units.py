"""The administrative units: complete, spelled one way, cheap to import, found as people write them."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest

from probes import units

CAO_BANG = "04"


def test_all_34_provinces_and_3321_communes_are_there_by_code() -> None:
    codes = list(units.by_code())
    assert [sum(len(code) == length for code in codes) for length in (2, 5)] == [34, 3321]
    assert all(code.isdigit() for code in codes)
    assert len(units.communes(CAO_BANG)) == 56
    assert {unit.province for unit in units.by_code().values()} == {code for code in codes if len(code) == 2}


def test_every_name_is_composed() -> None:
    assert [unit.name for unit in units.by_code().values() if not unicodedata.is_normalized("NFC", unit.name)] == []


def test_every_commune_is_found_by_its_own_name_and_by_its_code() -> None:
    for unit in units.by_code().values():
        if unit.code != unit.province:
            assert units.find(unit.code, unit.province) == (unit,)
            assert units.find(unit.name, unit.province) == (unit,), unit


def test_every_commune_is_among_those_found_without_diacritics() -> None:
    for province in (unit for unit in units.by_code().values() if unit.code == unit.province):
        for unit in units.communes(province.code)[::7]:
            assert unit in units.find(units.folded(unit.name), province.code), unit


@pytest.mark.parametrize(
    "text",
    [
        "Thục Phán",
        "thuc phan",
        "THUC PHAN",
        "  thục \t phán ",
        "Phường Thục Phán",
        "phuong thuc phan",
        "Xã Thục Phán",  # the type is often remembered wrongly
        unicodedata.normalize("NFD", "Thục Phán"),
        "01273",
        " 01273 ",
    ],
)
def test_a_commune_is_found_however_its_name_is_written(text: str) -> None:
    assert [unit.code for unit in units.find(text, CAO_BANG)] == ["01273"]


@pytest.mark.parametrize("text", ["", " ", "xã", "Thục", "1273", "04", "Cao Bằng", "Văn Lang", "²", "\udcff", "🛰"])
def test_what_names_no_commune_of_the_province_finds_none(text: str) -> None:
    assert units.find(text, CAO_BANG) == ()


@pytest.mark.parametrize(
    ("text", "province", "names"),
    [
        ("van lang", "19", ["Xã Văn Lang", "Xã Văn Lăng"]),
        ("Văn Lăng", "19", ["Xã Văn Lăng"]),
        ("my tho", "82", ["Phường Mỹ Tho", "Xã Mỹ Thọ"]),
        ("xa my tho", "82", ["Xã Mỹ Thọ"]),
        ("dong tien", "38", ["Xã Đồng Tiến", "Phường Đông Tiến"]),
        ("Đông Tiến", "38", ["Phường Đông Tiến"]),
    ],
)
def test_diacritics_and_type_decide_where_they_are_given(text: str, province: str, names: list[str]) -> None:
    assert sorted(unit.name for unit in units.find(text, province)) == sorted(names)


def test_a_tone_mark_may_stand_on_either_vowel() -> None:
    written = "Xã Đàm Thủy"
    (found,) = [unit for unit in units.communes(CAO_BANG) if unit.name == written]
    assert units.find("Đàm Thuỷ", CAO_BANG) == units.find("đàm thủy", CAO_BANG) == (found,)


def test_hyphens_and_apostrophes_may_be_left_out() -> None:
    assert [unit.name for unit in units.find("ea hleo", "66")] == ["Xã Ea H'Leo"]
    assert [unit.name for unit in units.find("Ea H’Leo", "66")] == ["Xã Ea H'Leo"]
    assert [unit.name for unit in units.find("chan may lang co", "46")] == ["Xã Chân Mây - Lăng Cô"]


def test_a_name_that_begins_like_a_type_is_found() -> None:
    assert [unit.name for unit in units.find("Xa Dung", "11")] == ["Xã Xa Dung"]


def test_importing_them_costs_less_than_50_ms_and_reads_nothing() -> None:
    program = (
        "import time; began = time.process_time(); from probes import units; took = time.process_time() - began; "
        "print(took, units.by_code.cache_info().currsize)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=10).stdout
        for _ in range(3)
    ]
    assert min(float(run.split()[0]) for run in runs) < 0.05
    assert {run.split()[1] for run in runs} == {"0"}
