"""Links as the agent runs them, on loopback: COUNT links at 1 packet/s for SECONDS, statistics and series included.

Prints JSON: packets, lost, drops, CPU seconds, resident memory, the page's size. `rows(seconds)` gives the table.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import uvloop

from agent.runner import Runner
from agent.series import SeriesTable
from probes import metrics
from probes.kinds import icmp
from probes.protocols.icmp import IcmpEngine
from probes.results import Result, Target
from tests.bench.ping_load import cpu_s, hosts
from tests.bench.table import ABSENT, Row
from tests.probes.conftest import SystemClock, TestNet

COUNTS = (2_500, 5_000, 10_000)
BEAT_S = 10.0
WARM_S = 15.0
"""A beat's spread, the first burst of the last one, and some time for what the first window does once."""


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def main(count: int, seconds: float) -> None:
    """Run every link past its first beat, then measure."""
    links = [
        Target(
            f"link/{number:05}/primary",
            "icmp",
            icmp.IcmpSettings(address=host),
            BEAT_S,
            {"commune": f"{number:05}", "link": "primary", "medium": "fibre"},
        )
        for number, host in enumerate(hosts(count))
    ]
    before = resident_bytes()
    engine = IcmpEngine()
    engine.open()
    series = SeriesTable("04")
    totals: dict[str, tuple[float, float]] = {}

    def report(target: Target, result: Result, started: float) -> None:
        values = {reading.family: reading.value for reading in result.readings}
        totals[target.id] = (values[metrics.LINK_SENT], values[metrics.LINK_RECEIVED])
        series.put(target.id, target.labels, result.readings, result.distributions)

    runner = Runner({"icmp": icmp.KIND}, TestNet(pings=engine), SystemClock(), report)
    running = asyncio.create_task(runner.run(links))
    try:
        await asyncio.sleep(WARM_S)
        first, used, began = counted(totals), cpu_s(), time.monotonic()
        await asyncio.sleep(seconds)
        used, took = cpu_s() - used, time.monotonic() - began
        last = counted(totals)
        told = {
            "links": count,
            "reporting": len(totals),
            "packets": last[0] - first[0],
            "expected": count * took,
            "lost": last[0] - last[1],
            "drops": engine.socket_drops,
            "unsent": engine.send_errors,
            "unsure": engine.unsure_sends,
            "cpu_s": used,
            "core": used / took,
            "bytes_per_link": (resident_bytes() - before) / count,
            "resident_bytes": resident_bytes(),
            "page_bytes": len(series.page()),
            "late_beats": sum(runner.tally.lateness_counts[1:]),
            "skipped": runner.tally.skipped,
        }
        print(json.dumps(told))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        engine.close()


def counted(totals: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Requests and replies of all links."""
    return sum(sent for sent, _ in totals.values()), sum(received for _, received in totals.values())


def measured(count: int, seconds: float) -> dict[str, float]:
    """`main` in a process of its own."""
    argv = [sys.executable, "-m", "tests.bench.link_load", str(count), str(seconds)]
    return dict(json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout))


def fping_command(count: int, seconds: float) -> list[str]:
    """The peer at the same pace: a packet each second for each host, sent as evenly as it can."""
    return ["fping", "-q", "-c", f"{seconds:.0f}", "-p", "1000", "-t", "2000", "-i", f"{900 / count:.2f}", "-f"]


def fping(count: int, seconds: float) -> dict[str, float]:
    """CPU and losses of fping; its packets are what it has really sent."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "hosts")
        names.write_text("\n".join(hosts(count)) + "\n", encoding="ascii")
        said = Path(folder, "said")
        began = time.monotonic()
        with said.open("w", encoding="utf-8") as errors:
            argv = [*fping_command(count, seconds), str(names)]
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=errors)
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0
        sent = lost = 0
        for line in said.read_text(encoding="utf-8").splitlines():
            _, separator, counts = line.partition("xmt/rcv/%loss = ")
            if separator:
                asked, answered = counts.split("/")[:2]
                sent, lost = sent + int(asked), lost + int(asked) - int(answered)
    return {
        "packets": sent,
        "lost": lost,
        "cpu_s": used.ru_utime + used.ru_stime,
        "seconds": time.monotonic() - began,
        "resident_bytes": used.ru_maxrss * 1024,
    }


def rows(seconds: float, counts: tuple[int, ...] = COUNTS) -> list[Row]:
    """Ours and fping one after the other, for each number of links."""
    found = []
    there = shutil.which("fping") is not None
    for count in counts:
        mine = measured(count, seconds)
        each = mine["cpu_s"] / mine["packets"] * 1000
        what = f"{count} links at 1 packet/s for {seconds:.0f} s, statistics and series included"
        ours = (
            f"{each:.4f} ms per packet, {mine['core']:.0%} of a core, {mine['bytes_per_link'] / 1000:.1f} kB per link, "
            f"{mine['packets']:.0f} packets, {mine['lost']:.0f} lost"
        )
        if not there:
            found.append(Row(what, ours, ABSENT, "", "fping"))
            continue
        peer = fping(count, seconds)
        theirs = peer["cpu_s"] / peer["packets"] * 1000
        shown = (
            f"{theirs:.4f} ms per packet, {peer['packets']:.0f} packets, {peer['lost']:.0f} lost, "
            f"{peer['seconds']:.0f} s"
        )
        command = " ".join([*fping_command(count, seconds), "HOSTS"])
        found.append(Row(what, ours, shown, f"{each / theirs:.2f} (target ≤ 0.6)", command))
    return found


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
