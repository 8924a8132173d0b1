"""Which commune a row of a table means, by code or name, as people write them and spreadsheets spoil them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from probes import units
from probes.units import Unit

SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
"""What Excel makes of a long number in a narrow column, such as `6,09E+03`; its last digits are gone."""
AS_TEXT = "Excel has cut it short: format the column as text, type it again, and save"
_ABBREVIATED = re.compile(r"^(ubnd|p|x|đk)\b[\s.]+", re.IGNORECASE)
"""What stands before names in lists: the people's committee of, and the type's first letter."""
_ABOLISHED = re.compile(r"^(thị trấn|thi tran|tt|thị xã|thi xa|tx|huyện|huyen|quận|quan)\b[\s.]+", re.IGNORECASE)
"""Types of unit that there have been none of since July 2025, when the district level went."""
_IN_FULL: Mapping[str, str] = {
    "tt": "thị trấn",
    "thi tran": "thị trấn",
    "tx": "thị xã",
    "thi xa": "thị xã",
    "huyen": "huyện",
    "quan": "quận",
}
_LONGEST_NAME = 60


class Unnamed(Exception):
    """No commune of the province is named; the message says why, and which one may be meant."""


@dataclass(frozen=True, slots=True)
class Meant:
    """A commune, and what should be told about how it was found: the kind of remark, and its text."""

    unit: Unit
    kind: Literal["", "zeros", "names"] = ""
    remark: str = ""


def by_code_and_name(code: str, name: str, province: str) -> Meant:
    """The commune that both mean, of which one may be empty; raises `Unnamed`."""
    if not code:
        if not name:
            raise Unnamed("names no commune: both code and name are empty")
        return by_name(name, province)
    named = _named(name, province) or _named(_ABOLISHED.sub("", name), province)
    found = by_code(code, province, named)
    unit = found.unit
    if name and unit not in named:
        others = _listed(named) or "no commune of this province"
        raise Unnamed(f"the code {code!r} is {unit.name}, but the name {name!r} is {others}; correct one")
    if name and not found.remark and _marked(name, unit) and not _same(name, unit):
        return Meant(unit, "names", f"{name!r} is read as {_listed([unit])}, as the code says; right?")
    return found


def by_name(text: str, province: str) -> Meant:
    """The commune of a name; raises `Unnamed`.

    Marks tell names apart. Written without any, a name is taken if one commune only can be meant, with a remark;
    written with others, it is not.
    """
    named = _named(text, province)
    if not named:
        raise Unnamed(_unknown(text, province))
    if any(_same(text, unit) for unit in named):
        if len(named) > 1:
            raise Unnamed(f"the name {text!r} may be {_listed(named)}; write it with its type, or give the code")
        return Meant(named[0])
    if any(_marked(text, unit) for unit in named):
        where = units.name(province)
        raise Unnamed(f"{text!r} is no commune of {where}, where {_listed(named)} has other marks; correct it")
    if len(named) > 1:
        raise Unnamed(f"the name {text!r} may be {_listed(named)}; write it with diacritics, or give the code")
    return Meant(named[0], "names", f"{text!r} is read as {_listed(named)}; right?")


def by_code(text: str, province: str, named: Sequence[Unit] = ()) -> Meant:
    """The commune of a code as spreadsheets leave it; raises `Unnamed`. `named` are those that its name may mean."""
    digits = re.sub(r"\.0+$", "", text.removeprefix("'"))  # what spreadsheets make of a number, and of a text
    if SCIENTIFIC.fullmatch(digits):
        raise Unnamed(f"the code {text!r} is no code any more: {AS_TEXT}")
    if not re.fullmatch("[0-9]{1,5}", digits):
        raise Unnamed(f"the code {_shown(text)} must be 5 digits, such as 01273")
    unit = units.by_code().get(digits.zfill(5))
    if unit is None:
        hint = f", and {named[0].name} is {named[0].code}" if len(named) == 1 else ""
        raise Unnamed(f"no commune has the code {digits!r}; codes have been new since July 2025{hint}")
    if unit.province != province:
        whose = units.name(unit.province)
        raise Unnamed(f"the code {digits!r} is {unit.name} of {whose}, not of {units.name(province)}")
    if len(digits) < 5:
        return Meant(unit, "zeros", f"the code {digits!r} is read as {unit.code!r}: Excel drops zeros")
    return Meant(unit)


@lru_cache(maxsize=4096)
def _named(text: str, province: str) -> tuple[Unit, ...]:
    short = _ABBREVIATED.sub("", text)
    return units.find(text, province) or (units.find(short, province) if short != text else ())


@lru_cache(maxsize=4096)
def _unknown(text: str, province: str) -> str:
    """Why a text names no commune of a province, with the one that may be meant."""
    if "?" in text or "\ufffd" in text:
        return f"the name {_shown(text)} lost letters (?) when the file was saved; save the original as `CSV UTF-8`"
    where = units.name(province)
    abolished = _ABOLISHED.match(text)
    if abolished is not None:
        kind = _IN_FULL.get(abolished[1].lower(), abolished[1].lower())
        today = _named(text[abolished.end() :], province)
        hint = f"is {_listed(today)} meant?" if today else "name the commune that it belongs to now"
        return f"{_shown(text)} is no commune of {where}: there is no {kind} since July 2025; {hint}"
    if len(text) > _LONGEST_NAME:
        return f"{_shown(text)} is no commune of {where}"
    elsewhere = _everywhere().get(units.folded(text), ())
    if elsewhere:
        listed = ", ".join(units.name(code) for code in sorted({unit.province for unit in elsewhere})[:3])
        return f"{text!r} is no commune of {where}; one of that name lies in {listed}"
    own = _folded(province)
    near = [own[name] for name in difflib.get_close_matches(units.folded(text), list(own), n=2, cutoff=0.7)]
    hint = f"did you mean {_listed(near)}?" if near else "names have been new since July 2025"
    return f"{_shown(text)} is no commune of {where}; {hint}"


def _same(text: str, unit: Unit) -> bool:
    """Whether a name that has a unit's letters has its marks too."""
    return _own_words(text, unit) == _own_words(unit.name, unit)


