"""The province's dashboard: which communes are down or degraded, and why?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafanalib import core as G  # noqa: N812  # the name that grafanalib's own documentation uses

from dashboards import panels, queries
from dashboards.panels import Column, Query
from dashboards.viz import Viz
from probes import metrics
from probes.language import Translate
from probes.model import Province
from probes.names import CAUSES, DASHBOARD_PROVINCE, DATASOURCE_UID, ROOT_KINDS, dashboard_uid, duration
from probes.results import NOT_CONNECTED, CommuneState

LANGUAGE_NAMES = {"vi": "Tiếng Việt", "en": "English", "fr": "Français"}
FASTEST_REFRESH_S = 5
"""Grafana's own limit (`min_refresh_interval`)."""
SCRAPES_SHOWN = 1440
"""The time range: about one scrape for each pixel of a wall; 6 h at 15 s, 24 min in the lab."""


def dashboard(province: Province, language: str, languages: Sequence[str], translate: Translate) -> Any:
    """Six panels: how many, which and why, since when, and who goes dark next."""
    refresh_s = max(FASTEST_REFRESH_S, 2 * province.timings.scrape_s)
    shown_s = SCRAPES_SHOWN * province.timings.scrape_s
    return G.Dashboard(
        title=translate("Communes: what is down, and why"),
        description=translate("Which communes are down or degraded, and why? Red and orange need someone to act."),
        uid=dashboard_uid(DASHBOARD_PROVINCE, language),
        tags=["lienxa"],
        timezone="Asia/Ho_Chi_Minh",
        time=G.Time(f"now-{duration(shown_s)}", "now"),
        refresh=duration(refresh_s),
        editable=False,
        graphTooltip=G.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        templating=G.Templating(list=_variables(province, translate)),
        annotations=G.Annotations(list=[]),
        links=[_link(other) for other in languages if other != language],
        panels=[
            _placed(_communes(translate), 0, 0, 14, 4),
            _placed(_services(translate), 14, 0, 10, 4),
            _placed(_failing(translate), 0, 4, 13, 13),
            _placed(_incidents(translate), 13, 4, 11, 7),
            _placed(_timeline(translate), 13, 11, 11, 15),
            _placed(_batteries(translate), 0, 17, 13, 9),
        ],
    )


def _placed(panel: Viz, x: int, y: int, width: int, height: int) -> Viz:
    panel.gridPos = G.GridPos(h=height, w=width, x=x, y=y)
    return panel


def _communes(translate: Translate) -> Viz:
    counted = (CommuneState.DOWN, CommuneState.DEGRADED, CommuneState.BLIND, CommuneState.UNKNOWN)
    return panels.state_counts(
        translate("Communes not up"),
        translate(
            "Communes by verdict. Blind: the agent itself cannot see, so nobody is blamed. Unknown: no answer yet."
        ),
        translate("No data: the agent is silent"),
        {state: queries.communes_in(state) for state in counted},
        translate,
    )


def _services(translate: Translate) -> Viz:
    counted = (CommuneState.DOWN, CommuneState.DEGRADED, CommuneState.UNKNOWN, NOT_CONNECTED)
    return panels.state_counts(
        translate("Services not up"),
        translate(
            "Portals and platforms that the communes depend on, as seen from the province. Not connected: planned, "
            "not live yet."
        ),
        translate("No service, or the agent is silent"),
        {state: queries.services_in(state) for state in counted},
        translate,
    )


def _failing(translate: Translate) -> Viz:
    return panels.table(
        translate("Communes not up, worst first"),
        translate("Each commune with its state, every cause of it, and since when."),
        translate("No commune reported"),
        [Query(queries.commune_states()), Query(queries.commune_since())],
        [
            Column("name", translate("Commune")),
            panels.state_column("Value #A", translate("State"), translate),
            panels.word_column("cause", translate("Cause"), CAUSES, translate),
            panels.moment_column("Value #B", translate("Since"), translate),
            Column("commune", translate("Code"), {"custom.width": 70}),
        ],
        worst="Value #A",
    )


def _incidents(translate: Translate) -> Viz:
    return panels.table(
        translate("Open incidents"),
        translate("One line per common root: what failed, why, how many communes it takes along, and since when."),
        translate("No open incident reported"),
        [Query(queries.incident_sizes()), Query(queries.incident_openings())],
        [
            panels.word_column("name", translate("What failed"), {"agent": ROOT_KINDS["vantage"]}, translate, 200),
            panels.word_column("cause", translate("Cause"), CAUSES, translate),
            panels.value_column("Value #A", translate("Communes"), metrics.INCIDENT_COMMUNES),
            panels.moment_column("Value #B", translate("Since"), translate),
        ],
        worst="Value #A",
    )


def _timeline(translate: Translate) -> Viz:
    return panels.state_timeline(
        translate("Services, trunks and troubled communes over time"),
        translate("All services and trunks, and every commune that was down or degraded in the time shown."),
        translate("No data in the time shown"),
        [
            Query(queries.service_states(), "{{name}}"),
            Query(queries.trunk_states(), "{{name}}"),
            Query(queries.troubled_communes(), "{{name}}"),
        ],
        translate,
    )


def _batteries(translate: Translate) -> Viz:
    return panels.lines(
        translate("Lowest UPS batteries"),
        translate("The ten communes with the least charge. Where a falling line ends, the commune went dark."),
        translate("No UPS answers"),
        Query(queries.lowest_batteries(), "{{name}}"),
        metrics.UPS_CHARGE,
        {"min": 0, "max": 1},
    )


def _variables(province: Province, translate: Translate) -> list[dict[str, Any]]:
    return [
        {
            "name": "datasource",
            "type": "datasource",
            "label": translate("Data source"),
            "query": "prometheus",
            "current": {"text": DATASOURCE_UID, "value": DATASOURCE_UID},
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "options": [],
            "refresh": 1,
            "regex": "",
            "skipUrlSync": False,
        },
        {
            "name": "province",
            "type": "query",
            "label": translate("Province"),
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "definition": queries.provinces(),
            "query": {"qryType": 1, "query": queries.provinces(), "refId": "province"},
            "current": {"text": province.province, "value": province.province},
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "options": [],
            "refresh": 1,
            "regex": "",
            "skipUrlSync": False,
            "sort": 1,
        },
    ]


def _link(language: str) -> dict[str, Any]:
    """To the same dashboard in another language, with the same variables and time."""
    return {
        "type": "link",
        "title": LANGUAGE_NAMES[language],
        "url": f"/d/{dashboard_uid(DASHBOARD_PROVINCE, language)}",
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [],
        "targetBlank": False,
        "tooltip": "",
    }
