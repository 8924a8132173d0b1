"""The command line. Exit codes: 0 done, 1 a failure while running, 3 unusable input; `check` has its own 0, 1 and 2."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from agent.errors import Unusable
from agent.init import from_csv, init, write
from agent.inventory import InventoryError, folder_of, load
from probes.language import LANGUAGES
from probes.names import AGENT_PORT
from probes.registry import KINDS

UNUSABLE = 3
LONGEST_WATCH_S = 86400


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn; exit() does not return
        """Usage errors exit with 3, as everywhere."""
        self.print_usage(sys.stderr)
        self.exit(UNUSABLE, f"{self.prog}: {message}\n")


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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lienxa",
        description="Watches a province's data links, devices and public services; says what is down, and why.",
    )
    parser.add_argument("--version", action="version", version=f"lienxa {version('lienxa')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    validate = commands.add_parser("validate", help="check an inventory and show every error")
    validate.add_argument("inventory", type=Path)
    validate.set_defaults(command=_validate)

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

    init = commands.add_parser("init", help="write an inventory with all communes of a province, ready to fill in")
    init.add_argument("--province", required=True, metavar="CODE", help="official code, such as 04")
    init.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="default: this folder")
    init.add_argument("--csv", type=Path, metavar="FILE", help="fill in the addresses of this table; shows a preview")
    init.add_argument("--dry-run", action="store_true", help="with --csv: show the preview, write nothing")
    init.set_defaults(command=_init)

    schema = commands.add_parser("schema", help="print the inventory's JSON Schema, for editors")
    schema.set_defaults(command=_schema)

    run = commands.add_parser("run", help="run the agent")
    run.add_argument("inventory", type=Path)
    run.add_argument("--listen", metavar="HOST:PORT", default=f"127.0.0.1:{AGENT_PORT}", help="default: %(default)s")
    run.add_argument("--watch", action="store_true", help="reload whenever a file of the inventory has changed")
    run.set_defaults(command=_run)

    generate = commands.add_parser("generate", help="write dashboards, rules, Alertmanager and deployment files")
    generate.add_argument("inventory", type=Path)
    generate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    generate.add_argument("--only", action="append", choices=("dashboards", "alerts", "deploy"))
    generate.add_argument("--lang", metavar="vi,en,fr", help="comma-separated; default: the inventory's `languages`")
    generate.set_defaults(command=_generate)

    demo = commands.add_parser("demo", help="a simulated province with a fault, watched end to end")
    demo.add_argument("--scenario", default="hard-night", help="default: %(default)s")
    demo.add_argument("--edge", choices=("auto", "tun", "packet"), default="auto", help=argparse.SUPPRESS)
    demo.add_argument("--plain", action="store_true", help="print lines instead of a live table")
    demo.add_argument("--stay", action="store_true", help="go on after the scenario's end, until Ctrl-C")
    demo.set_defaults(command=_demo)

    _add_lab(commands)
    return parser


def _add_lab(commands: argparse._SubParsersAction[_Parser]) -> None:
    lab = commands.add_parser("lab", help="a simulated province on real packets, in network namespaces of its own")
    actions = lab.add_subparsers(required=True, metavar="ACTION", parser_class=_Parser)
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


def _validate(arguments: argparse.Namespace) -> int:
    from agent.validate import validate  # noqa: PLC0415  # generators are not needed to run

    _print_whatever()
    report = validate(arguments.inventory, time.time())
    for line in (*report.errors, *report.warnings):
        print(line, file=sys.stderr)
    print(report.summary)
    return UNUSABLE if report.errors else 0


def _check(arguments: argparse.Namespace) -> int:
    from agent.check import Choice, check  # noqa: PLC0415  # the event loop and clients are not needed to validate

    watch_s = arguments.watch
    if watch_s is not None and not 0 < watch_s <= LONGEST_WATCH_S:
        raise Unusable(f"--watch {watch_s:g}: must be more than 0 and at most {LONGEST_WATCH_S} seconds")
    choice = Choice(arguments.commune, arguments.target, arguments.kind)
    folder = folder_of(arguments.inventory)
    return check(load(arguments.inventory), folder, choice, as_json=arguments.json, watch_s=watch_s)


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


def _schema(_: argparse.Namespace) -> int:
    from agent.schema import schema  # noqa: PLC0415  # only editors' set-up needs it

    print(json.dumps(schema(), indent=1, ensure_ascii=False))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from agent.app import run  # noqa: PLC0415  # the event loop and clients are not needed to validate

    host, _, port = arguments.listen.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise Unusable(f"--listen {arguments.listen}: must be HOST:PORT, such as 127.0.0.1:{AGENT_PORT}")
    run(arguments.inventory, host.strip("[]"), int(port), watch=arguments.watch)
    return 0


def _print_whatever() -> None:
    """A terminal may know no Vietnamese, and the name of a file may be no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _generate(arguments: argparse.Namespace) -> int:
    from agent.bundle import PARTS, build, write  # noqa: PLC0415  # generators are not needed to run

    languages = None if arguments.lang is None else arguments.lang.split(",")
    if unknown := [language for language in languages or () if language not in LANGUAGES]:
        raise Unusable(f"--lang: unknown language {unknown[0]!r}; known: {', '.join(LANGUAGES)}")
    _print_whatever()
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


def _demo(arguments: argparse.Namespace) -> int:
    from agent.demo import demo  # noqa: PLC0415  # only the demonstration needs it

    return demo(arguments.scenario, arguments.edge, plain=arguments.plain, stay=arguments.stay)


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
