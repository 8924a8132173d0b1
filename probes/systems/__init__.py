"""The national systems that communes depend on: one YAML file each, beside this module; read on first use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from probes.model import Identifier, Layer, Settings, Several, Via

SUFFIX = ".yaml"
POLITE_S = 60
"""How often a national system may be asked at most, whatever an inventory says."""
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 8 times faster where libyaml is there

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Translated(Settings):
    """One text for people in every language of the product."""

    vi: Words
    en: Words
    fr: Words


class System(Settings):
    """One national system, as an inventory switches it on with `use:`; every value can be overridden there."""

    id: Identifier
    """Also the name of the file."""
    names: Translated
    owner: Translated
    """The ministry or body that answers for it, in short."""
    layer: Layer
    """What a good answer proves: that the network leads there, or that the application works."""
    via: Via
    """The way it is probed on."""
    kind: Identifier
    """The probe kind."""
    settings: Mapping[str, Any]
    """Those of the kind, without the ones that only the province knows."""
    required: Several[SettingName] = ()
    """Settings that the inventory has to give."""
    beat_s: Annotated[float, Field(ge=POLITE_S, le=86400)]
    """How often it is probed: 60 where counters stop without it, 120 otherwise.

    Never faster: 34 provinces ask the same machine.
    """
    action: Translated
    """What the on-call person should do: whose fault it is, and whom to call."""
    source: Words
    """Where the facts come from, in words."""

    @model_validator(mode="after")
    def _given_once(self) -> System:
        if twice := sorted(set(self.required) & set(self.settings)):
            raise ValueError(f"required names what settings already give: {', '.join(twice)}")
        return self


@cache
def systems() -> Mapping[str, System]:
    """Every system by its id."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(SUFFIX)]
    found = (read(file.name, file.read_text(encoding="utf-8")) for file in sorted(files, key=lambda file: file.name))
    return MappingProxyType({system.id: system for system in found})


def read(file: str, text: str) -> System:
    """The system that one file describes. Raises ValueError: a line `file: path: what is wrong` for each error."""
    try:
        system = System.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506  # it is a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise ValueError(f"{file}: {where}{getattr(error, 'problem', None) or error}") from None
    except ValidationError as error:
        raise ValueError("\n".join(_line(file, item["loc"], item["msg"]) for item in error.errors())) from None
    if file != system.id + SUFFIX:
        raise ValueError(f"{file}: id: {system.id!r} belongs into {system.id}{SUFFIX}")
    return system


def _line(file: str, place: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in place)
    return ": ".join(part for part in (file, path, message.removeprefix("Value error, ")) if part)
