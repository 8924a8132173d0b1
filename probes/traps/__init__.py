"""The traps that mean something to us: YAML files beside this module; read on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from probes.metrics import FAMILIES, PREFIX
from probes.metrics.family import DEVICE
from probes.model import Identifier, Settings, Several, Text
from probes.results import Sign

SUFFIX = ".yaml"
UNKNOWN = "unknown"
"""What a trap is called that no file names."""

Objects = Mapping[str, int | str]
"""What a trap carries: object identifiers with their instance, and values; identifiers as values are in numbers."""
Oid = Annotated[str, StringConstraints(pattern=r"^[0-2](\.\d+)+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


def _of_device(values: Mapping[str, float]) -> Mapping[str, float]:
    for name in values:
        family = FAMILIES.get(PREFIX + name)
        if family is None or family.labels != ("province", *DEVICE):
            raise ValueError(f"{name!r} is no family of a device as a whole")
    return values


class Where(Settings):
    """Only a trap that carries this object with one of these values."""

    object: Text
    """The object's name in its MIB, for people."""
    oid: Oid
    """Of the column or scalar, without the instance."""
    values: Annotated[Several[int | Oid], Field(min_length=1)]


class Trap(Settings):
    """One trap, and what it says of the device that sent it."""

    name: Name
    """Value of the label `trap`; several may share one."""
    object: Text
    """The trap's name in its MIB, for people."""
    oid: Oid
    """As SMIv2 has it; what RFC 3584 makes of a version 1 trap (one more 0 before the last number) is the same."""
    where: Where | None = None
    sign: Annotated[Sign, Field(strict=False)] | None = None
    """What the diagnosis takes it for."""
    values: Annotated[Mapping[str, float], AfterValidator(_of_device)] = Field(default_factory=dict)
    """Families of the metric catalogue, without `lienxa_`, and what the trap says they are at its moment."""


class TrapFile(Settings):
    """The traps of one MIB or maker."""

    id: Identifier
    """Also the name of the file."""
    source: Text
    """Where the facts come from, in words."""
    traps: Annotated[Several[Trap], Field(min_length=1)]


class Catalogue:
    """Every trap by its object identifier."""

    def __init__(self, traps: Iterable[Trap]) -> None:
        """Of one identifier, the first whose `where` holds counts."""
        self.traps = tuple(traps)
        by_oid: dict[str, list[Trap]] = {}
        for trap in self.traps:
            by_oid.setdefault(_plain(trap.oid), []).append(trap)
        self._by_oid: Mapping[str, Sequence[Trap]] = MappingProxyType(by_oid)

    def find(self, oid: str, objects: Objects) -> Trap | None:
        """The trap that this is; none where nobody has described it."""
        found = self._by_oid.get(_plain(oid), ())
        return next((trap for trap in found if trap.where is None or _holds(trap.where, objects)), None)


def _plain(oid: str) -> str:
    """One form for both: MIBs leave out the 0 before the last number, or have it; old senders add it."""
    front, _, last = oid.rpartition(".")
    return f"{front.removesuffix('.0')}.{last}"


def _holds(where: Where, objects: Objects) -> bool:
    return any(value in where.values and f"{name}.".startswith(f"{where.oid}.") for name, value in objects.items())


@cache
def catalogue() -> Catalogue:
    """The traps of the product."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(SUFFIX)]
    found = (read(file.name, file.read_text(encoding="utf-8")) for file in sorted(files, key=lambda file: file.name))
    return Catalogue(trap for of_file in found for trap in of_file.traps)


def read(file: str, text: str) -> TrapFile:
    """What one file describes. Raises ValueError: a line `file: path: what is wrong` for each error."""
    try:
        traps = TrapFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: {getattr(error, 'problem', None) or error}") from None
    except ValidationError as error:
        raise ValueError("\n".join(_line(file, item["loc"], item["msg"]) for item in error.errors())) from None
    if file != traps.id + SUFFIX:
        raise ValueError(f"{file}: id: {traps.id!r} belongs into {traps.id}{SUFFIX}")
    return traps


def _line(file: str, place: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in place)
    return ": ".join(part for part in (file, path, message.removeprefix("Value error, ")) if part)
