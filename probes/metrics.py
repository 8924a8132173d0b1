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
Unit = Literal[
    "seconds",
    "ratio",
    "bytes",
    "count",
    "volts",
    "timestamp",
    "flag",
    "state",
    "bytes_per_second",
    "info",
    "celsius",
    "dbm",
    "db",
    "amperes",
    "watts",
    "rpm",
]

PREFIX = "lienxa_"

TARGET = ("commune", "trunk", "link", "medium", "device", "service", "path", "target", "kind")
"""Identity of any target; a target leaves out the labels that do not apply to it."""
LINK = ("commune", "trunk", "link", "medium", "service", "target")
DEVICE = ("commune", "device")
SERVICE = ("commune", "service", "path", "target")

RTT_BUCKETS_S = (0.005, 0.010, 0.020, 0.040, 0.080, 0.150, 0.300, 0.600, 1.2, 2.0)
"""One set for all links: fibre in the delta to satellite."""
LATENESS_BUCKETS_S = (0.001, 0.005, 0.010, 0.050, 0.100, 0.500, 1.0)
SEND_DELAY_BUCKETS_S = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.01, 0.1)


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
    "target_state",
    "gauge",
    "state",
    "Damped state of a target: 1 for the one that holds; not_connected, alone, for a service that is not live yet.",
    TARGET,
    ("state",),
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

LINK_R_FACTOR = _declare(
    "link_r_factor",
    "gauge",
    "count",
    "R-factor (0 to 100) of the last 60 s, by ITU-T G.107 and by the simplified E-model.",
    LINK,
    ("reading",),
)
LINK_MOS = _declare(
    "link_mos",
    "gauge",
    "count",
    "Mean opinion score (1 to 4.5) that follows from the R-factor of the last 60 s.",
    LINK,
    ("reading",),
)
LINK_PROBE_BYTES = _declare(
    "link_probe_bytes_total", "counter", "bytes", "What probing the link has cost, IP headers included.", LINK
)
LINK_PROBE_BUDGET = _declare(
    "link_probe_budget_bytes", "gauge", "bytes", "What probing the link may cost in a day; absent without bound.", LINK
)
LINK_INFO = _declare(
    "link_info",
    "gauge",
    "info",
    "Role of a link, and whether it is observed: without an address of its own it is not, and is never called up.",
    ("commune", "link", "medium"),
    ("role", "observed"),
)

LINK_REPLY_TTL = _declare(
    "link_reply_ttl", "gauge", "count", "TTL (hop limit) of the last echo reply; a change tells of another path.", LINK
)

