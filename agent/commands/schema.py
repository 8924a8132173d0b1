"""`lienxa schema`."""

from __future__ import annotations

import argparse
import json

from agent.commands.parser import Commands


def add(commands: Commands) -> None:
    """Say what it takes."""
    schema = commands.add_parser("schema", help="print the inventory's JSON Schema, for editors")
    schema.set_defaults(command=_schema)


def _schema(_: argparse.Namespace) -> int:
    from agent.schema import schema  # noqa: PLC0415  # only editors' set-up needs it

    print(json.dumps(schema(), indent=1, ensure_ascii=False))
    return 0
