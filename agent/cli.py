"""The command line. Exit codes: 0 done, 1 a failure while running, 3 unusable input; `check` has its own 0, 1 and 2."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version

from agent.commands import check, demo, discover, generate, init, lab, run, schema, snmp, validate
from agent.commands.parser import UNUSABLE, Parser
from agent.errors import Unusable
from agent.inventory import InventoryError

COMMANDS = (validate, check, init, discover, snmp, schema, run, generate, demo, lab)
"""In the order of the help."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; every expected trouble is one line on stderr."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s", stream=sys.stderr)
    try:
        code: int = arguments.command(arguments)
    except InventoryError as error:
        print(*error.errors, sep="\n", file=sys.stderr)
        return UNUSABLE
    except Unusable as error:
        print(f"lienxa: {error}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        return 1
    return code


def _parser() -> Parser:
    parser = Parser(
        prog="lienxa",
        description="Watches a province's data links, devices and public services; says what is down, and why.",
    )
    parser.add_argument("--version", action="version", version=f"lienxa {version('lienxa')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
