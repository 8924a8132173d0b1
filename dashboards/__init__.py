"""Grafana dashboards, generated from the metric catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards import province as province_dashboard
from dashboards.viz import render
from probes.language import translator
from probes.model import Province
from probes.names import DASHBOARD_PROVINCE, dashboard_uid

__all__ = ["build"]


def build(province: Province, languages: Sequence[str]) -> Mapping[str, str]:
    """The province's dashboard in each language: relative path -> text. An unknown language is a `ValueError`."""
    files = {}
    for language in languages:
        dashboard = province_dashboard.dashboard(province, language, languages, translator(language))
        files[f"grafana/dashboards/{language}/{dashboard_uid(DASHBOARD_PROVINCE, language)}.json"] = render(dashboard)
    return files
