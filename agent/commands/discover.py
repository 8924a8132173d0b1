"""`lienxa discover`."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.commands.parser import Commands
from agent.errors import Unusable
from agent.inventory import folder_of, load

PORT, GENTLE_PER_S, MOST_PER_S = 161, 100.0, 10_000.0
"""100 pings a second are 70 kbit/s: no link to a province notices."""


def add(commands: Commands) -> None:
    """Say what it takes."""
    command = commands.add_parser("discover", help="look for devices in address ranges, propose inventory lines")
    command.description = (
        "Pings every address, then asks those that answer by SNMP, with the inventory's credentials one after the "
        "other. Exit codes: 0 done, 1 ended by Ctrl-C, 3 unusable input."
    )
    command.add_argument("networks", nargs="+", metavar="CIDR", help="such as 10.4.0.0/24; nothing else is asked")
    command.add_argument("--inventory", type=Path, required=True, metavar="INVENTORY", help="what is known already")
    command.add_argument(
        "--credentials", action="append", default=[], metavar="NAME", help="only these; default: all SNMP ones"
    )
    command.add_argument(
        "--rate", type=float, default=GENTLE_PER_S, metavar="N", help="packets a second; default: %(default)g"
    )
    command.add_argument("--port", type=int, default=PORT, metavar="PORT", help="of SNMP; default: %(default)s")
    command.add_argument("--no-ping", action="store_true", help="ask every address by SNMP, whether it answers pings")
    command.add_argument("--yes", action="store_true", help="even more addresses than a /16 has")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the lines there; default: show them")
    command.set_defaults(command=_discover)


def _discover(arguments: argparse.Namespace) -> int:
    from agent.discover import Wish, discover  # noqa: PLC0415  # the event loop and clients are not needed to validate

    if not 0 < arguments.rate <= MOST_PER_S:
        raise Unusable(f"--rate {arguments.rate:g}: must be more than 0 and at most {MOST_PER_S:g} packets a second")
    if not 1 <= arguments.port <= 65535:
        raise Unusable(f"--port {arguments.port}: must be 1 to 65535")
    wish = Wish(
        arguments.networks,
        arguments.credentials,
        arguments.rate,
        arguments.port,
        not arguments.no_ping,
        arguments.yes,
        arguments.output,
    )
    return discover(load(arguments.inventory), folder_of(arguments.inventory), wish)
