"""The electricity company's announcements: a CSV file beside the inventory, read again whenever it changes."""

from __future__ import annotations

import csv
import itertools
import logging
import re
import stat
from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.calendar import Calendar, Cut
from agent.communes import Meant, Unnamed, by_code_and_name
from agent.table import DELIMITERS, HEADER_WITHIN, Spoilt, clean, decoded, folded, lost_letters, unbracketed
from probes import metrics, units
from probes.model import Province
from probes.model.windows import VIETNAM
from probes.results import Reading

log = logging.getLogger(__name__)

MAX_BYTES = 2_000_000
MAX_ROWS = 20_000
LONGEST_LINE = 4_000
LONGEST = timedelta(days=7)
"""A cut that is announced for longer is a slip of the pen, and would silence a commune for that long."""
YEARS = range(2000, 2100)
TOLD = 20
"""Rejected rows that are told one by one; the others are counted."""

_HEADERS: Mapping[str, str] = {
    "code": "mã xã|mã phường|mã xã phường|mã đơn vị hành chính|mã đvhc|mã|code|commune code|commune",
    "name": "tên xã|xã|phường|xã phường|phường xã|tên phường|tên xã phường|xã phường đặc khu|địa phương|commune name",
    "date": "ngày|ngày cắt điện|ngày cắt|ngày mất điện|ngày ngừng cấp điện|ngày thực hiện|date|day",
    "start": (
        "bắt đầu|thời gian bắt đầu|thời điểm bắt đầu|giờ bắt đầu|từ|từ giờ|giờ cắt|giờ cắt điện|giờ mất điện|"
        "start|begin|from"
    ),
    "end": (
        "kết thúc|thời gian kết thúc|thời điểm kết thúc|giờ kết thúc|đến|đến giờ|giờ có điện|giờ đóng điện|"
        "giờ cấp lại|end|to"
    ),
    "reason": "lý do|lí do|nội dung|lý do cắt điện|reason",
}
"""Each column's headers, with `|` between them; case, diacritics and signs do not matter."""
_NEEDED: Mapping[str, str] = {"start": "bắt đầu (start)", "end": "kết thúc (end)"}
_COMMUNE = "mã xã (code) or tên xã (commune name)"
_TIME = (
    r"(?P<hour>[0-9]{1,2})(?:[:hH]| ?giờ ?)(?P<minute>[0-9]{2}|(?<=[hH])|(?<=giờ)|(?<=giờ ))(?::(?P<second>[0-9]{2}))?"
)
"""`06:00`, `6:00:00`, `06h00`, `6h`, `6 giờ 30`."""
_DAY_FIRST = r"(?P<day>[0-9]{1,2})(?P<sign>[/.-])(?P<month>[0-9]{1,2})(?P=sign)(?P<year>[0-9]{4})"
_YEAR_FIRST = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
_MOMENTS = tuple(
    re.compile(pattern)
    for pattern in (f"{_YEAR_FIRST}[ T]{_TIME}", f"{_DAY_FIRST} {_TIME}", f"{_TIME} (?:ngày )?{_DAY_FIRST}")
)
_DATES = tuple(re.compile(pattern) for pattern in (_YEAR_FIRST, f"(?:ngày )?{_DAY_FIRST}"))
_ONLY_TIME = re.compile(_TIME)
_CODE = re.compile("'?[0-9]")
"""How a code begins, and no name does."""
_HOW = "write it as 2026-11-22 06:00 or 22/11/2026 06:00"


