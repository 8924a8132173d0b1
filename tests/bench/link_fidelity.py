"""Whose times are the link's: reported round trips beside a capture, every core at work and the process held up.

`rows(seconds)` gives the table. All run in one lab, whose way to every address takes 20 to 24 ms. Our loop is blocked
from within; a peer's cannot be, so it is stopped (SIGSTOP) for as long, and so are we in a second row.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from deploy.lab import LabError
from deploy.lab.client import Lab
from tests.bench.ping_cost import BLACKBOX, MODULES, SMOKEPING, page
from tests.bench.table import ABSENT, Row
from tests.system import truth

HOSTS, RATE = 30, 10
BLOCKED_S = (0.1, 0.3)
SMALL_BUFFER_BYTES = 212_992
Captured = Mapping[str, Sequence[tuple[int, int | None]]]


@dataclass(frozen=True)
class Seen:
    """Errors of the reported times in seconds, replies that were reported as lost, times that were left out."""

    errors_s: list[float]
    invented: int
    untold: int = 0
    note: str = ""

    def __str__(self) -> str:
        """For the table."""
        ordered = sorted(self.errors_s)

        def at(share: float) -> str:
            return f"{ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000:.3f}"

        text = (
            f"error p50 {at(0.5)}, p99 {at(0.99)}, max {at(1)} ms; {self.invented} invented losses; "
            f"{len(ordered)} times{f', {self.untold} left out' if self.untold else ''}"
        )
        return text + (f"; {self.note}" if self.note else "")


def rows(seconds: float) -> list[Row]:
    """Ours in three ways, then each peer."""
    held = f"{os.cpu_count()} cores busy, held up for 100 to 300 ms again and again"
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder, "inventory.yaml")
        inventory.write_text(truth.INVENTORY, encoding="utf-8")
        try:
            lab = Lab.start(inventory)
        except LabError as error:
            return [Row(f"RTT beside a capture, {held}", "", f"no lab on this machine: {error}")]
        with lab, truth.saturated(os.cpu_count() or 1):
            truth.impair(lab, {"10.90.0.0/16": {"delay_ms": 10, "jitter_ms": 2}})
            blocked = [
                Row(f"RTT beside a capture, {held} from within", str(ours(lab, seconds, blocked=True))),
                Row(
                    f"the same with a receive buffer of {SMALL_BUFFER_BYTES} bytes",
                    str(ours(lab, seconds, blocked=True, buffer_bytes=SMALL_BUFFER_BYTES)),
                ),
            ]
            mine = str(ours(lab, seconds, blocked=False))
            peers = [
                ("the same by SIGSTOP", "fping", fping, " ".join(fping_command(seconds)) + " HOST…"),
                (
                    "the same, the peer's mean for each host",
                    SMOKEPING,
                    smokeping,
                    f"{SMOKEPING} --privileged --ping.interval=100ms HOST…",
                ),
                ("the same", BLACKBOX, blackbox, f"{BLACKBOX} --config.file=icmp.yml"),
            ]
            for what, program, measure, command in peers:
                shown = str(measure(lab, seconds)) if shutil.which(program) else ABSENT
                blocked.append(Row(what, mine, shown, "", command))
    return blocked


@contextlib.contextmanager
def held_up(process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop it again and again."""
    with truth.stopped_again_and_again(process, *BLOCKED_S):
        yield


def ours(lab: Lab, seconds: float, *, blocked: bool, buffer_bytes: int | None = None) -> Seen:
    """The engine."""
    witness = truth.Witness(lab)
    pinging = truth.Pinging(
        lab,
        addresses=truth.addresses(HOSTS),
        packets_per_s=RATE,
        buffer_bytes=buffer_bytes,
        blocked_s=list(BLOCKED_S) if blocked else [],
    )
    with contextlib.nullcontext() if blocked else held_up(pinging.process):
        time.sleep(seconds)
    time.sleep(2.5)
    pinging.end()
    time.sleep(0.5)
    found = pinging.matched(witness.end())
    errors = [abs(error) for each in found.values() for error in each.errors_s]
    drops = pinging.told["drops"]
    return Seen(errors, sum(pinging.lost().values()), pinging.told["unsure"], f"{drops} drops counted" if drops else "")


