"""The paths to links and trunks: traced when a state changes, once in a while, and when somebody asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from agent.errors import Busy
from agent.series import SeriesTable
from probes import metrics
from probes.ports import Clock
from probes.protocols.path_route import Hop, Route
from probes.results import Reading, Target, TargetState
from probes.schedule import first_due

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Traces that run at the same time: a trunk with 40 links behind it starts no storm where a network is in trouble."""
WHOLE_S, BROKEN_S = 3600.0, 300.0
"""How long a path is believed that was found whole, and one that was found broken."""
FRESH_S = 10.0
"""Whoever asks within this time is told what was found: nobody can make the agent send more."""
MOST_ASKED = 8
"""Paths that people wait for at the same time."""
LOOK_S = 5.0
"""How often it is looked for paths that have become old."""

Trace = Callable[[Target], Awaitable[Route]]
"""Finds the route to a target within seconds."""


class _Because(IntEnum):
    """Why a path is to be traced, most urgent first: one trunk explains many links."""

    ASKED = 0
    TRUNK_CHANGED = 1
    LINK_CHANGED = 2
    OLD = 3


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of the path to one target."""

    route: Route
    at: float
    """Monotonic end of the trace."""
    wall: float
    whole: Route | None
    """The latest route that reached the target; what was silent in it as it was heard before."""
    changes: int

    @property
    def hash(self) -> int:
        """The route's; of a whole one it does not change when a hop is silent for once."""
        return self.whole.hash if self.route.reached and self.whole else self.route.hash


