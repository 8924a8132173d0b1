"""SNMP polls beside prometheus-snmp-exporter: 6 scalars and ifTable of one snmpd, the page of metrics included.

`rows()` gives the table's rows for `make bench`; `python -m tests.bench.snmp_poll` prints them.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import uvloop
from pydantic import SecretStr

from agent.series import SeriesTable
from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.ports import SnmpAgent
from probes.protocols.snmp import SnmpSessions
from probes.results import Beat, Reading
from tests.bench.ping_load import cpu_s
from tests.probes.conftest import TestNet

RUNS = 3
POLLS, AT_ONCE = 1000, 50
SCALARS = [f"1.3.6.1.2.1.1.{number}.0" for number in range(1, 7)]
IF_TABLE = "1.3.6.1.2.1.2.2"
COLUMNS = [number for number in range(1, 23) if number not in (12, 18, 22)]  # this snmpd has no others
AUTH_KEY, PRIVACY_KEY = "auth-password", "privacy-password"
PEER = "prometheus-snmp-exporter"


@dataclass(frozen=True)
class Row:
    """One line of the table; figures of ours, of the peer, and the peer's command."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    command: str = ""


def agents(version: str, port: int, count: int) -> list[SnmpAgent]:
    """So many devices: addresses of the loopback interface, where one snmpd answers for all."""
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
    if version == "v2c":
        return [SnmpAgent(address, port, "v2c", community=SecretStr("public")) for address in addresses]
    keys = {"auth_key": SecretStr(AUTH_KEY), "privacy_key": SecretStr(PRIVACY_KEY)}
    return [
        SnmpAgent(address, port, "v3", user="probe", auth_protocol="sha256", privacy_protocol="aes128", **keys)
        for address in addresses
    ]


class Objects:
    """The very objects that the peer is asked for, each number a line of the page."""

    def __init__(self, sessions: SnmpSessions, table: SeriesTable) -> None:
        """One of them for all devices."""
        self._sessions, self._table = sessions, table

    async def poll(self, agent: SnmpAgent) -> None:
        """One device."""
        found = await self._sessions.get(agent, SCALARS, 5.0)
        found.update(await self._sessions.walk(agent, IF_TABLE, 5.0, 1000))
        readings = [
            Reading(metrics.DEVICE_GROUP_OK, value, (oid,))  # of the families one that has a label for the object
            for oid, value in found.items()
            if isinstance(value, (int, float))
        ]
        self._table.put(agent.address, {"target": agent.address}, readings)


class Beats:
    """What the agent does at each beat: the kind's own check of `system` and `interfaces`, and the series table."""

    def __init__(self, sessions: SnmpSessions, table: SeriesTable) -> None:
        """One of them for all devices."""
        self._net, self._table = TestNet(snmp=sessions), table
        self._memory: dict[str, object] = {}

    async def poll(self, agent: SnmpAgent) -> None:
        """One device."""
        settings = self._settings(agent)
        result = await check(settings, self._net, Beat(agent.address, 60.0, self._memory.get(agent.address)))
        if result.reason is not None:
            raise SystemExit(f"bench: {agent.address}: {result.reason} {result.detail}")
        self._memory[agent.address] = result.memory
        labels = {"commune": "01290", "device": agent.address, "target": agent.address, "kind": "snmp"}
        self._table.put(agent.address, labels, result.readings, result.distributions)

    @staticmethod
    @cache
    def _settings(agent: SnmpAgent) -> SnmpSettings:
        return SnmpSettings.model_validate({"agent": agent, "groups": ("system", "interfaces"), "timeout_s": 5})


POLLS_OF: dict[str, type[Objects | Beats]] = {"objects": Objects, "beats": Beats}


