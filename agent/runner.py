"""Runs the beats: one task per target on its own grid, one crash boundary around each attempt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from probes import metrics
from probes.model import Beat, Conditions, Reason, Result, Target
from probes.ports import Clock, Kind, Net
from probes.schedule import first_due, next_due

log = logging.getLogger(__name__)

SLOTS = 256
"""Attempts that run at once; a waiting attempt is late, not slow."""
DEADLINE_S = 60.0
"""No attempt lasts longer, whatever its own time-outs say."""

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
        bucket = sum(1 for bound in metrics.LATENESS_BUCKETS_S if seconds > bound)
        self.lateness_counts[bucket] += 1
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
        self._conditions: dict[str, Conditions] = {}

    async def run(self, targets: Iterable[Target]) -> None:
        """Beat all targets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for target in targets:
                tasks.create_task(self._beats(target), name=target.id)

    async def _beats(self, target: Target) -> None:
        due = first_due(target.id, self._clock.monotonic(), target.beat_s)
        memory: object = None
        while True:
            await asyncio.sleep(due - self._clock.monotonic())
            self.tally.late(max(0.0, self._clock.monotonic() - due))
            async with self._slots:
                started = self._clock.monotonic()
                result = await self._attempt(target, memory)
            memory = result.memory
            self._note_conditions(target, result)
            self._report(target, result, started)
            due, skipped = next_due(due, self._clock.monotonic(), target.beat_s)
            self.tally.skipped += skipped

    async def _attempt(self, target: Target, memory: object) -> Result:
        """One check: the only place that catches what nobody expected."""
        conditions = self._conditions.get(target.labels.get("commune", ""), Conditions())
        beat = Beat(target.id, target.beat_s, memory, conditions)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._kinds[target.kind].check(target.settings, self._net, beat)
        except TimeoutError:
            return Result(Reason.TIMEOUT, detail=f"no end within {DEADLINE_S:g} s", memory=memory)
        except Exception:  # the crash boundary: a bug in one probe must not end the others
            log.exception("the probe of %s failed in a way nobody expected; please report it", target.id)
            self.tally.crashes[target.kind] = self.tally.crashes.get(target.kind, 0) + 1
            return Result(Reason.INTERNAL, detail="unexpected failure, see the log", memory=memory)

    def _note_conditions(self, target: Target, result: Result) -> None:
        """Remember how a commune's link looks, for the probes that cross it."""
        commune = target.labels.get("commune")
        if commune is None:
            return
        values = {reading.family: reading.value for reading in result.readings}
        if metrics.LINK_LOSS in values:
            self._conditions[commune] = Conditions(values.get(metrics.LINK_RTT_MEAN), values[metrics.LINK_LOSS])
