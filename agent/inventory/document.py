"""YAML as plain data that remembers the file and line of everything in it."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from agent.inventory import syntax
from agent.inventory.letters import mended
from agent.table import misread

Step = str | int
Place = tuple[Step, ...]
"""Where something stands in the data: mapping keys and list indexes from the top."""

MAX_BYTES = 10_000_000
MAX_NODES = 200_000
"""Twenty times what the largest province takes, every link and device of its 168 communes written out."""
MAX_DEPTH = 50
"""Lists and mappings inside each other; libyaml's composer calls itself for each, and C code has no RecursionError."""

_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 8 times faster where libyaml is there


class _Loader(_Base):  # type: ignore[misc, valid-type]  # whichever of the two there is
    """Dates stay text: the models read them, and say what is wrong with one that does not exist."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for sign, resolvers in _Base.yaml_implicit_resolvers.items()
}
_GLUED = re.compile(r"([a-z_]{2,}):([^/].*)")
"""A key, a colon and a value with no space between them: one key to YAML."""
_LETTERS = re.compile(r"[^\x00-\x7f]+")
_PLAIN_NUMBER = re.compile(r"[0-9][0-9.,]*")
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
    spellings: Mapping[Place, str] = field(default_factory=dict)
    """Numbers and truth values as they are written, where YAML reads something else: `01273` is 699 to it."""
    flaws: Mapping[Place, str] = field(default_factory=dict)
    """What is wrong with the letters themselves; the data has them as they were meant."""

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
        _check_shape(path, text)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise InventoryError([f'{path}:1: the file is empty; start with `province: "04"`'])
        builder = _Builder(path, loader)
        data = builder.build(root, ())
    except yaml.MarkedYAMLError as error:
        line, problem = syntax.told(text, error)
        if "nesting depth" in (error.problem or ""):  # libyaml's own limit, which its parser may reach ahead of ours
            raise _too_deep(path, line) from None
        raise InventoryError([f"{path}:{line + 1}: {problem}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.partition(chr(error.character))[0].count("\n") + 1
        hint = "; save the file as UTF-8" if error.character == 0 else ""
        if 0x7F < error.character < 0xA0:  # what is left of a letter's bytes
            hint = "; letters were broken when the file was saved: save it as UTF-8"
        problem = f"the character U+{error.character:04X} is not allowed{hint}"
        raise InventoryError([f"{path}:{line}: not valid YAML: {problem}"]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if builder.errors:
        raise InventoryError([message for _, message in sorted(builder.errors)])
    return Document(path, data, builder.origins, builder.spellings, builder.all_flaws())


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except FileNotFoundError:
        lost = f"a link to {path.readlink()}, which is not there" if path.is_symlink() else "no such file"
        raise InventoryError([f"{path}: {lost}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InventoryError([f"{path}:{line}: not UTF-8 text; save the file as UTF-8"]) from None
    except OSError as error:
        raise InventoryError([f"{path}: cannot be read: {error.strerror}"]) from None


def _bytes(path: Path) -> bytes:
    """What is in a file; a pipe or device would be waited for, and may have no end."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise InventoryError([f"{path}: a pipe or a device; an inventory is a file, or a folder of files"])
    if facts.st_size > MAX_BYTES:
        raise InventoryError([f"{path}: larger than {MAX_BYTES // 1_000_000} MB; is it an inventory?"])
    return path.read_bytes()