def descriptors() -> int:
    """Open in this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def load(what: str, version: str, port: int, devices: int, over_s: float) -> dict[str, float]:
    """Poll each device once, spread over `over_s`, or as fast as `AT_ONCE` allow; the second round counts.

    `what` is a key of `POLLS_OF`. A round ends with the whole page, as one scrape reads it.
    """
    sessions, table = SnmpSessions(), SeriesTable("04")
    polls = POLLS_OF[what](sessions, table)
    places = asyncio.Semaphore(AT_ONCE if not over_s else devices)
    most = {"sockets": 0}
    took: list[float] = []

    async def one(agent: SnmpAgent, at_s: float) -> None:
        await asyncio.sleep(at_s)
        async with places:
            started = time.perf_counter()
            await polls.poll(agent)
            took.append(time.perf_counter() - started)
        most["sockets"] = max(most["sockets"], len(sessions))

    every = agents(version, port, devices)
    for _ in range(2):
        took.clear()
        used, started = cpu_s(), time.perf_counter()
        await asyncio.gather(*(one(agent, number * over_s / devices) for number, agent in enumerate(every)))
        page = table.page()
    told = {
        "lines": page.count("\n") / devices,
        "cpu_s": cpu_s() - used,
        "wall_s": time.perf_counter() - started,
        "sockets": most["sockets"],
        "descriptors": descriptors(),
        "p99_s": sorted(took)[len(took) * 99 // 100],
    }
    sessions.close()
    return told


def measured(what: str, version: str, port: int, devices: int, over_s: float) -> dict[str, float]:
    """`load` in a process of its own."""
    argv = [sys.executable, "-m", "tests.bench.snmp_poll", what, version, str(port), str(devices), str(over_s)]
    return dict(json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout))


@contextlib.contextmanager
def snmpd() -> Iterator[int]:
    """net-snmp's agent on every address of the loopback interface."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        configuration = Path(folder, "snmpd.conf")
        configuration.write_text(
            f"agentAddress udp:0.0.0.0:{port}\nrocommunity public 127.0.0.0/8\n"
            f'createUser probe SHA-256 "{AUTH_KEY}" AES "{PRIVACY_KEY}"\nrouser probe priv\n',
            encoding="ascii",
        )
        environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": folder}
        binary = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "snmpd"
        options = ["-f", "-Ln", "-C", "-c", str(configuration), "-I", "-smux", "-p", f"{folder}/pid"]
        server = subprocess.Popen([binary, *options], env=environment, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            yield port
        finally:
            server.terminate()
            server.wait()


@contextlib.contextmanager
def exporter(version: str) -> Iterator[tuple[int, int]]:
    """The peer with a module for the same objects: its process id and port."""
    metrics: list[dict[str, object]] = [
        {"name": f"system{number}", "oid": oid[:-2], "type": "gauge" if number == 3 else "DisplayString"}
        for number, oid in enumerate(SCALARS, 1)
    ]
    index = [{"labelname": "ifIndex", "type": "gauge"}]
    kinds = {2: "DisplayString", 6: "PhysAddress48"}
    metrics += [
        {"name": f"if{n}", "oid": f"{IF_TABLE}.1.{n}", "type": kinds.get(n, "gauge"), "indexes": index} for n in COLUMNS
    ]
    secret: dict[str, object] = {"community": "public"}
    if version == "v3":
        secret = {
            "username": "probe",
            "security_level": "authPriv",
            "password": AUTH_KEY,
            "auth_protocol": "SHA256",
            "priv_protocol": "AES",
            "priv_password": PRIVACY_KEY,
        }
    module = {"walk": [IF_TABLE], "get": SCALARS, "metrics": metrics, "version": int(version[1]), "auth": secret}
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        Path(folder, "snmp.yml").write_text(json.dumps({"bench": module}), encoding="ascii")  # JSON is YAML
        argv = [PEER, f"--config.file={folder}/snmp.yml", f"--web.listen-address=127.0.0.1:{port}"]
        server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            yield server.pid, port
        finally:
            server.terminate()
            server.wait()


def peer_ms(version: str, snmp_port: int) -> float:
    """CPU milliseconds per poll of the peer, scraped over kept connections."""
    with exporter(version) as (pid, port):

        def scrape(count: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            for number in range(count):
                connection.request("GET", f"/snmp?module=bench&target=127.1.0.{number % 250 + 1}:{snmp_port}")
                answer = connection.getresponse()
                page = answer.read()
                if answer.status != 200 or b"if2" not in page:
                    raise SystemExit(f"bench: {PEER} answers {answer.status} {page[:200]!r}")
            connection.close()

        scrape(20)
        before = _cpu_of(pid)
        threads = [threading.Thread(target=scrape, args=(POLLS // 8,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (_cpu_of(pid) - before) / (POLLS // 8 * 8) * 1000


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


WHAT = {
    "objects": "one SNMP poll, 6 scalars and ifTable, page included",
    "beats": "one beat of a device, system and interfaces (ifTable, ifXTable), page included",
}


def rows() -> list[Row]:
    """Measure: interleaved runs, medians. Without the peer its columns stay empty."""
    found = []
    there = shutil.which(PEER) is not None
    with snmpd() as port:
        for version in ("v2c", "v3"):
            ours: dict[str, list[float]] = {what: [] for what in WHAT}
            peers = []
            for _ in range(RUNS):
                for what, figures in ours.items():
                    figures.append(measured(what, version, port, POLLS, 0)["cpu_s"] / POLLS * 1000)
                if there:
                    peers.append(peer_ms(version, port))
            for what, figures in ours.items():
                shown = f"{median(figures):.2f} ms"
                if peers:
                    ratio = f"{median(figures) / median(peers):.2f} (target ≤ 1)"
                    found.append(Row(f"{WHAT[what]}, {version}", shown, f"{median(peers):.2f} ms", ratio, PEER))
                else:
                    found.append(Row(f"{WHAT[what]}, {version}", shown, f"{PEER} is not installed"))
        for devices, over_s in ((700, 12.0), (5000, 60.0)):
            told = measured("beats", "v3", port, devices, over_s)
            share = told["cpu_s"] / 60
            what = f"{devices} devices at 60 s, v3, page included, {told['descriptors']:.0f} descriptors"
            found.append(Row(what, f"{share:.1%} of a core, p99 {told['p99_s'] * 1000:.0f} ms"))
    return found


def main(argv: Sequence[str]) -> None:
    """Print the table, or as a load: `WHAT VERSION PORT DEVICES OVER_S`."""
    if argv:
        what, version, port, devices, over_s = argv
        print(json.dumps(uvloop.run(load(what, version, int(port), int(devices), float(over_s)))))
        return
    for row in rows():
        print(f"{row.what:80} {row.ours:>14} {row.peer:>14} {row.ratio:>6} {row.command}")


if __name__ == "__main__":
    main(sys.argv[1:])
