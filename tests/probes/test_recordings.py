"""What real devices said, and what becomes of it: one table of expected values per recording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from agent.series import SeriesTable
from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.metrics import PREFIX
from probes.ports import SnmpAgent
from probes.results import Reason, Result
from tests.probes import mib
from tests.probes.conftest import TestNet, beat
from tests.probes.recordings import FOLDER, Played, names, recording
from tests.probes.snmp_agent import Counter32, Counter64, Gauge32, ObjectIdentifier, TimeTicks, playing
from tests.probes.test_snmp import v2c

AGENT = SnmpAgent("192.0.2.1", 161, "v2c")
UPS = ("system", "ups")
ROUTER = ("system", "interfaces")

Expected = Mapping[str, Any]
"""A family's name (without prefix, with the labels of one series in brackets) and its value; none: it is absent."""

DEVICES: Mapping[str, tuple[str, tuple[str, ...], Expected]] = {
    "airos": (
        "ubiquiti-airmax",
        ROUTER,
        {
            "device_uptime_seconds": 6372731.0,
            "device_temperature_celsius": 66,
            "device_cpu_ratio": None,
            "device_model_info[Ubiquiti,Rocket Prism 5AC Gen2,XC.qca955x.v8.5.1.37185.180307.0931]": 1,
            "radio_signal_dbm": -69,
            "radio_noise_dbm": -103,
            "radio_quality_ratio": 0.92,
            "radio_capacity_ratio": 0.5,
            "radio_transmit_bytes_per_second": 7499875,
            "radio_receive_bytes_per_second": 4667325,
            "radio_stations": 22,
            "device_beyond_limit[radio_signal_dbm,warning]": 0,
            "device_group_ok[radio]": 1,
        },
    ),
    "apc_sua750i": (
        "apc",
        UPS,
        {
            "ups_on_battery": 0,
            "ups_on_bypass": 0,
            "ups_output_off": 0,
            "ups_battery_fault": 0,
            "ups_battery_low": None,
            "ups_charge_ratio": 1,
            "ups_runtime_seconds": 4380,
            "ups_load_ratio": 0.227,
            "ups_input_volts": 243.3,
            "ups_output_volts": 243.3,
            "ups_battery_volts": 27.2,
            "ups_battery_temperature_celsius": 36.9,
            "ups_input_line_bads_total": None,
            "device_model_info[APC,Smart-UPS 750,651.12.I]": 1,
            "device_engine_time_seconds": 251760,
        },
    ),
    "draytek_vigor2962": (
        "draytek",
        ROUTER,
        {
            "device_uptime_seconds": None,
            "device_cpu_ratio": 0.06,
            "device_memory_ratio": 0.67,
            "device_model_info[DrayTek,Vigor2962,4.3.2.5]": 1,
            "interface_oper_up[WAN1]": 1,
            "interface_oper_up[WAN2]": 0,
            "interface_speed_bytes_per_second[WAN1]": 125e6,
            "interface_receive_bytes_total[WAN1]": 3389640913,
        },
    ),
    "eaton-mgeups_5px": (
        "ups-card",
        UPS,
        {
            "ups_on_battery": 0,
            "ups_battery_low": 0,
            "ups_charge_ratio": 1,
            "ups_runtime_seconds": 2580,
            "ups_load_ratio": 0.59,
            "ups_input_volts": 229,
            "ups_output_volts": 229,
            "ups_battery_volts": 81,
            "ups_battery_temperature_celsius": None,
            "device_model_info[EATON]": 1,
        },
    ),
    "generex-ups_cs141": (
        "ups-card",
        UPS,
        {
            "ups_on_battery": 0,
            "ups_on_bypass": 1,
            "ups_charge_ratio": 1,
            "ups_runtime_seconds": 32640,
            "ups_load_ratio": 0.14,
            "ups_input_volts": 235,
            "ups_battery_volts": 271.6,
            "ups_battery_temperature_celsius": 25,
        },
    ),
    "huaweiups_ups2000": (
        "ups-card",
        UPS,
        {
            "ups_on_battery": 0,
            "ups_charge_ratio": 1,
            "ups_runtime_seconds": None,
            "ups_load_ratio": 0.27,
            "ups_input_volts": 233,
            "ups_output_volts": 230,
            "ups_battery_volts": 270.7,
            "ups_battery_temperature_celsius": 21,
            "device_model_info[HUAWEI,UPS2000 6kVA,V100R001C00SPC602]": 1,
        },
    ),
    "ios_ir809": (
        "cisco",
        ROUTER,
        {
            "cell_rsrp_dbm": -90,
            "cell_rsrq_db": -7,
            "cell_sinr_db": 30,
            "cell_rssi_dbm": -62,
            "cell_registered": 1,
            "cell_roaming": 1,
            "cell_connected": None,
            "cell_generation": 4,
            "cell_modem_temperature_celsius": 38,
            "cell_quality[good]": 1,
            "cell_info[,LTE]": 1,
            "device_temperature_celsius": 43,
            "sensor_temperature_celsius[Sensor 1]": 43,
            "device_part_ok[IR800 AC power supply]": 1,
            "device_part_ok[IR800 DC power supply]": 1,
            "device_model_info[Cisco Systems, Inc,IR809G-LTE-GA-K9,15.8(3)M4]": 1,
            "device_group_ok[interfaces]": 0,
        },
    ),
    "linux": ("net-snmp", ("system",), {"device_cpu_ratio": 0.02, "device_memory_ratio": None}),
    "netagent2": (
        "megatec-xppc",
        UPS,
        {
            "ups_on_battery": 0,
            "ups_battery_low": 0,
            "ups_charge_ratio": 1,
            "ups_runtime_seconds": None,
            "ups_load_ratio": 0.44,
            "ups_input_volts": 254.5,
            "ups_output_volts": 228.5,
            "ups_battery_temperature_celsius": 25,
        },
    ),
    "routeros_ltap-mini": (
        "mikrotik",
        ROUTER,
        {
            "cell_rsrp_dbm": -105,
            "cell_rsrq_db": -10,
            "cell_sinr_db": 11,
            "cell_rssi_dbm": None,
            "cell_generation": 4,
            "cell_quality[good]": 1,
            "cell_quality[weak]": 0,
            "cell_info[,LTE]": 1,
            "radio_noise_dbm": -113,
            "device_host_uptime_seconds": 103951,
            "device_model_info[MikroTik,RB912R-2nD,]": 1,
        },
    ),
    "routeros_rb750gr3": (
        "mikrotik",
        ROUTER,
        {
            "sensor_volts[voltage]": 24.3,
            "sensor_temperature_celsius[temperature]": 38,
            "device_temperature_celsius": 38,
            "device_beyond_limit[device_temperature_celsius,warning]": 0,
            "device_cpu_ratio": pytest.approx(0.06),
            "device_memory_ratio": pytest.approx(63104 / 262144),
            "device_storage_ratio[system disk]": pytest.approx(11196 / 16384),
            "device_model_info[MikroTik,RB750Gr3,7.20.4]": 1,
            "device_uptime_seconds": 4304,
            "device_default_route_metric[wan: STCable (eth1)]": 1,
            "interface_oper_up[wan: STCable (eth1)]": 1,
            "interface_oper_up[ether2]": 0,
            "interface_receive_bytes_total[wan: STCable (eth1)]": 1493725213,
            "interface_speed_bytes_per_second[ether2]": None,
            "device_group_ok[cell]": None,
        },
    ),
    "routeros_rblhgr": (
        "mikrotik",
        ROUTER,
        {
            "cell_rsrp_dbm": -97,
            "cell_rsrq_db": -8,
            "cell_sinr_db": 23,
            "cell_generation": None,
            "cell_quality[good]": 1,
            "device_cpu_ratio": 0.06,
            "interface_speed_bytes_per_second[lte1]": 1.25e6,
            "device_model_info[MikroTik,RBLHGR,6.45.7]": 1,
        },
    ),
    "ruijie": (
        "ruijie",
        ROUTER,
        {
            "device_uptime_seconds": 37052254.62,
            "interface_oper_up[Te0/1]": 0,
            "interface_oper_up[Te0/3]": 1,
            "interface_speed_bytes_per_second[Te0/3]": 1.25e9,
            "device_model_info[Ruijie General Operating System Software,RG-S6220-48XS4QXS,173619]": 1,
            "device_cpu_ratio": None,
        },
    ),
    "rutos": (
        "teltonika-old",
        ROUTER,
        {
            "cell_rssi_dbm": -55,
            "cell_rsrp_dbm": None,
            "cell_connected": 1,
            "cell_registered": None,
            "cell_generation": 4,
            "cell_modem_temperature_celsius": 44,
            "cell_info[F SFR,LTE]": 1,
            "cell_quality[good]": 1,
            "device_memory_ratio": pytest.approx((125984 - 70984 - 7100 - 17416) / 125984),
            "device_cpu_ratio": 0.74,
            "device_model_info[Teltonika,RUT955,RUT9XX_R_00.06.00.4]": 1,
        },
    ),
    "rutos-2xx": (
        "teltonika-old",
        ROUTER,
        {
            "cell_rssi_dbm": -103,
            "cell_rsrp_dbm": None,  # -74 is what the modem saw last of LTE: it is in a 3G cell
            "cell_sinr_db": None,
            "cell_registered": 1,
            "cell_roaming": 0,
            "cell_connected": 1,
            "cell_generation": 3,
            "cell_modem_temperature_celsius": 42,
            "cell_quality[weak]": 1,
            "cell_info[Orange SK,WCDMA]": 1,
            "device_model_info[Teltonika,RUT240,RUT2XX_R_00.01.07.1]": 1,
        },
    ),
    "rutos-2xx_rut240v7": (
        "teltonika",
        ROUTER,
        {
            "cell_rsrp_dbm": -86,
            "cell_rsrq_db": -12,
            "cell_sinr_db": 16,
            "cell_rssi_dbm": -59,
            "cell_registered": 1,
            "cell_connected": 1,
            "cell_modem_temperature_celsius": 36,
            "cell_info[Example Mobile,LTE]": 1,
            "device_model_info[Teltonika,RUT240,RUT2_R_00.07.06.21]": 1,
            "device_default_route_metric[qmimux0]": 0,
        },
    ),
    "rutos-rutx_rut955": (
        "teltonika",
        ROUTER,
        {
            "cell_rsrp_dbm": -112,
            "cell_rsrq_db": -9,
            "cell_sinr_db": 12,
            "cell_rssi_dbm": -84,
            "cell_registered": 1,
            "cell_roaming": 1,
            "cell_quality[weak]": 1,
            "cell_quality[good]": 0,
            "cell_modem_temperature_celsius": 41,
            "cell_info[Odido DR,LTE]": 1,
            "device_model_info[Teltonika,RUT955,RUT9_R_00.07.06.18]": 1,
        },
    ),
    "rutos-rutx_rutx11": (
        "teltonika",
        ROUTER,
        {
            "cell_rsrp_dbm": -90,
            "cell_rsrq_db": -11,
            "cell_sinr_db": 16.1,
            "cell_rssi_dbm": -65,
            "cell_registered": 1,
            "cell_roaming": 0,
            "cell_modem_temperature_celsius": 32,
            "cell_info[Telstra,LTE]": 1,
            "device_model_info[Teltonika,RUTX11,RUTX_R_00.07.00]": 1,
        },
    ),
    "vrp_ar169fgwl": (
        "huawei",
        ROUTER,
        {
            "cell_rsrp_dbm": -106,
            "cell_rsrq_db": -11,
            "cell_sinr_db": None,
            "cell_rssi_dbm": -87,
            "cell_registered": 1,
            "cell_generation": 4,
            "cell_quality[weak]": 1,
            "device_cpu_ratio": 0.2,
            "device_memory_ratio": 0.27,
            "device_temperature_celsius": 56,
            "sensor_temperature_celsius[SRU Board 0]": 56,
            "device_model_info[Huawei,AR169FGW-L,V200R009C00SPC500]": 1,
        },
    ),
    "zxr10_5928": (
        "zte",
        ROUTER,
        {
            "device_uptime_seconds": 779717,
            "device_model_info[ZTE,ZXR10_5928,V2.8.23.A.19.P02]": 1,
            "interface_oper_up[xgei_5/1 some description]": 1,
            "interface_oper_up[xgei_4/1 this are 10G ports]": 0,
            "interface_receive_bytes_total[xgei_5/1 some description]": 2817993240,
        },
    ),
}


