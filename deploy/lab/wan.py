"""The forwarder: a process of its own that carries packets between the two sides, each at its time."""

from __future__ import annotations

import gc
import heapq
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from random import Random
from typing import Any, NoReturn

from deploy.lab import kernel, packets
from deploy.lab.edge import Edge, End
from deploy.lab.path import Trip, travel
from deploy.lab.topology import Topology

_BATCH = 64
"""Packets read from one side before the other side, and what is due, have their turn."""
_DUE_WITHIN_S = 0.00002
"""What is due so soon is not worth another sleep."""


class Forwarder:
    """Reads, delays, drops and answers packets; obeys commands, one JSON object a line, and answers each.

    They are `{"impair": NAME, "with": {field: value}}`, `{"dark": NAME, "is": bool}`, `{"clear": NAME}` (null: all)
    and `{"stats": null}`.
    """

    def __init__(self, edge: Edge, topology: Topology, commands: socket.socket) -> None:
        """`commands` is one end of a stream socket pair."""
        self._near, self._far = edge.near, edge.far
        self._topology = topology
        self._commands = commands
        self._pending = b""
        self._due: list[tuple[float, int, Trip]] = []
        self._chance = Random()  # noqa: S311 - packet loss is no secret
        self._sequence = 0
        self._carried = {"out": 0, "back": 0}
        self._refused = 0
        self._latest_s = 0.0

    def run(self) -> None:
        """Forward until the other end of the commands is closed."""
        waiting: list[socket.socket | End] = [self._commands, self._near, self._far]
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            ready, _, _ = select.select(waiting, (), (), wait_s)
            self._release()
            if self._near in ready:
                self._read(self._near, back=False)
            if self._far in ready:
                self._read(self._far, back=True)
            if self._commands in ready and not self._obey():
                return

    def _read(self, end: End, back: bool) -> None:
        for _ in range(_BATCH):
            try:
                packet = end.read()
            except BlockingIOError:
                return
            except OSError:  # the device went down: its namespace is being taken away
                return
            if not packets.version(packet):
                continue
            target = packets.destination(packet)
            if packets.for_one_host(target):
                path = self._topology.path(packets.source(packet) if back else target)
                now = time.monotonic()
                self._go_on(Trip.begin(packet, path, back, now), now)

    def _go_on(self, trip: Trip, now: float) -> None:
        moved = travel(trip, now, self._chance)
        if moved is None:
            return
        if moved.ended and moved.at <= now + _DUE_WITHIN_S:
            self._hand_over(moved)
        else:
            self._sequence += 1  # packets due at one moment keep their order
            heapq.heappush(self._due, (moved.at, self._sequence, moved))

    def _release(self) -> None:
        while self._due:
            now = time.monotonic()
            if self._due[0][0] > now + _DUE_WITHIN_S:
                return
            at, _, trip = heapq.heappop(self._due)
            self._latest_s = max(self._latest_s, now - at)
            if trip.ended:
                self._hand_over(trip)
            else:
                self._go_on(trip, max(now, at))

    def _hand_over(self, trip: Trip) -> None:
        try:
            (self._near if trip.back else self._far).write(trip.packet)
        except OSError:  # a full queue, or a packet that the kernel finds malformed
            self._refused += 1
        else:
            self._carried["back" if trip.back else "out"] += 1

    def _obey(self) -> bool:
        """Carry out what was commanded; False once nobody commands any more."""
        heard = self._commands.recv(65536)
        if not heard:
            return False
        *lines, self._pending = (self._pending + heard).split(b"\n")
        for line in lines:
            self._commands.sendall(json.dumps(self._answer(json.loads(line))).encode() + b"\n")
        return True

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        topology = self._topology
        if "impair" in command:
            topology.segment(command["impair"]).impair(command["with"])
        elif "dark" in command:
            topology.segment(command["dark"]).dark = command["is"]
        elif command.get("clear"):
            topology.segment(command["clear"]).heal()
        elif "clear" in command:
            topology.clear()
        else:
            return self._stats()
        topology.changed()
        return {}

    def _stats(self) -> dict[str, Any]:
        segments = {
            each.name: {"forwarded": each.forwarded, **each.dropped}
            for each in self._topology
            if each.forwarded or each.dropped
        }
        return {
            "segments": segments,
            "carried": self._carried,
            "refused": self._refused,
            "waiting": len(self._due),
            "latest_ms": round(self._latest_s * 1000, 3),
        }


def start(edge: Edge, topology: Topology) -> tuple[int, socket.socket]:
    """Fork the forwarder, which dies with this process: its process id, and our end of its commands."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_forwarder(edge, topology, theirs, parent)
    theirs.close()
    return pid, ours


def _be_forwarder(edge: Edge, topology: Topology, commands: socket.socket, parent: int) -> NoReturn:
    status = 1
    try:
        kernel.die_with_parent(parent)
        kernel.wake_exactly()
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's: the lab process ends us
            signal.signal(number, signal.SIG_IGN)
        with suppress(OSError):  # as an ordinary user: no precedence, a little less exact on a busy machine
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        gc.disable()  # nothing here makes cycles, and a collection would delay packets
        Forwarder(edge, topology, commands).run()
        status = 0
    except Exception:  # this process's own boundary: it must never run on as a second lab
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
