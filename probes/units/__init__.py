"""Viet Nam's 34 provinces and 3,321 communes by official code, as of July 2025; read on first use."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

TYPE_WORDS = (("dac", "khu"), ("phuong",), ("xa",))
"""What a commune's name begins with, without diacritics: special zone, ward, commune."""

_Words = tuple[tuple[str, str], ...]
"""Each word's letters without diacritics, and its diacritics in a fixed order."""


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
    rows = Path(__file__).with_name("units.tsv").read_text(encoding="utf-8").splitlines()[1:]
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


def find(text: str, province: str) -> tuple[Unit, ...]:
    """The communes of a province that `text` names, by code or by name; several where it is ambiguous.

    Case, diacritics and a leading word such as `xã` may be left out. Where they are given they decide between
    communes that differ in nothing else. A tone mark may stand on either vowel (`Thuỷ`, `Thủy`).
    """
    asked = _words(text)
    known = _known(province)
    code = text.strip()
    found = [(unit, True) for unit, _, _ in known if unit.code == code]
    found = found or [(unit, name == asked) for unit, name, _ in known if _letters(name) == _letters(asked)]
    for own in (asked, _without_type(asked)):
        found = found or [(unit, short == own) for unit, _, short in known if _letters(short) == _letters(own)]
    exact = tuple(unit for unit, same in found if same)
    return exact or tuple(unit for unit, _ in found)


def folded(name: str) -> str:
    """A commune's name for comparison: small letters without diacritics, one space between words, no type word."""
    return " ".join(_letters(_without_type(_words(name))))


@cache
def _known(province: str) -> tuple[tuple[Unit, _Words, _Words], ...]:
    """A province's communes with their names, with and without the type word."""
    names = [(unit, _words(unit.name)) for unit in communes(province)]
    return tuple((unit, name, _without_type(name)) for unit, name in names)


def _words(name: str) -> _Words:
    signs = name.casefold().replace("-", " ").replace("'", "").replace("’", "")
    return tuple(_word(unicodedata.normalize("NFD", word)) for word in signs.split())


def _word(word: str) -> tuple[str, str]:
    letters = "".join(sign for sign in word if not unicodedata.combining(sign))
    marks = sorted(sign for sign in word if unicodedata.combining(sign) or sign == "đ")
    return letters.replace("đ", "d"), "".join(marks)


def _letters(words: _Words) -> tuple[str, ...]:
    return tuple(letters for letters, _ in words)


def _without_type(words: _Words) -> _Words:
    letters = _letters(words)
    for kind in TYPE_WORDS:
        if len(words) > len(kind) and letters[: len(kind)] == kind:
            return words[len(kind) :]
    return words
