"""A folder of YAML files as one document: lists are joined, and who is named in several files is one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.inventory.document import Document, InventoryError, Origin, Place, read, told

SUFFIXES = frozenset({".yaml", ".yml"})
_IDENTITY = {"communes": "code"}
"""The key by which an item of a top-level list is the same in two files; `id` for all others."""


def read_all(path: Path) -> Document:
    """A file, or all `*.yaml` and `*.yml` directly in a folder, by name. Raises `InventoryError`.

    A commune (or trunk, service …) may be told in several files, each of its keys in one of them.
    """
    if not path.is_dir():
        document = read(path)
        _must_be_mapping(document)
        return document
    files = inventory_files(path)
    if not files:
        raise InventoryError([f"{path}: no .yaml file lies in this folder; `lienxa init -o {path}` writes one"])
    documents, errors = [], []
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
    if merged.errors:
        raise InventoryError([text for _, text in sorted(merged.errors)])
    return Document(path, merged.data, merged.origins)


def inventory_files(path: Path) -> list[Path]:
    """The files that an inventory is made of; hidden ones are left out."""
    if not path.is_dir():
        return [path]
    try:
        found = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES and not item.name.startswith("."))
    except OSError as error:
        raise InventoryError([f"{path}: cannot be read: {error.strerror}"]) from None
    return [item for item in found if not item.is_dir()]


def folder_of(path: Path) -> Path:
    """What relative paths in an inventory are relative to."""
    return path if path.is_dir() else path.parent


def _must_be_mapping(document: Document) -> None:
    if not isinstance(document.data, dict):
        raise InventoryError([f'{document.path}:1: must be a mapping that starts with `province: "04"`'])


@dataclass
class _Merged:
    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Place, Origin] = field(default_factory=dict)
    errors: list[tuple[Origin, str]] = field(default_factory=list)

    def take_in(self, document: Document) -> None:
        """Add one file."""
        known = {
            (part, item.get(_IDENTITY.get(part, "id"))): index
            for part, items in self.data.items()
            if isinstance(items, list)
            for index, item in enumerate(items)
            if isinstance(item, dict)
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
        identity = _IDENTITY.get(part, "id")
        for number, item in enumerate(items):
            name = item.get(identity) if isinstance(item, dict) else None
            at = known.get((part, name)) if isinstance(name, str) else None
            if at is None:
                there.append(item)
                self._graft(document, (part, number), (part, len(there) - 1), item)
            else:
                more = [(key, value) for key, value in item.items() if key != identity]
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
            else:
                file, line = self.origins[*place, key]
                origin = document.origin((*source, key))
                self.errors.append(told(origin, (*place, key), f"given twice, first at {file}:{line}; keep one"))

    def _graft(self, document: Document, source: Place, place: Place, value: object) -> None:
        """Remember where a value and everything in it comes from."""
        self.origins[place] = document.origin(source)
        if isinstance(value, dict):
            for key, inner in value.items():
                self._graft(document, (*source, key), (*place, key), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._graft(document, (*source, index), (*place, index), inner)
