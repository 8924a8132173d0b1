"""What a file may be that is no inventory: refused in words and at once, whatever it is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.inventory import InventoryError, load
from tests.unit.inventories import SMALL, problems, problems_of

NESTED = "more than 50 lists and mappings inside each other; is it an inventory?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the file is empty; start with `province: \"04\"`"),
        ("# nothing yet\n", "1: the file is empty; start with `province: \"04\"`"),
        ("- one\n", "1: must be a mapping that starts with `province: \"04\"`"),
        ("province\n", "1: must be a mapping that starts with `province: \"04\"`"),
        ("a: \"b\n", "1: the quote \" opened here is not closed; write \" behind its text as well (not valid YAML: found unexpected end of stream)"),
        ("name: VNPT\u00a0Cao Bằng\n– x\nb: [\n", "2: begins with the dash –, as word processors write it; write the hyphen - and a space (not valid YAML: could not find expected ':')"),
        ("--- {}\n--- {}\n", "2: not valid YAML: but found another document"),
        ("province: [\n", "2: not valid YAML: did not find expected node content"),
        ("a: é\nb: \x01\n", "2: not valid YAML: the character U+0001 is not allowed"),
        ("a: b\0\n", "1: not valid YAML: the character U+0000 is not allowed; save the file as UTF-8"),
        (b"a: b\nname: Cao B\xfb\xecng\n", "2: not UTF-8 text; save the file as UTF-8"),
        (SMALL.encode("utf-16"), "1: not UTF-8 text; save the file as UTF-8"),
        (SMALL.encode("utf-16-le"), "1: not valid YAML: the character U+0000 is not allowed; save the file as UTF-8"),
        ("name: Phường Thục Phán\n".encode("cp1258", "replace"), "1: not UTF-8 text; save the file as UTF-8"),
        ("a: &x {<<: *x}\n", "1: a: merge keys (`<<`) are not understood; write the keys out"),
        ("a:\n  - &x [*x]\n", f"2: {NESTED}"),
        ("a:\n  " + "[" * 50_000, f"2: {NESTED}"),
        ("{" * 5000, f"1: {NESTED}"),
        ("- " * 5000, f"1: {NESTED}"),
        ("%YAML 9.9\n---\na: b\n", "1: not valid YAML: found incompatible YAML document"),
        ("province: !!python/object/apply:os.system [id]\n", "1: province: must be text, not a list"),
    ],
)  # fmt: skip
def test_what_is_no_inventory_is_refused_in_words(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert problems(tmp_path, text) == [f"cao-bang.yaml:{expected}"]


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    billion = "a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
        f"{chr(99 + n)}: &{chr(99 + n)} [{','.join(['*' + chr(98 + n)] * 9)}]\n" for n in range(8)
    )
    (told,) = problems(tmp_path, billion)
    assert told.endswith("more than 200,000 values; is it an inventory?")


def test_more_values_than_any_province_has_are_refused_before_they_are_all_read(tmp_path: Path) -> None:
    began = time.perf_counter()
    (told,) = problems(tmp_path, f"a: [{'1,' * 4_900_000}]")
    assert told == "cao-bang.yaml:1: more than 200,000 values; is it an inventory?"
    assert time.perf_counter() - began < 10


def test_anchors_and_aliases_spare_writing_and_each_use_has_its_own_line(tmp_path: Path) -> None:
    text = (
        SMALL.replace("links:\n", "links: &both\n")
        + 'contacts: {on_call: &who {name: A, phone: "0206 3852 001"}, carrier: *who}\n'
    )
    text = text.replace("services:", '  - code: "01294"\n    links: *both\nservices:')
    told = problems(tmp_path, text)
    assert told == [
        "cao-bang.yaml:13: communes[1].links[0].address: 10.4.4.1 is given twice, first at line 13; every link and device has its own"
    ]


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_what_editors_on_windows_write_is_read(tmp_path: Path, change: object) -> None:
    file = tmp_path / "cao-bang.yaml"
    assert callable(change)
    file.write_bytes(change(SMALL).encode())
    assert load(file).communes[0].code == "01290"
    assert problems(tmp_path, change(SMALL.replace("10.4.4.2", "10.4.4.299")).encode()) == [
        "cao-bang.yaml:16: communes[0].devices[0].address: must be an IPv4 or IPv6 address such as 10.4.1.1"
    ]


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cao-bang.yaml"
    with file.open("wb") as opened:
        opened.truncate(100_000_000)
    began = time.perf_counter()
    assert problems_of(file) == ["cao-bang.yaml: larger than 10 MB; is it an inventory?"]
    assert time.perf_counter() - began < 0.5


def test_a_pipe_is_not_waited_for_and_a_device_not_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    refused = "a pipe or a device; an inventory is a file, or a folder of files"
    assert problems_of(tmp_path / "pipe.yaml") == [f"pipe.yaml: {refused}"]
    assert problems_of(tmp_path) == [f"{tmp_path.name}/pipe.yaml: {refused}"]
    assert problems_of(Path("/dev/zero")) == [f"zero: {refused}"]


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "lost.yaml").symlink_to("gone.yaml")
    assert problems_of(tmp_path / "loop.yaml") == ["loop.yaml: cannot be read: Too many levels of symbolic links"]
    assert problems_of(tmp_path / "lost.yaml") == ["lost.yaml: a link to gone.yaml, which is not there"]
    assert [line.partition(": ")[2] for line in problems_of(tmp_path)] == [
        "cannot be read: Too many levels of symbolic links",
        "a link to gone.yaml, which is not there",
    ]


def test_a_file_that_is_not_there_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none.yaml") == ["none.yaml: no such file"]
    assert problems_of(tmp_path / f"{'long' * 100}.yaml") == [
        f"{'long' * 100}.yaml: cannot be read: File name too long"
    ]
    folder = tmp_path / "cao-bang"
    folder.mkdir()
    assert problems_of(folder) == ["cao-bang: no .yaml file lies in this folder; `lienxa init -o cao-bang` writes one"]


UNREADABLE = """
import os, sys, pathlib
from agent.inventory import InventoryError, load
os.setuid(65534)
for name in sys.argv[1:]:
    try:
        load(pathlib.Path(name))
    except InventoryError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "locked.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside.yaml").write_text(SMALL, encoding="utf-8")
    asked = ["locked.yaml", "folder", "folder/inside.yaml"]
    for name in asked[:2]:
        (tmp_path / name).chmod(0o000)
    argv = [sys.executable, "-c", UNREADABLE, *asked]
    told = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=15).stdout
    assert told.splitlines() == [f"{path}: cannot be read: Permission denied" for path in asked]


