"""Mains, batteries and what they keep alive, as a pure model: the time is always handed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

RECHARGE = 4.0
"""An empty battery needs this many times its runtime to be full again."""
LOW_CHARGE = 0.2
"""A battery with less calls itself low."""
_ALMOST_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Site:
    """One commune's electricity. Times are seconds on one clock; `charge` (0 to 1) is that at `since`.

    `runtime_s` is how long a full battery lasts, 0 without a UPS; `since` when the mains last went or came, `booted`
    when the equipment last started.
    """

    runtime_s: float
    booted: float
    mains: bool = True
    charge: float = 1.0
    since: float = 0.0
    line_bads: int = 0

    def charge_at(self, now: float) -> float:
        """The battery's charge, 0 to 1."""
        if not self.runtime_s:
            return 0.0
        passed = (now - self.since) / self.runtime_s
        return min(1.0, self.charge + passed / RECHARGE) if self.mains else max(0.0, self.charge - passed)

    @property
    def dark_from(self) -> float | None:
        """When the battery will be, or was, empty; None on mains."""
        return None if self.mains else self.since + self.charge * self.runtime_s

    def lit(self, now: float) -> bool:
        """Whether anything on the site works."""
        return self.dark_from is None or now < self.dark_from - _ALMOST_NOTHING

    def on_battery_s(self, now: float) -> float:
        """How long the site has lived on its battery: 0 on mains."""
        return 0.0 if self.mains else now - self.since

    def left_s(self, now: float) -> float:
        """How long the battery would last from now on."""
        return self.charge_at(now) * self.runtime_s

    def cut(self, now: float) -> Site:
        """The mains go."""
        if not self.mains:
            return self
        return replace(self, mains=False, charge=self.charge_at(now), since=now, line_bads=self.line_bads + 1)

    def back(self, now: float) -> Site:
        """The mains come back; what was dark starts anew."""
        if self.mains:
            return self
        booted = self.booted if self.lit(now) else now
        return replace(self, mains=True, charge=self.charge_at(now), since=now, booted=booted)

    def with_runtime(self, runtime_s: float, now: float) -> Site:
        """The same site with another battery, as full as the old one; nothing for a site without a UPS."""
        if not self.runtime_s:
            return self
        # On battery, `since` must stay: it says how long. The charge at that time is chosen to give today's.
        charge = self.charge_at(now) if self.mains else self.charge_at(now) + (now - self.since) / runtime_s
        return replace(self, runtime_s=runtime_s, charge=charge, since=now if self.mains else self.since)
