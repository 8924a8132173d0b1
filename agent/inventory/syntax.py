"""Why a text is no YAML, in the words of somebody who edits one: looked for only where the parser has failed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import yaml

from agent.inventory.letters import BLANKS, CLOSING, DASHES, QUOTES

Cause = tuple[int, str]
"""A line, from 0, and what is wrong with it."""

_BARE_PREFIX = re.compile(r"[:,\[-] *\{prefix\}")
"""`{` begins a mapping where no quotes stand before it."""
_BLANK = re.compile(rf"^ *([{BLANKS}])|(?:[:,{{\[]|^ *-) *([{BLANKS}])")
_DASH = re.compile(rf"^ *([{DASHES}])")
_SMART = re.compile(rf"[:,{{\[-] *[{QUOTES}]")
_COLON = re.compile(r"^ *(?:- +)?([A-Za-z_]{2,}):(?=[^\s/:,\]}])")
_HYPHEN = re.compile(r"^ *-(?=[\w{\[\"'])")
_EQUALS = re.compile(r"^ *(?:- +)?([a-z_]{2,}) *=")
_LONE = re.compile(r"^ *(?:- +)?([a-z_]+)\s*(?:#.*)?$")
_BLOCK = re.compile("expected key|expected '-'|expected ':'|mapping values|block sequence entries")
_OTHER_END = re.compile(rf"([\"'{CLOSING}])\s*(?:[,\]}}]|#|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*")


def told(text: str, error: yaml.MarkedYAMLError) -> Cause:
    """What the parser stumbled over: the cause, where one of the frequent ones is found, and the parser's own words."""
    mark = error.problem_mark or error.context_mark
    at = mark.line if mark else 0
    own = f"not valid YAML: {error.problem or error.context}"
    lines = text.splitlines()
    for find in _FINDERS:
        found = find(lines, at, error)
        if found is not None:
            return found[0], f"{found[1]} ({own})"
    return at, own


