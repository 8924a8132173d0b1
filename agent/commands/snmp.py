"""`lienxa snmp get|walk`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from agent.commands.parser import Commands
from agent.errors import Unusable
from agent.inventory import folder_of, load

LARGEST_LIMIT = 1_000_000


def add(commands: Commands) -> None:
    """Say what it takes."""
    snmp = commands.add_parser("snmp", help="what one device says over SNMP, and what is made of it")
    actions = snmp.add_subparsers(required=True, metavar="ACTION")
    get = actions.add_parser("get", help="the objects that its profile reads, or those that are named")
    walk = actions.add_parser("walk", help="everything that it has, or what lies below the objects that are named")
    for action in (get, walk):
        action.description = (
            "Shows what the device sends, what its profile makes of it, and why groups are not read. "
            "Exit codes: 0 it answered, 1 it did not, 3 unusable input."
        )
        action.add_argument(
            "target", metavar="TARGET", help="a device's id, such as device/01290/router, or an address"
        )
        action.add_argument("oids", nargs="*", default=[], metavar="OID", help="in numbers, such as 1.3.6.1.2.1.1")
        action.add_argument("--inventory", type=Path, required=True, metavar="INVENTORY", help="whose credentials")
        action.add_argument("--credentials", action="append", default=[], metavar="NAME", help="which of them")
        action.add_argument("--port", type=int, metavar="PORT", help="default: the device's own, else 161")
        action.add_argument("--record", type=Path, metavar="FILE", help="for a bug report; private values are masked")
        action.set_defaults(command=_snmp, walk=action is walk)
    walk.add_argument("--limit", type=int, metavar="N", default=20_000, help="objects at most; default: %(default)s")
    get.set_defaults(limit=LARGEST_LIMIT)


def _snmp(arguments: argparse.Namespace) -> int:
    from agent.snmp import Question, inspect  # noqa: PLC0415  # the event loop and clients are not needed to validate
    from agent.snmp_targets import aim, opened  # noqa: PLC0415  # as above

    oids = [oid.removeprefix(".") for oid in arguments.oids]
    for oid in oids:
        if not re.fullmatch(r"[0-2](\.[0-9]{1,10}){1,127}", oid):
            raise Unusable(f"{oid!r}: must be an object identifier in numbers, such as 1.3.6.1.2.1.1.3.0")
    if arguments.port is not None and not 1 <= arguments.port <= 65535:
        raise Unusable(f"--port {arguments.port}: must be 1 to 65535")
    if not 1 <= arguments.limit <= LARGEST_LIMIT:
        raise Unusable(f"--limit {arguments.limit}: must be 1 to {LARGEST_LIMIT}")
    province, folder = load(arguments.inventory), folder_of(arguments.inventory)
    meant = aim(province, arguments.target, arguments.credentials, arguments.port)
    credentials = opened(province, folder, [meant.device.credential])
    question = Question(arguments.walk, oids, arguments.limit, arguments.record)
    return inspect(province, folder, credentials, meant, question)
