"""An inventory to begin with: every commune, valid as it is, and never over somebody's work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.errors import Unusable
from agent.init import init
from agent.inventory import load
from probes import units


@pytest.mark.parametrize("code", [unit.code for unit in units.by_code().values() if unit.type == "province"])
def test_every_province_has_a_valid_inventory_with_all_its_communes(code: str, tmp_path: Path) -> None:
    path = init(code, tmp_path / "new")
    province = load(path)
    assert province.province == code
    assert [commune.code for commune in province.communes] == [unit.code for unit in units.communes(code)]


def test_names_stand_beside_the_codes_and_the_file_has_the_provinces_name(tmp_path: Path) -> None:
    path = init("04", tmp_path)
    assert path.name == "cao-bang.yaml"
    assert '  - code: "01273"  # Phường Thục Phán\n' in path.read_text(encoding="utf-8")


def test_what_is_commented_out_is_valid_once_it_is_filled_in(tmp_path: Path) -> None:
    path = init("04", tmp_path)
    text = path.read_text(encoding="utf-8")
    head, _, communes = text.partition("communes:\n")
    head = re.sub(
        r"^#(references|contacts|credentials|trunks|services|  (?:-|devices:))", r"\1", head, flags=re.MULTILINE
    )
    example = re.findall(r"^  - code: .*?(?=^communes|\Z)", head, flags=re.MULTILINE | re.DOTALL)[0]
    head = head.replace(example, "")
    filled = communes.replace("#links: [{address: }]", "links: [{address: 10.4.1.1}]", 1)
    path.write_text(f"{head}communes:\n{filled}", encoding="utf-8")
    province = load(path)
    assert [trunk.id for trunk in province.trunks] == ["ring-west", "hop-north"]
    assert [service.kind for service in province.services] == ["http", "tcp"]
    assert province.communes[0].links[0].address == "10.4.1.1"


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
