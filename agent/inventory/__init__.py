"""The inventory: YAML files become a `Province`, or a list of everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.inventory import messages
from agent.inventory.addresses import address_problems, slow_problems, threshold_problems
from agent.inventory.document import Document, InventoryError, Place
from agent.inventory.folder import folder_of, inventory_files, read_all
from agent.inventory.references import reference_problems
from agent.inventory.templates import Draft, Problem, expand, items, meant, service_lists
from probes.model import Province, Service
from probes.registry import KINDS

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
        *_service_problems(draft.data),
        *reference_problems(draft.data, where),
        *address_problems(draft, where),
        *threshold_problems(draft.data),
    ]
    province = None
    try:
        province = Province.model_validate(draft.data)
    except ValidationError as error:
        problems += [(messages.place(details), messages.message(details, Province)) for details in error.errors()]
    if problems or province is None:
        raise InventoryError(_lines(document, draft, problems))
    return province


def _lines(document: Document, draft: Draft, problems: list[Problem]) -> list[str]:
    """What is wrong in the order of the files; a mistake in a class is told once, not for each of its communes."""
    lines = {document.error(draft.written(place), message) for place, message in problems}
    return [text for _, text in sorted(lines)]


def _service_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    for around, part in service_lists(data):
        for index, service in enumerate(items(part, "services")):
            yield from _wrong_settings((*around, "services", index), service)


def _wrong_settings(place: Place, service: Mapping[str, Any]) -> Iterator[Problem]:
    kind = service.get("kind")
    if not isinstance(kind, str):
        return  # the model says what is wrong with it
    if kind not in KINDS or kind == "snmp":
        known = [name for name in KINDS if name != "snmp"]
        yield (*place, "kind"), f"unknown kind {kind!r}{meant(kind, known)} (known: {', '.join(known)})"
        return
    model, settings = KINDS[kind].settings, service.get("settings", {})
    try:
        model.model_validate(settings)
    except ValidationError as error:
        for details in error.errors():
            if details["type"] == "missing" and (service.get("connected") is False or "use" in service):
                continue  # not there yet; or told together with whom to ask
            yield (
                (*place, *messages.place(details)),
                messages.message(details, model, also=Service.model_fields),
            )
    defaults = {name: field.default for name, field in model.model_fields.items()}
    yield from slow_problems(settings, place, defaults)