def test_a_folder_named_like_a_file_is_no_file_of_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").mkdir()
    (tmp_path / "old.yaml" / "x.yaml").write_text("[", encoding="utf-8")
    (tmp_path / "cao-bang.yaml").write_text(SMALL, encoding="utf-8")
    assert load(tmp_path).province == "04"


def test_every_error_is_one_printable_line(tmp_path: Path) -> None:
    file = tmp_path / "cao-bang.yaml"
    file.write_text('province: !!int "4\\n"\ntimings: {fall: "a\\nb", "\\e[31m": 1}\n', encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        load(file)
    assert len(caught.value.errors) == 3
    assert all(line.isprintable() for line in caught.value.errors)


@pytest.mark.parametrize(
    "text",
    [
        "title: “Một cửa” và “VNeID”",
        'title: "Cổng “Một cửa”"',
        "title: Cổng “Một cửa”",
        "title: 'It''s \"here\"'",
        'title: "in two\n    lines"',
        "title: Đài – Trạm 5",
        "title: XÃ ĐÀ NẴNG, PHƯỜNG Ô CHỢ DỪA",
        "title: Ông Ngọc’s",
    ],
)
def test_texts_may_have_any_quotes_and_dashes_within(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(f"{SMALL}known_issues:\n  - id: a\n    owner: b\n    {text}\n", encoding="utf-8")
    assert load(file).known_issues[0].id == "a"
