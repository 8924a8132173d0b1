"""Viet Nam's 34 provinces and 3,321 communes by official code, as of July 2025; read on first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Unit:
    """One administrative unit: 2-digit code for a province, 5-digit code otherwise; coordinates in degrees (WGS 84)."""

    code: str
    province: str
    type: str
    name: str
    latitude: float
    longitude: float


@cache
def by_code() -> Mapping[str, Unit]:
    """Every unit by its code."""
    rows = resources.files(__package__).joinpath("units.tsv").read_text(encoding="utf-8").splitlines()[1:]
    units = {}
    for row in rows:
        code, province, kind, name, latitude, longitude = row.split("\t")
        units[code] = Unit(code, province, kind, name, float(latitude), float(longitude))
    return MappingProxyType(units)


def name(code: str) -> str:
    """The unit's name with diacritics; the code itself where it is unknown."""
    unit = by_code().get(code)
    return unit.name if unit else code


def communes(province: str) -> tuple[Unit, ...]:
    """A province's communes, wards and special zones, by code."""
    return tuple(unit for unit in by_code().values() if unit.province == province and unit.code != province)
