"""The PromQL of the province's dashboard, built from the catalogue."""

from __future__ import annotations

from dashboards.states import severity
from probes.metrics import (
    COMMUNE_CAUSE,
    COMMUNE_INFO,
    COMMUNE_SILENT_SINCE,
    COMMUNE_STATE,
    COMMUNE_STATE_SECONDS,
    INCIDENT_CAUSE,
    INCIDENT_COMMUNES,
    INCIDENT_OPENED,
    INCIDENT_OVERLAY,
    SERVICE_INFO,
    TARGET_STATE,
    TARGET_STATE_SINCE,
    TRUNK_INFO,
    UPS_CHARGE,
    Family,
    selector,
)
from probes.results import CommuneState, RootKind

HERE = "$province"
FAILING = "~degraded|down"
COMMUNE = "province, commune"
INCIDENT = "province, root, root_kind"
MILLISECONDS = "* 1000"
"""Grafana's dates count in milliseconds."""
WORST = 10


def communes_in(state: CommuneState) -> str:
    """How many communes are in a state; 0 in a healthy province, nothing if the agent is silent."""
    return f"sum(max by ({COMMUNE}) ({selector(COMMUNE_STATE, province=HERE, state=state)}))"


def services_in(state: str) -> str:
    """How many of the province's services are in a state; those inside a commune are told with it."""
    series = selector(TARGET_STATE, province=HERE, service="~.+", commune="", state=state)
    every = selector(TARGET_STATE, province=HERE, service="~.+", commune="")
    return f"sum(max by (province, service, path) ({series})) or sum(0 * {every})"


def commune_states() -> str:
    """One row per commune that is not up and per cause: its severity."""
    return f"{_rows()} * on ({COMMUNE}) group_left () ({severity(COMMUNE_STATE, COMMUNE, province=HERE)} > 0)"


def commune_since() -> str:
    """The same rows: since when, in milliseconds; of a commune that still answers, since its first failing target.

    0 where nobody knows: Grafana names the columns of the other query differently if this one is empty.
    """
    silent = selector(COMMUNE_SILENT_SINCE, province=HERE)
    since = selector(TARGET_STATE_SINCE, province=HERE, commune="~.+")
    failing = selector(TARGET_STATE, province=HERE, commune="~.+", state=FAILING)
    started = (
        f"max by ({COMMUNE}) ({silent}) or min by ({COMMUNE}) "
        f"({since} and on (province, target) (max by (province, target) ({failing}) == 1)) "
        f"or 0 * max by ({COMMUNE}) ({selector(COMMUNE_INFO, province=HERE)})"
    )
    return f"{_rows()} * on ({COMMUNE}) group_left () ({started}) {MILLISECONDS}"


def incident_sizes() -> str:
    """One row per open incident, with its cause and the name of its root: how many communes it explains."""
    return _described(_incidents())


def incident_openings() -> str:
    """The same rows: since when, in milliseconds."""
    return f"{_described(selector(INCIDENT_OPENED, province=HERE))} {MILLISECONDS}"


def service_states() -> str:
    """Each service's severity over time."""
    by = "province, service, path"
    return _named(severity(TARGET_STATE, by, province=HERE, service="~.+", commune=""), SERVICE_INFO, by)


def trunk_states() -> str:
    """The severity of each trunk that is probed itself, over time."""
    by = "province, trunk"
    return _named(severity(TARGET_STATE, by, province=HERE, trunk="~.+", commune=""), TRUNK_INFO, by)


def troubled_communes() -> str:
    """The severity over time of each commune that was down or degraded at any moment shown."""
    seconds = selector(COMMUNE_STATE_SECONDS, province=HERE, state=FAILING)
    states = _named(severity(COMMUNE_STATE, COMMUNE, province=HERE), COMMUNE_INFO, COMMUNE)
    return f"({states}) and on ({COMMUNE}) (increase({seconds}[$__range] @ end()) > 0)"


def lowest_batteries() -> str:
    """Charge over time of the communes whose UPS is emptiest at the end, or was before it fell silent."""
    charge = selector(UPS_CHARGE, province=HERE)
    lowest = f"bottomk({WORST}, min by ({COMMUNE}) (last_over_time({charge}[$__range] @ end())))"
    return f"({_named(f'min by ({COMMUNE}) ({charge})', COMMUNE_INFO, COMMUNE)}) and on ({COMMUNE}) {lowest}"


def provinces() -> str:
    """The variable's query."""
    return f"label_values({COMMUNE_INFO.name}, province)"


def _named(expression: str, info: Family, by: str) -> str:
    return f"{expression} * on ({by}) group_left (name) max by ({by}, name) ({selector(info, province=HERE)})"


def _rows() -> str:
    """1 for each commune that is not up and each of its causes (one row without, if it has none)."""
    causes = f"{selector(COMMUNE_CAUSE, province=HERE)} == 1"
    states = f"{selector(COMMUNE_STATE, province=HERE, state='~degraded|down|blind|unknown')} == 1"
    rows = f"(max by ({COMMUNE}, cause) ({causes}) or (max by ({COMMUNE}) ({states}) unless on ({COMMUNE}) ({causes})))"
    return _named(rows, COMMUNE_INFO, COMMUNE)


def _incidents() -> str:
    """Every open incident, under an overlay or not."""
    return f"{selector(INCIDENT_COMMUNES, province=HERE)} or {selector(INCIDENT_OVERLAY, province=HERE)}"


def _described(series: str) -> str:
    cause = f"max by ({INCIDENT}, cause) ({selector(INCIDENT_CAUSE, province=HERE)} == 1)"
    return (
        f"max by ({INCIDENT}) ({series}) * on ({INCIDENT}) group_left (cause) {cause}"
        f" * on ({INCIDENT}) group_left (name) ({_root_names()})"
    )


def _root_names() -> str:
    """1 for each possible root of an incident, with its name; a root without one (the agent) is its own name."""
    infos = ((COMMUNE_INFO, RootKind.COMMUNE), (TRUNK_INFO, RootKind.TRUNK), (SERVICE_INFO, RootKind.SERVICE))
    names = []
    for info, kind in infos:
        named = f"max by (province, {kind}, name) ({selector(info, province=HERE)})"
        rooted = f'label_replace({named}, "root", "$1", "{kind}", "(.+)")'
        names.append(f'max by ({INCIDENT}, name) (label_replace({rooted}, "root_kind", "{kind}", "", ""))')
    open_roots = f"max by ({INCIDENT}) ({_incidents()})"
    # 1 instead of the count: the root's name is multiplied with what it describes
    itself = f'label_replace({open_roots} * 0 + 1, "name", "$1", "root", "(.+)")'
    return f"{' or '.join(names)} or on ({INCIDENT}) {itself}"
