"""What devices send, as numbers and texts: compiled once for each object of a profile; pure."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

Raw = int | float | str | bytes
"""As `probes.ports.SnmpValue`."""
Plain = int | float | str
"""A value as a profile spells it."""
Type = Literal["number", "unsigned", "ticks", "hex", "bits", "date", "text"]
Read = Callable[[Raw], float | None]

SENTINELS = frozenset({65535, 2147483647, 4294967295, -2147483648})
"""What devices send for "not known" in 16 bits, Integer32 and Gauge32; believed of nothing that has a range."""
TEXT_LENGTH = 120
LARGEST = 2**64
"""Nothing that SNMP counts is larger; a text with more digits is no number."""
TICKS_PER_S = 100
"""TimeTicks are hundredths of a second (RFC 2578, 7.1.8)."""

_NUMBER = re.compile(r"\s*([-+]?\d{1,20}(?:\.\d{1,20})?)(?!\d)")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]+")
_PRIVATE = re.compile(r"\d{14,}")
"""IMEI and IMSI have 14 to 16 digits, an ICCID 19 or 20: no name of a part has as many."""
_READ_BYTES = 4 * TEXT_LENGTH


def number(raw: Raw | None) -> float | None:
    """A finite number, also from a text such as `-106 dBm`; none where there is none."""
    if isinstance(raw, int):
        return raw if -LARGEST < raw < LARGEST else None
    if isinstance(raw, float):
        return raw if math.isfinite(raw) and -LARGEST < raw < LARGEST else None
    if raw is None:
        return None
    found = _NUMBER.match(decoded(raw))
    if found is None:
        return None
    read = float(found.group(1)) if "." in found.group(1) else int(found.group(1))
    return read if -LARGEST < read < LARGEST else None


def text(raw: Raw | None) -> str:
    """One line of at most `TEXT_LENGTH` characters, without numbers of subscribers; empty where nothing was sent."""
    if raw is None:
        return ""
    line = _UNPRINTABLE.sub(" ", decoded(raw) if isinstance(raw, (bytes, str)) else str(raw)).strip()
    return _PRIVATE.sub("...", line)[:TEXT_LENGTH]


def decoded(raw: bytes | str) -> str:
    """The beginning of a text: UTF-8, else Latin-1; without the zero bytes that some append."""
    if isinstance(raw, str):
        return raw[:_READ_BYTES]
    part = raw[:_READ_BYTES].replace(b"\0", b"")
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(part) - 3 and len(raw) > _READ_BYTES:  # a letter that our own cut went through
            return part[: error.start].decode()
        return part.decode("latin-1")


def folded(raw: Raw) -> str:
    """A text to compare: firmwares differ in case and spaces."""
    return text(raw).casefold()


def _octets(raw: Raw) -> bytes:
    """An OCTET STRING, as it came or in hexadecimal digits (`0x1F`, `1F 20`)."""
    if isinstance(raw, bytes):
        return raw
    try:
        return bytes.fromhex(decoded(raw).removeprefix("0x")) if isinstance(raw, str) else b""
    except ValueError:
        return b""


def _unsigned(raw: Raw) -> float | None:
    """A counter that the firmware squeezes into Integer32: modulo 2^32."""
    found = number(raw)
    return None if found is None else found % 2**32 if found < 0 else found


def _ticks(raw: Raw) -> float | None:
    found = number(raw)
    return None if found is None else found / TICKS_PER_S


def _hex(raw: Raw) -> float | None:
    """A number in an OCTET STRING, most significant octet first, or in hexadecimal digits."""
    if isinstance(raw, (int, float)):
        return number(raw)
    octets = raw if isinstance(raw, bytes) and not _spelled(raw) else _octets(decoded(raw))
    return int.from_bytes(octets, "big") if 0 < len(octets) <= 8 else None


def _spelled(raw: bytes) -> bool:
    return len(raw) >= 2 and raw[:2] in {b"0x", b"0X"}


def _bits(raw: Raw) -> frozenset[int]:
    """The numbers of the bits that are set: BITS of RFC 2578 (7.1.4), or a text of 0 and 1 as APC's, both from 0."""
    octets = raw if isinstance(raw, bytes) else decoded(raw).encode() if isinstance(raw, str) else b""
    octets = octets[:64]
    if octets and not octets.strip(b"01"):
        return frozenset(place for place, digit in enumerate(octets) if digit == ord("1"))
    return frozenset(8 * place + bit for place, octet in enumerate(octets) for bit in range(8) if octet & 0x80 >> bit)


