"""Exact accounts: every second of every commune in one cell, each outage by its cause once the commune is back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.diagnosis import Transition, Verdict
from probes.results import Cause, CommuneState, Overlay


@dataclass
class Accounts:
    """Counters that only grow while this process runs."""

    seconds: dict[tuple[str, CommuneState, Overlay], float] = field(default_factory=dict)
    outages: dict[tuple[str, Cause], float] = field(default_factory=dict)
    _until: float | None = None

    def take_in(self, verdicts: Mapping[str, Verdict], transitions: Iterable[Transition], now: float) -> None:
        """Add the time since the last call to what holds now, and the outages that ended. `now` is monotonic.

        A second counts in the cell of its state and of what lies over it; an outage by its cause, whatever lay over it.
        """
        passed = 0.0 if self._until is None else now - self._until
        self._until = now
        for commune, verdict in verdicts.items():
            cell = (commune, verdict.state, verdict.overlay)
            self.seconds[cell] = self.seconds.get(cell, 0.0) + passed
        for transition in transitions:
            if transition.what in {"closed", "returned"} and transition.cause is not None:
                for commune, dark in transition.members.items():
                    key = (commune, transition.cause)
                    self.outages[key] = self.outages.get(key, 0.0) + dark
