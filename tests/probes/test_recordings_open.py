"""What further real devices said, out of snmpsim-data (BSD-2-Clause): the profiles that no other recording checks."""

from __future__ import annotations

import bz2
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from probes.profiles import shipped
from tests.probes.recordings import Played, parsed
from tests.probes.test_recordings import DEVICES as OTHERS
from tests.probes.test_recordings import ROUTER, UPS, read
from tests.probes.test_snmp_profiles import poll, profile_of

RECOGNISED: Mapping[str, tuple[str, str, tuple[str, ...], Mapping[str, Any]]] = {
    "UPS/phoenixtec-power": (
        "megatec-xppc",
        "ups",
        UPS,
        {"ups_on_battery": 0, "ups_charge_ratio": 1, "ups_load_ratio": 0.02, "ups_input_volts": 239},
    ),
    "UPS/eaton-93e-80": (
        "ups-card",
        "ups",
        UPS,
        {"ups_battery_volts": 521, "ups_load_ratio": 0.21, "device_model_info[EATON,EATON 93E 80,INV: 2.08.0011]": 1},
    ),
    "UPS/eastpower-istars-swv053": ("ups-card", "ups", UPS, {"ups_charge_ratio": 1, "ups_output_volts": 219}),
    "UPS/huawei-gse200m": (
        "net-snmp",
        "ups",
        UPS,
        {"ups_on_battery": 0, "ups_battery_volts": 538.5, "ups_load_ratio": 0.08, "ups_charge_ratio": None},
    ),
    "os/windows/server-2003-5-2": (
        "windows",
        "pc",
        ROUTER,
        {
            "device_memory_ratio": pytest.approx(0.7464, abs=1e-4),
            "device_storage_ratio[C:\\]": pytest.approx(0.1325, abs=1e-4),
            "device_host_uptime_seconds": 8650465.46,
            "device_part_ok[Fixed Disk]": 1,
        },
    ),
    "os/linux/slackware": (
        "net-snmp",
        "pc",
        ROUTER,
        {"device_cpu_ratio": 0.11, "device_storage_ratio[/export]": pytest.approx(0.9423, abs=1e-4)},
    ),
    "network/wifi/ubiquiti-m5": (
        "ubiquiti-airmax",
        "radio",
        ROUTER,
        {
            "radio_signal_dbm": -64,
            "radio_noise_dbm": -101,
            "device_model_info[Ubiquiti,NanoStation M5,XW.ar934x.v5.6-beta4.22359.140521.1836]": 1,
        },
    ),
    "network/switch/cisco-c3560": (
        "cisco",
        "switch",
        ROUTER,
        {
            "device_cpu_ratio": 0.58,
            "device_temperature_celsius": 61,
            "device_part_ok[Switch#1, Fan#1]": 1,
            "device_model_info[,WS-C3560G-48TS-E,12.2(55)SE3]": 1,
            "interface_half_duplex[Gi0/52]": 0,
            "device_differs[serial_number]": 0,
            "device_differs[engine_id]": 0,
        },
    ),
    "network/router/huawei-s5720": (
        "huawei",
        "router",
        ROUTER,
        {
            "device_cpu_ratio": 0.38,
            "device_memory_ratio": 0.07,
            "device_temperature_celsius": 42,
            "device_part_ok[fan 0.7]": 1,
            "device_differs[serial_number]": 0,
        },
    ),
    "network/switch/ruijie-s5750-24gt12sfp": (
        "ruijie",
        "switch",
        ROUTER,
        {"device_cpu_ratio": 0.39, "device_memory_ratio": 0.5, "device_differs[serial_number]": 0},
    ),
    "network/switch/cts-media-converter": ("standard", "switch", ROUTER, {"device_uptime_seconds": 18888561}),
}
NAMED: Mapping[str, tuple[str, str, tuple[str, ...], Mapping[str, Any]]] = {
    "eaton-xups": (
        "UPS/eaton-93e-80",  # an Eaton, under the former MGE's sysObjectID, with XUPS-MIB besides
        "ups",
        UPS,
        {"ups_on_battery": 0, "ups_charge_ratio": 1, "ups_battery_volts": 521, "ups_load_ratio": 0.21},
    ),
    "printer": (
        "os/windows/XP",  # a PC that tells hrPrinterStatus of the printer it serves
        "printer",
        ROUTER,
        {"device_part_ok[HP Officejet 6500 E710a-f]": 1, "device_cpu_ratio": None},
    ),
}
"""Checked with a device that has the objects, and is not recognised by them."""
UNCHECKED = {"cambium-epmp"}
"""Of no device of these there is a recording: their profiles follow the MIB alone."""


def device(path: str) -> Played:
    """A recorded device; skips where the package is absent."""
    found = importlib.util.find_spec("snmpsim_data")
    if found is None or found.origin is None:
        pytest.skip("no snmpsim-data (Python package, extra dev)")
    lines = bz2.decompress((Path(found.origin).parent / "data" / f"{path}.snmprec.bz2").read_bytes())
    return Played(parsed(lines.split(b"\n")))


@pytest.mark.parametrize("path", RECOGNISED)
async def test_a_real_device_is_read_as_it_should_be(path: str) -> None:
    profile, role, groups, expected = RECOGNISED[path]
    result = await poll(device(path), *groups, role=role)
    found = read(result)
    assert (profile_of(result), result.reason, result.detail) == (profile, None, "")
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("profile", NAMED)
async def test_a_profile_reads_its_objects_from_a_real_device(profile: str) -> None:
    path, role, groups, expected = NAMED[profile]
    result = await poll(device(path), *groups, role=role, profiles=(profile,))
    found = read(result)
    assert (result.reason, result.detail) == (None, "")
    assert {key: found.get(key) for key in expected} == expected


def test_every_profile_is_checked_with_a_recording_but_those_of_which_there_is_none() -> None:
    recognisable = {profile.id for profile in shipped().profiles.values() if profile.match is not None}
    checked = {item[0] for item in (*OTHERS.values(), *RECOGNISED.values())} | set(NAMED)
    assert recognisable - checked == UNCHECKED
