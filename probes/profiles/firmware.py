"""Versions of firmware as makers spell them, and which one is older; pure.

PEP 440, semantic versions and Debian's order all read `RUT9_R_00.07.06.1` or `V200R009C00SPC500` wrongly or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch

from probes.model import FirmwareRule

_VRP = re.compile(r"V\d{3}R\d{3}\w*")
"""Huawei's own count, before which some models tell another: `Version 5.160 V200R007C00SPC500`."""
_DOTTED = re.compile(r"(?<![\d.])\d+(?:\.\d+)+")
_ITEMS = re.compile(r"\d+|[a-z]+")
_BEFORE_RELEASE = {"alpha": 0, "beta": 1, "rc": 2, "testing": 1}
_RELEASE = 3
Version = tuple[tuple[int, ...], tuple[int, int]]
"""Its numbers without zeros at the end; and whether it comes before the release of these, with the number of that."""


def version_of(text: str) -> Version | None:
    """What can be compared; none without a number.

    A version begins at Huawei's `V200R009…`, else at the first number with a dot in it (`RUT9_R_00.07.06.1`,
    `XC.qca955x.v8.5.1`), else at the first number. A first `00`, as Teltonika's, is none. What follows a space is a
    comment, as in `7.12 (stable)`.
    """
    found = _VRP.search(text) or _DOTTED.search(text)
    said = (text[found.start() :] if found else text).split(maxsplit=1)
    items = _ITEMS.findall(said[0].casefold()) if said else []
    while items and not items[0].isdigit():
        items.pop(0)
    if items[:1] == ["00"]:
        items.pop(0)
    numbers: list[int] = []
    for place, item in enumerate(items):
        if item.isdigit():
            numbers.append(int(item))
        elif item in _BEFORE_RELEASE:
            after = items[place + 1] if place + 1 < len(items) else ""
            return _trimmed(numbers), (_BEFORE_RELEASE[item], int(after) if after.isdigit() else 0)
    return (_trimmed(numbers), (_RELEASE, 0)) if numbers else None


def _trimmed(numbers: list[int]) -> tuple[int, ...]:
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def outdated(rules: Iterable[FirmwareRule], profile: str, manufacturer: str, model: str, firmware: str) -> bool | None:
    """Whether a device's firmware is older than any rule for it demands; none where no rule or version says so."""
    version = version_of(firmware)
    if version is None:
        return None
    least = [
        minimum
        for rule in rules
        if _fits(rule.profile, profile) and _fits(rule.manufacturer, manufacturer) and _fits(rule.model, model)
        if (minimum := version_of(rule.minimum)) is not None
    ]
    return version < max(least) if least else None


def _fits(pattern: str | None, value: str) -> bool:
    return pattern is None or fnmatch(value.casefold(), pattern.casefold())
