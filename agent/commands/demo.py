"""`lienxa demo`."""

from __future__ import annotations

import argparse

from agent.commands.parser import Commands


def add(commands: Commands) -> None:
    """Say what it takes."""
    demo = commands.add_parser("demo", help="a simulated province with a fault, watched end to end")
    demo.add_argument("--scenario", default="hard-night", help="default: %(default)s")
    demo.add_argument("--edge", choices=("auto", "tun", "packet"), default="auto", help=argparse.SUPPRESS)
    demo.add_argument("--plain", action="store_true", help="print lines instead of a live table")
    demo.add_argument("--stay", action="store_true", help="go on after the scenario's end, until Ctrl-C")
    demo.set_defaults(command=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from agent.demo import demo  # noqa: PLC0415  # only the demonstration needs it

    return demo(arguments.scenario, arguments.edge, plain=arguments.plain, stay=arguments.stay)
