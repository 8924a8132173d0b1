"""`lienxa run`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from agent.commands.parser import Commands
from agent.errors import Unusable
from probes.names import AGENT_PORT


def add(commands: Commands) -> None:
    """Say what it takes."""
    run = commands.add_parser("run", help="run the agent")
    run.add_argument("inventory", type=Path)
    run.add_argument("--listen", metavar="HOST:PORT", default=f"127.0.0.1:{AGENT_PORT}", help="default: %(default)s")
    run.add_argument("--watch", action="store_true", help="reload whenever a file of the inventory has changed")
    run.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from agent.app import run  # noqa: PLC0415  # the event loop and clients are not needed to validate

    host, _, port = arguments.listen.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise Unusable(f"--listen {arguments.listen}: must be HOST:PORT, such as 127.0.0.1:{AGENT_PORT}")
    run(arguments.inventory, host.strip("[]"), int(port), watch=arguments.watch)
    return 0
