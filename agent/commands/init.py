"""`lienxa init`."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.commands.parser import Commands
from agent.errors import Unusable
from agent.init import from_csv, init, write


def add(commands: Commands) -> None:
    """Say what it takes."""
    command = commands.add_parser("init", help="write an inventory with all communes of a province, ready to fill in")
    command.add_argument("--province", required=True, metavar="CODE", help="official code, such as 04")
    command.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="default: this folder")
    command.add_argument(
        "--csv", type=Path, metavar="FILE", help="fill in the addresses of this table; shows a preview"
    )
    command.add_argument("--dry-run", action="store_true", help="with --csv: show the preview, write nothing")
    command.set_defaults(command=_init)


def _init(arguments: argparse.Namespace) -> int:
    if arguments.csv is None:
        if arguments.dry_run:
            raise Unusable("--dry-run shows what is understood of a table; name one with --csv")
        print(init(arguments.province, arguments.output))
        return 0
    name, text, preview = from_csv(arguments.province, arguments.csv, arguments.output)
    print(preview)
    if not text:
        raise Unusable(f"{arguments.csv}: no row could be taken, and nothing is written; the reasons stand above")
    if arguments.dry_run:
        print(f"Nothing is written (--dry-run); without it: {arguments.output / name}")
        return 0
    path = write(name, text, arguments.output)
    print(f"Written: {path}\nNext: lienxa validate {path}")
    return 0
