"""The alerts: one list, and the rule file made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from alerts import texts
from alerts.layout import dump
from alerts.queries import agent_silent, open_incidents
from probes.language import Translate, translator
from probes.model import Province
from probes.names import (
    ALERT_AGENT_VANISHED,
    ALERT_COMMUNE_DOWN,
    ALERT_SERVICE_DOWN,
    DASHBOARD_PROVINCE,
    dashboard_uid,
    duration,
)
from probes.results import RootKind

Text = Callable[[Translate], str]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule. `team` is whom it concerns, `layer` what it is about; both only route and group."""

    name: str
    expr: str
    severity: str
    team: str
    layer: str
    summary: Text
    description: Text


def alerts(province: Province) -> tuple[Alert, ...]:
    """Every alert of a province.

    State, damping and cause come from the agent; the identity of an alert never holds the cause, so that a revised
    diagnosis changes the text and pages nobody again. `CommuneDown` is two rules, for their severities.
    """
    code, timings = province.province, province.timings
    incidents = partial(open_incidents, code, scrape_s=timings.scrape_s)
    return (
        Alert(
            name=ALERT_COMMUNE_DOWN,
            expr=incidents(RootKind.TRUNK, "> 0"),
            severity="critical",
            team="province",
            layer="trunk",
            summary=texts.trunk_summary,
            description=texts.trunk_description,
        ),
        Alert(
            name=ALERT_COMMUNE_DOWN,
            expr=incidents(RootKind.COMMUNE, "> 0"),
            severity="warning",
            team="province",
            layer="commune",
            summary=texts.commune_summary,
            description=texts.commune_description,
        ),
        Alert(
            name=ALERT_SERVICE_DOWN,
            expr=incidents(RootKind.SERVICE, ">= 0"),  # a dead service darkens no commune
            severity="critical",
            team="apps",
            layer="service",
            summary=texts.service_summary,
            description=texts.service_description,
        ),
        Alert(
            name=ALERT_AGENT_VANISHED,
            expr=agent_silent(code, timings.agent_silent_s),
            severity="critical",
            team="province",
            layer="agent",
            summary=partial(texts.agent_summary, code),
            description=texts.agent_description,
        ),
    )


def text(province: Province, languages: Sequence[str]) -> str:
    """The rule file, as YAML."""
    group = {
        "name": "lienxa",
        "interval": duration(province.timings.evaluation_s),
        "rules": [_rule(alert, province, languages) for alert in alerts(province)],
    }
    return dump({"groups": [group]})


def _rule(alert: Alert, province: Province, languages: Sequence[str]) -> Mapping[str, object]:
    uid = dashboard_uid(DASHBOARD_PROVINCE, languages[0] if languages else "en")
    annotations = {}
    for language in ("en", *(language for language in languages if language != "en")):
        translate = translator(language)
        suffix = "" if language == "en" else f"_{language}"
        annotations[f"summary{suffix}"] = alert.summary(translate)
        description = alert.description(translate) + texts.whom_to_call(province.contacts, alert.layer, translate)
        if alert.layer == "service":
            description += texts.system_actions(province.services, language)
        annotations[f"description{suffix}"] = description
    annotations["dashboard_url"] = f"/d/{uid}?var-province={province.province}"
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": duration(province.timings.for_s),
        "labels": {"severity": alert.severity, "team": alert.team, "layer": alert.layer},
        "annotations": annotations,
    }
