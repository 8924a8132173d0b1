"""Every target: its state, its results, the phases of its beats."""

from __future__ import annotations

from probes.metrics.family import TARGET, declare

TARGET_STATE = declare(
    "target_state",
    "gauge",
    "state",
    "Damped state of a target: 1 for the one that holds; not_connected, alone, for a service that is not live yet.",
    TARGET,
    ("state",),
)
TARGET_STATE_SINCE = declare(
    "target_state_since_timestamp_seconds", "gauge", "timestamp", "When the target's present state began.", TARGET
)
TARGET_RESULTS = declare(
    "target_results_total", "counter", "count", "Beats by outcome; reason ok if the beat passed.", TARGET, ("reason",)
)
TARGET_LAST_RESULT = declare(
    "target_last_result_timestamp_seconds", "gauge", "timestamp", "When the last beat of the target ended.", TARGET
)
PROBE_DURATION = declare(
    "probe_duration_seconds",
    "gauge",
    "seconds",
    "Duration of the last beat's phases: resolve, connect, tls, request, processing, transfer.",
    TARGET,
    ("phase",),
)
