"""`lienxa discover`: sweeps address ranges for devices, and proposes lines for the inventory."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from agent.errors import Unusable
from agent.net import SystemClock, open_net
from agent.profiles import library_of
from agent.proposal import Places, Seen, proposed
from agent.ranges import count, hosts, ranges
from agent.snmp_targets import chosen_credentials, opened
from agent.sweep import PINGS, SNMP_AT_ONCE, SNMP_TIMEOUT_S, How, Sweep
from agent.terminal import console, grid, plain
from probes import units
from probes.model import Province

PORT = 161


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be swept, and how."""

    networks: Sequence[str]
    credentials: Sequence[str]
    packets_per_s: float
    port: int
    pings: bool
    yes: bool
    output: Path | None


def discover(province: Province, folder: Path, wish: Wish) -> int:
    """Sweep, show what was found, write the proposed lines; 0 if it came to its end, else 1. Raises `Unusable`."""
    networks = ranges(wish.networks, province.networks, yes=wish.yes)
    names = chosen_credentials(province, wish.credentials)
    if wish.output is not None and wish.output.exists():
        raise Unusable(f"{wish.output}: is there already, and nothing is overwritten; name another with -o")
    if wish.output is not None and not wish.output.parent.is_dir():
        raise Unusable(f"-o {wish.output}: no such folder")
    how = How(
        opened(province, folder, names), names, library_of(province, folder), wish.port, wish.pings, wish.packets_per_s
    )
    sweep = Sweep(how)
    total = count(networks)
    _say(_announced(total, how))
    ended = False
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        with _progress(total) as advance:
            loop.run(_swept(province, sweep, hosts(networks), advance))
        ended = True
    if not ended:
        _say(f"ended by Ctrl-C after {sweep.done} of {total} addresses; what was found until then:")
    _tell(province, wish, sweep.seen)
    return 0 if ended else 1


async def _swept(province: Province, sweep: Sweep, addresses: Iterator[str], advance: Callable[[], None]) -> None:
    try:
        async with open_net(SystemClock(), province.timings.ping_timeout_s, may_ping=sweep.how.pings) as net:
            await sweep.run(net, addresses, advance)
    except Unusable as error:
        raise Unusable(f"{error}; or sweep with SNMP alone: --no-ping") from None


def _announced(total: int, how: How) -> str:
    """How long it takes, before it begins."""
    packets = PINGS if how.pings else len(how.names)
    what = f"{PINGS} pings each" if how.pings else f"SNMP with {_counted(len(how.names))} each, no pings"
    seconds = total * packets / how.packets_per_s
    if not how.pings:  # most addresses are silent, and so many are waited for at once
        seconds = max(seconds, total * len(how.names) * SNMP_TIMEOUT_S / SNMP_AT_ONCE)
    lasts = _duration(seconds)
    devices = ", and longer for what answers" if how.pings else " where nothing answers"
    some = "1 address" if total == 1 else f"{total} addresses"
    return f"{some}, {what}, {how.packets_per_s:g} packets a second: about {lasts}{devices}; Ctrl-C ends it"


def _counted(credentials: int) -> str:
    return "1 credential" if credentials == 1 else f"{credentials} credentials"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 6000 else f"{math.ceil(seconds / 3600)} h"


def _tell(province: Province, wish: Wish, seen: Sequence[Seen]) -> None:
    found = sorted(seen, key=lambda item: (":" in item.address, int(ipaddress.ip_address(item.address))))
    places = Places(province)
    shown = console()
    if not found:
        _say("nothing answered")
        return
    table = grid("Address", "Inventory", "Commune", "Role", "Profile", "Credential", "Milliseconds", "Device")
    for item in found:
        commune = places.commune(item.address)
        said = ", ".join(part for part in (item.model, item.name) if part) or item.description
        known = places.known(item.address)
        table.add_row(
            item.address,
            f"known: {known}" if known else "new" if item.credential else "",
            units.name(commune.code) if commune is not None else "",
            item.role if item.credential else "",
            item.profile,
            item.credential or f"none: {item.reason}",
            "" if item.rtt_s is None else f"{item.rtt_s * 1000:.1f}",
            Text(plain(said)),
        )
    shown.print(table)
    lines = proposed(found, places)
    devices = [item for item in found if item.credential]
    new = [item for item in devices if places.is_new(item.address)]
    shown.print(Text(f"{len(found)} answered, {len(devices)} of them SNMP; {len(new)} new to the inventory"))
    if lines and wish.output is None:
        shown.print(Text(f"\n{lines}"), end="")
    elif lines:
        _write(cast(Path, wish.output), lines)
    if lines:
        _say("look through the lines (roles are guessed), merge them into the inventory, then: lienxa validate")


def _write(file: Path, lines: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened_file:
            opened_file.write(lines)
    except OSError as error:
        raise Unusable(f"{file}: cannot be written: {error.strerror}") from None
    print(f"Written: {file}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr while it is a terminal; gives what counts one more."""
    terminal = Console(stderr=True)
    columns = (TextColumn("sweeping"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        progress.add_task("", total=total)
        (task,) = progress.tasks

        def advance() -> None:
            task.completed += 1  # not `advance`: it waits for the thread that writes to the terminal

        yield advance
