"""Reading what devices send for numbers and texts, as tolerantly as real ones need it; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from probes.ports import SnmpValue

SENTINELS = frozenset({65535, 2147483647, 4294967295})
"""What devices send for "not known" in 16 bits, Integer32 and Gauge32."""
TEXT_LENGTH = 120

_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]+")


def number(value: SnmpValue | None) -> float | None:
    """A number, also from a text such as `-106 dBm`; none where there is none. Counters above 2^53 lose digits."""
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return None
    found = _NUMBER.match(value if isinstance(value, str) else _decoded(value))
    if found is None:
        return None
    return read if math.isfinite(read := float(found.group(1))) else None


def known(value: SnmpValue | None, low: float, high: float) -> float | None:
    """A number from `low` to `high` that is no sentinel, else none."""
    found = number(value)
    return found if found is not None and found not in SENTINELS and low <= found <= high else None


def text(value: SnmpValue | None) -> str:
    """One line of at most `TEXT_LENGTH` characters; UTF-8, else Latin-1; empty where the device sent nothing."""
    if value is None:
        return ""
    raw = _decoded(value) if isinstance(value, bytes) else str(value)
    return _UNPRINTABLE.sub(" ", raw).strip()[:TEXT_LENGTH]


def column(rows: Mapping[str, SnmpValue], oid: str) -> dict[str, SnmpValue]:
    """Rows below `oid` by their index; some devices append a zero to it."""
    return {name[len(oid) + 1 :]: value for name, value in rows.items() if name.startswith(oid + ".")}


def _decoded(value: bytes) -> str:
    value = value.replace(b"\0", b"")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
