"""Devices of the lab behind a link that loses and delays, as the agent beats them, and prometheus-snmp-exporter beside.

`measured(…)` for tests and `rows()` for `make bench`; how many beats have read what.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvloop

from agent.credentials import opened
from agent.inventory import load
from agent.net import SystemClock, open_net
from agent.plan import plan
from agent.runner import Runner
from deploy.lab import COMMUNITY, DEFAULT_COMMUNITY
from deploy.lab.client import Lab
from probes import metrics, units
from probes.registry import KINDS
from probes.results import Result, Target
from tests.bench.snmp_poll import IF_TABLE, PEER
from tests.bench.table import ABSENT, Row, free_port

LOSS, RTT_S = 0.1, 0.6
INTERFACES = 4
"""Of each of the lab's routers that has a mobile backup."""
GROUPS = {"router": ("cell", "interfaces"), "ups": ("ups",)}
SMALL = ("cell", "ups")
OF_GROUP: dict[str, dict[str, Any]] = {
    "cell": {"walk": ["1.3.6.1.4.1.14988.1.1.16.1.1"]},
    "ups": {"get": [f"1.3.6.1.2.1.33.1.{column}.0" for column in ("2.1", "2.2", "2.3", "2.4", "4.1")]},
    "interfaces": {"walk": [IF_TABLE]},
}
"""What the peer is asked for; ours reads ifXTable and the system as well."""
SHARE_OF_BEAT = 0.8
"""After which the peer's answer is not waited for; as ours."""


def inventory(communes: int, beat_s: float) -> str:
    """So many communes of Cao Bang with a fibre, a mobile backup, a router and a UPS each."""
    parts = [
        'province: "04"\nreferences: [10.200.0.254]\n'
        f"timings: {{link_beat_s: 5, link_packets: 10, device_beat_s: {beat_s:g}}}\n"
        f"credentials:\n  lab: {{version: v2c, community: {{env: {COMMUNITY}}}}}\n"
        "trunks: [{id: ring, address: 10.4.240.1}]\ncommunes:\n"
    ]
    for number, unit in enumerate(units.communes("04")[:communes], 1):
        parts.append(
            f'  - code: "{unit.code}"\n    trunk: ring\n    links:\n'
            f"      - {{address: 10.4.{number}.1}}\n      - {{role: backup, medium: lte, address: 10.4.{number}.3}}\n"
            "    devices:\n"
            f"      - {{id: router, role: router, address: 10.4.{number}.1, credential: lab}}\n"
            f"      - {{id: ups, role: ups, address: 10.4.{number}.2, credential: lab}}\n"
        )
    return "".join(parts)


async def beats(path: Path, seconds: float) -> dict[str, list[int]]:
    """The agent's own runner and plan; for each group, in how many beats it was read whole, and of how many."""
    province = load(path)
    planned = plan(province, opened(province, path.parent).ask)
    counts = {name: [0, 0] for names in GROUPS.values() for name in names}
    clock = SystemClock()

    def report(target: Target, result: Result, started: float) -> None:
        if target.kind != "snmp":
            return
        read = {
            reading.labels[0]
            for reading in result.readings
            if reading.family is metrics.DEVICE_GROUP_OK and reading.value
        }
        rows = sum(reading.family is metrics.INTERFACE_OPER_UP for reading in result.readings)
        for name in GROUPS[target.labels["device"]]:
            counts[name][0] += name in read and (name != "interfaces" or rows == INTERFACES)
            counts[name][1] += 1

    async with open_net(clock, 2.0) as net:
        runner = Runner(KINDS, net, clock, report)
        running = asyncio.create_task(runner.run(planned.targets))
        await asyncio.sleep(seconds)
        skipped = runner.tally.skipped
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return counts | {"skipped": [0, skipped]}