# Links and trunks: the way there
PATH_REACHED = _declare(
    "path_reached", "gauge", "flag", "Whether the last trace of the path arrived at the link or trunk.", LINK
)
PATH_HOPS = _declare(
    "path_hops", "gauge", "count", "Hops to the address, or to the last hop that answers where it is not reached.", LINK
)
PATH_HASH = _declare(
    "path_hash",
    "gauge",
    "count",
    "32 bits over the addresses of the path's hops, as a number: another value is another path.",
    LINK,
)
PATH_CHANGES = _declare(
    "path_changes_total", "counter", "count", "Times that another way led to the address than before.", LINK
)
PATH_INFO = _declare(
    "path_info",
    "gauge",
    "info",
    "The last hop that answers, with its name; state is broken where the path ends before the address, else whole.",
    LINK,
    ("last_hop", "name", "state"),
)
PATH_TRACED = _declare("path_traced_timestamp_seconds", "gauge", "timestamp", "When the path was last traced.", LINK)

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
    "device_uptime_seconds",
    "gauge",
    "seconds",
    "sysUpTime at the last reading; its wraps at 497 days are told from a restart and added.",
    DEVICE,
)
DEVICE_HOST_UPTIME = _declare(
    "device_host_uptime_seconds",
    "gauge",
    "seconds",
    "hrSystemUptime: goes on where only the device's SNMP agent has restarted.",
    DEVICE,
)
DEVICE_ENGINE_TIME = _declare(
    "device_engine_time_seconds", "gauge", "seconds", "snmpEngineTime: since the SNMP engine's boots last rose.", DEVICE
)
DEVICE_BOOTS = _declare("device_boots", "gauge", "count", "snmpEngineBoots: survives a restart of the device.", DEVICE)
DEVICE_RESTARTS = _declare(
    "device_restarts_total",
    "counter",
    "count",
    "Restarts that the agent has seen: boots rose, or the uptime fell without a wrap.",
    DEVICE,
)
DEVICE_REPLACED = _declare(
    "device_replaced_total",
    "counter",
    "count",
    "Times that another sort of device (sysObjectID) answered at the address than before.",
    DEVICE,
)
DEVICE_PROFILE_INFO = _declare(
    "device_profile_info", "gauge", "info", "The profile by which the device is read.", DEVICE, ("profile",)
)
DEVICE_MODEL_INFO = _declare(
    "device_model_info",
    "gauge",
    "info",
    "Manufacturer, model and firmware as the device tells them.",
    DEVICE,
    ("manufacturer", "model", "firmware"),
)
DEVICE_CPU = _declare("device_cpu_ratio", "gauge", "ratio", "Share of the processors' time in use.", DEVICE)
DEVICE_MEMORY = _declare("device_memory_ratio", "gauge", "ratio", "Share of the main memory in use.", DEVICE)
DEVICE_STORAGE = _declare("device_storage_ratio", "gauge", "ratio", "Share of each disk in use.", DEVICE, ("reading",))
DEVICE_TEMPERATURE = _declare(
    "device_temperature_celsius", "gauge", "celsius", "The device's own temperature, of its hottest part.", DEVICE
)
DEVICE_PART_OK = _declare(
    "device_part_ok", "gauge", "flag", "A part (fan, power supply, printer …) works.", DEVICE, ("reading",)
)
DEVICE_BEYOND_LIMIT = _declare(
    "device_beyond_limit",
    "gauge",
    "state",
    "Whether a reading, by its family's name, has reached the warning or critical limit of its profile.",
    DEVICE,
    ("reading", "state"),
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
    "interface_receive_bytes_total",
    "counter",
    "bytes",
    "ifHCInOctets, else ifInOctets (32 bits).",
    DEVICE,
    ("interface",),
)
INTERFACE_TRANSMIT_BYTES = _declare(
    "interface_transmit_bytes_total",
    "counter",
    "bytes",
    "ifHCOutOctets, else ifOutOctets (32 bits).",
    DEVICE,
    ("interface",),
)
INTERFACE_RECEIVE_ERRORS = _declare(
    "interface_receive_errors_total", "counter", "count", "ifInErrors.", DEVICE, ("interface",)
)
INTERFACE_TRANSMIT_ERRORS = _declare(
    "interface_transmit_errors_total", "counter", "count", "ifOutErrors.", DEVICE, ("interface",)
)
INTERFACE_HALF_DUPLEX = _declare(
    "interface_half_duplex",
    "gauge",
    "flag",
    "The port negotiated half duplex: old equipment, or one side set by hand.",
    DEVICE,
    ("interface",),
)
INTERFACE_LINK_DOWNS = _declare(
    "interface_link_downs_total", "counter", "count", "Times the port lost its link.", DEVICE, ("interface",)
)
INTERFACE_OPTICAL_RECEIVE = _declare(
    "interface_optical_receive_dbm", "gauge", "dbm", "Light that the port receives.", DEVICE, ("interface",)
)
INTERFACE_OPTICAL_TRANSMIT = _declare(
    "interface_optical_transmit_dbm", "gauge", "dbm", "Light that the port sends.", DEVICE, ("interface",)
)
INTERFACE_POE_WATTS = _declare(
    "interface_poe_watts", "gauge", "watts", "Power that the port feeds to what hangs on it.", DEVICE, ("interface",)
)
INTERFACE_POE_FAULT = _declare(
    "interface_poe_fault", "gauge", "flag", "The port cannot feed what hangs on it.", DEVICE, ("interface",)
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
UPS_OUTPUT_VOLTS = _declare("ups_output_volts", "gauge", "volts", "Output voltage of the highest line.", DEVICE)
UPS_BATTERY_VOLTS = _declare("ups_battery_volts", "gauge", "volts", "Voltage of the battery.", DEVICE)
UPS_BATTERY_TEMPERATURE = _declare(
    "ups_battery_temperature_celsius", "gauge", "celsius", "Temperature in or at the battery.", DEVICE
)
UPS_BATTERY_LOW = _declare("ups_battery_low", "gauge", "flag", "The UPS says that its battery is nearly empty.", DEVICE)
UPS_BATTERY_FAULT = _declare(
    "ups_battery_fault", "gauge", "flag", "The UPS says that its battery is bad, missing or to be replaced.", DEVICE
)
UPS_ON_BYPASS = _declare(
    "ups_on_bypass", "gauge", "flag", "The load is fed around the UPS: the next power cut reaches it.", DEVICE
)
UPS_OUTPUT_OFF = _declare("ups_output_off", "gauge", "flag", "The UPS feeds nothing.", DEVICE)
CELL_RSRP = _declare("cell_rsrp_dbm", "gauge", "dbm", "RSRP of the serving LTE or 5G cell.", DEVICE)
CELL_RSRQ = _declare("cell_rsrq_db", "gauge", "db", "RSRQ of the serving LTE or 5G cell.", DEVICE)
CELL_SINR = _declare("cell_sinr_db", "gauge", "db", "SINR (or SNR, where that is told) of the serving cell.", DEVICE)
CELL_RSSI = _declare("cell_rssi_dbm", "gauge", "dbm", "Received power over the whole channel.", DEVICE)
CELL_GENERATION = _declare(
    "cell_generation", "gauge", "count", "Generation of the access technology in use: 2 to 5.", DEVICE
)
CELL_REGISTERED = _declare(
    "cell_registered", "gauge", "flag", "The modem is registered in a network, its own or roaming.", DEVICE
)
CELL_ROAMING = _declare("cell_roaming", "gauge", "flag", "The modem is registered in a foreign network.", DEVICE)
CELL_CONNECTED = _declare("cell_connected", "gauge", "flag", "The modem's data session is up.", DEVICE)
CELL_QUALITY = _declare(
    "cell_quality",
    "gauge",
    "state",
    "Band of the signal's quality, good, weak or none: 1 for the one that holds.",
    DEVICE,
    ("state",),
)
CELL_TEMPERATURE = _declare(
    "cell_modem_temperature_celsius", "gauge", "celsius", "Temperature of the cellular modem.", DEVICE
)
CELL_INFO = _declare(
    "cell_info",
    "gauge",
    "info",
    "Operator and access technology in the device's own words.",
    DEVICE,
    ("operator", "technology"),
)
RADIO_SIGNAL = _declare("radio_signal_dbm", "gauge", "dbm", "Signal of the radio link's other end.", DEVICE)
RADIO_NOISE = _declare("radio_noise_dbm", "gauge", "dbm", "Noise floor of the radio.", DEVICE)
RADIO_SNR = _declare("radio_snr_db", "gauge", "db", "Signal to noise ratio of the radio link.", DEVICE)
RADIO_TRANSMIT_RATE = _declare(
    "radio_transmit_bytes_per_second", "gauge", "bytes_per_second", "Negotiated rate of sending.", DEVICE
)
RADIO_RECEIVE_RATE = _declare(
    "radio_receive_bytes_per_second", "gauge", "bytes_per_second", "Negotiated rate of receiving.", DEVICE
)
RADIO_CAPACITY = _declare(
    "radio_capacity_ratio", "gauge", "ratio", "Share of its best capacity that the radio link has.", DEVICE
)
RADIO_QUALITY = _declare(
    "radio_quality_ratio", "gauge", "ratio", "Share of frames that needed no repetition (CCQ).", DEVICE
)
RADIO_STATIONS = _declare("radio_stations", "gauge", "count", "Stations connected to the radio.", DEVICE)
SENSOR_TEMPERATURE = _declare(
    "sensor_temperature_celsius", "gauge", "celsius", "Temperature sensors.", DEVICE, ("reading",)
)
SENSOR_VOLTS = _declare("sensor_volts", "gauge", "volts", "Voltage sensors.", DEVICE, ("reading",))
SENSOR_AMPERES = _declare("sensor_amperes", "gauge", "amperes", "Current sensors.", DEVICE, ("reading",))
SENSOR_WATTS = _declare("sensor_watts", "gauge", "watts", "Power sensors.", DEVICE, ("reading",))
SENSOR_FAN = _declare("sensor_fan_rpm", "gauge", "rpm", "Speed of fans.", DEVICE, ("reading",))
SENSOR_HUMIDITY = _declare("sensor_humidity_ratio", "gauge", "ratio", "Relative humidity.", DEVICE, ("reading",))

# Services: HTTP
HTTP_STATUS = _declare("http_status_code", "gauge", "count", "Status code of the last answer.", SERVICE)
HTTP_BODY_BYTES = _declare("http_body_bytes", "gauge", "bytes", "Length of the last answer's body.", SERVICE)

# Communes: verdicts
COMMUNE_INFO = _declare(
    "commune_info",
    "gauge",
    "info",
    "Name with diacritics, type, class and trunk of a commune.",
    ("commune",),
    ("name", "type", "site_class", "trunk"),
)
COMMUNE_STATE = _declare(
    "commune_state", "gauge", "state", "Verdict on a commune: 1 for the one that holds.", ("commune",), ("state",)
)
COMMUNE_OVERLAY = _declare(
    "commune_overlay",
    "gauge",
    "state",
    "What lies over a commune's state, planned work or an announced power cut: 1 for the one that holds.",
    ("commune",),
    ("overlay",),
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
    "incident_communes",
    "gauge",
    "count",
    "Communes that an open incident explains, without those under an overlay; absent if it lies under one itself.",
    (),
    ("root", "root_kind"),
)
INCIDENT_OVERLAY = _declare(
    "incident_overlay",
    "gauge",
    "count",
    "Communes that an open incident explains which lies under an overlay: shown, and no rule selects it.",
    (),
    ("root", "root_kind", "overlay"),
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
SERVICE_INFO = _declare(
    "service_info",
    "gauge",
    "info",
    "Name of a service, and what a good answer of it proves: the network or the application.",
    ("commune", "service", "path"),
    ("name", "layer"),
)
KNOWN_ISSUE_INFO = _declare(
    "known_issue_info",
    "gauge",
    "info",
    "A problem that is known and has an owner, once for each service that it is about.",
    ("service",),
    ("issue", "title", "owner", "state"),
)

# Announced power cuts
PLANNED_CUTS = _declare(
    "planned_cuts",
    "gauge",
    "count",
    "Announced power cuts: ahead, or active with the tolerance before and after.",
    (),
    ("state",),
)
PLANNED_CUTS_REJECTED = _declare(
    "planned_cuts_rejected_rows", "gauge", "count", "Rows of the file of planned cuts that could not be used."
)
PLANNED_CUTS_READ_OK = _declare(
    "planned_cuts_last_read_successful",
    "gauge",
    "flag",
    "Whether the file of planned cuts could be read when it was last tried; if not, those known before stay.",
)
PLANNED_CUTS_READ = _declare(
    "planned_cuts_last_read_success_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the file of planned cuts was last read.",
)
INVENTORY_FINDINGS = _declare(
    "inventory_findings",
    "gauge",
    "count",
    "How many communes, devices … each finding of `lienxa validate` concerns.",
    (),
    ("reason",),
)

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
    "Replies that the kernel dropped because our receive buffer was full (the counter of SO_RXQ_OVFL).",
)
ICMP_STRAY = _declare(
    "icmp_stray_replies_total",
    "counter",
    "count",
    "Replies and errors with our nonce that match no request of ours, or come from a foreign address.",
)
ICMP_FORGED = _declare(
    "icmp_forged_replies_total",
    "counter",
    "count",
    "Replies and errors to our ids without our nonce, damaged or of another length; never believed.",
)
NAME_LOOKUPS = _declare(
    "name_lookups_total", "counter", "count", "Host names of links, trunks, references and devices that were looked up."
)
NAME_LOOKUP_FAILURES = _declare(
    "name_lookup_failures_total", "counter", "count", "Of these, look-ups that brought no address."
)
NAMES_STALE = _declare(
    "names_stale",
    "gauge",
    "count",
    "Host names whose last known address is in use though it could not be confirmed in time.",
)
ICMP_SEND_ERRORS = _declare(
    "icmp_send_errors_total", "counter", "count", "Requests that could not leave this machine; nobody's loss."
)
ICMP_UNSURE_SENDS = _declare(
    "icmp_unsure_sends_total",
    "counter",
    "count",
    "Requests whose sending took over 0.2 ms: their reply counts, its time does not.",
)
ICMP_SEND_DELAY = _declare(
    "icmp_send_delay_seconds",
    "histogram",
    "seconds",
    "From our send stamp to the kernel's at the network driver, on a sample; only with raw sockets.",
    (),
    (),
    SEND_DELAY_BUCKETS_S,
)
ICMP_RAW = _declare(
    "icmp_raw_sockets", "gauge", "flag", "Raw sockets are in use; 0 with unprivileged datagram sockets."
)
ICMP_BUFFER = _declare(
    "icmp_receive_buffer_bytes", "gauge", "bytes", "Size of the ICMP sockets' smallest receive buffer."
)
ICMP_CAPACITY = _declare(
    "icmp_receive_buffer_replies", "gauge", "count", "About how many replies that receive buffer holds at one time."
)
ICMP_SEND_LATENESS = _declare(
    "icmp_send_lateness_seconds",
    "histogram",
    "seconds",
    "How late requests left, compared with their schedule; up to 10 ms by design, as they leave in rounds.",
    (),
    (),
    LATENESS_BUCKETS_S,
)
ICMP_EXCUSED = _declare(
    "icmp_excused_requests_total",
    "counter",
    "count",
    "Requests without a reply where our own condition may be why: nobody's loss, and not in lienxa_link_sent_total.",
)
LOOP_LAG = _declare(
    "agent_loop_lag_seconds",
    "histogram",
    "seconds",
    "Lateness of a timer of the agent's event loop, every 0.1 s.",
    (),
    (),
    LATENESS_BUCKETS_S,
)
CLOCK_STEPS = _declare(
    "clock_steps_total", "counter", "count", "How often this machine's clock was set: times that span it are void."
)
LOOPBACK_LOSS = _declare(
    "loopback_loss_ratio",
    "gauge",
    "ratio",
    "Share of the last 60 s of requests to this machine itself that were lost: our own loss, nobody else's.",
    (),
    ("target",),
)
LOOPBACK_RTT_MAX = _declare(
    "loopback_rtt_max_seconds",
    "gauge",
    "seconds",
    "Longest round-trip time of the last 60 s to this machine itself: what we may add to any other.",
    (),
    ("target",),
)
VANTAGE_SUSPECT = _declare(
    "vantage_suspect",
    "gauge",
    "flag",
    "Our own measuring was in doubt within the last 60 s: socket_drops, loop_stall, clock_step, loopback_loss.",
    (),
    ("reason",),
)

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
