"""The calendar: which maintenance window and which announced power cut lies over what, at a moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dateutil.rrule import rrule

from agent.diagnosis import Overlays, PlannedCut
from probes.model import Province
from probes.model.windows import VIETNAM, Window, recurrence
from probes.results import Overlay

TOLERANCE_S = 1800.0
"""Where an inventory names no file of planned cuts, and so no tolerance."""


ALIKE: Mapping[str, int] = {"DAILY": 1, "WEEKLY": 7}
"""Days after which one occurrence of a rule looks like another; of other rules none does."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One announced power cut of a commune, in seconds since 1970."""

    commune: str
    start: float
    end: float
    reason: str = ""


class Calendar:
    """What lies over a province at a wall-clock moment.

    Windows and cuts are looked at only when one of them begins or ends; in between, an answer costs next to nothing.
    Both at once are `maintenance`: it silences whatever the cause, where a planned cut silences a loss of power only.
    """

    def __init__(self, province: Province, cuts: Iterable[Cut] = ()) -> None:
        """Nothing is looked at yet."""
        self._windows = [(_reach(province, window), _occurrences(window)) for window in province.maintenance]
        tolerance_s = province.planned_cuts.tolerance_s if province.planned_cuts else TOLERANCE_S
        self._spans = list(_spans(cuts, tolerance_s))
        self.overlays = (
            Overlay.NONE,
            *((Overlay.MAINTENANCE,) if province.maintenance else ()),
            *((Overlay.PLANNED,) if province.planned_cuts else ()),
        )
        """The overlays that this province can ever have."""
        self.ahead = self.active = 0
        """Cuts announced at the moment of the last answer."""
        self._held = Overlays()
        self._since: Mapping[str, float] = {}
        self._from = math.inf
        self._until = -math.inf

    def at(self, wall: float, monotonic: float) -> Overlays:
        """What lies over what at a moment, told by both clocks; the times in the answer are monotonic."""
        if not self._from <= wall < self._until:
            self._look(wall)
        if not self._since:
            return self._held
        passed = monotonic - wall
        cuts = {
            commune: replace(self._held.cuts[commune], since=since + passed) for commune, since in self._since.items()
        }
        return replace(self._held, cuts=cuts)

    def _look(self, wall: float) -> None:
        until = math.inf
        communes: dict[str, Overlay] = {}
        trunks: dict[str, Overlay] = {}
        services: dict[str, Overlay] = {}
        vantage = Overlay.NONE
        cuts: dict[str, PlannedCut] = {}
        self.ahead = 0
        for span in self._spans:
            if span.begins <= wall < span.ends:
                communes[span.commune] = Overlay.PLANNED
                cuts[span.commune] = PlannedCut(span.begins, span.words)
                until = min(until, span.ends)
            elif wall < span.begins:
                self.ahead += 1
                until = min(until, span.begins)
        for reach, occurrences in self._windows:
            lies, change = occurrences.at(wall)
            until = min(until, change)
            if lies:
                communes |= dict.fromkeys(reach.communes, Overlay.MAINTENANCE)
                trunks |= dict.fromkeys(reach.trunks, Overlay.MAINTENANCE)
                services |= dict.fromkeys(reach.services, Overlay.MAINTENANCE)
                vantage = Overlay.MAINTENANCE if reach.vantage else vantage
        self.active = len(cuts)
        self._held = Overlays(communes, trunks, services, vantage, cuts)
        self._since = {commune: cut.since for commune, cut in cuts.items()}
        self._from, self._until = wall, until


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a window lies over."""

    communes: frozenset[str]
    trunks: frozenset[str]
    services: frozenset[str]
    vantage: bool = False


def _reach(province: Province, window: Window) -> _Reach:
    """A trunk's window lies over all trunks and communes behind it; one that names nothing, over everything."""
    parents = {trunk.id: trunk.parent for trunk in province.trunks}
    if not (window.communes or window.trunks or window.services):
        local = [service.id for commune in province.communes for service in commune.services]
        services = frozenset([*(service.id for service in province.services), *local])
        communes = frozenset(commune.code for commune in province.communes)
        return _Reach(communes, frozenset(parents), services, vantage=True)
    trunks = frozenset(trunk for trunk in parents if not _outwards(trunk, parents).isdisjoint(window.trunks))
    behind = {commune.code for commune in province.communes if commune.trunk in trunks}
    return _Reach(frozenset([*window.communes, *behind]), trunks, frozenset(window.services))


