"""What the inventory and the announced power cuts say."""

from __future__ import annotations

from probes.metrics.family import declare

TRUNK_INFO = declare("trunk_info", "gauge", "info", "Name and parent of a trunk.", ("trunk",), ("name", "parent"))
SERVICE_INFO = declare(
    "service_info",
    "gauge",
    "info",
    "Name of a service, and what a good answer of it proves: the network or the application.",
    ("commune", "service", "path"),
    ("name", "layer"),
)
KNOWN_ISSUE_INFO = declare(
    "known_issue_info",
    "gauge",
    "info",
    "A problem that is known and has an owner, once for each service that it is about.",
    ("service",),
    ("issue", "title", "owner", "state"),
)

# Announced power cuts
PLANNED_CUTS = declare(
    "planned_cuts",
    "gauge",
    "count",
    "Announced power cuts: ahead, or active with the tolerance before and after.",
    (),
    ("state",),
)
PLANNED_CUTS_REJECTED = declare(
    "planned_cuts_rejected_rows", "gauge", "count", "Rows of the file of planned cuts that could not be used."
)
PLANNED_CUTS_READ_OK = declare(
    "planned_cuts_last_read_successful",
    "gauge",
    "flag",
    "Whether the file of planned cuts could be read when it was last tried; if not, those known before stay.",
)
PLANNED_CUTS_READ = declare(
    "planned_cuts_last_read_success_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the file of planned cuts was last read.",
)
INVENTORY_FINDINGS = declare(
    "inventory_findings",
    "gauge",
    "count",
    "How many communes, devices … each finding of `lienxa validate` concerns.",
    (),
    ("reason",),
)
