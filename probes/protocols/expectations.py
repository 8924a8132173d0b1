"""What an answer must hold: patterns, headers, values of JSON. Whatever a server sends, looking at it ends soon.

Patterns are RE2's, which take linear time, and are what Prometheus's own exporters use.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated, Any

import jmespath
import re2
from jmespath.exceptions import JMESPathError
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import AfterValidator, Field
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_MOST_JSON_VALUES = 50_000
_LONGEST = 1000
"""Characters of a pattern or expression."""


def _pattern(text: str) -> str:
    try:
        compiled(text)
    except re2.error as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise ValueError(f"is no pattern that RE2 knows ({why}); see github.com/google/re2/wiki/Syntax") from None
    return text


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        why = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
        raise ValueError(f"is no JMESPath expression ({why}); see jmespath.org") from None
    return text


def _schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
        resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver("")
        for key, value in _keywords(schema):
            if key == "patternProperties":
                raise ValueError("holds `patternProperties`, which lienxa does not look at; use `properties`")
            if key in {"$ref", "$dynamicRef"} and isinstance(value, str):
                if not value.startswith("#"):
                    raise ValueError(
                        f"refers to {value!r}; nothing is fetched: put it into `$defs`, refer to '#/$defs/…'"
                    )
                try:
                    resolver.lookup(value)
                except Unresolvable:
                    raise ValueError(f"refers to {value!r}, which is not there") from None
            if key == "pattern" and isinstance(value, str):
                _pattern(value)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema (2020-12): {error.message}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return schema


def _keywords(part: object) -> Iterator[tuple[str, object]]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield str(key), value
            yield from _keywords(value)
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _keywords(item)


_Words = Annotated[str, Field(min_length=1, max_length=_LONGEST)]
Pattern = Annotated[_Words, AfterValidator(_pattern)]
"""A regular expression as RE2 has it."""
Expression = Annotated[_Words, AfterValidator(_expression)]
"""A JMESPath expression."""
JsonSchema = Annotated[Mapping[str, Any], AfterValidator(_schema)]
"""A JSON Schema (2020-12) that stands for itself: nothing is fetched for it."""


@dataclass(frozen=True)
class Expected:
    """What an answer must hold; each part may be left out."""

    contains: str | None = None
    matches: tuple[str, ...] = ()
    not_matches: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Patterns by header; each must be there and match."""
    jmespath: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    @property
    def of_the_body(self) -> bool:
        """Whether anything is expected of the body that only the right one would hold."""
        return bool(self.contains or self.matches or self.jmespath or self.schema is not None)

    def fault(self, headers: Mapping[str, str], text: str) -> str | None:
        """What is wrong with an answer, in words that repeat nothing of it; none if it is as it should be.

        A long text takes its time: not for the event loop.
        """
        for name, pattern in self.headers.items():
            if name not in headers:
                return f"the header {name} is missing"
            if not _found(pattern, headers[name]):
                return f"the header {name} does not match {pattern!r}"
        if self.contains is not None and unicodedata.normalize("NFC", self.contains) not in text:
            return "the expected text is missing"
        for pattern in self.matches:
            if not _found(pattern, text):
                return f"nothing matches {pattern!r}"
        for pattern in self.not_matches:
            if _found(pattern, text):
                return f"something matches {pattern!r}"
        return self._fault_of_json(text) if self.jmespath or self.schema is not None else None

    def _fault_of_json(self, text: str) -> str | None:
        if text.count(",") + text.count("[") + text.count("{") > _MOST_JSON_VALUES:
            return f"the JSON has more than {_MOST_JSON_VALUES:,} values, too many to look at"
        try:
            return self._fault_of_data(json.loads(text))
        except ValueError:  # JMESPath's own errors too
            return "the answer is no JSON, or not of the kind that the expressions are for"
        except Unresolvable:
            return "the JSON Schema refers to what is not there"
        except RecursionError:
            return "the JSON is nested too deeply"

    def _fault_of_data(self, data: object) -> str | None:
        for expression in self.jmespath:
            if not _holds(_compiled_expression(expression).search(data)):
                return f"{expression!r} does not hold"
        if self.schema is not None:
            wrong = next(self._validator.iter_errors(data), None)
            if wrong is not None:
                return f"not as the JSON Schema says at {'/'.join(map(str, wrong.absolute_schema_path))}"
        return None

    @cached_property
    def _validator(self) -> Any:
        return _Bounded(self.schema, registry=Registry())


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """A pattern, made once; raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(unicodedata.normalize("NFC", pattern), options)


@lru_cache(maxsize=4096)
def _compiled_expression(expression: str) -> Any:
    return jmespath.compile(expression)


def _found(pattern: str, text: str) -> bool:
    return (
        compiled(pattern).search(text.encode("utf-8", "replace").decode()) is not None
    )  # JSON may hold half characters


def _holds(value: object) -> bool:
    """JMESPath's own notion of truth: false are null, false, and empty text, lists and objects."""
    return value not in (None, False, "", [], {}) or (value == 0 and not isinstance(value, bool))


def _matches(_: Any, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _found(pattern, instance):
        yield ValidationError("does not match")


def _unique(_: Any, wanted: bool, instance: object, _schema: object) -> Iterator[ValidationError]:
    """In linear time, where the library compares each with each."""
    if wanted and isinstance(instance, list):
        written = {json.dumps(item, sort_keys=True) for item in instance}
        if len(written) < len(instance):
            yield ValidationError("has equal items")


_Bounded: Any = extend(Draft202012Validator, {"pattern": _matches, "uniqueItems": _unique})  # type: ignore[no-untyped-call]  # its stubs
