"""What the commands share: how arguments are read, and how a mistake in them ends."""

from __future__ import annotations

import argparse
import io
import sys
from typing import TypeAlias

UNUSABLE = 3
"""The exit code for usage errors and unusable input."""


class Parser(argparse.ArgumentParser):
    """Usage errors exit with 3, as everywhere."""

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn; exit() does not return
        """See `argparse.ArgumentParser`."""
        self.print_usage(sys.stderr)
        self.exit(UNUSABLE, f"{self.prog}: {message}\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where a command adds itself."""


def print_whatever() -> None:
    """A terminal may know no Vietnamese, and the name of a file may be no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