def settings_of(groups: tuple[str, ...]) -> SnmpSettings:
    """As the agent asks a device, a router for its routes as well."""
    told = {"agent": AGENT, "groups": groups, "extras": ("routes",), "recognise": True}
    return SnmpSettings.model_validate(told)


async def poll(device: Played, groups: tuple[str, ...], beats: int = 1) -> Result:
    """The last of so many beats."""
    net = TestNet(snmp=device)
    result = Result()
    for _ in range(beats):
        result = await check(settings_of(groups), net, beat(result.memory))
    return result


def read(result: Result) -> dict[str, float]:
    """Readings as the table spells them."""
    return {
        item.family.name.removeprefix(PREFIX)
        + (f"[{','.join(item.labels)}]".replace(",,]", "]") if item.labels else ""): item.value
        for item in result.readings
    }


@pytest.mark.parametrize("beats", [1, 3])
@pytest.mark.parametrize("name", DEVICES)
async def test_a_real_device_is_read_as_it_should_be(name: str, beats: int) -> None:
    profile, groups, expected = DEVICES[name]
    result = await poll(Played(recording(name)), groups, beats)
    found = read(result)
    assert [item.labels for item in result.readings if item.family is metrics.DEVICE_PROFILE_INFO] == [(profile,)]
    assert {key: found.get(key) for key in expected} == expected