def _outwards(trunk: str | None, parents: Mapping[str, str | None]) -> set[str]:
    """A trunk and all that it lies behind."""
    found: set[str] = set()
    while trunk is not None and trunk not in found:
        found.add(trunk)
        trunk = parents.get(trunk)
    return found


class _Occurrences:
    """The occurrences of one window; `stride` is what its rule may be moved by, none if it must not be."""

    def __init__(self, window: Window, rule: rrule | None = None, stride: timedelta | None = None) -> None:
        self._start, self._rule, self._stride = window.start, rule, stride
        self._lasts_s = (window.end - window.start).total_seconds()
        self._from, self._answer = math.inf, (False, -math.inf)

    def at(self, wall: float) -> tuple[bool, float]:
        """Whether an occurrence lies over a moment, and until when that answer holds."""
        if not self._from <= wall < self._answer[1]:
            self._from, self._answer = wall, self._look(wall)
        return self._answer

    def _look(self, wall: float) -> tuple[bool, float]:
        start = self._start.timestamp()
        if self._rule is None:
            if wall < start:
                return False, start
            return (True, start + self._lasts_s) if wall < start + self._lasts_s else (False, math.inf)
        now = datetime.fromtimestamp(wall, VIETNAM)
        rule = self._near(self._rule, wall - self._lasts_s - start)
        began = rule.before(now, inc=True)
        if began is not None and wall < began.timestamp() + self._lasts_s:
            return True, began.timestamp() + self._lasts_s
        begins = rule.after(now)
        return False, math.inf if begins is None else begins.timestamp()

    def _near(self, rule: rrule, age_s: float) -> rrule:
        """The same rule from shortly before a moment on that is so much later than the first occurrence.

        Reason: dateutil walks from the first occurrence, which may be years of days ago. Days and weeks are all alike,
        so a daily or weekly rule may as well begin any number of intervals later; a monthly one takes few steps.
        """
        skipped = int(age_s // self._stride.total_seconds()) - 1 if self._stride else 0
        return rule.replace(dtstart=self._start + skipped * self._stride) if self._stride and skipped > 0 else rule


def _occurrences(window: Window) -> _Occurrences:
    if window.repeat is None:
        return _Occurrences(window)
    rule = recurrence(window.repeat, window.start)
    parts = dict(part.partition("=")[::2] for part in window.repeat.upper().removeprefix("RRULE:").split(";"))
    interval = int(parts.get("INTERVAL", "1"))
    days = ALIKE.get(parts.get("FREQ", window.repeat.upper()))
    stride = timedelta(days=interval * days) if days and "COUNT" not in parts else None  # a COUNT counts from the first
    return _Occurrences(window, rule, stride)


@dataclass(slots=True)
class _Span:
    """Announced cuts of one commune that touch each other, with the tolerance around them."""

    commune: str
    begins: float
    ends: float
    first: Cut
    until: float
    reasons: tuple[str, ...]

    @property
    def words(self) -> str:
        start, end = datetime.fromtimestamp(self.first.start, VIETNAM), datetime.fromtimestamp(self.until, VIETNAM)
        ending = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
        because = f" ({', '.join(self.reasons)})" if self.reasons else ""
        return f"{start:%Y-%m-%d %H:%M} to {ending}{because}"


def _spans(cuts: Iterable[Cut], tolerance_s: float) -> Iterator[_Span]:
    """Reason for joining: a commune dark since the first of two rows that follow each other is explained by both."""
    span: _Span | None = None
    for cut in sorted(cuts, key=lambda cut: (cut.commune, cut.start, cut.end)):
        begins, ends = cut.start - tolerance_s, cut.end + tolerance_s
        if span is not None and span.commune == cut.commune and begins <= span.ends:
            span.ends, span.until = max(span.ends, ends), max(span.until, cut.end)
            if cut.reason and cut.reason not in span.reasons:
                span.reasons = (*span.reasons, cut.reason)
            continue
        if span is not None:
            yield span
        span = _Span(cut.commune, begins, ends, cut, cut.end, (cut.reason,) if cut.reason else ())
    if span is not None:
        yield span