def _blank(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    for number in range(_since(at, error), min(at + 1, len(lines))):
        if found := _BLANK.search(_COMMENT.sub("", lines[number])):
            sign = found[1] or found[2]
            name = f"{unicodedata.name(sign, 'strange space').lower()} (U+{ord(sign):04X})"
            return number, f"a {name} stands where ordinary spaces belong; delete it and type spaces"
    return None


def _tab(lines: list[str], at: int, _: yaml.MarkedYAMLError) -> Cause | None:
    line = lines[at] if at < len(lines) else ""
    return (at, "indent with spaces, not tabs") if "\t" in line[: len(line) - len(line.lstrip())] else None


def _dash(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    for number in range(_since(at, error), min(at + 1, len(lines))):
        if found := _DASH.match(lines[number]):
            return (
                number,
                f"begins with the dash {found[1]}, as word processors write it; write the hyphen - and a space",
            )
    return None


def _quote(lines: list[str], at: int, _: yaml.MarkedYAMLError) -> Cause | None:
    """A quote that does not end where its text does."""
    opened: tuple[int, str, int] | None = None
    for number, line in enumerate(lines):
        if number > at and opened is None:
            return None
        for event, sign, column in _quotes(line, opened[1] if opened else ""):
            if event == "open":
                opened = number, sign, column
            elif event == "closed":
                opened = None
            elif opened is None or opened[0] == number:  # something follows the end of a quoted text
                return number, f"something follows the closing {sign}; of quotes inside quotes, write one pair as ' '"
            else:
                return opened[0], _unclosed(lines[opened[0]], sign, opened[2])
    return (opened[0], _unclosed(lines[opened[0]], opened[1], opened[2])) if opened else None


def _quotes(line: str, inside: str) -> Iterator[tuple[str, str, int]]:
    """What quotes do in a line, beginning inside of one or not: `open`, `closed`, or `torn` where text follows."""
    before, index = "", 0
    while index < len(line):
        sign = line[index]
        if inside:
            if (sign == "\\" and inside == '"') or line[index : index + 2] == "''" == inside * 2:
                index += 1
            elif sign == inside:
                rest = line[index + 1 :]
                well = not rest.strip() or rest.lstrip()[0] in ",]}:" or rest.lstrip()[0] == "#" != rest[0]
                yield "closed" if well else "torn", sign, index
                inside, before = "", "x"
        elif sign == "#" and (index == 0 or line[index - 1].isspace()):
            return
        elif sign in "\"'" and before in {"", ":", ",", "[", "{", "-", "?"}:
            inside = sign
            yield "open", sign, index
        elif not sign.isspace():
            before = sign if sign != "-" or not before or before == "-" else "x"
        index += 1


def _unclosed(line: str, sign: str, column: int) -> str:
    """`line` and `column` are where it opens."""
    if found := _OTHER_END.search(line, column + 1):
        return f"the quote opened with {sign} is closed with {found[1]}; use {sign} for both"
    return f"the quote {sign} opened here is not closed; write {sign} behind its text as well"


def _smart(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    for number in range(_since(at, error), min(at + 1, len(lines))):
        if _SMART.search(lines[number]):
            return number, 'use straight quotes " in place of “ ”'
    return None


def _prefix(lines: list[str], at: int, _: yaml.MarkedYAMLError) -> Cause | None:
    bare = any(_BARE_PREFIX.search(near) for near in lines[: at + 1][-2:])
    return (at, 'put what has {prefix} in it into quotes: "{prefix}.1"') if bare else None


def _space(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    """`key:value`, `-item`, and a key without its colon."""
    for number in range(_since(at, error), min(at + 1, len(lines))):
        if found := _COLON.match(lines[number]):
            return number, f"write a space after the colon of `{found[1]}:`"
        if _HYPHEN.match(lines[number]):
            return number, "write a space after the hyphen -"
        if found := _EQUALS.match(lines[number]):
            return number, f"write a colon and a space after a key, not =: `{found[1]}: `"
    mark = error.context_mark
    if (
        mark
        and mark.line < len(lines)
        and "expected ':'" in str(error.problem)
        and (found := _LONE.match(lines[mark.line]))
    ):
        return mark.line, f"write a colon after a key: `{found[1]}:`"
    return None


def _bracket(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    mark = error.context_mark
    if (
        mark
        and mark.line < len(lines)
        and "flow" in str(error.context)
        and lines[mark.line][mark.column : mark.column + 1] in {"{", "["}
    ):
        sign = lines[mark.line][mark.column]
        end = "}" if sign == "{" else "]"
        if mark.line == at:
            return (
                at,
                "write a comma between two entries and a colon and a space after each key, as in "
                f"{{id: a, name: b}}; end with {end}",
            )
        if _COMMENT.sub("", lines[mark.line]).rstrip()[-1:] in "[{,":
            return at, f"a comma is missing before this, or the {sign} of line {mark.line + 1} is not closed"
        return mark.line, f"the {sign} opened here is not closed; write {end} at its end"
    here = error.problem_mark
    if here and here.line < len(lines) and lines[here.line][here.column : here.column + 1] in {"}", "]"}:
        return here.line, f"one {lines[here.line][here.column]} too many; take it out"
    return None


def _sign(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    """Values that need quotes: for what they begin with, or for a colon within."""
    mark = error.problem_mark
    if mark is None or at >= len(lines):
        return None
    sign = lines[at][mark.column : mark.column + 1]
    if "cannot start any token" in str(error.problem) and sign in "@%`":
        return at, f"put a value that begins with {sign} into quotes"
    if "escape character" in str(error.problem):
        return at, "a backslash in double quotes has a meaning of its own; use single quotes ' in place of them"
    if "mapping values" in str(error.problem) and -1 < lines[at].find(": ") < mark.column:
        return at, "put a value that has a colon and a space in it into quotes"
    return None


def _indentation(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> Cause | None:
    """A line that begins at no column where one of those above it does."""
    if at >= len(lines) or not lines[at].strip() or not _BLOCK.search(str(error.problem)):
        return None
    own = _columns(lines[at])[0]
    levels: dict[int, int] = {}
    for number in range(at - 1, -1, -1):
        if lines[number].strip() and not lines[number].lstrip().startswith("#"):
            for column in reversed(_columns(lines[number])):
                if not levels or column < min(levels):
                    levels[column] = number
            if min(levels) == 0:
                break
    if not levels or own in levels:
        return None
    near = sorted(levels, key=lambda column: (abs(column - own), column))[:2]
    others = " or ".join(f"{column} (as {_of(lines, levels[column], column)})" for column in sorted(near))
    return at, f"begins with {_count(own)}, unlike the lines above; write {others}"


def _key(lines: list[str], _: int, error: yaml.MarkedYAMLError) -> Cause | None:
    mark = error.context_mark
    if mark and mark.line < len(lines) and "expected ':'" in str(error.problem):
        return mark.line, "neither a list's item nor a key with a colon and a space: write `key: value` or `- item`"
    return None


def _columns(line: str) -> list[int]:
    """Where a line begins, and where what follows its hyphens does."""
    found = re.match(r"( *)((?:- +)*)", line)
    column = len(found[1]) if found else 0
    inner = len(found[2]) if found else 0
    return [column, column + inner] if inner else [column]


def _of(lines: list[str], number: int, column: int) -> str:
    behind = "behind the hyphen of " if column != _columns(lines[number])[0] else ""
    return f"{behind}line {number + 1}"


def _count(spaces: int) -> str:
    return f"{spaces or 'no'} {'space' if spaces == 1 else 'spaces'}"


def _since(at: int, error: yaml.MarkedYAMLError) -> int:
    """The first line that the parser's stumble may come from: never far above it."""
    return max(at - 2, min(at, error.context_mark.line) if error.context_mark else at - 1, 0)


_FINDERS: tuple[Callable[[list[str], int, yaml.MarkedYAMLError], Cause | None], ...] = (
    _blank,
    _tab,
    _dash,
    _quote,
    _smart,
    _prefix,
    _space,
    _bracket,
    _sign,
    _indentation,
    _key,
)