class Paths:
    """Traces paths, a few at a time, the most urgent first, and puts what it finds into the series table."""

    def __init__(self, trace: Trace, table: SeriesTable, clock: Clock) -> None:
        """Nothing is traced before `update` names the targets."""
        self._trace = trace
        self._table = table
        self._clock = clock
        self._targets: dict[str, Target] = {}
        self._by_place: dict[str, list[str]] = {}
        self._names: Mapping[str, str] = {}
        self._found: dict[str, _Found] = {}
        self._due: dict[str, float] = {}
        self._waiting: dict[str, _Because] = {}
        self._running: set[str] = set()
        self._wake = asyncio.Event()
        self._asked: dict[str, asyncio.Event] = {}

    def update(self, targets: Iterable[Target], names: Mapping[str, str]) -> None:
        """The targets to which paths lead from now on, and the names of hops by address."""
        before, self._targets = self._targets, {target.id: target for target in targets}
        self._names = names
        self._by_place = {}
        for name, target in self._targets.items():
            self._by_place.setdefault(_place(target), []).append(name)
        for name, target in before.items():
            if self._targets.get(name) != target:
                self._forget(name)
        now = self._clock.monotonic()
        for name in self._targets.keys() - self._due.keys():
            # at the start the first state of each asks for its path; later ones may keep theirs
            self._due[name] = now if before else first_due(name, now, WHOLE_S)
        for name in self._found:
            self._put(name)

    def changed(self, target: Target, _: TargetState) -> None:
        """The state of a target has changed; see `Monitor.changed`."""
        if target.id in self._targets:
            self._want(target.id, _Because.TRUNK_CHANGED if "trunk" in target.labels else _Because.LINK_CHANGED)

    async def run(self) -> None:
        """Trace until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._work())
            while True:
                await asyncio.sleep(LOOK_S)
                self.look()

    def look(self) -> None:
        """Have those paths traced that have become old."""
        now = self._clock.monotonic()
        for name, due in self._due.items():
            if due <= now:
                self._want(name, _Because.OLD)

    async def ask(self, name: str) -> Mapping[str, Any] | None:
        """The path to a target, no older than `FRESH_S`; None for no target of ours. Raises `Busy`."""
        found = self._found.get(name)
        if name in self._targets and (found is None or self._clock.monotonic() - found.at >= FRESH_S):
            if name not in self._asked and len(self._asked) >= MOST_ASKED:
                raise Busy(f"{MOST_ASKED} paths are being traced for others; ask again in a few seconds")
            done = self._asked.setdefault(name, asyncio.Event())
            if name not in self._running:
                self._want(name, _Because.ASKED)
            await done.wait()
        return self.told(name)

    def told(self, name: str) -> Mapping[str, Any] | None:
        """What was found, as JSON-ready data; None before the first trace."""
        found = self._found.get(name)
        if found is None:
            return None
        route = found.route
        return {
            "target": name,
            "address": route.destination,
            "at": found.wall,
            "reached": route.reached,
            "hash": f"{found.hash:08x}",
            "hops": [self._hop(hop) for hop in route.hops],
            "broken_after": self._named(route.last.address) if route.last and not route.reached else None,
            "problem": route.problem or None,
        }

    def of_commune(self, code: str) -> Mapping[str, Any] | None:
        """The path that says most of a commune: the first that is broken, else the first of all."""
        return self._of(f"commune/{code}")

    def of_trunk(self, trunk: str) -> Mapping[str, Any] | None:
        """The path to a trunk's far end."""
        return self._of(f"trunk/{trunk}")

    def _of(self, place: str) -> Mapping[str, Any] | None:
        names = [name for name in self._by_place.get(place, ()) if name in self._found]
        broken = (name for name in names if not self._found[name].route.reached)
        return self.told(next(broken, names[0])) if names else None

    def _want(self, name: str, why: _Because) -> None:
        self._waiting[name] = min(why, self._waiting.get(name, why))
        self._wake.set()

    async def _work(self) -> None:
        while True:
            free = [name for name in self._waiting if name not in self._running]
            if not free:
                self._wake.clear()
                await self._wake.wait()
                continue
            name = min(free, key=self._waiting.__getitem__)
            del self._waiting[name]
            self._running.add(name)
            try:
                await self._find(name, self._targets[name])
            finally:
                self._running.remove(name)
                self._wake.set()  # its state may have changed meanwhile

    async def _find(self, name: str, target: Target) -> None:
        """Trace once. The crash boundary: a bug in tracing must not end the agent."""
        try:
            route = await self._trace(target)
        except Exception:
            log.exception("the path to %s could not be traced in a way nobody expected; please report it", name)
            route = Route("", problem="unexpected failure, see the log")
        if self._targets.get(name) != target:
            return
        now = self._clock.monotonic()
        before = self._found.get(name)
        self._found[name] = _after(before, route, now, self._clock.wall())
        # a path is looked at again at a moment of its own, so that an agent's start is not repeated every hour
        self._due[name] = first_due(name, now + WHOLE_S / 2, WHOLE_S) if route.reached else now + BROKEN_S
        ending = self._ending(route)
        if ending != self._ending(before.route) if before else not route.reached:
            log.info("the path to %s %s", name, ending)
        self._put(name)
        self._release(name)

    def _ending(self, route: Route) -> str:
        if route.reached:
            return f"is whole, {len(route.hops)} hops"
        return (
            f"ends after {self._named(route.last.address)}"
            if route.last
            else route.problem or "has no hop that answers"
        )

    def _put(self, name: str) -> None:
        found = self._found[name]
        route = found.route
        readings = [Reading(metrics.PATH_TRACED, found.wall), Reading(metrics.PATH_CHANGES, found.changes)]
        if not route.problem:
            last = route.last.address if route.last else ""
            state = "whole" if route.reached else "broken"
            readings += (
                Reading(metrics.PATH_REACHED, float(route.reached)),
                Reading(metrics.PATH_HOPS, len(route.hops)),
                Reading(metrics.PATH_HASH, found.hash),
                Reading(metrics.PATH_INFO, 1, (last, self._named(last), state)),
            )
        self._table.put(f"path/{name}", self._targets[name].labels, readings)

    def _hop(self, hop: Hop) -> dict[str, Any]:
        return {
            "ttl": hop.ttl,
            "address": hop.addresses[0] if hop.addresses else None,
            "others": list(hop.addresses[1:]),
            "name": self._names.get(hop.address),
            "rtt_s": hop.rtt_s,
            "kind": hop.kind or ("reply" if hop.addresses else None),
        }

    def _named(self, address: str) -> str:
        """For people: the address, with the hop's name where the inventory gives one."""
        return f"{address} ({self._names[address]})" if address in self._names else address

    def _release(self, name: str) -> None:
        asked = self._asked.pop(name, None)
        if asked is not None:
            asked.set()

    def _forget(self, name: str) -> None:
        self._due.pop(name, None)
        self._waiting.pop(name, None)
        if self._found.pop(name, None) is not None:
            self._table.drop(f"path/{name}")
        self._release(name)


def _after(before: _Found | None, route: Route, at: float, wall: float) -> _Found:
    """What is known after another trace; another way is one that led to the target, as the one before did."""
    known, changes = (before.whole, before.changes) if before else (None, 0)
    if not route.reached:
        return _Found(route, at, wall, known, changes)
    if known is not None and route.same_as(known):
        return _Found(route, at, wall, route.filled(known), changes)
    return _Found(route, at, wall, route, changes + (known is not None))


def _place(target: Target) -> str:
    """What a path belongs to: a commune, or a trunk."""
    return "/".join(next((label, target.labels[label]) for label in ("commune", "trunk") if label in target.labels))
