"""Devices and their interfaces: what SNMP tells of any sort of device."""

from __future__ import annotations

from probes.metrics.family import DEVICE, declare

DEVICE_GROUP_OK = declare(
    "device_group_ok", "gauge", "flag", "Whether a group of objects was read in the last beat.", DEVICE, ("group",)
)
DEVICE_INFO = declare(
    "device_info",
    "gauge",
    "info",
    "sysDescr, sysObjectID and sysName, cut to 120 characters.",
    DEVICE,
    ("description", "object_id", "name"),
)
DEVICE_UPTIME = declare(
    "device_uptime_seconds",
    "gauge",
    "seconds",
    "sysUpTime at the last reading; its wraps at 497 days are told from a restart and added.",
    DEVICE,
)
DEVICE_HOST_UPTIME = declare(
    "device_host_uptime_seconds",
    "gauge",
    "seconds",
    "hrSystemUptime: goes on where only the device's SNMP agent has restarted.",
    DEVICE,
)
DEVICE_ENGINE_TIME = declare(
    "device_engine_time_seconds", "gauge", "seconds", "snmpEngineTime: since the SNMP engine's boots last rose.", DEVICE
)
DEVICE_BOOTS = declare("device_boots", "gauge", "count", "snmpEngineBoots: survives a restart of the device.", DEVICE)
DEVICE_RESTARTS = declare(
    "device_restarts_total",
    "counter",
    "count",
    "Restarts that the agent has seen: boots rose, or the uptime fell without a wrap.",
    DEVICE,
)
DEVICE_REPLACED = declare(
    "device_replaced_total",
    "counter",
    "count",
    "Times that another device answered at the address than before.",
    DEVICE,
)
DEVICE_TRAPS = declare(
    "device_traps_total",
    "counter",
    "count",
    "Traps and informs of the device that were believed; what no file of traps names is `unknown`.",
    DEVICE,
    ("trap",),
)
DEVICE_SEEN = declare(
    "device_seen",
    "gauge",
    "flag",
    "The device has answered since the agent started; 0 for one that is expected and was never seen.",
    DEVICE,
)
DEVICE_DIFFERS = declare(
    "device_differs",
    "gauge",
    "state",
    "What answers is not what was first seen (object_id, serial_number, engine_id) or is expected (role, profile).",
    DEVICE,
    ("reason",),
)
DEVICE_PROFILE_INFO = declare(
    "device_profile_info", "gauge", "info", "The profile by which the device is read.", DEVICE, ("profile",)
)
DEVICE_MODEL_INFO = declare(
    "device_model_info",
    "gauge",
    "info",
    "Manufacturer, model and firmware as the device tells them.",
    DEVICE,
    ("manufacturer", "model", "firmware"),
)
DEVICE_FIRMWARE_OUTDATED = declare(
    "device_firmware_outdated",
    "gauge",
    "flag",
    "The firmware is older than the inventory demands; absent where it demands nothing, or none is known.",
    DEVICE,
)
DEVICE_SECURITY_FINDING = declare(
    "device_security_finding",
    "gauge",
    "flag",
    "How the device could be misused: a finding, never a state. Absent where it could not be found out.",
    DEVICE,
    ("finding",),
)
DEVICE_CPU = declare("device_cpu_ratio", "gauge", "ratio", "Share of the processors' time in use.", DEVICE)
DEVICE_MEMORY = declare("device_memory_ratio", "gauge", "ratio", "Share of the main memory in use.", DEVICE)
DEVICE_STORAGE = declare("device_storage_ratio", "gauge", "ratio", "Share of each disk in use.", DEVICE, ("reading",))
DEVICE_TEMPERATURE = declare(
    "device_temperature_celsius", "gauge", "celsius", "The device's own temperature, of its hottest part.", DEVICE
)
DEVICE_PART_OK = declare(
    "device_part_ok", "gauge", "flag", "A part (fan, power supply, printer …) works.", DEVICE, ("reading",)
)
DEVICE_BEYOND_LIMIT = declare(
    "device_beyond_limit",
    "gauge",
    "state",
    "Whether a reading, by its family's name, has reached the warning or critical limit of its profile.",
    DEVICE,
    ("reading", "state"),
)
DEFAULT_ROUTE_METRIC = declare(
    "device_default_route_metric",
    "gauge",
    "count",
    "Metric of the router's IPv4 default route by each interface that has one: the lowest carries.",
    DEVICE,
    ("interface",),
)
INTERFACE_ADMIN_UP = declare("interface_admin_up", "gauge", "flag", "ifAdminStatus is up.", DEVICE, ("interface",))
INTERFACE_OPER_UP = declare(
    "interface_oper_up", "gauge", "flag", "ifOperStatus is up or dormant.", DEVICE, ("interface",)
)
INTERFACE_SPEED = declare(
    "interface_speed_bytes_per_second",
    "gauge",
    "bytes_per_second",
    "ifHighSpeed, in bytes; absent where the device does not know.",
    DEVICE,
    ("interface",),
)
INTERFACE_RECEIVE_BYTES = declare(
    "interface_receive_bytes_total",
    "counter",
    "bytes",
    "ifHCInOctets, else ifInOctets (32 bits).",
    DEVICE,
    ("interface",),
)
INTERFACE_TRANSMIT_BYTES = declare(
    "interface_transmit_bytes_total",
    "counter",
    "bytes",
    "ifHCOutOctets, else ifOutOctets (32 bits).",
    DEVICE,
    ("interface",),
)
INTERFACE_RECEIVE_ERRORS = declare(
    "interface_receive_errors_total", "counter", "count", "ifInErrors.", DEVICE, ("interface",)
)
INTERFACE_TRANSMIT_ERRORS = declare(
    "interface_transmit_errors_total", "counter", "count", "ifOutErrors.", DEVICE, ("interface",)
)
INTERFACE_HALF_DUPLEX = declare(
    "interface_half_duplex",
    "gauge",
    "flag",
    "The port negotiated half duplex: old equipment, or one side set by hand.",
    DEVICE,
    ("interface",),
)
INTERFACE_LINK_DOWNS = declare(
    "interface_link_downs_total", "counter", "count", "Times the port lost its link.", DEVICE, ("interface",)
)
INTERFACE_OPTICAL_RECEIVE = declare(
    "interface_optical_receive_dbm", "gauge", "dbm", "Light that the port receives.", DEVICE, ("interface",)
)
INTERFACE_OPTICAL_TRANSMIT = declare(
    "interface_optical_transmit_dbm", "gauge", "dbm", "Light that the port sends.", DEVICE, ("interface",)
)
INTERFACE_POE_WATTS = declare(
    "interface_poe_watts", "gauge", "watts", "Power that the port feeds to what hangs on it.", DEVICE, ("interface",)
)
INTERFACE_POE_FAULT = declare(
    "interface_poe_fault", "gauge", "flag", "The port cannot feed what hangs on it.", DEVICE, ("interface",)
)