def _marked(text: str, unit: Unit) -> bool:
    """Whether there are any marks in it, but for those of the type (`Xã`)."""
    return any(marks for _, marks in _own_words(text, unit))


def _own_words(text: str, unit: Unit) -> list[tuple[str, str]]:
    """The last words of a text, as many as a unit's name has without its type: letters, and marks in a fixed order.

    A tone mark may so stand on either vowel (`Thuỷ`, `Thủy`).
    """
    if text.strip() == unit.code:
        text = unit.name
    words = unicodedata.normalize("NFD", text.casefold()).replace("-", " ").replace("'", "").replace("’", "").split()
    count = len(units.folded(unit.name).split())
    return [
        (
            "".join(sign for sign in word if not unicodedata.combining(sign)).replace("đ", "d"),
            "".join(sorted(sign for sign in word if unicodedata.combining(sign) or sign == "đ")),
        )
        for word in words[-count:]
    ]


def _listed(found: Sequence[Unit]) -> str:
    return " or ".join(f"{unit.name} ({unit.code})" for unit in found)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


@cache
def _folded(province: str) -> Mapping[str, Unit]:
    return {units.folded(unit.name): unit for unit in units.communes(province)}


@cache
def _everywhere() -> Mapping[str, tuple[Unit, ...]]:
    """Every commune of the country by its folded name."""
    found: dict[str, tuple[Unit, ...]] = {}
    for unit in units.by_code().values():
        if unit.code != unit.province:
            name = units.folded(unit.name)
            found[name] = (*found.get(name, ()), unit)
    return found
