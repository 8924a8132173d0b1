"""Links, trunks and references: echo requests, and the way there."""

from __future__ import annotations

from probes.metrics.family import LINK, RTT_BUCKETS_S, declare

LINK_SENT = declare("link_sent_total", "counter", "count", "Echo requests whose fate is final.", LINK)
LINK_RECEIVED = declare("link_received_total", "counter", "count", "Echo requests answered in time.", LINK)
LINK_LATE = declare("link_late_total", "counter", "count", "Echo replies that came after their time-out.", LINK)
LINK_DUPLICATES = declare("link_duplicates_total", "counter", "count", "Echo replies that came again.", LINK)
LINK_ERRORS = declare(
    "link_errors_total", "counter", "count", "Echo requests answered by an ICMP error on the way.", LINK
)
LINK_RTT = declare(
    "link_rtt_seconds", "histogram", "seconds", "Round-trip time by kernel stamps.", LINK, (), RTT_BUCKETS_S
)
LINK_RTT_MEAN = declare("link_rtt_mean_seconds", "gauge", "seconds", "Mean round-trip time of the last 60 s.", LINK)
LINK_RTT_P95 = declare("link_rtt_p95_seconds", "gauge", "seconds", "95th percentile of the last 60 s.", LINK)
LINK_RTT_P99 = declare("link_rtt_p99_seconds", "gauge", "seconds", "99th percentile of the last 60 s.", LINK)
LINK_JITTER = declare("link_jitter_seconds", "gauge", "seconds", "Jitter of RFC 3550 over the last 60 s.", LINK)
LINK_LOSS = declare("link_loss_ratio", "gauge", "ratio", "Share of the last 60 s of requests that were lost.", LINK)
LINK_DEGRADED = declare(
    "link_degraded",
    "gauge",
    "flag",
    "What is beyond its threshold: loss, latency, jitter, or quality, the mean opinion score; 1 while it holds.",
    LINK,
    ("reason",),
)

LINK_R_FACTOR = declare(
    "link_r_factor",
    "gauge",
    "count",
    "R-factor (0 to 100) of the last 60 s, by ITU-T G.107 and by the simplified E-model.",
    LINK,
    ("reading",),
)
LINK_MOS = declare(
    "link_mos",
    "gauge",
    "count",
    "Mean opinion score (1 to 4.5) that follows from the R-factor of the last 60 s.",
    LINK,
    ("reading",),
)
LINK_PROBE_BYTES = declare(
    "link_probe_bytes_total", "counter", "bytes", "What probing the link has cost, IP headers included.", LINK
)
LINK_PROBE_BUDGET = declare(
    "link_probe_budget_bytes", "gauge", "bytes", "What probing the link may cost in a day; absent without bound.", LINK
)
LINK_INFO = declare(
    "link_info",
    "gauge",
    "info",
    "Role of a link, and whether it is observed: without an address of its own it is not, and is never called up.",
    ("commune", "link", "medium"),
    ("role", "observed"),
)

LINK_REPLY_TTL = declare(
    "link_reply_ttl", "gauge", "count", "TTL (hop limit) of the last echo reply; a change tells of another path.", LINK
)

# The way there
PATH_REACHED = declare(
    "path_reached", "gauge", "flag", "Whether the last trace of the path arrived at the link or trunk.", LINK
)
PATH_HOPS = declare(
    "path_hops", "gauge", "count", "Hops to the address, or to the last hop that answers where it is not reached.", LINK
)
PATH_HASH = declare(
    "path_hash",
    "gauge",
    "count",
    "32 bits over the addresses of the path's hops, as a number: another value is another path.",
    LINK,
)
PATH_CHANGES = declare(
    "path_changes_total", "counter", "count", "Times that another way led to the address than before.", LINK
)
PATH_INFO = declare(
    "path_info",
    "gauge",
    "info",
    "The last hop that answers, with its name; state is broken where the path ends before the address, else whole.",
    LINK,
    ("last_hop", "name", "state"),
)
PATH_TRACED = declare("path_traced_timestamp_seconds", "gauge", "timestamp", "When the path was last traced.", LINK)
