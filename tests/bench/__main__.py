"""`make bench`: interleaved runs against peers, medians, one table with ratios; docs/benchmarks.md is written from it.

`python -m tests.bench` takes about 15 minutes and writes the page; `python -m tests.bench links` prints the long runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench import link_fidelity, link_load, ping_cost, snmp_crowd, snmp_lossy, snmp_poll
from tests.bench.inventory_load import WHAT
from tests.bench.table import RUNS, Row, machine, markdown, versions

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PACKAGES = (
    "fping",
    "prometheus-blackbox-exporter",
    "prometheus-smokeping-prober",
    "prometheus-snmp-exporter",
    "snmpd",
)
LONG_S, SHORT_S, HELD_UP_S = 300.0, 20.0, 6.0
APART = "LIENXA_BENCH_APART"


def main(which: str) -> None:
    """Measure, print, and write the page."""
    apart()
    head = [*machine(), "Peers, as Debian packages: " + ", ".join(versions(PACKAGES)) + "."]
    if which == "links":
        parts = {"Links": [Row(**row.__dict__) for row in link_load.rows(LONG_S)]}
        parts["Fidelity under load"] = link_fidelity.rows(60.0)
        show(head, parts)
        return
    parts = {
        "Pings": ping_cost.rows(),
        "Links as the agent runs them": link_load.rows(SHORT_S, (2_000,)),
        "Fidelity under load": link_fidelity.rows(HELD_UP_S),
        "SNMP": [*(Row(**row.__dict__) for row in snmp_poll.rows()), *snmp_crowd.rows(), *snmp_lossy.rows()],
        "Inventories": loads(),
    }
    show(head, parts)
    PAGE.write_text(page(head, parts), encoding="utf-8")


def apart() -> None:
    """Go on in a network namespace of our own where that is allowed: nobody else's packets on its loopback."""
    if os.environ.get(APART):
        return
    os.environ[APART] = "tried"
    command = [
        "unshare",
        "--net",
        "sh",
        "-c",
        'ip link set lo up && exec "$0" "$@"',
        sys.executable,
        "-m",
        "tests.bench",
    ]
    probe = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
    if probe.returncode == 0:
        os.execvp(command[0], [*command, *sys.argv[1:]])  # noqa: S606  # our own command, in place of this process


def loads() -> list[Row]:
    """How long inventories take from files to targets; there is no peer that reads one."""
    found = []
    for what, text in WHAT.items():
        argv = [sys.executable, "-m", "tests.bench.inventory_load", what]
        runs = [
            json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout) for _ in range(RUNS)
        ]
        seconds = median(run["seconds"] for run in runs)
        counts = ", ".join(f"{runs[0][key]} {key}" for key in ("files", "communes", "targets"))
        each = seconds / runs[0]["targets"] * 1e6
        found.append(Row(f"loading and validating {text}: {counts}", f"{seconds:.2f} s, {each:.0f} µs per target"))
    return found


def show(head: list[str], parts: dict[str, list[Row]]) -> None:
    """On the terminal."""
    console = Console(width=180)
    for line in head:
        console.print(line)
    table = Table("What", "lienxa", "peer", "ratio", "peer's command")
    for rows in parts.values():
        for row in rows:
            table.add_row(row.what, row.ours, row.peer, row.ratio, row.command)
        table.add_section()
    console.print(table)


def page(head: list[str], parts: dict[str, list[Row]]) -> str:
    """docs/benchmarks.md."""
    text = (
        "# Benchmarks\n\nWritten by `make bench`; not edited by hand. Figures drift between machines, and with what "
        f"else a machine does: the ratio to a peer in the same minutes counts. Medians of {RUNS} interleaved runs, but "
        "for links and times under load, which are single long ones; CPU is user and system time of the process and "
        "its children. A row of links includes the engine, the probe, its statistics and the lines of series, not the "
        "folding of states and the diagnosis. `make bench-links` has the long runs.\n\n"
    )
    text += "\n".join(f"- {line}" for line in head) + "\n"
    for title, rows in parts.items():
        text += f"\n## {title}\n\n{markdown(rows)}"
    return (
        text
        + f"\nLoad of the machine at the end: {os.getloadavg()[0]:.1f}. {time.strftime('%H:%M', time.gmtime())} UTC.\n"
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
