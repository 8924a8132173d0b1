"""Scenarios: what happens to a simulated province and when, as strict YAML data."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Protocol

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from deploy.lab.errors import LabError
from probes.model import Settings, Several

_DURATION = re.compile(r"(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?")
_SHIPPED = "scenarios"
EVERYTHING = "everything"
LONGEST_S = 86400.0


def _seconds(value: object) -> object:
    if isinstance(value, float):  # already read once
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not value or found is None:
        raise ValueError(f"must be a time such as 20s, 2m or 1m30s, not {value!r}")
    return float(found["m"] or 0) * 60 + float(found["s"] or 0)


def _names(value: object) -> object:
    return [value] if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=LONGEST_S)]
"""Seconds, written as 20s, 2m or 1m30s."""
Names = Annotated[Several[str], BeforeValidator(_names), Field(min_length=1)]
"""One name, or a list of names."""
Cleared = Annotated[Several[str], BeforeValidator(lambda value: [EVERYTHING] if value is True else _names(value))]
"""Names of segments, or `everything` (also `true`), which heals segments, power and portals alike."""
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]


class Impair(Settings):
    """What is wrong with one segment, each way (see `path.Impairment`); what is not named stays as it is."""

    segment: str
    delay_ms: Milliseconds | None = None
    jitter_ms: Milliseconds | None = None
    loss: Annotated[float, Field(ge=0, le=1)] | None = None
    rate_kbps: Annotated[float, Field(ge=0)] | None = None


class PortalSlow(Settings):
    """A portal that takes so many seconds for each answer."""

    service: str
    seconds: Annotated[float, Field(gt=0, le=3600)]


class Event(Settings):
    """One thing that happens, `at` so long after the scenario's start."""

    at_s: Annotated[Duration, Field(alias="at")] = 0.0
    cut: Names | None = None
    unreachable: Names | None = None
    restore: Names | None = None
    impair: Impair | None = None
    clear: Cleared | None = None
    power_cut: Names | None = None
    power_back: Names | None = None
    portal_overload: Names | None = None
    portal_error: Names | None = None
    portal_wrong: Names | None = None
    portal_refuse: Names | None = None
    portal_slow: PortalSlow | None = None
    portal_ok: Names | None = None

    @property
    def action(self) -> str:
        """The name of what happens."""
        return next(name for name in ACTIONS if getattr(self, name) is not None)

    def told(self) -> str:
        """What happens, in a few words for people."""
        value = getattr(self, self.action)
        if isinstance(value, Settings):
            value = [
                f"{key} {each:g}" if isinstance(each, float) else str(each) for key, each in value if each is not None
            ]
        return f"{self.action.replace('_', ' ')}: {', '.join(value)}"

    @model_validator(mode="after")
    def _one_action(self) -> Event:
        named = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"must name exactly one of {', '.join(ACTIONS)}; found {', '.join(named) or 'none'}")
        return self


ACTIONS = tuple(name for name in Event.model_fields if name != "at_s")


class Scenario(Settings):
    """A story to replay: its events, and how long a full battery lasts in it."""

    name: str
    about: str
    battery: Annotated[Duration, Field(gt=0)] | None = None
    events: Annotated[Several[Event], Field(min_length=1)]

    @property
    def lasts_s(self) -> float:
        """When the last event happens, in seconds after the start."""
        return max(event.at_s for event in self.events)


Place = tuple[str | int, ...]


class Known(Protocol):
    """Says what is wrong with a name, and what would be right; None if the name is known."""

    def segment(self, name: str) -> str | None: ...
    def commune(self, name: str) -> str | None: ...
    def portal(self, name: str, action: str) -> str | None: ...


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """The words for a name that nothing has."""
    close = difflib.get_close_matches(name, known, n=3)
    meant = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    shown = ", ".join(known) if len(known) <= 16 else f"{known[0]} … {known[-1]}"
    return f"unknown {what} {name!r}{meant} (known: {shown or 'none'})"


