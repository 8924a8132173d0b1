"""The agent itself, and what may be wrong with its own measuring."""

from __future__ import annotations

from probes.metrics.family import LATENESS_BUCKETS_S, SEND_DELAY_BUCKETS_S, declare

AGENT_INFO = declare("agent_info", "gauge", "info", "Version of the agent.", (), ("version",))
AGENT_START = declare("agent_start_timestamp_seconds", "gauge", "timestamp", "When the agent started.")
AGENT_LAST_ROUND = declare(
    "agent_last_round_timestamp_seconds", "gauge", "timestamp", "When the last round of diagnosis ended."
)
AGENT_RELOAD_OK = declare(
    "agent_config_last_reload_successful", "gauge", "flag", "Whether the last reload of the inventory was taken over."
)
AGENT_RELOADED = declare(
    "agent_config_last_reload_success_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the inventory in force was loaded.",
)
AGENT_TARGETS = declare("agent_targets", "gauge", "count", "Targets in the plan, by probe kind.", (), ("kind",))
AGENT_SKIPPED_BEATS = declare(
    "agent_skipped_beats_total", "counter", "count", "Beats left out because the one before had not ended."
)
AGENT_CRASHES = declare(
    "agent_probe_crashes_total", "counter", "count", "Probes that ended in an unexpected exception.", (), ("kind",)
)
AGENT_LATENESS = declare(
    "agent_beat_lateness_seconds", "histogram", "seconds", "How late beats started.", (), (), LATENESS_BUCKETS_S
)
VANTAGE_UP = declare("vantage_up", "gauge", "flag", "The agent can see: its references, or anything at all, answer.")
ICMP_SOCKET_DROPS = declare(
    "icmp_socket_drops_total",
    "counter",
    "count",
    "Replies that the kernel dropped because our receive buffer was full (the counter of SO_RXQ_OVFL).",
)
ICMP_STRAY = declare(
    "icmp_stray_replies_total",
    "counter",
    "count",
    "Replies and errors with our nonce that match no request of ours, or come from a foreign address.",
)
ICMP_FORGED = declare(
    "icmp_forged_replies_total",
    "counter",
    "count",
    "Replies and errors to our ids without our nonce, damaged or of another length; never believed.",
)
NAME_LOOKUPS = declare(
    "name_lookups_total", "counter", "count", "Host names of links, trunks, references and devices that were looked up."
)
NAME_LOOKUP_FAILURES = declare(
    "name_lookup_failures_total", "counter", "count", "Of these, look-ups that brought no address."
)
NAMES_STALE = declare(
    "names_stale",
    "gauge",
    "count",
    "Host names whose last known address is in use though it could not be confirmed in time.",
)
ICMP_SEND_ERRORS = declare(
    "icmp_send_errors_total", "counter", "count", "Requests that could not leave this machine; nobody's loss."
)
ICMP_UNSURE_SENDS = declare(
    "icmp_unsure_sends_total",
    "counter",
    "count",
    "Requests whose sending took over 0.2 ms: their reply counts, its time does not.",
)
ICMP_SEND_DELAY = declare(
    "icmp_send_delay_seconds",
    "histogram",
    "seconds",
    "From our send stamp to the kernel's at the network driver, on a sample; only with raw sockets.",
    (),
    (),
    SEND_DELAY_BUCKETS_S,
)
ICMP_RAW = declare("icmp_raw_sockets", "gauge", "flag", "Raw sockets are in use; 0 with unprivileged datagram sockets.")
ICMP_BUFFER = declare(
    "icmp_receive_buffer_bytes", "gauge", "bytes", "Size of the ICMP sockets' smallest receive buffer."
)
ICMP_CAPACITY = declare(
    "icmp_receive_buffer_replies", "gauge", "count", "About how many replies that receive buffer holds at one time."
)
ICMP_SEND_LATENESS = declare(
    "icmp_send_lateness_seconds",
    "histogram",
    "seconds",
    "How late requests left, compared with their schedule; up to 20 ms by design, as they leave in rounds.",
    (),
    (),
    LATENESS_BUCKETS_S,
)
ICMP_EXCUSED = declare(
    "icmp_excused_requests_total",
    "counter",
    "count",
    "Requests without a reply where our own condition may be why: nobody's loss, and not in lienxa_link_sent_total.",
)
LOOP_LAG = declare(
    "agent_loop_lag_seconds",
    "histogram",
    "seconds",
    "Lateness of a timer of the agent's event loop, every 0.1 s.",
    (),
    (),
    LATENESS_BUCKETS_S,
)
CLOCK_STEPS = declare(
    "clock_steps_total", "counter", "count", "How often this machine's clock was set: times that span it are void."
)
LOOPBACK_LOSS = declare(
    "loopback_loss_ratio",
    "gauge",
    "ratio",
    "Share of the last 60 s of requests to this machine itself that were lost: our own loss, nobody else's.",
    (),
    ("target",),
)
LOOPBACK_RTT_MAX = declare(
    "loopback_rtt_max_seconds",
    "gauge",
    "seconds",
    "Longest round-trip time of the last 60 s to this machine itself: what we may add to any other.",
    (),
    ("target",),
)
VANTAGE_SUSPECT = declare(
    "vantage_suspect",
    "gauge",
    "flag",
    "Our own measuring was in doubt within the last 60 s: socket_drops, loop_stall, clock_step, loopback_loss.",
    (),
    ("reason",),
)
TRAPS_LISTENING = declare(
    "traps_listening", "gauge", "flag", "Traps can be received: a UDP port is open for them, or was handed in."
)
TRAPS_DROPPED = declare(
    "traps_dropped_total",
    "counter",
    "count",
    "Datagrams at the traps' port that were not believed; all but the last few reasons before they were decoded.",
    (),
    ("reason",),
)
