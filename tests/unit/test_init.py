"""An inventory to begin with: every commune, valid as it is, and never over somebody's work."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from agent.errors import Unusable
from agent.init import init, inventory_of
from agent.inventory import load
from probes import units
from probes.model import Province

PROVINCES = [unit.code for unit in units.by_code().values() if unit.type == "province"]
EXAMPLE = re.compile(r"^#(?! |$)[a-z_]+:.*\n(?:#(?! [^ ]).+\n)*", re.MULTILINE)
"""A block that is commented out: a key right behind the `#`, and what is indented below it."""
BLOCKS = [
    "references",
    "networks",
    "trunks",
    "credentials",
    "site_classes",
    "services",
    "contacts",
    "maintenance",
    "planned_cuts",
    "known_issues",
]


def uncommented(text: str, *keys: str) -> str:
    def plain(block: re.Match[str]) -> str:
        found = block[0]
        return re.sub("^#", "", found, flags=re.MULTILINE) if found[1:].partition(":")[0] in keys else found

    return EXAMPLE.sub(plain, text)


def loaded(tmp_path: Path, text: str) -> Province:
    path = tmp_path / "cao-bang.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("code", PROVINCES)
def test_every_province_has_a_valid_inventory_with_all_its_communes(code: str, tmp_path: Path) -> None:
    path = init(code, tmp_path / "new")
    province = load(path)
    assert province.province == code
    assert [commune.code for commune in province.communes] == [unit.code for unit in units.communes(code)]


def test_names_stand_beside_the_codes_and_the_file_has_the_provinces_name(tmp_path: Path) -> None:
    path = init("04", tmp_path)
    assert path.name == "cao-bang.yaml"
    assert '  - {code: "01273"}  # Phường Thục Phán\n' in path.read_text(encoding="utf-8")


def test_the_examples_are_told_in_the_order_in_which_they_are_needed() -> None:
    _, text = inventory_of("04")
    assert [block[0][1:].partition(":")[0] for block in EXAMPLE.finditer(text)] == BLOCKS


@pytest.mark.parametrize("key", BLOCKS)
def test_each_example_is_valid_as_soon_as_its_sign_is_gone(key: str, tmp_path: Path) -> None:
    _, text = inventory_of("04")
    changed = uncommented(text, key)
    assert changed != text
    assert key in loaded(tmp_path, changed).model_fields_set


@pytest.mark.parametrize("code", PROVINCES)
def test_all_examples_together_are_valid_in_every_province(code: str, tmp_path: Path) -> None:
    _, text = inventory_of(code)
    province = loaded(tmp_path, uncommented(text, *BLOCKS))
    assert [trunk.id for trunk in province.trunks] == ["ring-west", "hop-north"]
    assert [service.id for service in province.services] == ["provincial-portal", "gateway", "national-portal"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_example_of_a_commune_is_valid_together_with_the_others(number: int, tmp_path: Path) -> None:
    _, text = inventory_of("04")
    examples = re.findall("^# (- {code: .*)$", text, flags=re.MULTILINE)
    changed = uncommented(text, *BLOCKS).replace('- {code: "01273"}  #', f"{examples[number]}  #")
    commune = loaded(tmp_path, changed).communes[0]
    assert commune.model_fields_set > {"code"}
    if number == 0:
        assert [link.address for link in commune.links] == ["10.4.1.1", "10.4.1.3"]
        assert [device.address for device in commune.devices] == ["10.4.1.1", "10.4.1.2"]


def test_no_line_of_the_head_is_too_long_to_be_read() -> None:
    for code in PROVINCES:
        assert all(len(line) <= 120 for line in inventory_of(code)[1].splitlines())


def test_the_communes_stand_below_each_other_by_code() -> None:
    _, text = inventory_of("79")
    codes = re.findall('^  - {code: "([0-9]{5})"}', text, flags=re.MULTILINE)
    assert len(codes) == 168
    assert all(one < other for one, other in pairwise(codes))


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "cao-bang.yaml").write_text("mine\n", encoding="utf-8")
    with pytest.raises(Unusable, match=r"cao-bang\.yaml exists and is left as it is; name another folder with -o"):
        init("04", tmp_path)
    assert (tmp_path / "cao-bang.yaml").read_text(encoding="utf-8") == "mine\n"


def test_a_file_in_place_of_the_folder_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("", encoding="utf-8")
    with pytest.raises(Unusable, match=r"here is a file; name a folder with -o"):
        init("04", tmp_path / "here")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("4", "no province has the code '4'; did you mean '04' (Tỉnh Cao Bằng)?"),
        ("Cao Bang", "--province takes the official code; did you mean '04' (Tỉnh Cao Bằng)"),
        ("00", "no province has the code '00'; there are: 01 Thành phố Hà Nội, 04 Tỉnh Cao Bằng, "),
        ("01273", "no province has the code '01273'; there are: "),
    ],
)
def test_an_unknown_province_is_told_with_a_way_out(asked: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Unusable) as caught:
        init(asked, tmp_path)
    assert str(caught.value).startswith(message)
