"""A YAML file as plain data that remembers the line of everything in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

Step = str | int
Place = tuple[Step, ...]
"""Where something stands in the data: mapping keys and list indexes from the top."""

MAX_BYTES = 10_000_000
MAX_NODES = 500_000
MAX_DEPTH = 50
"""Lists and mappings inside each other; libyaml's composer calls itself for each, and C code has no RecursionError."""

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 8 times faster where libyaml is there
_MEANINGLESS = (ValueError, ArithmeticError, LookupError, AttributeError, yaml.YAMLError)
"""What PyYAML's constructors raise on a text that is not of its tag: they take for granted that it is."""


class InventoryError(Exception):
    """What is wrong with an inventory; `errors` are whole lines for people, `file:line: path: what; a way out`."""

    def __init__(self, errors: list[str]) -> None:
        """At least one error."""
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Document:
    """The data of one file with the line of each place."""

    path: Path
    data: object
    lines: dict[Place, int]

    def error(self, place: Place, message: str) -> tuple[int, str]:
        """One error line with its line number, for sorting; an unknown place counts as the nearest one around it."""
        known = place
        while known not in self.lines and known:
            known = known[:-1]
        line = self.lines.get(known, 1)
        where = spelled(place)
        return line, f"{self.path}:{line}: {where}: {message}" if where else f"{self.path}:{line}: {message}"


def spelled(place: Place) -> str:
    """A place as people write it: `communes[0].links[1].address`."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if step.isprintable() else repr(step)
            text += f".{key}" if text else key
    return text


def shown(value: object) -> str:
    """A value in one line, cut if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read(path: Path) -> Document:
    """Parse one file; raises `InventoryError` if it cannot be read or is no YAML."""
    text = _text(path)
    loader = None
    try:
        _check_depth(path, text)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise InventoryError([f'{path}:1: the file is empty; start with `province: "04"`'])
        lines: dict[Place, int] = {}
        errors: list[tuple[int, str]] = []
        data = _Builder(path, loader, lines, errors).build(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        hint = "; indent with spaces, not tabs" if "\\t" in str(error.problem) else ""
        raise InventoryError([f"{path}:{line}: not valid YAML: {error.problem or error.context}{hint}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.partition(chr(error.character))[0].count("\n") + 1
        problem = f"the character U+{error.character:04X} is not allowed"
        raise InventoryError([f"{path}:{line}: not valid YAML: {problem}"]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if errors:
        raise InventoryError([message for _, message in sorted(errors)])
    return Document(path, data, lines)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise InventoryError([f"{path}: is a folder; name the inventory file in it"])
        if path.stat().st_size > MAX_BYTES:
            raise InventoryError([f"{path}: larger than {MAX_BYTES // 1_000_000} MB; is it an inventory?"])
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InventoryError([f"{path}: no such file"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InventoryError([f"{path}:{line}: not UTF-8 text; save the file as UTF-8"]) from None
    except OSError as error:
        raise InventoryError([f"{path}: cannot be read: {error.strerror}"]) from None


def _check_depth(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(path, event.start_mark.line if event.start_mark else 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep(path: Path, line: int) -> InventoryError:
    return InventoryError(
        [f"{path}:{line + 1}: more than {MAX_DEPTH} lists and mappings inside each other; is it an inventory?"]
    )


@dataclass
class _Builder:
    path: Path
    loader: yaml.SafeLoader
    lines: dict[Place, int]
    errors: list[tuple[int, str]]
    nodes: int = 0

    def build(self, node: yaml.Node, place: Place) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES:  # aliases of aliases grow without end
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values", problem_mark=node.start_mark)
        if len(place) > MAX_DEPTH:  # an alias of what it stands in has no end
            raise _too_deep(self.path, node.start_mark.line)
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return {key: self.build(value, (*place, key)) for key, value in self._entries(node, place)}
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*place, index)) for index, child in enumerate(node.value)]
        try:
            value: object = self.loader.construct_object(node)
            shown(value)  # refused for whole numbers of thousands of digits
        except _MEANINGLESS:
            self.errors.append(
                (
                    node.start_mark.line,
                    f"{self.path}:{node.start_mark.line + 1}: {spelled(place)}: "
                    f"{shown(node.value)} has no meaning in YAML; write it in quotes",
                )
            )
            return node.value
        return value

    def _entries(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.errors.append((line, f"{self.path}:{line}: {spelled(place)}: a key must be plain text"))
                continue
            key = str(key_node.value)
            if key == "<<":
                self.errors.append(
                    (
                        line,
                        f"{self.path}:{line}: {spelled(place)}: merge keys (`<<`) are not understood; "
                        "write the keys out",
                    )
                )
            elif key in seen:
                self.errors.append(
                    (
                        line,
                        f"{self.path}:{line}: {spelled((*place, key))}: given twice, first at line "
                        f"{seen[key]}; keep one",
                    )
                )
            else:
                seen[key] = line
                self.lines[*place, key] = line
                yield key, value
