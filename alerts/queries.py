"""PromQL that rules and their texts are made of: what holds now, or what was last known of a silent agent."""

from __future__ import annotations

from probes.metrics import AGENT_LAST_ROUND, INCIDENT_COMMUNES, selector
from probes.names import duration

HOLD = "1h"
"""How long a last known state outlives its agent."""
REMEMBER = "7d"
"""How long an agent that was there once is missed. A dead agent's alert must not resolve by itself overnight."""

HOME = "max without (instance, job, replica)"
"""Drops what Prometheus adds, and what changes on a move or in a pair."""


def latest(series: str, province: str) -> str:
    """The series as they are; while the agent is silent, as they last were."""
    agent = selector(AGENT_LAST_ROUND, province=province)
    return f"{series} or (last_over_time({series}[{HOLD}]) unless on (province) {agent})"


def open_incidents(province: str, root_kind: str, threshold: str, scrape_s: float) -> str:
    """Open incidents of one root kind, held while the agent is silent.

    An incident is held only if it was on the last page that the agent served: its last sample is as young as the
    agent's own. Otherwise an agent that falls silent would bring back what it had closed within the hour. The end of
    a diagnosis's first round, not the start of the process, is what ends the hold.
    """
    series = selector(INCIDENT_COMMUNES, province=province, root_kind=root_kind)
    agent = selector(AGENT_LAST_ROUND, province=province)
    window = f"[{HOLD}:{duration(scrape_s / 2)}]"  # two looks per scrape, so that no last sample is missed
    return f"""\
{HOME} ({series}) {threshold}
or
(
  {HOME} (last_over_time({series}[{HOLD}])) {threshold}
  and
  (
    {HOME} (max_over_time(timestamp({series}){window}))
    >= on (province) group_left ()
    max by (province) (max_over_time(timestamp({agent}){window}))
  )
  unless on (province)
  {agent}
)
"""


def agent_silent(province: str, silent_s: float) -> str:
    """Seconds since the agent's last round, if too many: gone (last known value) and hung (same value) alike."""
    agent = selector(AGENT_LAST_ROUND, province=province)
    return f"time() - {HOME} (last_over_time({agent}[{REMEMBER}])) > {silent_s:g}\n"
