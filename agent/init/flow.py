"""Pieces of YAML that mean what was given: quoted wherever YAML would read a number, a yes or a sign of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import yaml

WIDTH = 118
_PLAIN = re.compile(r"[a-z][a-z0-9-]*|[0-9]{1,3}(\.[0-9]{1,3}){2,3}")
"""Identifiers and IPv4 addresses; YAML still takes a few of them for something else (`no`)."""


def scalar(text: str) -> str:
    """A text as one YAML scalar."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**6).strip()


def mapping(items: Mapping[str, str]) -> str:
    """A mapping in one line; the values are YAML already."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"


def sequence(items: Iterable[str]) -> str:
    """A list in one line; the items are YAML already."""
    return "[" + ", ".join(items) + "]"


def item(items: Mapping[str, str], comment: str) -> str:
    """A mapping as an item of a list, with a comment behind its first line; long ones are wrapped between keys."""
    parts = [f"{key}: {value}" for key, value in items.items()]
    lines: list[str] = []
    line = parts[0]
    for part in parts[1:]:
        room = WIDTH - (len(comment) + 4 if not lines else 0)
        if len(line) + len(part) + 7 > room:
            lines.append(f"{line},")
            line = part
        else:
            line = f"{line}, {part}"
    lines.append(f"{line}}}")
    first, *others = lines
    return "".join([f"  - {{{first}  # {comment}\n", *(f"     {other}\n" for other in others)])
