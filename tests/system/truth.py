"""What an engine or a peer reports beside what a capture has seen: both run on the agent's side of a lab."""

from __future__ import annotations

import contextlib
import json
import math
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.lab.client import Lab

ROOT = Path(__file__).parents[2]
INVENTORY = 'province: "04"\ncommunes: [{code: "01290"}]\n'
"""Enough for a lab: it delivers to every address, and an address is the name of its segment."""


def addresses(count: int) -> list[str]:
    """So many of 10.90.0.0/16."""
    return [f"10.90.{number // 250}.{number % 250 + 1}" for number in range(count)]


class Witness:
    """A running capture; `end` gives what it has seen."""

    def __init__(self, lab: Lab) -> None:
        """Start it, and wait until it captures."""
        self._process = lab.popen(
            [sys.executable, str(ROOT / "tests/system/witness.py"), "wan0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "capturing\n"

    def end(self) -> dict[str, list[tuple[int, int | None]]]:
        """For each address `(sent, rtt)` in ns, in order of sending; nothing may be missing."""
        out, _ = self._process.communicate("", timeout=30)
        told = json.loads(out)
        assert told["missed"] == 0, f"the capture missed {told['missed']} packets"
        return {address: [tuple(pair) for pair in pairs] for address, pairs in told["captured"].items()}


class Pinging:
    """Our engine at work in a lab; `windows` closes every stream's."""

    def __init__(self, lab: Lab, prefix: Sequence[str] = (), **settings: object) -> None:
        """`settings` as in `pinging.Settings`; returns when every stream has had its first burst."""
        argv = [*prefix, sys.executable, "-m", "tests.system.pinging", json.dumps(settings)]
        self.process = lab.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.told: dict[str, Any] = {}
        """The engine's own counters, and each stream's, as last told."""
        self.rtts_s: dict[str, list[float]] = {}
        """Each stream's round trips so far."""
        self._read()

    def windows(self) -> None:
        """Close one window of each stream."""
        assert self.process.stdin is not None
        self.process.stdin.write("window\n")
        self.process.stdin.flush()
        self._read()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.told = json.loads(self.process.stdout.readline())
        for address, stream in self.told["streams"].items():
            self.rtts_s.setdefault(address, []).extend(stream["rtts_s"])

    def lost(self) -> dict[str, int]:
        """Requests counted as lost, by address."""
        return {address: stream["sent"] - stream["received"] for address, stream in self.told["streams"].items()}

    def matched(self, captured: Mapping[str, Sequence[tuple[int, int | None]]]) -> dict[str, Matched]:
        """Each stream's times beside the capture's, of the replies that the engine has counted: none may be late."""
        return {
            address: matched(answered_s(captured[address])[: self.told["streams"][address]["received"]], rtts)
            for address, rtts in self.rtts_s.items()
        }

    def end(self) -> None:
        """Close a last window and stop sending: what was sent in between has no fate."""
        self.windows()
        self.process.communicate("", timeout=10)
        assert self.process.returncode == 0


@dataclass(frozen=True)
class Matched:
    """Reported RTTs beside captured ones, in seconds."""

    errors_s: list[float]
    """Reported less captured."""
    told_s: list[float]
    """The captured times that were reported."""
    untold: int
    """Captured replies without a reported time: voided by the engine."""

    def worst_s(self) -> float:
        """The largest error either way."""
        return max(map(abs, self.errors_s))


def matched(captured_s: Sequence[float], reported_s: Sequence[float]) -> Matched:
    """Pair them in their order. Where times are left out of the report, those that make the least error in sum.

    So an error can hide behind a time left out only as far as neighbouring round trips differ.
    """
    untold = len(captured_s) - len(reported_s)
    assert untold >= 0, f"{len(reported_s)} times are reported of {len(captured_s)} replies"
    # best[skipped]: least sum of errors so far with so many left out; back to find the way
    best = [0.0] + [math.inf] * untold
    ways: list[list[bool]] = []  # for each captured one, by skipped: whether it was left out
    for number, seen in enumerate(captured_s):
        fresh, way = [math.inf] * (untold + 1), [False] * (untold + 1)
        for skipped in range(min(untold, number) + 2):
            if skipped > untold:
                break
            place = number - skipped
            taken = best[skipped] + abs(reported_s[place] - seen) if 0 <= place < len(reported_s) else math.inf
            left_out = best[skipped - 1] if skipped else math.inf
            fresh[skipped], way[skipped] = min((taken, False), (left_out, True))
        best = fresh
        ways.append(way)
    errors: list[float] = []
    told: list[float] = []
    skipped = untold
    for number in range(len(captured_s) - 1, -1, -1):
        if ways[number][skipped]:
            skipped -= 1
        else:
            errors.append(reported_s[number - skipped] - captured_s[number])
            told.append(captured_s[number])
    return Matched(errors[::-1], told[::-1], untold)


def answered_s(captured: Sequence[tuple[int, int | None]]) -> list[float]:
    """The round trips of what was answered, in seconds, in order of arrival: so RFC 3550, 6.4.1, takes its jitter."""
    answered = [(sent + rtt, rtt) for sent, rtt in captured if rtt is not None]
    return [rtt / 1e9 for _, rtt in sorted(answered)]


def rfc3550(rtts_s: Sequence[float]) -> float:
    """Interarrival jitter, RFC 3550 6.4.1, written down a second time: J(i) = J(i-1) + (|D| - J(i-1)) / 16."""
    value = 0.0
    for before, after in pairwise(rtts_s):
        value = value + (abs(before - after) - value) / 16
    return value


def lost_on_the_way(lab: Lab) -> dict[str, int]:
    """Packets that the emulator has dropped by chance, by segment."""
    return {name: counts.get("lost", 0) for name, counts in lab.stats()["segments"].items()}


def impair(lab: Lab, addresses: Mapping[str, Mapping[str, float]]) -> None:
    """Give each address its impairment."""
    for address, fields in addresses.items():
        lab.act(impair={"segment": address, **fields})


@contextlib.contextmanager
def saturated(cores: int) -> Iterator[None]:
    """Keep that many cores busy."""
    argv = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(argv) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@contextlib.contextmanager
def stopped_again_and_again(
    process: subprocess.Popen[Any], low_s: float, high_s: float, pause_s: tuple[float, float] = (0.05, 0.2)
) -> Iterator[None]:
    """Take the process its turn for `low_s` to `high_s`, again and again: what a peer's loop cannot be asked to do."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(random.uniform(*pause_s)):
            process.send_signal(19)  # SIGSTOP
            time.sleep(random.uniform(low_s, high_s))
            process.send_signal(18)  # SIGCONT

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