def name_problems(event: Event, known: Known) -> Iterator[tuple[Place, str]]:
    """What is wrong with the names in one event, each with its place inside it."""
    action, value = event.action, getattr(event, event.action)
    if isinstance(value, Impair):
        checks: list[tuple[Place, str | None]] = [((action, "segment"), known.segment(value.segment))]
    elif isinstance(value, PortalSlow):
        checks = [((action, "service"), known.portal(value.service, action))]
    elif action == "clear" and value == (EVERYTHING,):
        checks = []
    elif action.startswith("power"):
        checks = [((action, number), known.commune(name)) for number, name in enumerate(value)]
    elif action.startswith("portal"):
        checks = [((action, number), known.portal(name, action)) for number, name in enumerate(value)]
    else:
        checks = [((action, number), known.segment(name)) for number, name in enumerate(value)]
    yield from ((place, problem) for place, problem in checks if problem is not None)


def shipped() -> dict[str, Path]:
    """The scenarios that come with the lab, by name."""
    folder = Path(str(resources.files(__package__).joinpath(_SHIPPED)))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find(name: str) -> Path:
    """A shipped scenario's file by its name, or a file by its path; raises LabError."""
    known = shipped()
    if name in known:
        return known[name]
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    raise LabError(unknown("scenario", name, list(known)) + ", or the path of a .yaml file")


class _Loader(yaml.SafeLoader):
    """PyYAML's constructors take for granted that a text is of its tag; here they say where it is not."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            value: object = super().construct_object(node, deep)
            if isinstance(value, int):
                repr(value)  # refused for thousands of digits
        except (ValueError, ArithmeticError, LookupError, AttributeError):
            problem = f"{node.value!r:.60} has no meaning in YAML; write it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None
        return value


def load(name: str, known: Known | None = None) -> Scenario:
    """Read and check a scenario by its name or path, its events in order; without `known`, names are not checked.

    Raises LabError with every error at once, as `file:line: path: what is wrong; what would be right`.
    """
    path = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        data = loader.construct_document(root) if root else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise LabError(f"{path}:{line}: is not YAML: {problem}") from None
    except RecursionError:
        raise LabError(f"{path}:1: too many lists and mappings inside each other; is it a scenario?") from None
    problems: list[tuple[Place, str]]
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        problems = [_explained(details, Scenario) for details in error.errors()]
    else:
        problems = [
            (("events", number, *place), problem)
            for number, event in enumerate(scenario.events)
            for place, problem in (name_problems(event, known) if known else ())
        ]
    if problems:
        lines = sorted((_line(root, place), _spelled(place), problem) for place, problem in problems)
        raise LabError("\n".join(f"{path}:{line}: {place}{problem}" for line, place, problem in lines))
    return scenario.model_copy(update={"events": tuple(sorted(scenario.events, key=lambda event: event.at_s))})


def parse_event(data: Mapping[str, Any], known: Known) -> Event:
    """One event from outside; raises LabError with every error."""
    try:
        event = Event.model_validate(dict(data))
    except ValidationError as error:
        problems = [_explained(details, Event) for details in error.errors()]
    else:
        problems = list(name_problems(event, known))
        if not problems:
            return event
    raise LabError("\n".join(f"{_spelled(place)}{problem}" for place, problem in problems))


_MODELS: Mapping[str, type[Settings]] = {"events": Event, "impair": Impair, "portal_slow": PortalSlow}


def _explained(details: ErrorDetails, model: type[Settings]) -> tuple[Place, str]:
    """Pydantic's finding about data of a model, in our words."""
    place, kind, value = details["loc"], details["type"], details["input"]
    if kind == "extra_forbidden":
        inside = next((_MODELS[step] for step in reversed(place[:-1]) if isinstance(step, str)), model)
        return place, unknown(
            "key", str(place[-1]), [field.alias or name for name, field in inside.model_fields.items()]
        )
    if kind == "value_error":
        return place, str(details["ctx"]["error"])
    found = {
        "missing": "is required",
        "model_type": f"must be a mapping (`key: value` lines), not {value!r}",
        "tuple_type": f"must be a list, not {value!r}",
        "string_type": f"must be a text, not {value!r}",
        "too_short": "must not be empty",
    }
    return place, found.get(kind) or f"{details['msg'].replace('Input should be', 'must be', 1)}, not {value!r}"


def _spelled(place: Place) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
    return f"{text}: " if text else ""


def _line(root: yaml.Node | None, place: Place) -> int:
    """The line of a place in the file, or of the closest thing around it."""
    node, line = root, 1
    for step in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
