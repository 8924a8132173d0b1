"""What one ping costs: our engine beside fping, prometheus-smokeping-prober and prometheus-blackbox-exporter."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.ping_load import hosts
from tests.bench.table import Row, compared, cpu_s, free_port

COUNT, RATE, SECONDS = 500, 10, 8
SMOKE_COUNT, SMOKE_SECONDS = 500, 8
BLACKBOX_PROBES = 1000
BLACKBOX = "prometheus-blackbox-exporter"
SMOKEPING = "prometheus-smokeping-prober"
MODULES = """\
modules:
  icmp: {prober: icmp, timeout: 3s, icmp: {preferred_ip_protocol: ip4}}
"""


def rows() -> list[Row]:
    """Medians of interleaved runs."""
    smokeping = [SMOKEPING, "--privileged", "--ping.interval=1s", "--web.listen-address=127.0.0.1:PORT", "HOST…"]
    blackbox = [BLACKBOX, "--config.file=icmp.yml", "--web.listen-address=127.0.0.1:PORT"]
    return [
        compared(
            f"one ping, CPU; {COUNT} hosts at {RATE} packets/s",
            "ms",
            lambda: ours(COUNT, RATE, SECONDS),
            fping,
            [*fping_command(), "HOST…"],
            "≤ 0.6",
        ),
        compared(
            f"one ping, CPU; {SMOKE_COUNT} hosts at 1 packet/s",
            "ms",
            lambda: ours(SMOKE_COUNT, 1, SMOKE_SECONDS),
            smokeping_prober,
            smokeping,
            "≤ 0.033",
        ),
        compared(
            f"one ping, CPU; {COUNT} hosts at {RATE} packets/s; the peer one after the other",
            "ms",
            lambda: ours(COUNT, RATE, SECONDS),
            blackbox_exporter,
            blackbox,
            "≤ 0.033",
        ),
    ]


def ours(count: int, rate: float, seconds: float) -> float:
    """CPU milliseconds per ping of our engine, statistics included."""
    argv = [sys.executable, "-m", "tests.bench.ping_load", str(count), str(rate), str(seconds)]
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


@contextlib.contextmanager
def server(argv: Sequence[str], port: int) -> Iterator[int]:
    """A peer that answers HTTP on `port`: its process id, once it does."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60  # smokeping_prober takes 16 ms for each host before it listens
        while True:
            try:
                page(port, "/metrics")
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"bench: {argv[0]} does not answer on its port") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def page(port: int, path: str) -> str:
    """One page of a peer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def summed(text: str, family: str) -> float:
    """All series of a family."""
    return sum(float(value) for value in re.findall(rf"^{family}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def smokeping_prober() -> float:
    """CPU milliseconds per request of smokeping_prober."""
    port = free_port()
    options = ["--privileged", "--ping.interval=1s", f"--web.listen-address=127.0.0.1:{port}"]
    with server([SMOKEPING, *options, *hosts(SMOKE_COUNT)], port) as pid:
        time.sleep(2)
        sent, used = summed(page(port, "/metrics"), "smokeping_requests_total"), cpu_s(pid)
        time.sleep(SMOKE_SECONDS)
        used = cpu_s(pid) - used
        sent = summed(page(port, "/metrics"), "smokeping_requests_total") - sent
    if sent < SMOKE_COUNT:
        raise SystemExit(f"bench: {SMOKEPING} has sent {sent:.0f} requests")
    return used / sent * 1000


def blackbox_exporter() -> float:
    """CPU milliseconds per probe of blackbox_exporter, over one kept connection."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "icmp.yml").write_text(MODULES, encoding="ascii")
        argv = [BLACKBOX, f"--config.file={folder}/icmp.yml", f"--web.listen-address=127.0.0.1:{port}"]
        with server(argv, port) as pid:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

            def probe(host: str) -> None:
                connection.request("GET", f"/probe?module=icmp&target={host}")
                if b"\nprobe_success 1" not in connection.getresponse().read():
                    raise SystemExit(f"bench: {BLACKBOX} finds loopback dead")

            for host in hosts(20):
                probe(host)
            used = cpu_s(pid)
            for number in range(BLACKBOX_PROBES):
                probe(f"127.1.0.{number % 250 + 1}")
            used = cpu_s(pid) - used
            connection.close()
    return used / BLACKBOX_PROBES * 1000
