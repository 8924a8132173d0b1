"""Sensors in and at devices: temperature, electricity, fans, humidity."""

from __future__ import annotations

from probes.metrics.family import DEVICE, declare

SENSOR_TEMPERATURE = declare(
    "sensor_temperature_celsius", "gauge", "celsius", "Temperature sensors.", DEVICE, ("reading",)
)
SENSOR_VOLTS = declare("sensor_volts", "gauge", "volts", "Voltage sensors.", DEVICE, ("reading",))
SENSOR_AMPERES = declare("sensor_amperes", "gauge", "amperes", "Current sensors.", DEVICE, ("reading",))
SENSOR_WATTS = declare("sensor_watts", "gauge", "watts", "Power sensors.", DEVICE, ("reading",))
SENSOR_FAN = declare("sensor_fan_rpm", "gauge", "rpm", "Speed of fans.", DEVICE, ("reading",))
SENSOR_HUMIDITY = declare("sensor_humidity_ratio", "gauge", "ratio", "Relative humidity.", DEVICE, ("reading",))
