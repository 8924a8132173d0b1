"""Portals, platforms and APIs that communes depend on: the province's own, and national systems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from probes.model.base import Identifier, Settings, Several, Text

Via = Literal["dedicated", "internet"]
Layer = Literal["network", "application"]


def _date(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no date; write year-month-day, such as 2026-12-31") from None


Date = Annotated[date, BeforeValidator(_date)]
"""A day, `2026-12-31`."""


class Service(Settings):
    """A portal, platform or API; the settings of its probe kind stand beside these keys."""

    id: Identifier = Field(examples=["provincial-portal"])
    """By what windows, known issues and dashboards name it; with `use`, the national system's where none is given."""
    use: Identifier | None = Field(None, examples=["national-portal"])
    """A national system that lienxa knows; every key beside it overrides what the system brings."""
    kind: str = Field(examples=["http"])
    """How it is probed; each kind has settings of its own. A national system brings its kind."""
    name: str = Field("", examples=["Cổng dịch vụ công tỉnh"])
    """For people; the id where it is left out."""
    via: Via = "dedicated"
    """The way it is reached: the dedicated data network, or the internet."""
    layer: Layer = "application"
    """What a good answer proves: that the network leads there, or that the application works."""
    beat_s: Annotated[float, Field(ge=1, le=86400)] | None = Field(None, examples=[60])
    """How often it is probed; by default `timings.service_beat_s`, for a national system what it brings."""
    credential: Identifier | None = Field(None, examples=["portal"])
    """Name of an entry in `credentials`, for services that want to know who asks."""
    connected: bool = True
    """False for what is planned and not live yet: it is not probed, and shown as not connected, never as down."""
    expected_by: Date | None = Field(None, examples=["2026-12-31"])
    """When a service that is not connected should be."""
    settings: Mapping[str, Any] = Field(default_factory=dict, exclude=True)
    """Those of its kind, gathered from beside the other keys; never written in an inventory."""


class ServiceTemplate(Service):
    """A service that every commune of a class has; `{prefix}` in its settings is the commune's own."""


class KnownIssue(Settings):
    """A problem that is known and has an owner: `lienxa_known_issue_info` tells it beside the services it is about."""

    id: Identifier = Field(examples=["finance-3"])
    """A short name of your own."""
    title: Text = Field(examples=["Mã số đơn vị quan hệ ngân sách chưa đồng bộ"])
    """What is wrong, in one line."""
    owner: Text = Field(examples=["Bộ Tài chính"])
    """The ministry or body that has to solve it."""
    services: Several[Identifier] = Field((), examples=[["budget-codes"]])
    """Ids of services that it is about."""
    state: Literal["open", "resolved"] = "open"
    """`resolved` as soon as the owner has solved it; the entry may stay."""
    since: Date | None = Field(None, examples=["2026-08-26"])
    """The day on which it was first seen."""
