"""`lienxa check`."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.commands.parser import Commands
from agent.errors import Unusable
from agent.inventory import folder_of, load
from probes.registry import KINDS

LONGEST_WATCH_S = 86400


def add(commands: Commands) -> None:
    """Say what it takes."""
    check = commands.add_parser("check", help="probe once and show what is up, degraded or down")
    check.description = (
        "Exit codes: 0 everything is up, 1 something is degraded or unknown, 2 something is down, 3 unusable input."
    )
    check.add_argument("inventory", type=Path)
    check.add_argument("--commune", action="append", default=[], metavar="C", help="code, or name (accents optional)")
    check.add_argument("--target", action="append", default=[], metavar="T", help="id or pattern: 'link/01290/*'")
    check.add_argument("--kind", action="append", default=[], choices=tuple(KINDS), help="of probe")
    output = check.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print one JSON array instead of a table")
    output.add_argument("--watch", type=float, metavar="SECONDS", help="again after so many seconds, until Ctrl-C")
    check.set_defaults(command=_check)


def _check(arguments: argparse.Namespace) -> int:
    from agent.check import Choice, check  # noqa: PLC0415  # the event loop and clients are not needed to validate

    watch_s = arguments.watch
    if watch_s is not None and not 0 < watch_s <= LONGEST_WATCH_S:
        raise Unusable(f"--watch {watch_s:g}: must be more than 0 and at most {LONGEST_WATCH_S} seconds")
    choice = Choice(arguments.commune, arguments.target, arguments.kind)
    folder = folder_of(arguments.inventory)
    return check(load(arguments.inventory), folder, choice, as_json=arguments.json, watch_s=watch_s)
