"""The whole product against real components: agent, Prometheus, Alertmanager, on the lab's real packets."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from agent.inventory import load
from agent.stage import Stage
from deploy import lab
from probes import metrics, units
from tests.system.conftest import Province

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

CUT = "01290"
POWERLESS = "01321"


def trunk_of_twenty() -> tuple[str, list[str]]:
    inventory = load(lab.CAO_BANG)
    for trunk in inventory.trunks:
        behind = [commune.code for commune in inventory.communes if commune.trunk == trunk.id]
        if len(behind) == 20 and trunk.address:
            return trunk.id, behind
    raise AssertionError("the lab's province has no probed trunk of 20 communes")


def outages(province: Province, code: str) -> dict[str, float]:
    found = province.samples(f'lienxa_outage_seconds_total{{commune="{code}"}}')
    return {metric["cause"]: total for metric, total in found}


def test_every_target_answers_and_every_commune_is_up(province: Province) -> None:
    inventory = load(lab.CAO_BANG)
    up = province.samples('count(lienxa_commune_state{state="up"} == 1)')
    assert up[0][1] == len(inventory.communes) == 56
    states = province.samples('lienxa_target_state{state="up"}')
    assert {value for _, value in states} == {1.0}
    assert {metric["kind"] for metric, _ in states} == {"icmp", "http", "tcp", "snmp"}


def test_the_page_is_what_promtool_calls_clean(province: Province) -> None:
    page = province.stage.get("agent", "/metrics")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page.encode(), capture_output=True, timeout=20, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_every_declared_family_is_exported_or_awaits_a_fault(province: Province) -> None:
    page = province.stage.get("agent", "/metrics")
    exported = set(re.findall(r"^# TYPE (lienxa_\w+)", page, re.MULTILINE))
    waiting = {
        family.name
        for family in (
            metrics.COMMUNE_CAUSE,
            metrics.COMMUNE_INCIDENT,
            metrics.COMMUNE_LAST_WORDS,
            metrics.COMMUNE_LAST_WORDS_TIMESTAMP,
            metrics.COMMUNE_SILENT_SINCE,
            metrics.OUTAGE_SECONDS,
            metrics.INCIDENT_COMMUNES,
            metrics.INCIDENT_CAUSE,
            metrics.INCIDENT_OPENED,
            metrics.INCIDENT_OVERLAY,
            metrics.LINK_DEGRADED,
            metrics.PLANNED_CUTS,  # the lab's inventory names no file of them
            metrics.PLANNED_CUTS_REJECTED,
            metrics.PLANNED_CUTS_READ_OK,
            metrics.PLANNED_CUTS_READ,
            metrics.UPS_RUNTIME,  # many a UPS tells it on battery only, and so does the lab's
            metrics.KNOWN_ISSUE_INFO,  # the lab knows none
            metrics.DEVICE_TRAPS,  # its devices tell nothing by themselves
            metrics.DEVICE_FIRMWARE_OUTDATED,  # nor does its inventory ask for a version, or for security
            metrics.DEVICE_SECURITY_FINDING,
        )
    }
    # what the lab's devices, an ordinary router and a UPS, have no objects for
    waiting |= {name for name in metrics.FAMILIES if re.match("lienxa_(cell|radio|sensor)_", name)}
    # services of these kinds the lab has none
    waiting |= {name for name in metrics.FAMILIES if re.match("lienxa_(certificate|crl|dns|ocsp|oidc|tls|tsa)_", name)}
    waiting |= {
        f"lienxa_{name}"
        for name in (
            "device_boots",
            "device_cpu_ratio",
            "device_engine_time_seconds",
            "device_host_uptime_seconds",
            "device_memory_ratio",
            "device_part_ok",
            "device_storage_ratio",
            "device_temperature_celsius",
            "interface_half_duplex",
            "interface_link_downs_total",
            "interface_optical_receive_dbm",
            "interface_optical_transmit_dbm",
            "interface_poe_fault",
            "interface_poe_watts",
            "ups_battery_fault",
        )
    }
    own = {name for name in exported if name.startswith("lienxa_process_")}
    assert set(metrics.FAMILIES) - exported <= waiting
    assert exported - set(metrics.FAMILIES) == own


def test_the_agent_says_that_its_own_measuring_is_sound(province: Province) -> None:
    vantage = province.status()["vantage"]
    assert vantage["socket_drops"] == vantage["clock_steps"] == 0
    assert vantage["loopback"]["127.0.0.1"]["received"] == vantage["loopback"]["127.0.0.1"]["sent"] > 0
    page = province.stage.get("agent", "/metrics")
    doubts = dict(re.findall(r'^lienxa_vantage_suspect{.*reason="(\w+)"} (\d)$', page, re.MULTILINE))
    assert doubts.pop("loop_stall") in {"0", "1"}  # a busy machine may hold us for longer than the short time-out
    assert doubts == {"socket_drops": "0", "clock_step": "0", "loopback_loss": "0"}


def test_cutting_one_commune_notifies_once_with_its_name_and_cause_and_resolves_once(province: Province) -> None:
    province.act(cut=CUT)
    province.wait(lambda: bool(province.notified("firing")), "the notification of the cut")
    province.act(restore=CUT)
    province.wait(lambda: bool(province.notified("resolved")), "the notification of the recovery")
    province.wait(province.quiet, "quiet after the recovery")

    (fired,) = province.notified("firing")
    (resolved,) = province.notified("resolved")
    (alert,) = fired.alerts
    assert alert["labels"]["alertname"] == "CommuneDown"
    assert alert["labels"]["root"] == CUT
    assert units.name(CUT) in alert["annotations"]["summary"]
    assert "link" in alert["annotations"]["summary"]
    assert not {"instance", "job", "replica", "cause"} & set(alert["labels"])
    assert [item["labels"]["root"] for item in resolved.alerts] == [CUT]


def test_cutting_a_trunk_of_twenty_communes_is_one_incident_and_one_notification(province: Province) -> None:
    trunk, behind = trunk_of_twenty()
    province.act(cut=trunk)
    province.wait(lambda: bool(province.notified("firing")), "the notification of the trunk")
    province.wait(lambda: province.incidents() == {f"trunk/{trunk}": behind}, "all communes behind it in one incident")
    assert {province.verdict(code)[1][0] for code in behind} == {"trunk"}
    province.act(restore=trunk)
    province.wait(lambda: bool(province.notified("resolved")), "the notification of the recovery")
    province.wait(province.quiet, "quiet after the recovery")

    assert [item["labels"]["root"] for note in province.notified("firing") for item in note.alerts] == [trunk]
    assert [item["labels"]["root"] for note in province.notified("resolved") for item in note.alerts] == [trunk]


def test_a_power_cut_is_seen_on_battery_first_and_then_as_down_by_power(province: Province) -> None:
    before = outages(province, POWERLESS)
    province.act(power_cut=[POWERLESS])
    province.wait(lambda: province.verdict(POWERLESS) == ("degraded", ["on_battery"]), "the UPS on battery")
    province.wait(lambda: province.verdict(POWERLESS) == ("down", ["power"]), "the commune down by power")
    province.wait(lambda: bool(province.notified("firing")), "the notification of the power cut")
    words = {
        metric["reading"]: value
        for metric, value in province.samples(f'lienxa_commune_last_words{{commune="{POWERLESS}"}}')
    }
    assert words["ups_on_battery"] == 1
    assert 0 <= words["ups_charge_ratio"] < 1
    province.act(power_back=[POWERLESS])
    province.wait(lambda: bool(province.notified("resolved")), "the notification of the recovery")
    province.wait(province.quiet, "quiet after the power is back")

    (fired,) = province.notified("firing")
    (resolved,) = province.notified("resolved")
    assert [item["labels"]["root"] for item in fired.alerts] == [POWERLESS]
    assert [item["labels"]["root"] for item in resolved.alerts] == [POWERLESS]
    assert "power" in fired.alerts[0]["annotations"]["summary"]
    added = {cause: total for cause, total in outages(province, POWERLESS).items() if total != before.get(cause)}
    assert list(added) == ["power"]


def test_a_dead_portal_is_an_incident_and_no_commune_is_blamed(province: Province) -> None:
    service = load(lab.CAO_BANG).services[0].id
    province.act(portal_error=service)
    province.wait(lambda: bool(province.notified("firing")), "the notification of the portal")
    assert province.incidents() == {f"service/{service}": []}
    province.act(portal_ok=service)
    province.wait(lambda: bool(province.notified("resolved")), "the portal's recovery")
    province.wait(province.quiet, "quiet after the recovery")
    (fired,) = province.notified("firing")
    assert [item["labels"]["alertname"] for item in fired.alerts] == ["ServiceDown"]


def test_when_the_hub_itself_is_cut_off_nobody_is_blamed_and_nobody_is_notified(province: Province) -> None:
    province.act(cut="hub")
    province.wait(lambda: set(province.incidents()) == {"vantage/agent"}, "the agent to find itself blind")
    assert {verdict["state"] for verdict in province.status()["communes"].values()} == {"blind"}
    province.wait(lambda: [value for _, value in province.samples("lienxa_vantage_up")] == [0], "a scrape that says so")
    province.act(restore="hub")
    province.wait(province.quiet, "quiet after the hub is back")
    assert province.notifications == []


def test_communes_behind_a_trunk_that_nobody_probes_are_one_incident(province: Province) -> None:
    inventory = load(lab.CAO_BANG)
    (trunk,) = (trunk.id for trunk in inventory.trunks if trunk.address is None)
    behind = [commune.code for commune in inventory.communes if commune.trunk == trunk]
    province.act(cut=trunk)
    province.wait(lambda: bool(province.notified("firing")), "the notification of the trunk")
    assert province.incidents() == {f"trunk/{trunk}": behind}
    province.act(restore=trunk)
    province.wait(lambda: bool(province.notified("resolved")), "the notification of the recovery")
    province.wait(province.quiet, "quiet after the recovery")
    assert [item["labels"]["root"] for note in province.notified("firing") for item in note.alerts] == [trunk]
    assert [item["labels"]["root"] for note in province.notified("resolved") for item in note.alerts] == [trunk]


def test_the_rtt_on_the_page_is_that_of_a_packet_capture(province: Province, capture_script: Path) -> None:
    """Within 0.2 ms: kernel stamps on the agent's side are the truth, not what the emulator was asked to do."""
    address = load(lab.CAO_BANG).communes[0].links[0].address
    assert address is not None
    code = load(lab.CAO_BANG).communes[0].code
    province.act(impair={"segment": code, "delay_ms": 20})
    try:
        shown, captured = _both_views(province.stage, address, code, capture_script)
    finally:
        province.act(clear=code)
    assert len(captured) >= 40
    assert 0.04 < statistics.mean(captured) < 0.06
    assert shown == pytest.approx(statistics.mean(captured), abs=0.0002)


def _both_views(stage: Stage, address: str, code: str, script: Path) -> tuple[float, list[float]]:
    """Mean RTT in seconds by the page's histogram, and each RTT by the capture, over the same ten seconds."""

    def totals() -> tuple[float, float]:
        page = stage.get("agent", "/metrics")
        start = f'{{province="04",commune="{code}",link="primary"'
        total, count = (
            float(line.rpartition(" ")[2])
            for suffix in ("_sum", "_count")
            for line in page.splitlines()
            if line.startswith(f"{metrics.LINK_RTT.name}{suffix}{start}")
        )
        return total, count

    before = totals()[1]
    stage.wait(lambda: totals()[1] >= before + 15, 20, "windows without packets from before the impairment")
    argv = [sys.executable, str(script), "wan0", address, "10"]
    capture = stage.lab.popen(argv, stdout=subprocess.PIPE, text=True)
    assert capture.stdout is not None
    assert capture.stdout.readline() == "capturing\n"
    first = totals()
    lines, _ = capture.communicate(timeout=30)
    last = totals()
    rtts = [json.loads(line)["rtt_s"] for line in lines.splitlines()]
    return (last[0] - first[0]) / (last[1] - first[1]), rtts
