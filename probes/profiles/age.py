"""How long a device has been up: a wrap of its counter told from a restart, a restarted agent from a device; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probes import metrics

WRAP_S = 2**32 / 100
"""TimeTicks start again after 497.1 days."""
SLACK_S = 60.0
DRIFT = 0.02
"""How wrong a device's clock may run."""


@dataclass(frozen=True, slots=True)
class Age:
    """What was known of a device's uptime at the last reading; `at` is our monotonic clock."""

    at: float
    uptime_s: float | None = None
    host_s: float | None = None
    boots: float | None = None
    wraps: int = 0
    restarts: int = 0
    restarted: bool = False
    """At this very reading."""


def aged(before: Age | None, said: Mapping[str, float], at: float) -> Age:
    """Fold one reading in: `said` are the system group's values by family."""
    uptime, host, boots, engine = (
        said.get(family.name)
        for family in (
            metrics.DEVICE_UPTIME,
            metrics.DEVICE_HOST_UPTIME,
            metrics.DEVICE_BOOTS,
            metrics.DEVICE_ENGINE_TIME,
        )
    )
    if before is None:
        return Age(at, uptime, host, boots, _wraps_by_engine(uptime, engine))
    elapsed = max(0.0, at - before.at)
    wraps = before.wraps
    behind = _behind(before.uptime_s, uptime, elapsed)
    if behind and _wrapped(before.uptime_s, uptime, elapsed):
        behind, wraps = False, wraps + 1
    rebooted = boots is not None and before.boots is not None and boots > before.boots
    only_agent = _behind(before.host_s, host, elapsed) is False
    restarted = (bool(behind) or rebooted) and not only_agent
    if behind:
        wraps = 0
    return Age(
        at=at,
        uptime_s=before.uptime_s if uptime is None else uptime,
        host_s=before.host_s if host is None else host,
        boots=before.boots if boots is None else boots,
        wraps=wraps,
        restarts=before.restarts + restarted,
        restarted=restarted,
    )


def _behind(before: float | None, now: float | None, elapsed: float) -> bool | None:
    """Whether a clock shows less than it should after this time; none where it shows nothing."""
    if before is None or now is None:
        return None
    return now < before + elapsed - SLACK_S - DRIFT * elapsed


def _wrapped(before: float | None, now: float | None, elapsed: float) -> bool:
    """Whether it shows what it should after its largest value."""
    if before is None or now is None:
        return False
    return abs(now + WRAP_S - before - elapsed) <= SLACK_S + DRIFT * elapsed


def _wraps_by_engine(uptime: float | None, engine: float | None) -> int:
    """How often the uptime has wrapped before we came: snmpEngineTime counts seconds, and not in hundredths."""
    if uptime is None or engine is None:
        return 0
    wraps = round((engine - uptime) / WRAP_S)
    return wraps if wraps > 0 and abs(engine - uptime - wraps * WRAP_S) < 10 * SLACK_S else 0
