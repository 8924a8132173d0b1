"""Uninterruptible power supplies (UPS-MIB, RFC 1628, and what makers tell beyond it)."""

from __future__ import annotations

from probes.metrics.family import DEVICE, declare

UPS_ON_BATTERY = declare("ups_on_battery", "gauge", "flag", "The UPS feeds its load from the battery.", DEVICE)
UPS_CHARGE = declare("ups_charge_ratio", "gauge", "ratio", "upsEstimatedChargeRemaining.", DEVICE)
UPS_RUNTIME = declare(
    "ups_runtime_seconds",
    "gauge",
    "seconds",
    "upsEstimatedMinutesRemaining; absent where the UPS does not know.",
    DEVICE,
)
UPS_LOAD = declare("ups_load_ratio", "gauge", "ratio", "upsOutputPercentLoad of the most loaded line.", DEVICE)
UPS_INPUT_VOLTS = declare("ups_input_volts", "gauge", "volts", "upsInputVoltage of the highest line.", DEVICE)
UPS_LINE_BADS = declare(
    "ups_input_line_bads_total", "counter", "count", "upsInputLineBads: times the mains left its tolerance.", DEVICE
)
UPS_OUTPUT_VOLTS = declare("ups_output_volts", "gauge", "volts", "Output voltage of the highest line.", DEVICE)
UPS_BATTERY_VOLTS = declare("ups_battery_volts", "gauge", "volts", "Voltage of the battery.", DEVICE)
UPS_BATTERY_TEMPERATURE = declare(
    "ups_battery_temperature_celsius", "gauge", "celsius", "Temperature in or at the battery.", DEVICE
)
UPS_BATTERY_LOW = declare("ups_battery_low", "gauge", "flag", "The UPS says that its battery is nearly empty.", DEVICE)
UPS_BATTERY_FAULT = declare(
    "ups_battery_fault", "gauge", "flag", "The UPS says that its battery is bad, missing or to be replaced.", DEVICE
)
UPS_ON_BYPASS = declare(
    "ups_on_bypass", "gauge", "flag", "The load is fed around the UPS: the next power cut reaches it.", DEVICE
)
UPS_OUTPUT_OFF = declare("ups_output_off", "gauge", "flag", "The UPS feeds nothing.", DEVICE)
