"""Verdicts of the diagnosis: communes and incidents."""

from __future__ import annotations

from probes.metrics.family import declare

# Communes
COMMUNE_INFO = declare(
    "commune_info",
    "gauge",
    "info",
    "Name with diacritics, type, class and trunk of a commune.",
    ("commune",),
    ("name", "type", "site_class", "trunk"),
)
COMMUNE_STATE = declare(
    "commune_state", "gauge", "state", "Verdict on a commune: 1 for the one that holds.", ("commune",), ("state",)
)
COMMUNE_OVERLAY = declare(
    "commune_overlay",
    "gauge",
    "state",
    "What lies over a commune's state, planned work or an announced power cut: 1 for the one that holds.",
    ("commune",),
    ("overlay",),
)
COMMUNE_CAUSE = declare(
    "commune_cause", "gauge", "flag", "Causes of a commune's verdict: 1 while it holds.", ("commune",), ("cause",)
)
COMMUNE_INCIDENT = declare(
    "commune_incident",
    "gauge",
    "flag",
    "The open incident that explains a dark commune.",
    ("commune",),
    ("root", "root_kind"),
)
COMMUNE_STATE_SECONDS = declare(
    "commune_state_seconds_total",
    "counter",
    "seconds",
    "Seconds spent in each state and overlay.",
    ("commune",),
    ("state", "overlay"),
)
COMMUNE_LAST_WORDS = declare(
    "commune_last_words",
    "gauge",
    "state",
    "Last readings before the commune went silent, in the reading's base unit.",
    ("commune",),
    ("reading",),
)
COMMUNE_LAST_WORDS_TIMESTAMP = declare(
    "commune_last_words_timestamp_seconds",
    "gauge",
    "timestamp",
    "When each last reading was taken.",
    ("commune",),
    ("reading",),
)
COMMUNE_SILENT_SINCE = declare(
    "commune_silent_since_timestamp_seconds", "gauge", "timestamp", "When the commune went silent.", ("commune",)
)
OUTAGE_SECONDS = declare(
    "outage_seconds_total",
    "counter",
    "seconds",
    "Seconds dark by cause, added once, when the commune is back.",
    ("commune",),
    ("cause",),
)

# Incidents
INCIDENT_COMMUNES = declare(
    "incident_communes",
    "gauge",
    "count",
    "Communes that an open incident explains, without those under an overlay; absent if it lies under one itself.",
    (),
    ("root", "root_kind"),
)
INCIDENT_OVERLAY = declare(
    "incident_overlay",
    "gauge",
    "count",
    "Communes that an open incident explains which lies under an overlay: shown, and no rule selects it.",
    (),
    ("root", "root_kind", "overlay"),
)
INCIDENT_CAUSE = declare(
    "incident_cause",
    "gauge",
    "flag",
    "Cause of an open incident: 1 for the one that holds.",
    (),
    ("root", "root_kind", "cause"),
)
INCIDENT_OPENED = declare(
    "incident_opened_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the incident's trouble began.",
    (),
    ("root", "root_kind"),
)