class Unreadable(Exception):
    """No announcement at all can be taken from a file; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be used."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A row that was taken in a way that somebody should look at."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Announced:
    """What was last read of an inventory's file, and how the last attempt went; empty where it names no file.

    Cuts stay when the file cannot be read any more: better yesterday's announcements than none.
    """

    path: Path | None = None
    cuts: tuple[Cut, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[Note, ...] = ()
    error: str = ""
    read_at: float | None = None
    """When it was last read, in seconds since 1970."""
    signature: tuple[int, ...] | None = None
    """Of the file that was last read; none if there was none, or it could not be opened."""
    seen: tuple[int, ...] | None = None
    """Of the file when it was last looked at."""

    def told(self) -> dict[str, Any] | None:
        """How the reading went, as JSON-ready data; none where no file is named."""
        if self.path is None:
            return None
        rows = [{"line": row.line, "reason": row.reason} for row in self.rejected[:TOLD]]
        return {
            "file": str(self.path),
            "read_at": self.read_at,
            "error": self.error or None,
            "cuts": len(self.cuts),
            "rejected": len(self.rejected),
            "rejected_rows": rows,
        }


def announced(province: Province, folder: Path, now: float, before: Announced | None = None) -> Announced:
    """`read`, and its outcome in the log."""
    found = read(province, folder, now, before)
    if found.error and (before is None or found.error != before.error):
        log.warning("%s: %s; planned cuts that stay in force: %d", found.path, found.error, len(found.cuts))
    elif found.path is not None and not found.error:
        log.info("%s: %d planned cuts, %d rows rejected", found.path, len(found.cuts), len(found.rejected))
        for row in found.rejected[:TOLD]:
            log.warning("%s:%d: %s", found.path, row.line, row.reason)
        for note in found.notes[:TOLD]:
            log.warning("%s:%d: %s", found.path, note.line, note.text)
    return found


def read(province: Province, folder: Path, now: float, before: Announced | None = None) -> Announced:
    """Read the file that a province names; `folder` is where its inventory lies, `now` in seconds since 1970.

    Raises nothing: an agent must run without its announcements. Reads a file, so not for the event loop.
    """
    if province.planned_cuts is None:
        return Announced()
    path = folder / province.planned_cuts.file
    before = before if before is not None and before.path == path else Announced(path)
    signature = _signature(path)
    try:
        cuts, rejected, notes = parse(_bytes(path), [commune.code for commune in province.communes])
    except Unreadable as error:
        return replace(before, error=str(error), signature=signature, seen=signature)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        return replace(before, error=reason, signature=None, seen=signature)  # to be tried again, whatever it was
    return Announced(path, cuts, rejected, notes, "", now, signature, signature)


def look(province: Province, folder: Path, now: float, before: Announced) -> Announced:
    """What is announced now: read again if the file has changed, and has stayed as it is since the last look.

    Reason for the second look: a file that is being written would be taken for a short one.
    """
    if before.path is None:
        return before
    signature = _signature(before.path)
    if signature != before.seen:
        return replace(before, seen=signature)
    return before if signature == before.signature else announced(province, folder, now, before)


def readings(known: Announced, calendar: Calendar) -> Iterator[Reading]:
    """The series about planned cuts; none where no file is named."""
    if known.path is None:
        return
    yield Reading(metrics.PLANNED_CUTS, calendar.ahead, ("ahead",))
    yield Reading(metrics.PLANNED_CUTS, calendar.active, ("active",))
    yield Reading(metrics.PLANNED_CUTS_REJECTED, len(known.rejected))
    yield Reading(metrics.PLANNED_CUTS_READ_OK, float(not known.error))
    if known.read_at is not None:
        yield Reading(metrics.PLANNED_CUTS_READ, known.read_at)


def parse(data: bytes, communes: Collection[str]) -> tuple[tuple[Cut, ...], tuple[Rejected, ...], tuple[Note, ...]]:
    """The cuts that a CSV file announces for these communes, rows that could not be used, notes on rows to look at.

    One row a line. Raises `Unreadable` for what is no such file at all.
    """
    lines = _text(data).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_ROWS:
        raise Unreadable(f"more than {MAX_ROWS} lines; is it the list of planned cuts?")
    at, delimiter, columns = _header(lines)
    known = frozenset(communes)
    cuts, rejected, notes = [], [], []
    for number, line in enumerate(lines[at + 1 :], at + 2):
        try:
            cells = _cells(line, delimiter)
            if any(cells):
                row = {name: cells[i] if i < len(cells) else "" for name, i in columns.items()}
                cut, note = _cut(row, known)
                cuts.append(cut)
                if note:
                    notes.append(Note(number, note))
        except ValueError as error:
            rejected.append(Rejected(number, str(error)))
    return tuple(dict.fromkeys(cuts)), tuple(rejected), tuple(notes)


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise Unreadable("is no file; name a CSV file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except ValueError as error:
        raise Unreadable(f"cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES // 1_000_000} MB; is it the list of planned cuts?")
    return data


def _text(data: bytes) -> str:
    try:
        return decoded(data)[1]
    except Spoilt as spoilt:
        raise Unreadable(f"line {spoilt.line}: {spoilt}" if spoilt.line else str(spoilt)) from None


def _header(lines: Sequence[str]) -> tuple[int, str, Mapping[str, int]]:
    """Where the header is, what separates cells, and which column is where."""
    best: tuple[int, str, Mapping[str, int]] = (0, ",", {})
    for (index, line), delimiter in itertools.product(enumerate(lines[:HEADER_WITHIN]), DELIMITERS):
        try:
            cells = _cells(line, delimiter)
        except ValueError:
            continue
        columns: dict[str, int] = {}
        for column, cell in enumerate(cells):
            name = _COLUMNS.get(folded(cell)) or _COLUMNS.get(folded(unbracketed(cell)))
            if name in columns:
                raise Unreadable(f"line {index + 1}: two columns would be {_HEADERS[name].split('|')[0]!r}; rename one")
            if name is not None:
                columns[name] = column
        if len(columns) > len(best[2]):
            best = index, delimiter, columns
    missing = [words for name, words in _NEEDED.items() if name not in best[2]]
    if not {"code", "name"} & set(best[2]):
        missing.insert(0, _COMMUNE)
    if missing:
        for number, line in enumerate(lines[:HEADER_WITHIN], 1):
            if lost := lost_letters(line):
                raise Unreadable(f"line {number}: {lost}")
        where = f"line {best[0] + 1}: " if best[2] else ""
        raise Unreadable(f"{where}no column {', '.join(missing)}; one row must name the columns")
    return best


def _cells(line: str, delimiter: str) -> list[str]:
    if len(line) > LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE} characters")
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        raise ValueError(
            'a quotation mark (") is not closed or stands inside a word; keep each row on one line'
        ) from None
    return [clean(cell) for row in rows for cell in row]


_COLUMNS = {folded(words): name for name, spellings in _HEADERS.items() for words in spellings.split("|")}


def _cut(row: Mapping[str, str], communes: Collection[str]) -> tuple[Cut, str]:
    """A cut, and a note if need be; raises ValueError with everything that is wrong with a row."""
    wrong, note, commune = [], "", ""
    try:
        meant = _commune(row.get("code", ""), row.get("name", ""), communes)
        commune, note = meant.unit.code, meant.remark if meant.kind == "names" else ""
    except ValueError as error:
        wrong.append(str(error))
    moments: dict[str, datetime] = {}
    for name in ("start", "end"):
        try:
            moments[name] = _moment(name, _dated(row, name))
        except ValueError as error:
            wrong.append(str(error))
    wrong = list(dict.fromkeys(wrong))  # a date that both have is wrong once
    if len(moments) == 2:
        start, end = moments["start"], moments["end"]
        if end <= start and row.get("date") and _ONLY_TIME.fullmatch(row["end"]):
            end += timedelta(days=1)  # from 22:00 to 02:00: the date is that of the beginning
        if end <= start:
            wrong.append(f"end {_dated(row, 'end')!r} does not come after start {_dated(row, 'start')!r}")
        elif end - start > LONGEST:
            days = (end - start) / timedelta(days=1)
            wrong.append(f"lasts {days:.0f} days; one of more than {LONGEST.days} days is taken for a slip")
    if wrong:
        raise ValueError("; ".join(wrong))
    reason = row.get("reason", "")
    return Cut(commune, start.timestamp(), end.timestamp(), reason[:200]), note


def _commune(code: str, name: str, communes: Collection[str]) -> Meant:
    """Raises ValueError for what is no commune of the inventory. A code's lost zeros need no note: they mean one."""
    if not code and not name:
        raise ValueError("no commune")
    if code and not _CODE.match(code):
        code, name = "", name or code
    province = next((unit.province for known in communes if (unit := units.by_code().get(known))), "")
    try:
        meant = by_code_and_name(code, name, province)
    except Unnamed as error:
        raise ValueError(str(error)) from None
    if meant.unit.code not in communes:
        raise ValueError(f"commune {meant.unit.code!r} ({meant.unit.name}) is not in the inventory")
    return meant


