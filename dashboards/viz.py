"""Panels, targets and dashboards in Grafana's present JSON (schema 42), on top of grafanalib's composition layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attr
from grafanalib import core as G  # noqa: N812  # the name that grafanalib's own documentation uses

SCHEMA = 42
PLUGIN_VERSION = "12.0.0"
DATASOURCE: Mapping[str, str] = {"type": "prometheus", "uid": "${datasource}"}
LEGACY = ("rows", "style", "hideControls", "sharedCrosshair", "__inputs", "gnetId")
"""Keys that grafanalib emits and Grafana has dropped."""


@attr.s
class PromTarget(G.Target):  # type: ignore[misc]  # grafanalib has no types
    """One PromQL query of a panel; `table` asks once for the labels as columns, otherwise over time."""

    table: bool = attr.ib(default=False)

    def to_json_data(self) -> dict[str, Any]:
        """Grafana's JSON, without grafanalib's legacy keys (`step`, `metric`, `intervalFactor`)."""
        return {
            "datasource": dict(DATASOURCE),
            "editorMode": "code",
            "exemplar": False,
            "expr": self.expr,
            "format": "table" if self.table else "time_series",
            "instant": self.instant,
            "legendFormat": self.legendFormat or "__auto",
            "range": not self.instant,
            "refId": self.refId,
        }


@attr.s
class Viz(G.Panel):  # type: ignore[misc]  # grafanalib has no types
    """A panel of any type, in Grafana's own option names."""

    type: str = attr.ib(default="")
    options: Mapping[str, Any] = attr.ib(factory=dict)
    defaults: Mapping[str, Any] = attr.ib(factory=dict)
    custom: Mapping[str, Any] = attr.ib(factory=dict)
    overrides: Sequence[Any] = attr.ib(factory=list)

    def to_json_data(self) -> dict[str, Any]:
        """Grafana's JSON; `maxDataPoints` is left out, so that no short outage falls between two points."""
        panel = {
            "id": self.id,
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "datasource": dict(DATASOURCE),
            "gridPos": self.gridPos,
            "targets": self.targets,
            "options": self.options,
            "pluginVersion": PLUGIN_VERSION,
            "fieldConfig": {
                "defaults": {**self.defaults, **({"custom": self.custom} if self.custom else {})},
                "overrides": self.overrides,
            },
        }
        return {**panel, "transformations": self.transformations} if self.transformations else panel


def target(**settings: Any) -> PromTarget:
    """A `PromTarget`; grafanalib's own fields are unknown to a type checker."""
    return PromTarget(**settings)


def panel(**settings: Any) -> Viz:
    """A `Viz`; grafanalib's own fields are unknown to a type checker."""
    return Viz(**settings)


def render(dashboard: Any) -> str:
    """The dashboard as a file for Grafana's provisioning: sorted, so that equal input gives equal bytes."""
    data = json.loads(json.dumps(dashboard.auto_panel_ids().to_json_data(), cls=_Encoder))
    kept = {key: value for key, value in data.items() if key not in LEGACY}
    kept |= {"schemaVersion": SCHEMA, "fiscalYearStartMonth": 0, "timepicker": {}, "weekStart": "monday"}
    return json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class _Encoder(json.JSONEncoder):
    """Descends into grafanalib's objects."""

    def default(self, o: Any) -> Any:
        return o.to_json_data() if hasattr(o, "to_json_data") else super().default(o)