def fping_command(seconds: float) -> list[str]:
    """The peer at the same pace."""
    return ["fping", "-q", "-C", str(int(seconds * RATE)), "-p", str(1000 // RATE), "-t", "2000", "-i", "1"]


def fping(lab: Lab, seconds: float) -> Seen:
    """Each packet's time, in order of sending."""
    witness = truth.Witness(lab)
    argv = [*fping_command(seconds), *truth.addresses(HOSTS)]
    process = lab.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with held_up(process):
        _, said = process.communicate(timeout=seconds * 3 + 20)
    captured = witness.end()
    errors, invented = [], 0
    for line in said.splitlines():
        address, _, told = line.partition(" : ")
        for (_, rtt), shown in zip(captured.get(address.strip(), ()), told.split(), strict=False):
            if rtt is not None and shown == "-":
                invented += 1
            elif rtt is not None:
                errors.append(abs(float(shown) / 1000 - rtt / 1e9))
    return Seen(errors, invented)


@contextlib.contextmanager
def served(lab: Lab, argv: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A peer in the lab, and a port of ours that leads to its pages."""
    with lab.listen() as place:
        inside = int(place.getsockname()[1])
    options = [word.replace("PORT", str(inside)) for word in argv]
    process = lab.popen(options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        port = lab.door(inside)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if page(port, "/metrics"):
                    break
            if time.monotonic() > deadline:
                raise SystemExit(f"bench: {argv[0]} does not answer in the lab")
            time.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        process.wait()


def smokeping(lab: Lab, seconds: float) -> Seen:
    """It tells sums and counts only: the error of each host's mean."""
    witness = truth.Witness(lab)
    argv = [SMOKEPING, "--privileged", "--ping.interval=100ms", "--web.listen-address=127.0.0.1:PORT"]
    with served(lab, [*argv, *truth.addresses(HOSTS)]) as (process, port):
        with held_up(process):
            time.sleep(seconds)
        time.sleep(1)
        before_ns = time.time_ns() - 500_000_000
        text = page(port, "/metrics")
    captured = witness.end()
    errors, invented = [], 0
    for address, pairs in captured.items():
        told = {
            what: float(found[1])
            for what in ("sum", "count")
            if (found := re.search(rf'_response_duration_seconds_{what}{{host="{re.escape(address)}".*?}} (\S+)', text))
        }
        answered = truth.answered_s(pairs)
        if told.get("count") and len(answered) >= told["count"]:
            errors.append(abs(told["sum"] / told["count"] - fmean(answered[: int(told["count"])])))
        settled = sum(1 for sent, rtt in pairs if rtt is not None and sent + rtt < before_ns)
        invented += max(0, settled - int(told.get("count", 0)))
    return Seen(errors or [float("nan")], invented)


def blackbox(lab: Lab, seconds: float) -> Seen:
    """One probe after the other for each of a few hosts; the time of its phase `rtt`."""
    hosts = truth.addresses(5)
    shown: dict[str, list[float | None]] = {host: [] for host in hosts}
    witness = truth.Witness(lab)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "icmp.yml").write_text(MODULES, encoding="ascii")
        argv = [BLACKBOX, f"--config.file={folder}/icmp.yml", "--web.listen-address=127.0.0.1:PORT"]
        with served(lab, argv) as (process, port):
            until = time.monotonic() + seconds

            def work(host: str) -> None:
                while time.monotonic() < until:
                    text = page(port, f"/probe?module=icmp&target={host}")
                    found = re.search(r'icmp_duration_seconds{phase="rtt"} (\S+)', text)
                    success = "\nprobe_success 1" in text
                    shown[host].append(float(found[1]) if found and success else None)

            threads = [threading.Thread(target=work, args=(host,)) for host in hosts]
            with held_up(process):
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
    captured = witness.end()
    errors, invented = [], 0
    for host, times in shown.items():
        for (_, rtt), time_s in zip(captured.get(host, ()), times, strict=False):
            if rtt is not None and time_s is None:
                invented += 1
            elif rtt is not None and time_s is not None:
                errors.append(abs(time_s - rtt / 1e9))
    return Seen(errors or [float("nan")], invented)


if __name__ == "__main__":
    print(json.dumps([row.__dict__ for row in rows(float(sys.argv[1]))], indent=1, ensure_ascii=False))
