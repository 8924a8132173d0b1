"""The page of every key is whole, up to date, and its examples are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from agent import planned_cuts
from agent.inventory import load
from agent.inventory.document import read
from agent.reference import reference
from agent.schema import SERVICE_KINDS, of_model, schema
from probes import model as models
from probes.systems import systems

ROOT = Path(__file__).parents[2]
PAGE = reference()
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
IN_FOLDER = re.compile(r"# ([\w-]+)/([\w.-]+)\n")


def parts_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and everything that it is made of."""
    yield model
    for field in model.model_fields.values():
        yield from (part for inner in inside(field.annotation) for part in parts_of(inner))


def inside(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from inside(inner)


MODELS = list(dict.fromkeys(parts_of(models.Province)))
every_model = pytest.mark.parametrize("model", [*MODELS, *(kind.settings for kind in SERVICE_KINDS.values())])


def blocks(language: str) -> list[str]:
    """What stands in fences of one language, without the indentation of the list that it may stand in."""
    found = [(indent, text) for indent, fenced, text in FENCED.findall(PAGE) if fenced == language]
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def inventories() -> list[list[tuple[str, str]]]:
    """The page's examples as files, name and text; those of one folder together."""
    found: list[list[tuple[str, str]]] = []
    folders: dict[str, list[tuple[str, str]]] = {}
    for text in blocks("yaml"):
        if part := IN_FOLDER.match(text):
            if part[1] not in folders:
                found.append(folders.setdefault(part[1], []))
            folders[part[1]].append((part[2], text))
        else:
            found.append([("cao-bang.yaml", text)])
    return found


def loaded(folder: Path, files: list[tuple[str, str]]) -> models.Province:
    for name, text in files:
        (folder / name).write_text(text, encoding="utf-8")
    return load(folder)


def test_the_page_is_what_the_models_say() -> None:
    committed = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert committed == PAGE, "run `make docs`"


@pytest.mark.parametrize("files", inventories())
def test_every_example_is_valid(tmp_path: Path, files: list[tuple[str, str]]) -> None:
    assert loaded(tmp_path, files).province == "04"
    editor = Draft202012Validator(schema())
    written = [read(tmp_path / name).data for name, _ in files]
    assert [error.message for data in written for error in editor.iter_errors(data)] == []


def test_classes_are_the_same_as_writing_everything_out(tmp_path: Path) -> None:
    classes, whole = (files for files in inventories() if "radio, role: radio" in files[0][1])
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert "{prefix}" in classes[0][1]
    assert "{prefix}" not in whole[0][1]
    short, long = (loaded(tmp_path / name, files) for name, files in (("a", classes), ("b", whole)))
    for one, other in zip(short.communes, long.communes, strict=True):
        assert (one.links, one.devices) == (other.links, other.devices)


def test_the_files_of_the_folder_become_one_inventory(tmp_path: Path) -> None:
    (files,) = (files for files in inventories() if len(files) > 1)
    commune = loaded(tmp_path, files).communes[0]
    assert (commune.code, commune.links[0].address) == ("01273", "10.4.1.1")
    assert commune.contact is not None


def test_the_table_of_planned_cuts_can_be_read() -> None:
    (table,) = blocks("csv")
    cuts, rejected, notes = planned_cuts.parse(table.encode(), ["01273", "01290"])
    assert len(cuts) == 2
    assert (rejected, notes) == ((), ())


def test_every_part_kind_and_national_system_is_on_the_page() -> None:
    keys = {key for model in MODELS for key, field in model.model_fields.items() if not field.exclude}
    settings = {key for kind in SERVICE_KINDS.values() for key in of_model(kind.settings)["properties"]}
    rows = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))
    assert {*keys, *settings, *systems()} - rows == set()
    assert [kind for kind in SERVICE_KINDS if f"`kind: {kind}`" not in PAGE] == []


def test_every_link_of_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", re.sub(FENCED, "", PAGE), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - anchors == set()
    assert len(anchors) == len(headings)


@every_model
def test_every_key_says_what_it_means(model: type[BaseModel]) -> None:
    assert [key for key, field in model.model_fields.items() if not field.description] == []


@every_model
def test_every_key_without_a_default_has_an_example(model: type[BaseModel]) -> None:
    assert [key for key, field in model.model_fields.items() if field.is_required() and not field.examples] == []


@every_model
def test_every_example_of_a_key_is_one_that_it_takes(model: type[BaseModel]) -> None:
    known = {**schema()["$defs"], "Province": schema()}
    properties = {**of_model(model)["properties"], **known.get(model.__name__, {}).get("properties", {})}
    for key, what in properties.items():
        editor = Draft202012Validator({**what, "$defs": known})
        assert [example for example in what.get("examples", ()) if not editor.is_valid(example)] == [], key
