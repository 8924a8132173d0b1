"""Every interval that agent, rules and Alertmanager must agree on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, model_validator

from probes.model.base import Seconds, Settings


class Timings(Settings):
    """Every interval that agent, rules and Alertmanager must agree on, in seconds unless named otherwise."""

    link_beat_s: Seconds = 10
    """How often a link or trunk gives a result."""
    link_packets: Annotated[int, Field(ge=1, le=1000)] = 10
    """Echo requests within one beat of a link, evenly spread; at most 100 a second."""
    ping_timeout_s: Annotated[float, Field(gt=0, le=10)] = 2
    """How long an echo reply may take; later ones are counted as late, their requests as lost."""
    service_beat_s: Seconds = 60
    """How often a service is probed that says nothing else."""
    device_beat_s: Seconds = 60
    """How often a device is asked."""
    fall: Annotated[int, Field(ge=1, le=20)] = 3
    """Failed beats in a row until a target is down."""
    rise: Annotated[int, Field(ge=1, le=20)] = 2
    """Better beats in a row until a target's state improves."""
    recovery_hold_s: Seconds = 120
    """Longest time that communes are held by a trunk that has come back."""
    scrape_s: Seconds = 15
    """How often Prometheus reads the agent."""
    evaluation_s: Seconds = 15
    """How often Prometheus evaluates its rules."""
    for_s: Seconds = 30
    """How long a rule's condition lasts before it fires: two scrapes."""
    agent_silent_s: Seconds = 300
    """How long the agent may be silent until that is an alert."""
    group_wait_s: Seconds = 10
    """How long Alertmanager gathers alerts before the first notification of a group."""
    group_interval_s: Seconds = 60
    """How long it then waits until it tells what has changed in the group."""
    repeat_interval_s: Seconds = 21600
    """When a notification about something still wrong is repeated."""

    @model_validator(mode="after")
    def _bounded_pace(self) -> Timings:
        if self.link_packets / self.link_beat_s > 100:
            raise ValueError("link_packets / link_beat_s must be at most 100 packets a second per link")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_profile(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "profile" not in data:
            return data
        own = {key: value for key, value in data.items() if key != "profile"}
        profile = data["profile"]
        if not isinstance(profile, str) or profile not in TIMING_PROFILES:
            raise ValueError(f"profile must be one of {', '.join(TIMING_PROFILES)}")
        return {**TIMING_PROFILES[profile], **own}


TIMING_PROFILES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "default": {},
        "fast": {  # demonstrations and tests: the same stages, each a few seconds long
            "link_beat_s": 1,
            "link_packets": 5,
            "ping_timeout_s": 1,
            "service_beat_s": 1,
            "device_beat_s": 2,
            "recovery_hold_s": 10,
            "scrape_s": 1,
            "evaluation_s": 1,
            "for_s": 2,
            "agent_silent_s": 10,
            "group_wait_s": 1,
            "group_interval_s": 2,
        },
    }
)