def test_every_recording_is_in_the_table() -> None:
    recording("linux")
    assert set(names()) == set(DEVICES)


@pytest.mark.parametrize("name", DEVICES)
async def test_the_page_of_a_real_device_names_no_subscriber_and_no_series_twice(name: str) -> None:
    objects = recording(name)
    result = await poll(Played(objects), DEVICES[name][1], 2)
    table = SeriesTable("04")
    table.put(name, {"commune": "01273", "device": "x"}, result.readings)
    lines = [line for line in table.page().splitlines() if not line.startswith("#")]
    labels = [line.rpartition(" ")[0] for line in lines]
    assert len(labels) == len(set(labels))
    secrets = {_spelled(value) for value in objects.values() if re.fullmatch(r"\d{10,20}|\d{6}\d*X+", _spelled(value))}
    for secret in secrets:
        assert not [label for label in labels if secret in label]
    assert not [label for label in labels if re.search(r'"[^"]*\d{14}', label)]


def _spelled(value: object) -> str:
    return value.decode("latin-1").strip() if isinstance(value, bytes) else ""


@pytest.mark.parametrize("name", DEVICES)
async def test_the_second_beat_needs_fewer_requests_and_reads_the_same(name: str) -> None:
    device = Played(recording(name))
    first = await poll(device, DEVICES[name][1])
    cold = len(device.requests)
    second = await check(settings_of(DEVICES[name][1]), TestNet(snmp=device), beat(first.memory))
    assert read(second) == read(first)
    assert len(device.requests) - cold <= cold