def _dated(row: Mapping[str, str], name: str) -> str:
    """A row's start or end with the date from its own column, where there is one and only a time stands here."""
    if not row.get("date") or not row[name] or not _ONLY_TIME.fullmatch(row[name]):
        return row[name]
    found = next((match for pattern in _DATES if (match := pattern.fullmatch(row["date"]))), None)
    if found is None:
        raise ValueError(f"date {_shown(row['date'])} is no date; write it as 2026-11-22 or 22/11/2026")
    return f"{found['year']}-{found['month']}-{found['day']} {row[name]}"


def _moment(name: str, text: str) -> datetime:
    if not text:
        raise ValueError(f"no {name}")
    found = next((match for pattern in _MOMENTS if (match := pattern.fullmatch(text))), None)
    if found is None:
        raise ValueError(f"{name} {_shown(text)} is no date with a time; {_HOW}")
    year, month, day, hour, minute, second = (
        int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")
    )
    if year not in YEARS:
        raise ValueError(f"{name} {text!r}: the year {year} cannot be meant")
    midnight = (hour, minute, second) == (24, 0, 0)  # as schedules write the end of a day
    try:
        moment = datetime(year, month, day, 0 if midnight else hour, minute, second, tzinfo=VIETNAM)
    except ValueError:
        raise ValueError(f"{name} {text!r} does not exist: {_why_not(year, month, day, hour)}") from None
    return moment + timedelta(days=1) if midnight else moment


def _why_not(year: int, month: int, day: int, hour: int) -> str:
    if not 1 <= month <= 12:
        return f"there is no month {month}"
    if hour > 23:
        return "the hours of a day are 00 to 24:00"
    days = monthrange(year, month)[1]
    return "no such minute or second" if 1 <= day <= days else f"month {month} of {year} has {days} days"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
