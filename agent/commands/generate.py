"""`lienxa generate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.commands.parser import Commands, print_whatever
from agent.errors import Unusable
from agent.inventory import load
from probes.language import LANGUAGES


def add(commands: Commands) -> None:
    """Say what it takes."""
    generate = commands.add_parser("generate", help="write dashboards, rules, Alertmanager and deployment files")
    generate.add_argument("inventory", type=Path)
    generate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    generate.add_argument("--only", action="append", choices=("dashboards", "alerts", "deploy"))
    generate.add_argument("--lang", metavar="vi,en,fr", help="comma-separated; default: the inventory's `languages`")
    generate.set_defaults(command=_generate)


def _generate(arguments: argparse.Namespace) -> int:
    from agent.bundle import PARTS, build, write  # noqa: PLC0415  # generators are not needed to run

    languages = None if arguments.lang is None else arguments.lang.split(",")
    if unknown := [language for language in languages or () if language not in LANGUAGES]:
        raise Unusable(f"--lang: unknown language {unknown[0]!r}; known: {', '.join(LANGUAGES)}")
    print_whatever()
    files = build(load(arguments.inventory), arguments.only or PARTS, languages)
    for path in write(files, arguments.output):
        print(path)
    if "systemd/lienxa.service" in files:
        print(
            "Next: put the inventory with its secret files into /etc/lienxa/inventory; "
            "the comments in systemd/lienxa.service tell the rest",
            file=sys.stderr,
        )
    return 0
