"""A folder of YAML files as one document: lists are joined, and who is named in several files is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.inventory.document import Document, InventoryError, Origin, Place, read, told
from agent.inventory.templates import PARTS, identity

SUFFIXES = frozenset({".yaml", ".yml"})
"""In small letters or capitals."""
_MISNAMED = (".yaml.txt", ".yml.txt")
"""How editors on Windows save a file, and hide the end of its name."""
COPIED = 10
"""More things given twice in the same two files, and one of them is a copy of the other."""


def read_all(path: Path) -> Document:
    """A file, or all `*.yaml` and `*.yml` directly in a folder, by name. Raises `InventoryError`.

    A commune (or trunk, service …) may be told in several files, each of its keys in one of them.
    """
    if not _is_folder(path):
        document = read(path)
        _must_be_mapping(document)
        return document
    files, misnamed = inventory_files(path), _misnamed(path)
    if not files and not misnamed:
        raise InventoryError([f"{path}: no .yaml file lies in this folder; `lienxa init -o {path}` writes one"])
    documents: list[Document] = []
    errors = [f"{file}: not read: its name ends in {file.suffix}; rename it to {file.stem}" for file in misnamed]
    for file in files:
        try:
            document = read(file)
            _must_be_mapping(document)
            documents.append(document)
        except InventoryError as error:
            errors += error.errors
    if errors:
        raise InventoryError(errors)
    merged = _Merged()
    for document in documents:
        merged.take_in(document)
    if merged.twice:
        raise InventoryError(_given_twice(merged.twice))
    return Document(path, merged.data, merged.origins, merged.spellings, merged.flaws)


def inventory_files(path: Path) -> list[Path]:
    """The files that an inventory is made of; hidden ones are left out."""
    if not _is_folder(path):
        return [path]
    try:
        found = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InventoryError([f"{path}: cannot be read: {error.strerror}"]) from None
    return [item for item in found if not item.name.startswith(".") and not _is_folder(item)]


def _misnamed(path: Path) -> list[Path]:
    """Files that somebody wrote as part of the inventory, and that are not."""
    found = sorted(item for item in path.iterdir() if item.name.lower().endswith(_MISNAMED))
    return [item for item in found if not item.name.startswith(".") and not _is_folder(item)]


def folder_of(path: Path) -> Path:
    """What relative paths in an inventory are relative to."""
    return path if _is_folder(path) else path.parent


def _is_folder(path: Path) -> bool:
    """Whether it is one; what may not be looked at counts as a file, whose reading says why."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _must_be_mapping(document: Document) -> None:
    if not isinstance(document.data, dict):
        raise InventoryError([f'{document.path}:1: must be a mapping that starts with `province: "04"`'])


def _identity(part: str, item: dict[str, Any]) -> str:
    """The key by which an item of a top-level list is the same in two files."""
    if part == "communes":
        return "code"
    return "use" if part == "services" and "id" not in item else "id"


def _name(part: str, item: object) -> str | None:
    """What an item of a top-level list is known by in other files."""
    name = item.get(_identity(part, item)) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


Twice = tuple[Origin, Origin, str]
"""Where something is given again, where it was given first, and the line for people."""


def _given_twice(twice: list[Twice]) -> list[str]:
    """What is said of things given twice; of a file that copies another, once."""
    pairs = Counter((again[0], first[0]) for again, first, _ in twice)
    copies = {pair: count for pair, count in pairs.items() if count > COPIED}
    lines = []
    for pair, count in copies.items():
        of, file = sorted(pair, key=lambda path: len(path.name))  # `i - Copy.yaml` copies `i.yaml`
        text = f"{file}: looks like a copy of {of}: {count} things are given in both; take one out of the folder"
        lines.append(((file, 0), text))
    lines += [(again, text) for again, first, text in twice if (again[0], first[0]) not in copies]
    return [text for _, text in sorted(lines)]


def _is_part_of_class(place: Place, key: str) -> bool:
    return len(place) == 2 and place[0] == "site_classes" and key in PARTS


@dataclass
class _Merged:
    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Place, Origin] = field(default_factory=dict)
    spellings: dict[Place, str] = field(default_factory=dict)
    flaws: dict[Place, str] = field(default_factory=dict)
    twice: list[Twice] = field(default_factory=list)

    def take_in(self, document: Document) -> None:
        """Add one file."""
        known = {
            (part, name): index
            for part, items in self.data.items()
            if isinstance(items, list)
            for index, item in enumerate(items)
            if (name := _name(part, item)) is not None
        }
        assert isinstance(document.data, dict)  # noqa: S101  # `_must_be_mapping` has seen it
        for key, value in document.data.items():
            there = self.data.get(key)
            if isinstance(there, list) and isinstance(value, list):
                self._join(document, key, there, value, known)
            else:
                self._add(document, self.data, (), (), [(key, value)])

    def _join(
        self, document: Document, part: str, there: list[Any], items: list[Any], known: dict[tuple[str, Any], int]
    ) -> None:
        for number, item in enumerate(items):
            name = _name(part, item)
            at = known.get((part, name)) if name is not None else None
            if at is None:
                there.append(item)
                self._graft(document, (part, number), (part, len(there) - 1), item)
            else:
                more = [(key, value) for key, value in item.items() if key != _identity(part, item)]
                self._add(document, there[at], (part, number), (part, at), more)

    def _add(
        self,
        document: Document,
        mapping: dict[str, Any],
        source: Place,
        place: Place,
        entries: Iterable[tuple[str, Any]],
    ) -> None:
        for key, value in entries:
            there = mapping.get(key)
            if key not in mapping:
                mapping[key] = value
                self._graft(document, (*source, key), (*place, key), value)
            elif isinstance(there, dict) and isinstance(value, dict):
                self._add(document, there, (*source, key), (*place, key), value.items())
            elif isinstance(there, list) and isinstance(value, list) and _is_part_of_class(place, key):
                self._extend_class(document, key, there, value, (*source, key), (*place, key))
            else:
                self._refuse(document, (*source, key), (*place, key))

    def _extend_class(
        self, document: Document, part: str, there: list[Any], items: list[Any], source: Place, place: Place
    ) -> None:
        """A class's links, devices or services from several files; each of them is written in one."""
        known = {identity(part, item): index for index, item in enumerate(there) if isinstance(item, dict)}
        for number, item in enumerate(items):
            name = identity(part, item) if isinstance(item, dict) else None
            if name is not None and name in known:
                self._refuse(document, (*source, number), (*place, known[name]), f"{name!r} is ")
            else:
                there.append(item)
                self._graft(document, (*source, number), (*place, len(there) - 1), item)

    def _refuse(self, document: Document, source: Place, place: Place, what: str = "") -> None:
        first = self.origins[place]
        message = f"{what}given twice, first at {first[0]}:{first[1]}; keep one"
        origin, text = told(document.origin(source), place, message)
        self.twice.append((origin, first, text))

    def _graft(self, document: Document, source: Place, place: Place, value: object) -> None:
        """Remember where a value and everything in it comes from."""
        self.origins[place] = document.origin(source)
        if source in document.spellings:
            self.spellings[place] = document.spellings[source]
        if source in document.flaws:
            self.flaws[place] = document.flaws[source]
        if isinstance(value, dict):
            for key, inner in value.items():
                self._graft(document, (*source, key), (*place, key), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._graft(document, (*source, index), (*place, index), inner)
