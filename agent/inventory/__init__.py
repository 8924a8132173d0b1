"""The inventory: YAML files become a `Province`, or a list of everything that is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from agent.inventory.addresses import address_problems, threshold_problems
from agent.inventory.document import Document, InventoryError, Place
from agent.inventory.folder import folder_of, inventory_files, read_all
from agent.inventory.messages import Complaint, complaints_of
from agent.inventory.references import reference_problems
from agent.inventory.settings import setting_complaints, setting_problems
from agent.inventory.templates import Draft, Problem, expand, of_unused_classes
from probes.model import Province

__all__ = ["InventoryError", "folder_of", "inventory_files", "load"]


def load(path: Path) -> Province:
    """Read and check one inventory, a file or a folder; raises `InventoryError` with every error at once."""
    document = read_all(path)
    assert isinstance(document.data, dict)  # noqa: S101  # `read_all` gives nothing else
    draft = expand(document.data)

    def where(place: Place) -> str:
        file, line = document.origin(draft.written(place))
        return f"line {line}" if path == file else f"{file}:{line}"

    problems = [
        *draft.problems,
        *reference_problems(draft, where),
        *address_problems(draft, where),
        *threshold_problems(draft.data),
        *setting_problems(draft.data),
    ]
    complaints = list(setting_complaints(draft.data))
    imaginary = of_unused_classes(document.data)
    in_classes = [*imaginary.problems, *setting_problems(imaginary.data)]
    problems += [(imaginary.written(place), text) for place, text in in_classes if _in_class(imaginary, place)]
    complaints += [
        replace(complaint, place=imaginary.written(complaint.place))
        for complaint in setting_complaints(imaginary.data)
        if _in_class(imaginary, complaint.place) and not imaginary.is_invented(complaint.place)
    ]
    province = None
    try:
        province = Province.model_validate(draft.data)
    except ValidationError as error:
        complaints += complaints_of(error, Province)
    if problems or complaints or document.flaws or province is None:
        raise InventoryError(_lines(document, draft, problems, complaints))
    return province


def _in_class(draft: Draft, place: Place) -> bool:
    return draft.written(place)[:1] == ("site_classes",)


def _lines(document: Document, draft: Draft, problems: list[Problem], complaints: list[Complaint]) -> list[str]:
    """What is wrong in the order of the files; a mistake in a class is told once, not for each of its communes.

    Of a place that something is said about, the models' complaints are left out: they are about the same mistake.
    """
    told = {*document.flaws}
    lines = {document.error(place, message) for place, message in document.flaws.items()}
    lines |= {
        document.error(draft.written(place), message)
        for place, message in problems
        if draft.written(place) not in document.flaws
    }
    told |= {draft.written(place) for place, _ in problems}
    for complaint in complaints:
        place = draft.written(complaint.place)
        if place in told or draft.is_invented(complaint.place):
            continue
        told.add(place)
        lines.add(document.error(place, complaint.message(document.spellings.get(place))))
    return [text for _, text in sorted(lines)]