def _date(raw: Raw) -> float | None:
    """DateAndTime of RFC 2579 as seconds since 1970: 8 octets of local time, or 11 with the offset from UTC."""
    octets = _octets(raw)
    if len(octets) not in {8, 11}:
        return None
    year, (month, day, hour, minute, second) = int.from_bytes(octets[:2], "big"), octets[2:7]
    if not (
        1970 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60
    ):
        return None
    offset = 0
    if len(octets) == 11:
        offset = (octets[9] * 60 + octets[10]) * (-60 if octets[8:9] == b"-" else 60)
    return float(calendar.timegm((year, month, day, hour, minute, second)) - offset)


_TYPES: Mapping[str, Read] = {"number": number, "unsigned": _unsigned, "ticks": _ticks, "hex": _hex, "date": _date}


def reader(
    kind: Type = "number",
    *,
    scale: float = 1,
    low: float | None = None,
    high: float | None = None,
    absent: Sequence[Plain] = (),
    flag: Sequence[Plain] | None = None,
    above: float | None = None,
    values: Mapping[Plain, Plain] | None = None,
    pattern: str | None = None,
) -> Read:
    """How one object becomes a number; every value that says nothing becomes none."""
    if values is not None:
        return _worded(values)
    if flag is not None and (kind in {"bits", "text"} or any(isinstance(item, str) for item in flag)):
        return _bit_flag(flag) if kind == "bits" else _word_flag(flag, absent)
    low, high = -LARGEST if low is None else low, LARGEST if high is None else high
    nothing = frozenset(item for item in absent if not isinstance(item, str))
    if high < LARGEST:
        nothing |= SENTINELS
    if (words := [item for item in absent if isinstance(item, str)]) or kind != "number" or pattern is not None:
        convert = _without(_patterned(_TYPES[kind], pattern), words)
    else:
        convert = number
    if flag is not None:
        return _flag(convert, low, high, nothing, frozenset(flag).__contains__)
    if above is not None:
        limit = above
        return _flag(convert, low, high, nothing, lambda found: found > limit)
    return _number_from(convert, low, high, nothing, scale)


def _number_from(convert: Read, low: float, high: float, nothing: frozenset[float], scale: float) -> Read:
    """A number from `low` to `high` that is none of those that mean nothing, times `scale`."""
    plain = convert is number  # then what came as an integer is one
    divisor = round(1 / scale) if abs(scale) <= 1 else 0
    if divisor and abs(divisor * scale - 1) > 1e-9:  # 35 / 100 is 0.35, and 35 * 0.01 is not
        divisor = 0

    def read(raw: Raw) -> float | None:
        found: float | None
        if plain and type(raw) is int:
            found = raw
        else:
            found = convert(raw)
            if found is None:
                return None
        if low <= found <= high and found not in nothing:
            return found / divisor if divisor else found * scale
        return None

    def whole(raw: Raw) -> float | None:
        found = raw if plain and type(raw) is int else convert(raw)
        return found if found is not None and low <= found <= high and found not in nothing else None

    def counter(raw: Raw) -> float | None:
        if type(raw) is int:
            return raw if 0 <= raw < LARGEST else None
        found = convert(raw)
        return found if found is not None and found >= 0 else None

    if scale != 1:
        return read
    return counter if plain and low == 0 and high == LARGEST and not nothing else whole


