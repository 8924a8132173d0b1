"""What the diagnosis says: verdicts on communes, open incidents, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from probes.results import Cause, CommuneState, Overlay, RootKind

Root = tuple[RootKind, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a verdict was reached: the rule's name, and the facts it used, in plain words."""

    rule: str
    facts: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one commune. Times are monotonic seconds; `last_words` maps a reading's name to (value, time)."""

    state: CommuneState
    causes: tuple[Cause, ...] = ()
    since: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    root: Root | None = None
    last_words: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    overlay: Overlay = Overlay.NONE
    """What lies over it; a planned cut only as far as it explains what is seen."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One root with everything it explains; `members` says since when each commune is dark.

    With an overlay nobody is paged for it; without, for its members but those in `covered`, which lie under one.
    """

    kind: RootKind
    root: str
    cause: Cause
    began: float
    opened: float
    members: Mapping[str, float] = field(default_factory=dict)
    returned: float | None = None
    """When the root came back while members were still dark; they are held until probed again."""
    overlay: Overlay = Overlay.NONE
    covered: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Identity that survives a revision of the cause."""
        return f"{self.kind}/{self.root}"


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that changed in this step; `members` are the communes it concerns with the seconds they were dark."""

    what: Literal["opened", "revised", "overlay", "returned", "closed", "verdict"]
    at: float
    subject: str
    before: str
    after: str
    members: Mapping[str, float] = field(default_factory=dict)
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one step says, beside the new memory."""

    verdicts: Mapping[str, Verdict]
    incidents: Mapping[str, Incident]
    transitions: tuple[Transition, ...]
    vantage_up: bool
