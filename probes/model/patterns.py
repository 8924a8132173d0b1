"""Regular expressions that an inventory holds and that lines from anywhere are matched with."""

from __future__ import annotations

from typing import Annotated

import re2
from pydantic import AfterValidator, StringConstraints

LONGEST = 1000

_QUIET = re2.Options()
_QUIET.log_errors = False


def compiled(pattern: str) -> re2._Regexp[str]:
    """The pattern, ready; kept by the library for the next time. Raises `re2.error`."""
    return re2.compile(pattern, _QUIET)


def _pattern(value: str) -> str:
    try:
        compiled(value)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"must be a regular expression as RE2 takes them: {words}") from None
    return value


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST), AfterValidator(_pattern)]
"""RE2 syntax: as in blackbox_exporter, and in linear time whatever a server sends."""
