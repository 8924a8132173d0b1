"""How states and units look in Grafana: one colour and one word for each state, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from probes.language import Translate
from probes.metrics import COMMUNE_STATE, Family, Unit, selector
from probes.names import STATES
from probes.results import NOT_CONNECTED, CommuneState

SEVERITY: Mapping[str, int] = MappingProxyType(
    {
        CommuneState.DOWN: 4,
        CommuneState.DEGRADED: 3,
        CommuneState.BLIND: 2,
        CommuneState.UNKNOWN: 1,
        CommuneState.UP: 0,
        NOT_CONNECTED: -1,
    }
)
"""A state as a number, the worst highest. Targets share the words, but are never blind; a service may not be live."""

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        CommuneState.DOWN: "red",
        CommuneState.DEGRADED: "orange",
        CommuneState.BLIND: "purple",
        CommuneState.UNKNOWN: "#808080",
        CommuneState.UP: "green",
        NOT_CONNECTED: "#5b7fa6",
    }
)

GAP = "#80808040"
"""Where nothing was measured: fainter than a state."""

GRAFANA_UNITS: Mapping[Unit, str] = MappingProxyType(
    {
        "seconds": "s",
        "ratio": "percentunit",
        "bytes": "bytes",
        "count": "none",
        "volts": "volt",
        "timestamp": "dateTimeAsIso",  # Grafana counts in milliseconds: see `queries.MILLISECONDS`
        "flag": "bool",
        "state": "none",
        "bytes_per_second": "Bps",
        "info": "none",
        "celsius": "celsius",
        "dbm": "dBm",
        "db": "dB",
        "amperes": "amp",
        "watts": "watt",
        "rpm": "rotrpm",
    }
)


def unit(family: Family) -> str:
    """Grafana's name for a family's unit."""
    return GRAFANA_UNITS[family.unit]


def mappings(translate: Translate, *, gap: bool = False) -> list[dict[str, Any]]:
    """Severity numbers as coloured words; with `gap`, also a word for no number at all."""
    options = {
        str(SEVERITY[state]): {"color": COLOURS[state], "index": index, "text": translate(STATES[state])}
        for index, state in enumerate(SEVERITY)
    }
    missing = {"color": GAP, "index": len(options), "text": translate("no data")}
    gaps = [{"type": "special", "options": {"match": "null", "result": missing}}] if gap else []
    return [{"type": "value", "options": options}, *gaps]


def words(values: Mapping[str, str], translate: Translate) -> list[dict[str, Any]]:
    """Label values as words, without colour."""
    options = {value: {"index": index, "text": translate(text)} for index, (value, text) in enumerate(values.items())}
    return [{"type": "value", "options": options}]


def severity(family: Family, by: str, **matchers: str) -> str:
    """PromQL: each subject's state as its severity number, out of a state set."""
    foreign = NOT_CONNECTED if family is COMMUNE_STATE else CommuneState.BLIND
    known = [state for state in SEVERITY if state != foreign]
    sets = (f"{SEVERITY[state]} * {selector(family, **matchers, state=state)}" for state in known)
    return f"max by ({by}) ({' or '.join(sets)})"
