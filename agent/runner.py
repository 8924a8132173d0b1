"""Runs the beats: one task per target on its own grid, one crash boundary around each attempt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from probes import metrics
from probes.ports import Clock, Kind, Net
from probes.results import Beat, Conditions, Reason, Result, Target
from probes.schedule import first_due, next_due

log = logging.getLogger(__name__)

SLOTS = 256
"""Attempts of kinds that are not light that run at once; a waiting attempt is late, not slow."""

EARLY_S = 2.0
"""After its last beat a target is not beaten early sooner than this, however often that is asked for."""

UNKNOWN_CONDITIONS = Conditions()

Report = Callable[[Target, Result, float], None]
"""Takes a target's result and the monotonic start of its beat."""


@dataclass
class Tally:
    """What the runner counts of itself."""

    skipped: int = 0
    crashes: dict[str, int] = field(default_factory=dict)
    lateness_counts: list[int] = field(default_factory=lambda: [0] * (len(metrics.LATENESS_BUCKETS_S) + 1))
    lateness_sum_s: float = 0.0

    def late(self, seconds: float) -> None:
        """Count one beat's lateness."""
        self.lateness_counts[bisect_left(metrics.LATENESS_BUCKETS_S, seconds)] += 1
        self.lateness_sum_s += seconds


class Runner:
    """Probes targets until it is cancelled; knows no kind, only `check`."""

    def __init__(self, kinds: Mapping[str, Kind], net: Net, clock: Clock, report: Report) -> None:
        """`report` is called in the loop, right after each attempt; it must not block."""
        self.tally = Tally()
        self._kinds = kinds
        self._net = net
        self._clock = clock
        self._report = report
        self._slots = asyncio.Semaphore(SLOTS)
        self._running: dict[str, tuple[Target, asyncio.Task[None]]] = {}
        self._group: asyncio.TaskGroup
        self._conditions: dict[str, dict[str, Conditions]] = {}  # commune -> link id
        self._early: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def run(self, targets: Iterable[Target]) -> None:
        """Beat all targets until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            self.update(targets)
            await asyncio.Event().wait()  # the targets may change, and may be none

    def update(self, targets: Iterable[Target]) -> None:
        """Beat these targets from now on, while `run` runs: whoever is the same goes on and misses no beat."""
        wanted = {target.id: target for target in targets}
        for name, (target, task) in list(self._running.items()):
            if wanted.get(name) != target:
                task.cancel()
                del self._running[name]
                self._early.discard(name)
                self._conditions.get(target.labels.get("commune", ""), {}).pop(target.labels.get("link", ""), None)
        for name, target in wanted.items():
            if name not in self._running:
                self._running[name] = (target, self._group.create_task(self._beats(target), name=name))

    def hasten(self, name: str) -> None:
        """Beat a target now, in addition to the beat that is due; one that is just being probed, once more after it."""
        if name in self._running:
            self._early.add(name)
            waiting = self._waiting.get(name)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    async def _beats(self, target: Target) -> None:
        due = first_due(target.id, self._clock.monotonic(), target.beat_s)
        memory: object = None
        started = -math.inf
        slots = contextlib.nullcontext() if self._kinds[target.kind].light else self._slots
        while not _cancelled():
            early = await self._wait(target.id, due, started + EARLY_S)
            async with slots:
                started = self._clock.monotonic()
                if not early:
                    self.tally.late(max(0.0, started - due))
                memory = await self._attempt(target, memory, started)
            if early and self._clock.monotonic() < due:
                continue
            due, skipped = next_due(due, self._clock.monotonic(), target.beat_s)
            self.tally.skipped += skipped

    async def _wait(self, name: str, due: float, earliest: float) -> bool:
        """Until the beat is due, or until one is wanted sooner, and then at the earliest; whether it is early."""
        loop = asyncio.get_running_loop()
        while True:
            now = self._clock.monotonic()
            until = min(due, earliest) if name in self._early else due
            if now >= until:
                early = name in self._early and now < due
                self._early.discard(name)
                await asyncio.sleep(0)
                return early
            self._waiting[name] = waiting = loop.create_future()
            timer = loop.call_later(until - now, _wake, waiting)
            try:
                await waiting
            finally:
                timer.cancel()
                if self._waiting.get(name) is waiting:  # not that of its successor after a reload
                    del self._waiting[name]

    async def _attempt(self, target: Target, memory: object, started: float) -> object:
        """One check and its report; gives what the target remembers. The only place that catches the unexpected."""
        kind = self._kinds[target.kind]
        beat = Beat(target.id, target.beat_s, memory, self._conditions_of(target))
        try:
            try:
                async with asyncio.timeout(kind.deadline_s):
                    result = await kind.check(target.settings, self._net, beat)
            except TimeoutError:
                result = Result(Reason.TIMEOUT, detail=f"no end within {kind.deadline_s:g} s", memory=memory)
            if _cancelled():
                return memory
            self._note_conditions(target, result)
            self._report(target, result, started)
        except Exception:  # the crash boundary: a bug in one probe must not end the others
            log.exception("the probe of %s failed in a way nobody expected; please report it", target.id)
            self.tally.crashes[target.kind] = self.tally.crashes.get(target.kind, 0) + 1
            result = Result(Reason.INTERNAL, detail="unexpected failure, see the log", memory=memory)
            self._report(target, result, started)
        return result.memory

    def _note_conditions(self, target: Target, result: Result) -> None:
        """Remember how each link of a commune looks, for the probes that cross it."""
        if "link" not in target.labels:
            return
        loss = next((value for family, value, _ in result.readings if family is metrics.LINK_LOSS), None)
        if loss is not None:
            rtt_s = next((value for family, value, _ in result.readings if family is metrics.LINK_RTT_MEAN), None)
            links = self._conditions.setdefault(target.labels["commune"], {})
            links[target.labels["link"]] = Conditions(rtt_s, loss)

    def _conditions_of(self, target: Target) -> Conditions:
        """Those of the link that loses least: it carries what the commune's other probes send."""
        links = self._conditions.get(target.labels.get("commune", ""))
        if not links or "link" in target.labels:  # a link is its own condition
            return UNKNOWN_CONDITIONS
        return min(links.values(), key=lambda link: link.loss_ratio or 0.0)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _cancelled() -> bool:
    """Whether this task was told to end, though the cancellation got lost: before 3.12 `asyncio.wait_for`, which
    libraries use, swallows one that comes together with its result."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
