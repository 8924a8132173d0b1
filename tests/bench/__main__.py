"""`make bench`: interleaved runs, medians, one table with the ratio to each peer and the peer's command line."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.ping_load import hosts

RUNS = 3
COUNT, RATE, SECONDS = 500, 10, 8


def ours() -> float:
    """CPU milliseconds per ping of our engine, statistics included."""
    argv = [sys.executable, "-m", "tests.bench.ping_load", str(COUNT), str(RATE), str(SECONDS)]
    told = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    if told["lost"]:
        raise SystemExit(f"bench: {told['lost']} of {told['packets']} pings were lost on loopback; the figure is void")
    return float(told["cpu_s"] / told["packets"] * 1000)


def fping_command() -> list[str]:
    """The peer: the same hosts at the same rate; without -t its time-out would follow -p."""
    return ["fping", "-q", "-C", str(RATE * SECONDS), "-p", str(1000 // RATE), "-t", "500", "-i", "1"]


def fping() -> float:
    """CPU milliseconds per ping of fping."""
    argv = [*fping_command(), *hosts(COUNT)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return (used.ru_utime + used.ru_stime) / (COUNT * RATE * SECONDS) * 1000


def main() -> None:
    """Measure and print."""
    if shutil.which("fping") is None:
        raise SystemExit("bench: fping is not installed; `make setup` installs it")
    ours_ms, peer_ms = [], []
    for _ in range(RUNS):
        ours_ms.append(ours())
        peer_ms.append(fping())
    table = Table("What", "lienxa, CPU ms", "peer, CPU ms", "ratio", "peer's command")
    table.add_row(
        f"one ping, {COUNT} hosts at {RATE} packets/s",
        f"{median(ours_ms):.4f}",
        f"{median(peer_ms):.4f}",
        f"{median(ours_ms) / median(peer_ms):.2f}",
        " ".join([*fping_command(), "HOST…"]),
    )
    console = Console(width=150)
    console.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, medians of {RUNS} interleaved runs")
    console.print(table)


if __name__ == "__main__":
    main()