async def test_a_real_device_answers_the_same_over_a_socket(net: TestNet) -> None:
    name = "rutos-rutx_rutx11"
    path = FOLDER / f"{name}.snmprec"
    recording(name)
    kinds: Mapping[str, Any] = {
        "2": int,
        "4": lambda value: value.encode("latin-1"),
        "4x": bytes.fromhex,
        "6": ObjectIdentifier,
        "65": lambda value: Counter32(int(value)),
        "66": lambda value: Gauge32(int(value)),
        "67": lambda value: TimeTicks(int(value)),
        "70": lambda value: Counter64(int(value)),
    }
    objects = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        oid, kind, value = line.split("|", 2)
        wanted = oid.startswith(("1.3.6.1.2.1.1.", "1.3.6.1.4.1.48690.", "1.3.6.1.2.1.25.1.", "1.3.6.1.6.3.10."))
        if kind in kinds and wanted:
            objects[oid] = kinds[kind](value)
    async with playing(objects) as (_, port):
        settings = SnmpSettings.model_validate(
            {"agent": v2c(port), "groups": ("system",), "recognise": True, "timeout_s": 2}
        )
        result = await check(settings, net, beat())
    found = read(result)
    expected = {key: value for key, value in DEVICES[name][2].items() if key.startswith(("cell_", "device_model"))}
    assert (result.reason, {key: found.get(key) for key in expected}) == (None, expected)


async def test_a_group_that_the_device_refuses_fails_alone() -> None:
    device = Played(recording("routeros_rblhgr"))
    device.refused = {"1.3.6.1.4.1.14988.1.1.16": Reason.GEN_ERR, mib.IF_OPER_STATUS: Reason.TOO_BIG}
    result = await poll(device, ROUTER)
    found = read(result)
    assert result.reason is Reason.PARTIAL
    assert (found["device_group_ok[cell]"], found["device_group_ok[system]"]) == (0, 1)
    assert found["device_cpu_ratio"] == 0.06
