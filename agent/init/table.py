"""A CSV file as spreadsheets write it: its rows as clean text, each with the line that it begins on."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from agent.errors import Unusable
from agent.init.columns import Header, header_of
from agent.table import DELIMITERS, HEADER_WITHIN, HOW_TO_SAVE, Spoilt, clean, decoded, lost_letters

MAX_BYTES = 2_000_000
MAX_ROWS = 2_000
"""The largest province has 168 communes."""
MAX_COLUMNS = 200
Row = tuple[int, tuple[str, ...]]
"""Line, and cells."""


@dataclass(frozen=True)
class Table:
    """What a file says: its header, and the rows below it that are not empty."""

    encoding: str
    delimiter: str
    line: int
    """Where the header stands."""
    header: Header
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """Read a CSV file; raises `Unusable` for what is none, is too large, or has no header that is understood."""
    encoding, text = _text(path)
    found: list[tuple[int, int, str, list[Row], int, Header]] = []
    broken: list[str] = []
    for delimiter in DELIMITERS:
        try:
            rows = _rows(path, text, delimiter)
        except Unusable as error:
            broken.append(str(error))
            continue
        for index, (_, cells) in enumerate(rows[:HEADER_WITHIN]):
            header = header_of(cells)
            found.append((len(header.columns), -index, delimiter, rows, index, header))
    best = max(found, key=lambda candidate: candidate[:2], default=None)
    if best is None:
        raise Unusable(broken[0] if broken else f"{path}: the file is empty")
    _, _, delimiter, rows, index, header = best
    if not header.names_communes:
        raise Unusable(broken[0] if broken else _no_header(path, rows))
    if header.twice:
        raise Unusable(f"{path}:{rows[index][0]}: {header.twice}")
    below = tuple(row for row in rows[index + 1 :] if any(row[1]))
    return Table(encoding, DELIMITERS[delimiter], rows[index][0], header, below)


def _text(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Unusable(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise Unusable(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise Unusable(f"{path}: larger than {MAX_BYTES // 1_000_000} MB; is it the list of the communes' addresses?")
    try:
        return decoded(data)
    except Spoilt as spoilt:
        where = f"{path}:{spoilt.line}" if spoilt.line else f"{path}"
        raise Unusable(f"{where}: {spoilt}") from None


def _rows(path: Path, text: str, delimiter: str) -> list[Row]:
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cells):
                rows.append((line, tuple(clean(cell) for cell in cells)))
            if len(cells) > MAX_COLUMNS:
                raise Unusable(f"{path}:{line}: more than {MAX_COLUMNS} columns; is it the list of addresses?")
            if len(rows) > MAX_ROWS:
                raise Unusable(f"{path}: more than {MAX_ROWS} rows; is it the list of the communes' addresses?")
            line = reader.line_num + 1
    except csv.Error:
        raise Unusable(
            f'{path}:{line}: a quotation mark (") in this row is not closed, or stands inside a word; correct it, or '
            f"save the table again: {HOW_TO_SAVE}"
        ) from None
    return rows


def _no_header(path: Path, rows: list[Row]) -> str:
    for line, cells in rows[:HEADER_WITHIN]:
        if (lost := next(filter(None, map(lost_letters, cells)), "")) != "":
            return f"{path}:{line}: {lost}"
    line, cells = next((row for row in rows if any(row[1])), (1, ()))
    shown = ", ".join(repr(cell) for cell in cells[:8] if cell)
    first = f"line {line} says {shown}" if shown else "there is no text in it"
    return (
        f"{path}: no row names the columns: {first}; one row must, with `mã xã` (code) or `tên xã` (commune) among "
        "them, and for example `dải địa chỉ` (prefix), `địa chỉ ip` (ip), `ip dự phòng` (backup ip), `tuyến` (trunk)"
    )