def _flag(convert: Read, low: float, high: float, nothing: frozenset[float], chosen: Callable[[float], bool]) -> Read:
    """1 for the numbers that are chosen; an enumeration is looked up."""
    plain = convert is number

    def read(raw: Raw) -> float | None:
        found = convert(raw)
        return float(chosen(found)) if found is not None and low <= found <= high and found not in nothing else None

    if not plain or not (low >= -64 and high <= 64):
        return read
    known = {value: told for value in range(math.ceil(low), math.floor(high) + 1) if (told := read(value)) is not None}

    def looked_up(raw: Raw) -> float | None:
        return known.get(raw) if type(raw) is int else read(raw)

    return looked_up


def _without(convert: Read, words: Sequence[str]) -> Read:
    """Texts that mean nothing."""
    if not words:
        return convert
    nothing = word_test(words)
    return lambda raw: None if isinstance(raw, (bytes, str)) and nothing(folded(raw)) else convert(raw)


def _patterned(convert: Read, pattern: str | None) -> Read:
    if pattern is None:
        return convert
    search = re.compile(pattern, re.IGNORECASE).search

    def cut(raw: Raw) -> float | None:
        found = search(text(raw))
        return convert(found.group(1)) if found else None

    return cut


def _bit_flag(flag: Sequence[Plain]) -> Read:
    chosen = frozenset(flag)

    def any_bit(raw: Raw) -> float | None:
        return float(not chosen.isdisjoint(_bits(raw))) if isinstance(raw, (bytes, str)) and raw else None

    return any_bit


def _word_flag(flag: Sequence[Plain], absent: Sequence[Plain]) -> Read:
    chosen, nothing = word_test(flag), word_test(absent)

    def word(raw: Raw) -> float | None:
        said = folded(raw)
        return None if not said or nothing(said) else float(chosen(said))

    return word


def _worded(values: Mapping[Plain, Plain]) -> Read:
    find = chooser(values)

    def value(raw: Raw) -> float | None:
        found = find(raw)
        return float(found) if isinstance(found, (int, float)) else None

    return value


def word_test(words: Sequence[Plain]) -> Callable[[str], bool]:
    """Whether a folded text is one of these; one that ends in `*` stands for every text that begins so."""
    whole = frozenset(str(word).casefold() for word in words if not str(word).endswith("*"))
    begins = tuple(str(word)[:-1].casefold() for word in words if str(word).endswith("*"))
    return lambda said: said in whole or said.startswith(begins)


def chooser(values: Mapping[Plain, Plain]) -> Callable[[Raw], Plain | None]:
    """What a value of an enumeration stands for: numbers by number, texts by text (`*` ends a beginning)."""
    numbers = {key: value for key, value in values.items() if not isinstance(key, str)}
    whole = {key.casefold(): value for key, value in values.items() if isinstance(key, str) and not key.endswith("*")}
    begins = [(key[:-1].casefold(), value) for key, value in values.items() if isinstance(key, str) and key[-1:] == "*"]

    def choose(raw: Raw) -> Plain | None:
        if isinstance(raw, (bytes, str)):
            said = folded(raw)
            if said in whole:
                return whole[said]
            for beginning, value in begins:
                if said.startswith(beginning):
                    return value
            if not numbers:
                return None
        found = number(raw)
        return None if found is None else numbers.get(found)

    return choose


def label_reader(
    values: Mapping[Plain, Plain] | None = None, pattern: str | None = None, absent: Sequence[Plain] = ()
) -> Callable[[Raw], str]:
    """How one object becomes a label's value; empty where it says nothing."""
    if values is not None:
        find = chooser(values)
        return lambda raw: "" if (found := find(raw)) is None else str(found)
    nothing = word_test(absent)
    search = re.compile(pattern, re.IGNORECASE).search if pattern else None

    def read(raw: Raw) -> str:
        line = text(raw)
        if search is not None:
            found = search(line)
            line = (found.group(1) or "").strip() if found else ""
        return "" if nothing(line.casefold()) else line

    return read
