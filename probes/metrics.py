"""The metric catalogue: every family that the agent exports, declared once, as data.

Exposition, dashboards, rules and the metrics reference are built from it. Base units; a timestamp, never an age;
absent rather than -1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Type = Literal["gauge", "counter", "histogram"]
Unit = Literal["seconds", "ratio", "bytes", "count", "volts", "timestamp", "flag", "state", "bytes_per_second", "info"]

PREFIX = "lienxa_"

TARGET = ("commune", "trunk", "link", "medium", "device", "service", "path", "target", "kind")
"""Identity of any target; a target leaves out the labels that do not apply to it."""
LINK = ("commune", "trunk", "link", "medium", "service", "target")
DEVICE = ("commune", "device")

RTT_BUCKETS_S = (0.005, 0.010, 0.020, 0.040, 0.080, 0.150, 0.300, 0.600, 1.2, 2.0)
"""One set for all links: fibre in the delta to satellite."""
LATENESS_BUCKETS_S = (0.001, 0.005, 0.010, 0.050, 0.100, 0.500, 1.0)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    `subject` are identity labels (taken from the target, left out where it has none), `own` the labels that tell
    apart several readings of one subject. `province` comes first on every series.
    """

    name: str
    type: Type
    unit: Unit
    help: str
    subject: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that a series of this family may carry."""
        return ("province", *self.subject, *self.own)


_families: dict[str, Family] = {}


def _declare(
    name: str,
    type: Type,  # noqa: A002  # Prometheus's own word
    unit: Unit,
    help: str,  # noqa: A002  # Prometheus's own word
    subject: tuple[str, ...] = (),
    own: tuple[str, ...] = (),
    buckets: tuple[float, ...] = (),
) -> Family:
    family = Family(PREFIX + name, type, unit, help, subject, own, buckets)
    if family.name in _families:
        raise ValueError(f"{family.name} is declared twice")
    _families[family.name] = family
    return family


# Every target
TARGET_STATE = _declare(
    "target_state", "gauge", "state", "Damped state of a target: 1 for the one that holds.", TARGET, ("state",)
)
TARGET_STATE_SINCE = _declare(
    "target_state_since_timestamp_seconds", "gauge", "timestamp", "When the target's present state began.", TARGET
)
TARGET_RESULTS = _declare(
    "target_results_total", "counter", "count", "Beats by outcome; reason ok if the beat passed.", TARGET, ("reason",)
)
TARGET_LAST_RESULT = _declare(
    "target_last_result_timestamp_seconds", "gauge", "timestamp", "When the last beat of the target ended.", TARGET
)
PROBE_DURATION = _declare(
    "probe_duration_seconds",
    "gauge",
    "seconds",
    "Duration of the last beat's phases: resolve, connect, tls, processing, transfer.",
    TARGET,
    ("phase",),
)

# Links, trunks and references: ICMP
LINK_SENT = _declare("link_sent_total", "counter", "count", "Echo requests whose fate is final.", LINK)
LINK_RECEIVED = _declare("link_received_total", "counter", "count", "Echo requests answered in time.", LINK)
LINK_LATE = _declare("link_late_total", "counter", "count", "Echo replies that came after their time-out.", LINK)
LINK_DUPLICATES = _declare("link_duplicates_total", "counter", "count", "Echo replies that came again.", LINK)
LINK_ERRORS = _declare(
    "link_errors_total", "counter", "count", "Echo requests answered by an ICMP error on the way.", LINK
)
LINK_RTT = _declare(
    "link_rtt_seconds", "histogram", "seconds", "Round-trip time by kernel stamps.", LINK, (), RTT_BUCKETS_S
)
LINK_RTT_MEAN = _declare("link_rtt_mean_seconds", "gauge", "seconds", "Mean round-trip time of the last 60 s.", LINK)
LINK_RTT_P95 = _declare("link_rtt_p95_seconds", "gauge", "seconds", "95th percentile of the last 60 s.", LINK)
LINK_RTT_P99 = _declare("link_rtt_p99_seconds", "gauge", "seconds", "99th percentile of the last 60 s.", LINK)
LINK_JITTER = _declare("link_jitter_seconds", "gauge", "seconds", "Jitter of RFC 3550 over the last 60 s.", LINK)
LINK_LOSS = _declare("link_loss_ratio", "gauge", "ratio", "Share of the last 60 s of requests that were lost.", LINK)

# Devices: SNMP
DEVICE_GROUP_OK = _declare(
    "device_group_ok", "gauge", "flag", "Whether a group of objects was read in the last beat.", DEVICE, ("group",)
)
DEVICE_INFO = _declare(
    "device_info",
    "gauge",
    "info",
    "sysDescr, sysObjectID and sysName, cut to 120 characters.",
    DEVICE,
    ("description", "object_id", "name"),
)
DEVICE_UPTIME = _declare(
    "device_uptime_seconds", "gauge", "seconds", "sysUpTime at the last reading (wraps at 497 days).", DEVICE
)
INTERFACE_ADMIN_UP = _declare("interface_admin_up", "gauge", "flag", "ifAdminStatus is up.", DEVICE, ("interface",))
INTERFACE_OPER_UP = _declare(
    "interface_oper_up", "gauge", "flag", "ifOperStatus is up or dormant.", DEVICE, ("interface",)
)
INTERFACE_SPEED = _declare(
    "interface_speed_bytes_per_second",
    "gauge",
    "bytes_per_second",
    "ifHighSpeed, in bytes; absent where the device does not know.",
    DEVICE,
    ("interface",),
)
INTERFACE_RECEIVE_BYTES = _declare(
    "interface_receive_bytes_total", "counter", "bytes", "ifHCInOctets.", DEVICE, ("interface",)
)
INTERFACE_TRANSMIT_BYTES = _declare(
    "interface_transmit_bytes_total", "counter", "bytes", "ifHCOutOctets.", DEVICE, ("interface",)
)
INTERFACE_RECEIVE_ERRORS = _declare(
    "interface_receive_errors_total", "counter", "count", "ifInErrors.", DEVICE, ("interface",)
)
INTERFACE_TRANSMIT_ERRORS = _declare(
    "interface_transmit_errors_total", "counter", "count", "ifOutErrors.", DEVICE, ("interface",)
)
UPS_ON_BATTERY = _declare("ups_on_battery", "gauge", "flag", "The UPS feeds its load from the battery.", DEVICE)
UPS_CHARGE = _declare("ups_charge_ratio", "gauge", "ratio", "upsEstimatedChargeRemaining.", DEVICE)
UPS_RUNTIME = _declare(
    "ups_runtime_seconds",
    "gauge",
    "seconds",
    "upsEstimatedMinutesRemaining; absent where the UPS does not know.",
    DEVICE,
)
UPS_LOAD = _declare("ups_load_ratio", "gauge", "ratio", "upsOutputPercentLoad of the most loaded line.", DEVICE)
UPS_INPUT_VOLTS = _declare("ups_input_volts", "gauge", "volts", "upsInputVoltage of the highest line.", DEVICE)
UPS_LINE_BADS = _declare(
    "ups_input_line_bads_total", "counter", "count", "upsInputLineBads: times the mains left its tolerance.", DEVICE
)

# Services: HTTP
HTTP_STATUS = _declare(
    "http_status_code", "gauge", "count", "Status code of the last answer.", ("service", "path", "target")
)
HTTP_BODY_BYTES = _declare(
    "http_body_bytes", "gauge", "bytes", "Length of the last answer's body.", ("service", "path", "target")
)

# Communes: verdicts
COMMUNE_INFO = _declare(
    "commune_info",
    "gauge",
    "info",
    "Name with diacritics, type and trunk of a commune.",
    ("commune",),
    ("name", "type", "trunk"),
)
COMMUNE_STATE = _declare(
    "commune_state", "gauge", "state", "Verdict on a commune: 1 for the one that holds.", ("commune",), ("state",)
)
COMMUNE_CAUSE = _declare(
    "commune_cause", "gauge", "flag", "Causes of a commune's verdict: 1 while it holds.", ("commune",), ("cause",)
)
COMMUNE_INCIDENT = _declare(
    "commune_incident",
    "gauge",
    "flag",
    "The open incident that explains a dark commune.",
    ("commune",),
    ("root", "root_kind"),
)
COMMUNE_STATE_SECONDS = _declare(
    "commune_state_seconds_total",
    "counter",
    "seconds",
    "Seconds spent in each state and overlay.",
    ("commune",),
    ("state", "overlay"),
)
COMMUNE_LAST_WORDS = _declare(
    "commune_last_words",
    "gauge",
    "state",
    "Last readings before the commune went silent, in the reading's base unit.",
    ("commune",),
    ("reading",),
)
COMMUNE_LAST_WORDS_TIMESTAMP = _declare(
    "commune_last_words_timestamp_seconds",
    "gauge",
    "timestamp",
    "When each last reading was taken.",
    ("commune",),
    ("reading",),
)
COMMUNE_SILENT_SINCE = _declare(
    "commune_silent_since_timestamp_seconds", "gauge", "timestamp", "When the commune went silent.", ("commune",)
)
OUTAGE_SECONDS = _declare(
    "outage_seconds_total",
    "counter",
    "seconds",
    "Seconds dark by cause, added once, when the commune is back.",
    ("commune",),
    ("cause",),
)

# Incidents
INCIDENT_COMMUNES = _declare(
    "incident_communes", "gauge", "count", "Communes that an open incident explains.", (), ("root", "root_kind")
)
INCIDENT_CAUSE = _declare(
    "incident_cause",
    "gauge",
    "flag",
    "Cause of an open incident: 1 for the one that holds.",
    (),
    ("root", "root_kind", "cause"),
)
INCIDENT_OPENED = _declare(
    "incident_opened_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the incident's trouble began.",
    (),
    ("root", "root_kind"),
)

# What the inventory says of trunks and services
TRUNK_INFO = _declare("trunk_info", "gauge", "info", "Name and parent of a trunk.", ("trunk",), ("name", "parent"))
SERVICE_INFO = _declare("service_info", "gauge", "info", "Name of a service.", ("service", "path"), ("name",))

# The agent itself
AGENT_INFO = _declare("agent_info", "gauge", "info", "Version of the agent.", (), ("version",))
AGENT_START = _declare("agent_start_timestamp_seconds", "gauge", "timestamp", "When the agent started.")
AGENT_LAST_ROUND = _declare(
    "agent_last_round_timestamp_seconds", "gauge", "timestamp", "When the last round of diagnosis ended."
)
AGENT_RELOAD_OK = _declare(
    "agent_config_last_reload_successful", "gauge", "flag", "Whether the last reload of the inventory was taken over."
)
AGENT_RELOADED = _declare(
    "agent_config_last_reload_success_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the inventory in force was loaded.",
)
AGENT_TARGETS = _declare("agent_targets", "gauge", "count", "Targets in the plan, by probe kind.", (), ("kind",))
AGENT_SKIPPED_BEATS = _declare(
    "agent_skipped_beats_total", "counter", "count", "Beats left out because the one before had not ended."
)
AGENT_CRASHES = _declare(
    "agent_probe_crashes_total", "counter", "count", "Probes that ended in an unexpected exception.", (), ("kind",)
)
AGENT_LATENESS = _declare(
    "agent_beat_lateness_seconds", "histogram", "seconds", "How late beats started.", (), (), LATENESS_BUCKETS_S
)
VANTAGE_UP = _declare("vantage_up", "gauge", "flag", "The agent can see: its references, or anything at all, answer.")
ICMP_SOCKET_DROPS = _declare(
    "icmp_socket_drops_total",
    "counter",
    "count",
    "Replies that the kernel dropped because our receive buffer was full (SO_RXQ_OVFL).",
)
ICMP_STRAY = _declare(
    "icmp_stray_replies_total", "counter", "count", "Replies to our id that match no request of ours."
)
ICMP_SEND_ERRORS = _declare(
    "icmp_send_errors_total", "counter", "count", "Requests that could not leave this machine; nobody's loss."
)
ICMP_BUFFER = _declare("icmp_receive_buffer_bytes", "gauge", "bytes", "Size of the raw socket's receive buffer.")

FAMILIES: Mapping[str, Family] = MappingProxyType(_families)
"""Every family by name, in the order of the page."""


def selector(family: Family, **matchers: str) -> str:
    """A PromQL selector; a value that starts with `~` matches as a pattern. An undeclared label is an error."""
    unknown = sorted(set(matchers) - set(family.labels))
    if unknown:
        raise ValueError(f"{family.name} has no label {', '.join(unknown)}; it has {', '.join(family.labels)}")
    parts = [
        f'{name}=~"{value[1:]}"' if value.startswith("~") else f'{name}="{value}"' for name, value in matchers.items()
    ]
    return family.name + ("{" + ", ".join(parts) + "}" if parts else "")
