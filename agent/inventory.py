"""The inventory: one YAML file becomes a `Province`, or a list of everything that is wrong with it."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.document import InventoryError, Place, read, shown
from probes import units
from probes.model import Province, Service
from probes.registry import KINDS

Problem = tuple[Place, str]

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


def load(path: Path) -> Province:
    """Read and check one inventory file; raises `InventoryError` with every error at once."""
    document = read(path)
    data = document.data
    if not isinstance(data, dict):
        raise InventoryError([f'{path}:1: must be a mapping that starts with `province: "04"`'])
    problems = [*_service_problems(data), *_reference_problems(data)]
    settings = _take_service_settings(data)
    province = None
    try:
        province = Province.model_validate(data)
    except ValidationError as error:
        problems += [(_place(details), _message(details, Province)) for details in error.errors()]
    if problems or province is None:
        lines = sorted({document.error(place, message) for place, message in problems})
        raise InventoryError([text for _, text in lines])
    services = (
        service.model_copy(update={"settings": own}) for service, own in zip(province.services, settings, strict=True)
    )
    return province.model_copy(update={"services": tuple(services)})


def warnings(province: Province) -> list[str]:
    """What is allowed, and costs something; each says what."""
    if province.communes and not province.references:
        return [
            "no references: the agent can tell its own blindness only when every link and trunk is silent; "
            "name one or two addresses close to it"
        ]
    return []


def _take_service_settings(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Move what belongs to the probe kind out of each service, so that the model stays strict."""
    taken = []
    for service in _items(data, "services"):
        own = {key: service.pop(key) for key in list(service) if key not in Service.model_fields}
        taken.append(own)
        service.pop("settings", None)
    return taken


def _service_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    for index, service in enumerate(_items(data, "services")):
        place: Place = ("services", index)
        if "settings" in service:
            yield (*place, "settings"), "unknown key; write the probe's settings beside `kind`"
        kind = service.get("kind")
        if not isinstance(kind, str):
            continue  # the model says what is wrong with it
        if kind not in KINDS or kind == "snmp":
            known = [name for name in KINDS if name != "snmp"]
            yield (*place, "kind"), f"unknown kind {kind!r}{_meant(kind, known)} (known: {', '.join(known)})"
            continue
        model = KINDS[kind].settings
        own = {key: value for key, value in service.items() if key not in Service.model_fields}
        try:
            model.model_validate(own)
        except ValidationError as error:
            for details in error.errors():
                yield (*place, *_place(details)), _message(details, model, also=Service.model_fields)


def _reference_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What the models cannot see: codes, references from one part to another, things given twice."""
    province = data.get("province")
    known_communes = units.communes(province) if isinstance(province, str) else ()
    if isinstance(province, str) and len(province) == 2 and province.isdigit() and not known_communes:
        yield ("province",), f"no province has the code {province!r}; `04` is Cao Bằng"
    codes = {unit.code for unit in known_communes}
    trunks = [trunk.get("id") for trunk in _items(data, "trunks")]
    credentials = data.get("credentials")
    names = list(credentials) if isinstance(credentials, dict) else []
    for index, trunk in enumerate(_items(data, "trunks")):
        yield from _dangling(("trunks", index, "parent"), trunk.get("parent"), trunks, "trunk")
    yield from _cycles(data)
    for index, commune in enumerate(_items(data, "communes")):
        place: Place = ("communes", index)
        yield from _wrong_code((*place, "code"), commune.get("code"), codes, province)
        yield from _dangling((*place, "trunk"), commune.get("trunk"), trunks, "trunk")
        for number, device in enumerate(_items(commune, "devices")):
            yield from _dangling(
                (*place, "devices", number, "credential"), device.get("credential"), names, "credential"
            )
        yield from _twice((*place, "devices"), [device.get("id") for device in _items(commune, "devices")], "id")
        ids = [link.get("id", link.get("role", "primary")) for link in _items(commune, "links")]
        yield from _twice((*place, "links"), ids, "id")
    for part, key in (("trunks", "id"), ("communes", "code"), ("services", "id")):
        yield from _twice((part,), [item.get(key) for item in _items(data, part)], key)
    references = data.get("references")
    if isinstance(references, list):
        yield from _twice(("references",), [_spelled_once(address) for address in references])


def _wrong_code(place: Place, code: object, known: set[str], province: object) -> Iterator[Problem]:
    if not isinstance(code, str) or len(code) != 5 or not code.isdigit() or code in known or not known:
        return  # the model says it, or the province itself is unknown
    unit = units.by_code().get(code)
    if unit is None:
        near = [f"{other!r} ({units.name(other)})" for other in sorted(known) if _one_slip(code, other)][:3]
        hint = f"did you mean {' or '.join(near)}?" if near else "codes have been new since July 2025"
        yield place, f"no commune has the code {code!r}; {hint}"
    else:
        yield place, f"{code!r} is {unit.name} of province {unit.province!r}, not of {province!r}; take it out"


def _one_slip(code: str, other: str) -> bool:
    """Whether two codes differ by one digit, or by two neighbours that changed places."""
    wrong = [index for index in range(len(code)) if code[index] != other[index]]
    swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and sorted(code) == sorted(other)
    return len(wrong) == 1 or swapped


def _cycles(data: Mapping[str, Any]) -> Iterator[Problem]:
    pairs = [(str(trunk.get("id")), str(trunk.get("parent"))) for trunk in _items(data, "trunks")]
    parents = dict(pairs)
    for index, (trunk, parent) in enumerate(pairs):
        seen, at = [trunk], parent
        while at in parents and at not in seen:
            seen.append(at)
            at = parents[at]
        if at == trunk:
            yield ("trunks", index, "parent"), f"a trunk cannot lie behind itself: {' -> '.join([*seen, at])}"


def _dangling(place: Place, name: object, known: Iterable[object], what: str) -> Iterator[Problem]:
    names = [str(item) for item in known]
    if isinstance(name, str) and name not in names:
        listed = (
            f" (known: {', '.join(names)})" if 0 < len(names) <= 12 else "" if names else f"; no {what} is declared"
        )
        yield place, f"unknown {what} {name!r}{_meant(name, names)}{listed}"


def _twice(place: Place, values: Iterable[object], *key: str) -> Iterator[Problem]:
    """What stands in a list more than once, under `key` of its items or as an item itself."""
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if not isinstance(value, str):
            continue
        if value in first:
            yield (*place, index, *key), f"{value!r} is given twice, first in {place[-1]}[{first[value]}]; keep one"
        else:
            first[value] = index


def _spelled_once(address: object) -> object:
    """An address in its one canonical spelling (RFC 5952); the model says what is wrong with what is none."""
    try:
        return str(ipaddress.ip_address(address)) if isinstance(address, str) else address
    except ValueError:
        return address


def _items(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = data.get(key)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _place(details: ErrorDetails) -> Place:
    return tuple(step for step in details["loc"] if step != "[key]")


def _message(details: ErrorDetails, model: type[BaseModel], also: Iterable[str] = ()) -> str:
    """What is wrong, in the words of somebody who edits YAML."""
    kind, value, facts = details["type"], details.get("input"), details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_meant(str(details['loc'][-1]), [*_keys_beside(details['loc'], model), *also])}"
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
    at: type[BaseModel] | None = model
    for step in loc[:-1]:
        if at is None:
            return []
        if isinstance(step, int) or step not in at.model_fields:
            continue
        at = _model_inside(at.model_fields[step].annotation)
    return list(at.model_fields) if at else []


def _model_inside(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_inside(inner)
        if found:
            return found
    return None
