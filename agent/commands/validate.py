"""`lienxa validate`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from agent.commands.parser import UNUSABLE, Commands, print_whatever


def add(commands: Commands) -> None:
    """Say what it takes."""
    validate = commands.add_parser("validate", help="check an inventory and show every error")
    validate.add_argument("inventory", type=Path)
    validate.set_defaults(command=_validate)


def _validate(arguments: argparse.Namespace) -> int:
    from agent.validate import validate  # noqa: PLC0415  # generators are not needed to run

    print_whatever()
    report = validate(arguments.inventory, time.time())
    for line in (*report.errors, *report.warnings):
        print(line, file=sys.stderr)
    print(report.summary)
    return UNUSABLE if report.errors else 0