def scrapes(communes: int, beat_s: float, seconds: float) -> dict[str, list[int]]:
    """The same of the peer, one module for each group; its own defaults for retries, time-out and repetitions."""
    modules = {
        name: {**what, "metrics": list(_metrics(name)), "version": 2, "auth": {"community": DEFAULT_COMMUNITY}}
        for name, what in OF_GROUP.items()
    }
    counts = {name: [0, 0] for name in OF_GROUP}
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(communes * len(OF_GROUP)) as threads:
        Path(folder, "snmp.yml").write_text(json.dumps(modules), encoding="ascii")  # JSON is YAML
        argv = [PEER, f"--config.file={folder}/snmp.yml", f"--web.listen-address=127.0.0.1:{port}"]
        server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)

            def scrape(name: str, number: int) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=beat_s * SHARE_OF_BEAT)
                place = f"10.4.{number}.{2 if name == 'ups' else 1}"
                told = {"X-Prometheus-Scrape-Timeout-Seconds": f"{beat_s * SHARE_OF_BEAT:g}"}
                try:
                    connection.request("GET", f"/snmp?module={name}&target={place}", headers=told)
                    answer = connection.getresponse()
                    page = answer.read().decode()
                    rows = INTERFACES if name == "interfaces" else 1
                    counts[name][0] += answer.status == 200 and page.count("\nbench_") >= rows
                except OSError:
                    pass
                finally:
                    counts[name][1] += 1
                    connection.close()

            until = time.monotonic() + seconds
            while time.monotonic() < until:
                began = time.monotonic()
                for name in OF_GROUP:
                    for number in range(1, communes + 1):
                        threads.submit(scrape, name, number)
                        time.sleep(beat_s / communes / len(OF_GROUP) / 2)
                time.sleep(max(0.0, began + beat_s - time.monotonic()))
        finally:
            threads.shutdown()
            server.terminate()
            server.wait()
    return counts


def _metrics(group: str) -> Iterator[dict[str, object]]:
    index = [{"labelname": "index", "type": "gauge"}]
    if group == "cell":
        yield {"name": "bench_rsrp", "oid": "1.3.6.1.4.1.14988.1.1.16.1.1.4", "type": "gauge", "indexes": index}
    if group == "ups":
        yield {"name": "bench_charge", "oid": "1.3.6.1.2.1.33.1.2.4", "type": "gauge"}
    if group == "interfaces":
        yield {"name": "bench_oper_status", "oid": f"{IF_TABLE}.1.8", "type": "gauge", "indexes": index}


def measured(
    communes: int,
    beat_s: float,
    seconds: float,
    who: Sequence[str] = ("beats",),
    loss: float = LOSS,
    rtt_s: float = RTT_S,
) -> dict[str, dict[str, list[int]]]:
    """Each of `who` (beats, scrapes) in its turn, in one lab; `loss` is of a packet and its answer together.

    Raises LabError where there can be no lab.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "inventory.yaml")
        path.write_text(inventory(communes, beat_s), encoding="utf-8")
        with Lab.start(path) as lab:
            each_way = 1 - (1 - loss) ** 0.5
            lab.act(impair={"segment": "ring", "loss": each_way, "delay_ms": rtt_s * 500})
            for one in who:
                argv = [
                    sys.executable,
                    "-m",
                    "tests.bench.snmp_lossy",
                    one,
                    str(path),
                    *map(str, (communes, beat_s, seconds)),
                ]
                process = lab.popen(argv, stdout=subprocess.PIPE, text=True)
                out, _ = process.communicate(timeout=seconds + 60)
                if process.returncode != 0:
                    raise SystemExit(f"bench: {one} ended with {process.returncode}")
                found[one] = dict(json.loads(out))
    return found


def share(counts: dict[str, list[int]], groups: Sequence[str]) -> float:
    """Of the beats of some groups, how many have read them; a beat that was skipped has read nothing."""
    read = sum(counts[name][0] for name in groups)
    return read / (sum(counts[name][1] for name in groups) + counts.get("skipped", [0, 0])[1])


def rows(seconds: float = 90.0) -> list[Row]:
    """Three beats of 30 s of 24 routers and 24 UPS."""
    there = shutil.which(PEER) is not None
    found = measured(24, 30.0, seconds, ("beats", "scrapes") if there else ("beats",))
    lines = []
    for what, groups, target in (
        ("signal and power groups", SMALL, "> 99%"),
        ("interface tables", ("interfaces",), "> 90%"),
    ):
        ours = found["beats"]
        number = sum(ours[name][1] for name in groups)
        peer = f"{share(found['scrapes'], groups):.1%}" if there else ABSENT
        lines.append(
            Row(
                f"{what} read, {LOSS:.0%} loss and {RTT_S * 1000:.0f} ms RTT in the lab, {number} beats, v2c",
                f"{share(ours, groups):.1%} (target {target})",
                peer,
                "",
                PEER,
            )
        )
    return lines


def main(argv: Sequence[str]) -> None:
    """Print the rows, or as a load in the lab: `beats|scrapes INVENTORY COMMUNES BEAT_S SECONDS`."""
    if not argv:
        for row in rows():
            print(f"{row.what:80} {row.ours:>20} {row.peer:>10}")
        return
    which, path, communes, beat_s, seconds = argv
    if which == "beats":
        print(json.dumps(uvloop.run(beats(Path(path), float(seconds)))))
    else:
        print(json.dumps(scrapes(int(communes), float(beat_s), float(seconds))))


if __name__ == "__main__":
    main(sys.argv[1:])
