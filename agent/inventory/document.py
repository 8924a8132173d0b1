"""YAML as plain data that remembers the file and line of everything in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 8 times faster where libyaml is there


class _Loader(_Base):  # type: ignore[misc, valid-type]  # whichever of the two there is
    """Dates stay text: the models read them, and say what is wrong with one that does not exist."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for sign, resolvers in _Base.yaml_implicit_resolvers.items()
}
_MEANINGLESS = (ValueError, ArithmeticError, LookupError, AttributeError, yaml.YAMLError)
"""What PyYAML's constructors raise on a text that is not of its tag: they take for granted that it is."""


class InventoryError(Exception):
    """What is wrong with an inventory; `errors` are whole lines for people, `file:line: path: what; a way out`."""

    def __init__(self, errors: list[str]) -> None:
        """At least one error."""
        super().__init__("\n".join(errors))
        self.errors = errors


Origin = tuple[Path, int]
"""A file, and a line in it."""


@dataclass(frozen=True)
class Document:
    """Data with the origin of each place."""

    path: Path
    data: object
    origins: Mapping[Place, Origin]

    def origin(self, place: Place) -> Origin:
        """Where a place stands; an unknown one counts as the nearest one around it."""
        while place not in self.origins and place:
            place = place[:-1]
        return self.origins.get(place, (self.path, 1))

    def error(self, place: Place, message: str) -> tuple[Origin, str]:
        """One error line with its origin, for sorting."""
        return told(self.origin(place), place, message)


def told(origin: Origin, place: Place, message: str) -> tuple[Origin, str]:
    """An error line for people, with its origin, for sorting."""
    path, line = origin
    where = spelled(place)
    return origin, f"{path}:{line}: {where}: {message}" if where else f"{path}:{line}: {message}"


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
        origins: dict[Place, Origin] = {}
        errors: list[tuple[Origin, str]] = []
        data = _Builder(path, loader, origins, errors).build(root, ())
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
    return Document(path, data, origins)


def _text(path: Path) -> str:
    try:
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
    origins: dict[Place, Origin]
    errors: list[tuple[Origin, str]]
    nodes: int = 0

    def build(self, node: yaml.Node, place: Place) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES:  # aliases of aliases grow without end
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values", problem_mark=node.start_mark)
        if len(place) > MAX_DEPTH:  # an alias of what it stands in has no end
            raise _too_deep(self.path, node.start_mark.line)
        self.origins.setdefault(place, self._origin(node))
        if isinstance(node, yaml.MappingNode):
            return {key: self.build(value, (*place, key)) for key, value in self._entries(node, place)}
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*place, index)) for index, child in enumerate(node.value)]
        try:
            value: object = self.loader.construct_object(node)
            shown(value)  # refused for whole numbers of thousands of digits
        except _MEANINGLESS:
            self._refuse(node, place, f"{shown(node.value)} has no meaning in YAML; write it in quotes")
            return node.value
        return value

    def _entries(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, place, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key == "<<":
                self._refuse(key_node, place, "merge keys (`<<`) are not understood; write the keys out")
            elif key in seen:
                self._refuse(key_node, (*place, key), f"given twice, first at line {seen[key]}; keep one")
            else:
                origin = self._origin(key_node)
                seen[key] = origin[1]
                self.origins[*place, key] = origin
                yield key, value

    def _origin(self, node: yaml.Node) -> Origin:
        return self.path, node.start_mark.line + 1

    def _refuse(self, node: yaml.Node, place: Place, message: str) -> None:
        self.errors.append(told(self._origin(node), place, message))
