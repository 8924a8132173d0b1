"""What every measurement has in common: rows, CPU from /proc, medians of interleaved runs, the machine in words."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

RUNS = 3
ABSENT = "not installed"


@dataclass(frozen=True)
class Row:
    """One line of a table; figures of ours, of the peer, and the peer's command."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    command: str = ""


def compared(
    what: str, unit: str, ours: Callable[[], float], peer: Callable[[], float], command: Sequence[str], target: str = ""
) -> Row:
    """Medians of interleaved runs; a peer that is not installed makes a row that says so."""
    there = shutil.which(command[0]) is not None
    mine, theirs = [], []
    for _ in range(RUNS):
        mine.append(ours())
        if there:
            theirs.append(peer())
    shown = f"{median(mine):.4f} {unit}"
    if not there:
        return Row(what, shown, ABSENT, "", command[0])
    ratio = f"{median(mine) / median(theirs):.2f}" + (f" (target {target})" if target else "")
    return Row(what, shown, f"{median(theirs):.4f} {unit}", ratio, " ".join(command))


def cpu_s(pid: int) -> float:
    """User and system time of a process and of its children, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port of loopback that nobody holds at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine() -> list[str]:
    """When and on what: no name of this machine, no path."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    debian = Path("/etc/debian_version")
    system = f"Debian {debian.read_text(encoding='ascii').strip()}" if debian.exists() else platform.system()
    load = os.getloadavg()
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {model}, Linux {platform.release().split('-')[0]}, "
        f"{system}, Python {platform.python_version()}.",
        f"Load of the machine when the run began: {load[0]:.1f} (1 min), {load[1]:.1f} (5 min).",
    ]


def versions(packages: Iterable[str]) -> list[str]:
    """Debian packages and their versions."""
    found = []
    for package in packages:
        asked = ["dpkg-query", "-W", "-f=${db:Status-Abbrev}${Version}", package]
        answer = (
            subprocess.run(asked, check=False, capture_output=True, text=True).stdout if shutil.which(asked[0]) else ""
        )
        found.append(f"{package} {answer[3:] if answer.startswith('ii ') else ABSENT}")
    return found


def markdown(rows: Iterable[Row]) -> str:
    """The same table for a page."""
    lines = ["| What | lienxa | peer | ratio | peer's command |", "|---|---|---|---|---|"]
    for row in rows:
        command = f"`{row.command}`" if row.command else ""
        lines.append(f"| {row.what} | {row.ours} | {row.peer} | {row.ratio} | {command} |")
    return "\n".join(lines) + "\n"
