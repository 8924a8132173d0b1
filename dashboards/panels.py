"""Panels as factories, so that every dashboard uses the same colours, words and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards import states
from dashboards.viz import PromTarget, Viz, panel, target
from probes.language import Translate
from probes.metrics import Family
from probes.names import STATES
from probes.results import CommuneState

ROWS_PER_PAGE = 25
"""Of a state timeline. Their names overlap if its panel is lower than about 15 grid rows."""

MIN_WIDTH = 145
"""Pixels of a column that shares what the fixed ones leave: holds most causes in each language."""


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and the label or word that names its series."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the field it shows (a label, or `Value #A` for query A), its heading, how it looks."""

    source: str
    heading: str
    look: Mapping[str, Any] = field(default_factory=dict)


def state_column(source: str, heading: str, translate: Translate) -> Column:
    """A severity number as a coloured word."""
    cell = {"mappings": states.mappings(translate), "custom.cellOptions": {"type": "color-background", "mode": "basic"}}
    return Column(source, heading, {**cell, "custom.width": 155})


def word_column(
    source: str, heading: str, words: Mapping[str, str], translate: Translate, min_width: int = MIN_WIDTH
) -> Column:
    """A label whose values have words of their own; any other value is shown as it is."""
    return Column(source, heading, {"mappings": states.words(words, translate), "custom.minWidth": min_width})


def value_column(source: str, heading: str, family: Family) -> Column:
    """A value in its family's unit."""
    return Column(source, heading, {"unit": states.unit(family), "custom.width": 96})


def moment_column(source: str, heading: str, translate: Translate) -> Column:
    """A moment in milliseconds, to the minute and without its year; 0 is one that nobody knows."""
    unknown = {"type": "value", "options": {"0": {"index": 0, "text": "–"}}}
    layout = translate("HH:mm D MMM")
    return Column(source, heading, {"unit": f"time:{layout}", "mappings": [unknown], "custom.width": 105})


def state_counts(title: str, description: str, no_value: str, counts: Mapping[str, str], translate: Translate) -> Viz:
    """One number per state with the state's word, in the state's colour while it is not zero."""
    targets, overrides = [], []
    for letter, (state, expression) in zip("ABCDE", counts.items(), strict=False):
        word = translate(STATES[state])
        targets.append(target(expr=expression, legendFormat=word, refId=letter, instant=True))
        steps = [{"color": "green", "value": None}, {"color": states.COLOURS[state], "value": 1}]
        overrides.append(_override(word, {"thresholds": {"mode": "absolute", "steps": steps}}))
    return panel(
        type="stat",
        title=title,
        description=description,
        targets=targets,
        options={
            "colorMode": "background_solid",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "vertical",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "value_and_name",
            "wideLayout": False,
        },
        defaults={
            "color": {"mode": "thresholds"},
            "noValue": no_value,
            # without a series no override holds, and Grafana's own base colour is green
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": states.COLOURS[CommuneState.UNKNOWN], "value": None}],
            },
            "unit": "none",
        },
        overrides=overrides,
    )


def table(
    title: str, description: str, no_value: str, queries: Sequence[Query], columns: Sequence[Column], worst: str
) -> Viz:
    """Instant queries merged by their labels, the highest of field `worst` first."""
    return panel(
        type="table",
        title=title,
        description=description,
        targets=[
            target(expr=query.expr, refId=letter, instant=True, table=True)
            for letter, query in zip("ABCDE", queries, strict=False)
        ],
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": True, "field": worst}]}},
            {"id": "filterFieldsByName", "options": {"include": {"names": [column.source for column in columns]}}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {},
                    "includeByName": {},
                    "indexByName": {column.source: index for index, column in enumerate(columns)},
                    "renameByName": {column.source: column.heading for column in columns},
                },
            },
        ],
        options={
            "cellHeight": "sm",
            "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
            "showHeader": True,
        },
        defaults={"noValue": no_value},
        custom={
            "align": "left",
            "cellOptions": {"type": "auto"},
            "filterable": False,
            "inspect": False,
            "minWidth": MIN_WIDTH,
        },
        overrides=[_override(column.heading, column.look) for column in columns if column.look],
    )


def state_timeline(title: str, description: str, no_value: str, queries: Sequence[Query], translate: Translate) -> Viz:
    """Severity numbers over time, one row per subject."""
    return panel(
        type="state-timeline",
        title=title,
        description=description,
        targets=_over_time(queries),
        options={
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "mergeValues": True,
            "perPage": ROWS_PER_PAGE,
            "rowHeight": 0.85,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        defaults={
            # not by thresholds: Grafana would show the threshold's range in place of the state's word
            "color": {"mode": "fixed", "fixedColor": states.COLOURS[CommuneState.UNKNOWN]},
            "mappings": states.mappings(translate, gap=True),
            "noValue": no_value,
        },
        custom={"fillOpacity": 80, "insertNulls": False, "lineWidth": 0, "spanNulls": False},
    )


def lines(title: str, description: str, no_value: str, query: Query, family: Family, scale: Mapping[str, float]) -> Viz:
    """A family over time, in its unit; gaps stay gaps."""
    return panel(
        type="timeseries",
        title=title,
        description=description,
        targets=_over_time([query]),
        options={
            "legend": {
                "calcs": ["lastNotNull"],
                "displayMode": "table",
                "placement": "right",
                "showLegend": True,
                "sortBy": "Last *",
                "sortDesc": False,
            },
            "tooltip": {"mode": "multi", "sort": "asc"},
        },
        defaults={
            "color": {"mode": "shades", "fixedColor": "blue"},  # a palette's red and green would look like states
            "noValue": no_value,
            "unit": states.unit(family),
            **scale,
        },
        custom={
            "drawStyle": "line",
            "fillOpacity": 0,
            "lineInterpolation": "linear",
            "lineWidth": 2,
            "showPoints": "never",
            "spanNulls": False,
        },
    )


def _over_time(queries: Sequence[Query]) -> list[PromTarget]:
    return [
        target(expr=query.expr, legendFormat=query.legend, refId=letter)
        for letter, query in zip("ABCDE", queries, strict=False)
    ]


def _override(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Field options for the field of one name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }
