"""Cellular modems and radio links."""

from __future__ import annotations

from probes.metrics.family import DEVICE, declare

CELL_RSRP = declare("cell_rsrp_dbm", "gauge", "dbm", "RSRP of the serving LTE or 5G cell.", DEVICE)
CELL_RSRQ = declare("cell_rsrq_db", "gauge", "db", "RSRQ of the serving LTE or 5G cell.", DEVICE)
CELL_SINR = declare("cell_sinr_db", "gauge", "db", "SINR (or SNR, where that is told) of the serving cell.", DEVICE)
CELL_RSSI = declare("cell_rssi_dbm", "gauge", "dbm", "Received power over the whole channel.", DEVICE)
CELL_GENERATION = declare(
    "cell_generation", "gauge", "count", "Generation of the access technology in use: 2 to 5.", DEVICE
)
CELL_REGISTERED = declare(
    "cell_registered", "gauge", "flag", "The modem is registered in a network, its own or roaming.", DEVICE
)
CELL_ROAMING = declare("cell_roaming", "gauge", "flag", "The modem is registered in a foreign network.", DEVICE)
CELL_CONNECTED = declare("cell_connected", "gauge", "flag", "The modem's data session is up.", DEVICE)
CELL_QUALITY = declare(
    "cell_quality",
    "gauge",
    "state",
    "Band of the signal's quality, good, weak or none: 1 for the one that holds.",
    DEVICE,
    ("state",),
)
CELL_TEMPERATURE = declare(
    "cell_modem_temperature_celsius", "gauge", "celsius", "Temperature of the cellular modem.", DEVICE
)
CELL_INFO = declare(
    "cell_info",
    "gauge",
    "info",
    "Operator and access technology in the device's own words.",
    DEVICE,
    ("operator", "technology"),
)
RADIO_SIGNAL = declare("radio_signal_dbm", "gauge", "dbm", "Signal of the radio link's other end.", DEVICE)
RADIO_NOISE = declare("radio_noise_dbm", "gauge", "dbm", "Noise floor of the radio.", DEVICE)
RADIO_SNR = declare("radio_snr_db", "gauge", "db", "Signal to noise ratio of the radio link.", DEVICE)
RADIO_TRANSMIT_RATE = declare(
    "radio_transmit_bytes_per_second", "gauge", "bytes_per_second", "Negotiated rate of sending.", DEVICE
)
RADIO_RECEIVE_RATE = declare(
    "radio_receive_bytes_per_second", "gauge", "bytes_per_second", "Negotiated rate of receiving.", DEVICE
)
RADIO_CAPACITY = declare(
    "radio_capacity_ratio", "gauge", "ratio", "Share of its best capacity that the radio link has.", DEVICE
)
RADIO_QUALITY = declare(
    "radio_quality_ratio", "gauge", "ratio", "Share of frames that needed no repetition (CCQ).", DEVICE
)
RADIO_STATIONS = declare("radio_stations", "gauge", "count", "Stations connected to the radio.", DEVICE)
