"""`lienxa lab up|scenario|down`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from agent.commands.parser import Commands
from agent.errors import Unusable
from agent.inventory import load


def add(commands: Commands) -> None:
    """Say what it takes."""
    lab = commands.add_parser("lab", help="a simulated province on real packets, in network namespaces of its own")
    actions = lab.add_subparsers(required=True, metavar="ACTION")
    up = actions.add_parser("up", help="start it; ends with Ctrl-C and leaves nothing behind")
    up.add_argument("inventory", type=Path, nargs="?", help="default: the shipped Cao Bang")
    up.add_argument("--edge", choices=("auto", "tun", "packet"), default="auto", help="how packets enter the emulator")
    up.add_argument("--control", type=Path, metavar="SOCKET", help="where `lab scenario` and `lab down` reach it")
    up.add_argument("--scenario", help="play this one from the start")
    up.add_argument("--battery", type=float, metavar="SECONDS", help="how long a full UPS lasts")
    up.set_defaults(command=_lab_up)
    scenario = actions.add_parser("scenario", help="play a scenario in the running lab")
    scenario.add_argument("name", help="its name, or the path of a .yaml file")
    scenario.set_defaults(command=_lab_scenario)
    down = actions.add_parser("down", help="end the running lab")
    down.set_defaults(command=_lab_down)
    for action in (scenario, down):
        action.add_argument("--control", type=Path, metavar="SOCKET", help="default: where `lab up` puts it")


def _lab_up(arguments: argparse.Namespace) -> int:
    from deploy import lab  # noqa: PLC0415  # only the lab needs it
    from deploy.lab import up  # noqa: PLC0415  # only the lab needs it

    inventory = arguments.inventory or lab.CAO_BANG
    with _lab_errors():
        return up.run(
            load(inventory),
            edge=arguments.edge,
            control=arguments.control,
            scenario=arguments.scenario,
            battery_s=arguments.battery,
        )


def _lab_scenario(arguments: argparse.Namespace) -> int:
    from deploy.lab import client, up  # noqa: PLC0415  # only the lab needs it

    with _lab_errors():
        lasts_s = client.play(arguments.control or up.default_control(), arguments.name)
    print(f"playing {arguments.name}: its last event comes after {lasts_s:.0f} s")
    return 0


def _lab_down(arguments: argparse.Namespace) -> int:
    from deploy.lab import client, up  # noqa: PLC0415  # only the lab needs it

    with _lab_errors():
        client.end(arguments.control or up.default_control())
    return 0


@contextlib.contextmanager
def _lab_errors() -> Iterator[None]:
    from deploy import lab  # noqa: PLC0415  # only the lab needs it

    try:
        yield
    except lab.LabError as error:
        raise Unusable(str(error)) from None