def _check_shape(path: Path, text: str) -> None:
    """Refuse what would take long to compose, or C code's whole stack, before it is."""
    depth = nodes = 0
    for event in yaml.parse(text, _Loader):
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > MAX_NODES:
            raise _too_many(path, event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(path, event.start_mark.line if event.start_mark else 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_many(path: Path, line: int) -> InventoryError:
    return InventoryError([f"{path}:{line + 1}: more than {MAX_NODES:,} values; is it an inventory?"])


def _too_deep(path: Path, line: int) -> InventoryError:
    return InventoryError(
        [f"{path}:{line + 1}: more than {MAX_DEPTH} lists and mappings inside each other; is it an inventory?"]
    )


@dataclass
class _Builder:
    path: Path
    loader: yaml.SafeLoader
    origins: dict[Place, Origin] = field(default_factory=dict)
    spellings: dict[Place, str] = field(default_factory=dict)
    errors: list[tuple[Origin, str]] = field(default_factory=list)
    flaws: dict[Place, str] = field(default_factory=dict)
    broken: list[tuple[Place, str]] = field(default_factory=list)
    """Texts whose letters are broken, and one of those letters."""
    nodes: int = 0

    def build(self, node: yaml.Node, place: Place) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES:  # aliases of aliases grow without end
            raise _too_many(self.path, node.start_mark.line)
        if len(place) > MAX_DEPTH:  # an alias of what it stands in has no end
            raise _too_deep(self.path, node.start_mark.line)
        self.origins.setdefault(place, self._origin(node))
        if isinstance(node, yaml.MappingNode):
            return {key: self.build(value, (*place, key)) for key, value in self._entries(node, place)}
        if isinstance(node, yaml.SequenceNode):
            if (
                node.flow_style
                and place == ("references",)
                and len(node.value) == 4
                and all(map(_is_number, node.value))
            ):
                whole = ".".join(number.value for number in node.value)
                self.flaws[place] = f"write {whole}, with points"
                return [whole]
            return [self.build(child, (*place, index)) for index, child in enumerate(node.value)]
        try:
            value: object = self.loader.construct_object(node)
            shown(value)  # refused for whole numbers of thousands of digits
        except _MEANINGLESS:
            self._refuse(node, place, f"{shown(node.value)} has no meaning in YAML; write it in quotes")
            return node.value
        if isinstance(value, str):
            return self._meant(value, place, plain=not getattr(node, "style", None))
        if isinstance(value, int | float):
            self.spellings[place] = " ".join(str(node.value).split())[:60]
        return value

    def all_flaws(self) -> dict[Place, str]:
        """What is wrong with the letters; a file that was saved wrongly is one mistake, however many texts it broke."""
        if self.broken:
            place, sample = self.broken[0]
            where = f"in {len(self.broken)} texts, the first of them here, " if len(self.broken) > 1 else ""
            self.flaws[place] = f"letters were broken {where}when the file was saved: {sample}; save it as UTF-8"
        return self.flaws

    def _meant(self, text: str, place: Place, *, plain: bool) -> str:
        """A text as it was meant; notes what is wrong with it."""
        if whole := misread(text):
            letters = next(iter(_LETTERS.findall(text)))
            sample = f"{letters} was {misread(letters)}"
            self.broken.append((place, sample if sample.isprintable() else ascii(sample)))
            return whole
        meant, flaw = mended(text, plain=plain)
        if flaw:
            self.flaws[place] = flaw
        return meant

    def _entries(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, found in self._without_commas(node, place):
            value = found
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, place, "a key must be plain text")
                continue
            key, flaw = mended(str(key_node.value), plain=not key_node.style)
            if node.flow_style and _is_nothing(value) and (glued := _GLUED.fullmatch(key)):
                key, flaw = glued[1], "write an ordinary space after the colon"
                value = self._scalar(glued[2].strip().strip("\"'"), value)
            if key == "<<":
                self._refuse(key_node, place, "merge keys (`<<`) are not understood; write the keys out")
            elif key in seen:
                self._refuse(key_node, (*place, key), f"given twice, first at line {seen[key]}; keep one")
            else:
                origin = self._origin(key_node)
                seen[key] = origin[1]
                self.origins[*place, key] = origin
                if flaw:
                    self.flaws[*place, key] = flaw
                yield key, value

    def _without_commas(self, node: yaml.MappingNode, place: Place) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping; what YAML took for keys, and was the rest of a number with commas, is put back."""
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if pairs and node.flow_style and _is_number(key) and _is_nothing(value) and _is_number(pairs[-1][1]):
                first, begun = pairs[-1]
                whole = f"{begun.value}.{key.value}"
                pairs[-1] = first, self._scalar(whole, begun)
                self.flaws[*place, str(first.value)] = f"write {whole}, with {_points(whole)}"
            else:
                pairs.append((key, value))
        return pairs

    def _scalar(self, text: str, like: yaml.Node) -> yaml.ScalarNode:
        tag = str(self.loader.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]  # PyYAML's
        return yaml.ScalarNode(tag, text, like.start_mark, like.end_mark)

    def _origin(self, node: yaml.Node) -> Origin:
        return self.path, node.start_mark.line + 1

    def _refuse(self, node: yaml.Node, place: Place, message: str) -> None:
        self.errors.append(told(self._origin(node), place, message))


def _is_number(node: yaml.Node) -> bool:
    """Whether a number stands there without quotes, or what begins as one."""
    return isinstance(node, yaml.ScalarNode) and not node.style and bool(_PLAIN_NUMBER.fullmatch(node.value))


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and not node.value


def _points(number: str) -> str:
    return "a point" if number.count(".") == 1 else "points"
