"""What the models say of a wrong inventory, in the words of somebody who edits YAML."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from agent.inventory.document import Place, shown
from agent.inventory.templates import meant

_NOT_TEXT = 'must be text in quotes, such as "04" or "01273": without them YAML reads a number and drops zeros'
_MESSAGES = {
    "missing": "is required",
    "int_type": "must be a whole number, not {input}",
    "float_type": "must be a number, not {input}",
    "bool_type": "must be true or false, not {input}",
    "tuple_type": "must be a list (lines that start with `- `)",
    "model_type": "must be a mapping (`key: value` lines)",
    "dict_type": "must be a mapping (`key: value` lines)",
    "mapping_type": "must be a mapping (`key: value` lines)",
    "literal_error": "must be one of {expected}, not {input}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def place(details: ErrorDetails) -> Place:
    """Where it is wrong: what pydantic notes of keys and of a union's members is no step of the way."""
    return tuple(
        step for step in details["loc"] if step != "[key]" and not (isinstance(step, str) and step.startswith("<"))
    )


def message(details: ErrorDetails, model: type[BaseModel], also: Iterable[str] = ()) -> str:
    """What is wrong, in the words of somebody who edits YAML."""
    kind, value, facts = details["type"], details.get("input"), details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{meant(str(details['loc'][-1]), [*_keys_beside(details['loc'], model), *also])}"
    if kind == "string_type":
        return _NOT_TEXT if isinstance(value, int | float) else f"must be text, not {shown(value)}"
    if kind == "string_pattern_mismatch":
        return f"{shown(value)} {_wanted(str(facts.get('pattern')))}"
    template = _MESSAGES.get(kind, details["msg"].removeprefix("Value error, ").replace("{", "{{").replace("}", "}}"))
    return template.format(input=shown(value), **{key: _number(item) for key, item in facts.items()})


def _wanted(pattern: str) -> str:
    return {
        r"^\d{2}$": 'must be a 2-digit province code in quotes, such as "04"',
        r"^\d{5}$": 'must be a 5-digit commune code in quotes, such as "01273"',
    }.get(pattern, "must be lower-case letters, digits and hyphens, at most 63 of them")


def _number(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def _keys_beside(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    at = [model]
    for step in loc[:-1]:
        if isinstance(step, str) and step.startswith("<"):  # pydantic's note of which member of a union it is
            at = [member for member in at if step == f"<{member.__name__}>"]
        elif at and isinstance(step, str) and step in at[0].model_fields:
            at = _models_inside(at[0].model_fields[step].annotation)
    return list(at[0].model_fields) if at else []


def _models_inside(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_inside(inner)]
