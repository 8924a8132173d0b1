"""What all commands show on a terminal: tables as wide as it is, texts without what would rule it."""

from __future__ import annotations

import io
import sys

from rich import box
from rich.console import Console
from rich.table import Table

WIDE = 1000
"""Columns of a table that no terminal bounds: one line per row, for `grep` and mail."""


def plain(text: str) -> str:
    """In one line, without the control characters that a device may have sent: they would rule the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def console() -> Console:
    """Standard output, which may know no Vietnamese."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDE)


def grid(*titles: str) -> Table:
    """A table with these columns."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for title in titles:
        shown.add_column(title)
    return shown
