"""A change counts once, when it is whole: at the second look that sees the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.watch import Watch, fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "04"
    made.mkdir()
    (made / "a.yaml").write_text("one", encoding="utf-8")
    return made


def replace(file: Path) -> None:
    new = file.with_name(".new")
    new.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    facts = file.stat()
    os.utime(new, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    new.replace(file)


CHANGES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "a.yaml").write_text("other", encoding="utf-8"),
    lambda folder: os.utime(folder / "a.yaml", ns=(1, 1)),
    lambda folder: replace(folder / "a.yaml"),
    lambda folder: (folder / "b.yml").touch(),
    lambda folder: (folder / "a.yaml").unlink(),
    lambda folder: (folder / "a.yaml").rename(folder / "c.yaml"),
    lambda folder: folder.rename(folder.with_name("gone")),
]


@pytest.mark.parametrize("change", CHANGES, ids=["written", "touched", "replaced", "added", "gone", "renamed", "moved"])
def test_every_change_of_a_file_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    change(folder)
    assert fingerprint(folder) != before


def test_what_is_no_file_of_the_inventory_changes_nothing(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / ".a.yaml.swp").touch()
    (folder / "notes.txt").touch()
    (folder / "old.yaml").mkdir()
    assert fingerprint(folder) == before


def test_one_file_is_watched_as_a_folder_is_and_may_be_away_for_a_moment(folder: Path) -> None:
    file = folder / "a.yaml"
    watch = Watch.of(file)
    file.rename(folder / "b.yaml")
    assert not watch.look(fingerprint(file))
    (folder / "b.yaml").rename(file)
    assert not watch.look(fingerprint(file))
    assert not watch.look(fingerprint(file))


def looks(*seen: str) -> list[bool]:
    """What each look says, when the files had the first fingerprint as the inventory was read."""
    first, *later = [((name, 0, 0, 0),) for name in seen]
    watch = Watch(first, first)
    return [watch.look(now) for now in later]


def test_a_change_is_taken_once_when_it_is_there_at_two_looks_in_a_row() -> None:
    assert looks("a", "a", "a") == [False, False]
    assert looks("a", "b", "b", "b", "b") == [False, True, False, False]


def test_while_files_are_being_written_nothing_is_read() -> None:
    assert looks("a", "b", "c", "d", "d") == [False, False, False, True]


def test_every_further_change_is_taken_and_so_is_the_way_back() -> None:
    assert looks("a", "b", "b", "c", "c", "a", "a") == [False, True, False, True, False, True]
