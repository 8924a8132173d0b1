"""The damped state of a target: a fold over the grades of its beats, n of the last with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

from probes.results import TargetState

_BADNESS = {TargetState.UP: 0, TargetState.DEGRADED: 1, TargetState.DOWN: 2}


@dataclass(frozen=True, slots=True)
class Fold:
    """What is remembered of a target between beats.

    `since` is when the present state began: the start of the run of beats that led to it, not the beat that settled
    it. `recent` holds (grade, start of its beat) of the latest beats that said anything, oldest first.
    """

    state: TargetState = TargetState.UNKNOWN
    since: float = 0.0
    recent: tuple[tuple[TargetState, float], ...] = ()


def fold(before: Fold, grade: TargetState, at: float, *, fall: int, rise: int) -> Fold:
    """Take in one beat's grade; a beat that says nothing of the target (`UNKNOWN`) changes nothing.

    The state worsens after `fall` beats in a row that are all worse, improves after `rise` that are all better, in
    both cases to the nearest that all of them reach. The first beat of all settles a healthy state at once; a bad one
    has to prove itself.
    """
    if grade is TargetState.UNKNOWN:
        return before
    recent = (*before.recent, (grade, at))[-max(fall, rise) :]
    if before.state is TargetState.UNKNOWN and grade is TargetState.UP:
        return Fold(grade, at, recent)
    level = _BADNESS.get(before.state, 0)
    for needed, better in ((fall, False), (rise, True)):
        latest = recent[-needed:]
        if len(latest) == needed and all(
            _BADNESS[word] < level if better else _BADNESS[word] > level for word, _ in latest
        ):
            nearest = min((word for word, _ in latest), key=lambda word: abs(_BADNESS[word] - level))
            return Fold(nearest, latest[0][1], recent)
    return Fold(before.state, before.since, recent)
