"""What the models say of a wrong inventory, in the words of somebody who edits YAML."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from agent.inventory.document import Place, shown
from agent.inventory.words import meant, province_of, slug
from probes.model import Contact

_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "int_type": "must be a whole number, not {input}",
        "int_from_float": "must be a whole number, not {input}",
        "float_type": "must be a number, not {input}",
        "bool_type": "must be true or false, not {input}",
        "string_type": "must be text, not {input}",
        "string_too_short": "must not be empty",
        "string_too_long": "must be at most {max_length} characters",
        "too_short": "must not be empty",
        "datetime_type": "must be a date and time such as 2026-11-22 22:00, not {input}",
        "date_type": "must be a date such as 2026-12-31, not {input}",
        "tuple_type": "must be a list (lines that start with `- `)",
        "model_type": "must be a mapping (`key: value` lines)",
        "model_attributes_type": "must be a mapping (`key: value` lines)",
        "dict_type": "must be a mapping (`key: value` lines)",
        "mapping_type": "must be a mapping (`key: value` lines)",
        "literal_error": "must be one of {expected}, not {input}",
        "greater_than": "must be more than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
    }
)
IDENTIFIER = r"^[a-z0-9][a-z0-9-]{0,62}$"
_PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        r"^\d{2}$": '{input} must be a 2-digit province code in quotes, such as "04"',
        r"^\d{5}$": '{input} must be a 5-digit commune code in quotes, such as "01273"',
        IDENTIFIER: "{input} must be letters a-z without marks, digits and hyphens, at most 63 of them",
        r"^(?:[^0-9]*[0-9]){6}": "{input} is no telephone number; write all its digits, the area code's too",
        r"\S@\S": "{input} is no email address; write one with an @, such as truc@xa.example.vn",
        r"^[\w.:%-]+$": "{input} must be the name or address of a host, without `https://` and port",
    }
)
_CHOICES = re.compile("'([^']*)'")
_COMMAS = re.compile(r"[0-9]+(?:, ?[0-9]+)+")
_SNMP_VERSIONS = "must be one of 'v1', 'v2c' or 'v3', not {input}"
"""The models of v1 and v2c know of no third; whoever mistypes the version may have meant that."""


@dataclass(frozen=True)
class Complaint:
    """What a model says of a value."""

    place: Place
    details: ErrorDetails
    model: type[BaseModel]
    also: Collection[str] = ()
    """Keys that are known beside the model's own."""

    def message(self, spelling: str | None) -> str:
        """For somebody who edits YAML; `spelling` is a number or truth value as it is written there."""
        kind, value, facts = self.details["type"], self.details.get("input"), self.details.get("ctx", {})
        loc = self.details["loc"]
        if kind == "extra_forbidden":
            return f"unknown key{meant(str(loc[-1]), [*_fields_beside(loc, self.model), *self.also])}"
        if value is None and kind.endswith("_type"):
            field = _fields_beside(loc, self.model).get(str(loc[-1]))
            return f"is empty; give it a value{'' if field and field.is_required() else ', or take it out'}"
        if kind == "string_type" and isinstance(value, bool | int | float):
            return _unquoted(self.place, value, spelling or str(value))
        way_out = self._way_out(kind, value, facts)
        template = _MESSAGES.get(kind)
        if kind == "string_pattern_mismatch":
            template = _PATTERNS.get(str(facts.get("pattern")), "{input} has signs that do not belong here")
        if kind == "literal_error" and "<SnmpCommunity>" in loc:
            template = _SNMP_VERSIONS
        if template is None:
            return f"{self.details['msg'].removeprefix('Value error, ')}{way_out}"
        known = {key: _number(item) for key, item in facts.items()}
        return f"{template.format(input=_spelled(value, spelling), **known)}{way_out}"

    def _way_out(self, kind: str, value: object, facts: Mapping[str, object]) -> str:
        """What to write instead, where it is plain what was meant."""
        hint = ""
        if kind == "model_type" and isinstance(value, str | int | float):
            field = _fields_beside(self.details["loc"], self.model).get(str(self.details["loc"][-1]))
            hint = "; write {name: …, phone: …}" if field and Contact in _models_inside(field.annotation) else ""
        elif not isinstance(value, str):
            pass
        elif kind == "bool_type":
            hint = _meant_truth(value)
        elif kind == "literal_error":
            hint = meant(value, _CHOICES.findall(str(facts.get("expected"))))
        elif kind == "string_pattern_mismatch" and facts.get("pattern") == IDENTIFIER:
            near = slug(value)
            hint = f"; write {near}" if near else ""
        elif self.place == ("province",):
            code = province_of(value)
            hint = f'; did you mean "{code}"?' if code else ""
        elif _COMMAS.fullmatch(value):
            numbers = value.replace(",", " ").split()
            hint = f"; write {'.'.join(numbers)}, with {'a point' if len(numbers) == 2 else 'points'}"
        elif self.place[-1:] == ("prefix",):
            prefix = _prefix_of(value)
            hint = f"; write {prefix}" if prefix else ""
        return hint


def complaints_of(
    error: ValidationError, model: type[BaseModel], around: Place = (), also: Collection[str] = ()
) -> list[Complaint]:
    """Everything that a model says; what pydantic notes of keys and of a union's members is no step of the way."""
    return [
        Complaint((*around, *(step for step in details["loc"] if not _is_note(step))), details, model, also)
        for details in error.errors()
    ]


def _meant_truth(value: str) -> str:
    """For a truth value in quotes, or in another language."""
    if value.lower() in {"true", "false"}:
        return f"; write {value.lower()} without quotes"
    return meant(value, ("true", "false")).replace("'", "")


def _prefix_of(network: str) -> str | None:
    """The prefix of a network as people write networks: with a length, a last zero or a last point."""
    parts = network.rstrip(".").split(".")
    if len(parts) < 4 and "/" not in network:
        length = 8 * len(parts)
        network = ".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{length}"
    try:
        whole = ipaddress.IPv4Network(network if "/" in network else f"{network}/24")
    except ValueError:
        return None
    octets = str(whole.network_address).split(".")[: whole.prefixlen // 8]
    return ".".join(octets) if whole.prefixlen in {8, 16, 24} else None


def _is_note(step: int | str) -> bool:
    return isinstance(step, str) and (step == "[key]" or step.startswith("<"))


def _unquoted(at: Place, value: bool | float, spelling: str) -> str:
    """For a text that YAML took for something else; codes are shown with the zeros that people leave out."""
    digits = 2 if at == ("province",) else 5 if "code" in at[-1:] or "communes" in at[-2:-1] else 0
    wanted = spelling.zfill(digits) if spelling.isdigit() else spelling
    read = "true or false" if isinstance(value, bool) else "a number and drops zeros"
    return f'must be text in quotes: write "{wanted}"; without quotes YAML reads {read}'


def _spelled(value: object, spelling: str | None) -> str:
    """A wrong value in one line; what is in a list or a mapping may be a secret."""
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "empty" if value is None else spelling or shown(value)


def _number(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def _fields_beside(loc: tuple[int | str, ...], model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The keys that are known where something stands."""
    at = [model]
    for step in loc[:-1]:
        if isinstance(step, str) and step.startswith("<"):  # pydantic's note of which member of a union it is
            at = [member for member in at if step == f"<{member.__name__}>"]
        elif at and isinstance(step, str) and step in at[0].model_fields:
            at = _models_inside(at[0].model_fields[step].annotation)
    return at[0].model_fields if at else {}


def _models_inside(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_inside(inner)]
