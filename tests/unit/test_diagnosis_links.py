"""Links that work badly, and what lies behind them: the diagnosis as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from pydantic import TypeAdapter

from agent.diagnosis import Change, Memory, Site, Topology
from agent.state import fold
from probes import metrics
from probes.results import Cause, CommuneState, Reason, Result
from tests.unit.test_diagnosis import BEAT, Story, site

CODE = "01290"
LINK, BACKUP, MEETING = f"link/{CODE}/primary", f"link/{CODE}/backup", f"service/{CODE}/meeting"


@dataclass
class Links(Story):
    """A story in which links may work badly, and communes have services of their own."""

    bad: dict[str, tuple[Reason, Mapping[str, float]]] = field(default_factory=dict)

    def targets(self) -> list[str]:
        return [*super().targets(), *(name for at in self.topology.communes.values() for name in at.services)]

    def change(self, target: str) -> Change:
        if target not in self.bad or target in self.silent:
            return super().change(target)
        reason, values = self.bad[target]
        grade = Result(reason).grade
        at = self.folds[target] = fold(self.folds[target], grade, self.now, fall=3, rise=self.topology.rise)
        return Change(target, self.now, at.state, at.since, answered=True, reason=reason, values=values)


def links(**more: float) -> Links:
    """A commune with two links and a meeting room, healthy for three beats."""
    plain: Site = replace(site(CODE, backup=True), services=(MEETING,))
    options = {"link_beat_s": BEAT, "device_beat_s": BEAT, "service_beat_s": BEAT, **more}
    story = Links(Topology({CODE: plain}, {}, references=("reference/hub",), **options))  # type: ignore[arg-type]  # all of them are seconds
    story.go(3)
    return story


def seen(rtt_s: float, jitter_s: float, loss: float) -> Mapping[str, float]:
    return {
        metrics.LINK_RTT_MEAN.name: rtt_s,
        metrics.LINK_JITTER.name: jitter_s,
        metrics.LINK_LOSS.name: loss,
    }


@pytest.mark.parametrize(
    ("reason", "values", "cause"),
    [
        (Reason.LOSS, {}, Cause.LOSS),
        (Reason.LATENCY, {}, Cause.LATENCY),
        (Reason.JITTER, {}, Cause.JITTER),
        (Reason.QUALITY, seen(0.4, 0.01, 0.0), Cause.LATENCY),
        (Reason.QUALITY, seen(0.1, 0.15, 0.0), Cause.JITTER),
        (Reason.QUALITY, seen(0.1, 0.01, 0.1), Cause.LOSS),
    ],
)
def test_a_degraded_link_says_what_makes_it_so(reason: Reason, values: Mapping[str, float], cause: Cause) -> None:
    story = links()
    story.bad[LINK] = (reason, values)
    story.go(4)
    assert story.state(CODE) == (CommuneState.DEGRADED, (cause,))
    assert [item.facts for item in story.outcome.verdicts[CODE].evidence] == [f"link primary is degraded: {cause}"]


def test_a_degraded_link_keeps_its_cause_through_a_good_beat() -> None:
    story = links()
    story.bad[LINK] = (Reason.LATENCY, {})
    story.go(4)
    del story.bad[LINK]
    story.go(1)
    assert story.state(CODE) == (CommuneState.DEGRADED, (Cause.LATENCY,))
    assert story.go(2).state(CODE) == (CommuneState.UP, ())


def test_on_a_bad_backup_both_is_told() -> None:
    story = links()
    story.silent.add(LINK)
    story.bad[BACKUP] = (Reason.JITTER, {})
    story.go(5)
    assert story.state(CODE) == (CommuneState.DEGRADED, (Cause.JITTER, Cause.ON_BACKUP))


def test_a_dead_service_of_its_own_degrades_a_commune_and_opens_nothing() -> None:
    story = links()
    story.silent.add(MEETING)
    story.go(5)
    assert story.state(CODE) == (CommuneState.DEGRADED, (Cause.SERVICE,))
    assert [item.facts for item in story.outcome.verdicts[CODE].evidence] == [
        "meeting does not answer while the link does"
    ]
    assert story.open() == {}
    story.silent.clear()
    assert story.go(3).state(CODE) == (CommuneState.UP, ())


def test_a_commune_that_returns_is_not_blamed_for_a_service_that_is_probed_rarely() -> None:
    story = links(service_beat_s=3 * BEAT)
    story.cut(CODE).go(15)
    assert story.state(CODE)[0] is CommuneState.DOWN
    story.heal(CODE)
    causes = set()
    for _ in range(20):
        causes |= set(story.go(1).state(CODE)[1])
    assert Cause.SERVICE not in causes
    assert story.state(CODE) == (CommuneState.UP, ())


def test_why_a_link_is_degraded_survives_json() -> None:
    story = links()
    story.bad[LINK] = (Reason.JITTER, {})
    story.go(4)
    plain = TypeAdapter(Memory)
    story.memory = plain.validate_json(plain.dump_json(story.memory))
    assert story.memory.targets[LINK].degraded_by is Reason.JITTER
