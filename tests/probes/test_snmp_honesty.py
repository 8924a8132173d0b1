"""A device that is not the one expected, old firmware, and what could be misused: told, and never an outage."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.kinds.snmp.identity import ENGINE_ID_OID, SIGNS_S
from probes.kinds.snmp.sameness import ACCEPTED_S
from probes.model import FirmwareRule
from probes.ports import SnmpAgent, SnmpRows, SnmpValue
from probes.protocols.exposure import EVERY_S
from probes.protocols.snmp import SnmpSessions
from probes.results import Reason, Result, TargetState
from tests.probes import mib
from tests.probes.conftest import TestNet, beat, free_port, value
from tests.probes.recordings import Played
from tests.probes.test_snmp_poller import open_agent, secured, snmpd
from tests.probes.test_snmp_profiles import MIKROTIK, poll, profile_of
from tests.unit.fakes import FakeClock

SERIAL = "1.3.6.1.4.1.14988.1.1.7.3.0"
FIRMWARE = "1.3.6.1.4.1.14988.1.1.4.4.0"
ROUTER: Mapping[str, SnmpValue] = {**MIKROTIK, SERIAL: b"A33309596248", FIRMWARE: b"6.49.10"}
UPS: Mapping[str, SnmpValue] = {
    mib.SYS_DESCR: b"UPS card",
    mib.SYS_OBJECT_ID: "1.3.6.1.4.1.99",
    mib.SYS_UP_TIME: 100,
    "1.3.6.1.2.1.33.1.4.1.0": 3,
}


def differs(result: Result) -> dict[str, float]:
    """By which signs it is another device."""
    return {item.labels[0]: item.value for item in result.readings if item.family is metrics.DEVICE_DIFFERS}


def security(result: Result) -> dict[str, float]:
    """Its security findings."""
    return {item.labels[0]: item.value for item in result.readings if item.family is metrics.DEVICE_SECURITY_FINDING}


class Open(Played):
    """Answers every community; `communities` is which were tried."""

    def __init__(self, objects: Mapping[str, SnmpValue]) -> None:
        super().__init__(objects)
        self.communities: list[str] = []

    async def get(self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, **more: Any) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        self.communities.append(agent.community.get_secret_value())
        return await super().get(agent, oids, timeout_s, **more)


# Another device


async def test_the_same_model_with_another_serial_number_is_another_device_and_degraded() -> None:
    device, clock = Played(ROUTER), FakeClock()
    result = await poll(device, clock=clock)
    assert (result.reason, differs(result)) == (None, {"object_id": 0, "serial_number": 0})
    clock.go(60)
    device.objects |= {SERIAL: b"B00000000001", mib.SYS_UP_TIME: 500}  # exchanged, so it has just started
    result = await poll(device, memory=result.memory, clock=clock)
    assert (result.reason, result.detail) == (Reason.OTHER_DEVICE, "another serial_number")
    assert result.grade is TargetState.DEGRADED
    assert differs(result) == {"object_id": 0, "serial_number": 1}
    assert value(result, metrics.DEVICE_REPLACED) == 1
    assert value(result, metrics.CELL_RSRP) == -97


async def test_another_device_is_the_device_after_a_day() -> None:
    device, clock = Played(ROUTER), FakeClock()
    result = await poll(device, clock=clock)
    device.objects |= {SERIAL: b"B00000000001", mib.SYS_UP_TIME: 500}
    for seconds, reason in ((60, Reason.OTHER_DEVICE), (ACCEPTED_S - 1, Reason.OTHER_DEVICE), (1, None), (60, None)):
        clock.go(seconds)
        device.objects[mib.SYS_UP_TIME] = device.objects[mib.SYS_UP_TIME] + int(seconds * 100)  # type: ignore[operator]
        result = await poll(device, memory=result.memory, clock=clock)
        assert result.reason is reason
    assert value(result, metrics.DEVICE_REPLACED) == 1


async def test_new_firmware_with_the_same_serial_number_is_no_other_device() -> None:
    device, clock = Played({**ROUTER, ENGINE_ID_OID: bytes.fromhex("80003a8c04aabb")}), FakeClock()
    result = await poll(device, clock=clock)
    device.objects |= {
        mib.SYS_OBJECT_ID: "1.3.6.1.4.1.14988.1.7",
        ENGINE_ID_OID: bytes.fromhex("80003a8c04ccdd"),
        mib.SYS_UP_TIME: 100,
    }
    clock.go(60)
    result = await poll(device, memory=result.memory, clock=clock)
    assert (result.reason, value(result, metrics.DEVICE_REPLACED)) == (None, 0)


async def test_signs_are_looked_at_once_an_hour() -> None:
    device, clock = Played(ROUTER), FakeClock()
    result = await poll(device, clock=clock)
    for seconds, asked in ((60, False), (SIGNS_S - 61, False), (1, True), (60, False)):
        clock.go(seconds)
        device.objects[mib.SYS_UP_TIME] = device.objects[mib.SYS_UP_TIME] + int(seconds * 100)  # type: ignore[operator]
        before = len(device.requests)
        result = await poll(device, memory=result.memory, clock=clock)
        assert any(SERIAL in request for request in device.requests[before:]) is asked


async def test_a_serial_number_is_read_and_nowhere_shown() -> None:
    device = Played(ROUTER)
    result = await poll(device)
    assert any(SERIAL in request for request in device.requests)
    assert "A33309596248" not in repr(result)


@pytest.mark.parametrize("silence", [Reason.TIMEOUT, Reason.NO_SUCH_OBJECT])
async def test_signs_that_are_not_told_say_nothing(silence: Reason) -> None:
    device = Played(ROUTER)
    device.refused = {SERIAL: silence}
    result = await poll(device)
    assert (result.reason, differs(result)) == (None, {"object_id": 0})


def test_a_real_agent_with_another_engine_id_is_another_device(tmp_path: Path) -> None:
    agent = secured(free_port(socket.SOCK_DGRAM))
    settings = SnmpSettings.model_validate({"agent": agent, "groups": ("system",), "recognise": True, "timeout_s": 2})
    sessions = SnmpSessions()
    loop = asyncio.new_event_loop()
    memory: object = None
    try:
        for name, reason in (("first", None), ("again", None), ("second", Reason.OTHER_DEVICE)):
            folder = tmp_path / name
            folder.mkdir()
            clock = FakeClock(1000.0 + 2 * SIGNS_S * len(list(tmp_path.iterdir())))
            engine = "second" if name == "second" else "first"
            with snmpd(folder, agent.port, f"engineID {engine}"):
                net = TestNet(snmp=sessions, clock=clock)  # type: ignore[arg-type]  # a clock that is moved by hand
                result = loop.run_until_complete(check(settings, net, beat(memory)))
            assert result.reason is reason, result.detail
            memory = result.memory
    finally:
        sessions.close()
        loop.close()
    assert differs(result)["engine_id"] == 1


# Not what the inventory says


async def test_a_ups_in_a_routers_place_is_told() -> None:
    result = await poll(Played(UPS), role="router")
    assert (profile_of(result), result.reason) == ("ups-card", Reason.OTHER_DEVICE)
    assert result.detail.startswith("another role")
    assert (await poll(Played(UPS), "system", "ups", role="ups")).reason is None


async def test_a_device_that_has_nothing_of_its_named_profile_is_told() -> None:
    result = await poll(Played({**UPS, f"{mib.IF_NAME}.1": b"eth0", f"{mib.IF_OPER_STATUS}.1": 1}), profiles=("cisco",))
    assert (result.reason, result.detail) == (Reason.OTHER_DEVICE, "another profile")
    odd = {**ROUTER, mib.SYS_OBJECT_ID: "1.3.6.1.4.1.99"}  # it answers what the profile asks: somebody knew why
    assert (await poll(Played(odd), profiles=("mikrotik",))).reason is None


async def test_what_fails_besides_is_told_with_it() -> None:
    device = Played(UPS)
    result = await poll(device, role="router")
    assert result.detail == "another role; interfaces: an answer without any of the objects"


# Never seen


async def test_a_device_that_never_answered_is_told_from_one_that_fell_silent() -> None:
    device = Played(ROUTER)
    device.refused = {"1.3.6.1": Reason.TIMEOUT}
    result = await poll(device)
    assert (result.reason, value(result, metrics.DEVICE_SEEN)) == (Reason.TIMEOUT, 0)
    device.refused = {}
    result = await poll(device, memory=result.memory)
    assert value(result, metrics.DEVICE_SEEN) == 1
    device.refused = {"1.3.6.1": Reason.TIMEOUT}
    result = await poll(device, memory=result.memory)
    assert (result.reason, value(result, metrics.DEVICE_SEEN)) == (Reason.TIMEOUT, 1)


async def test_a_device_that_refuses_our_credentials_is_there() -> None:
    device = Played(ROUTER)
    device.refused = {"1.3.6.1": Reason.WRONG_DIGEST}
    assert value(await poll(device), metrics.DEVICE_SEEN) == 1


# Firmware


@pytest.mark.parametrize(("firmware", "expected"), [(b"6.49.10", 1), (b"7.12", 0), (b"", None)])
async def test_firmware_older_than_the_inventory_demands_is_told_and_changes_no_state(
    firmware: bytes, expected: float | None
) -> None:
    rules = (FirmwareRule(profile="mikrotik", minimum="7.12"),)
    result = await poll(Played({**ROUTER, FIRMWARE: firmware}), firmware=rules)
    assert (value(result, metrics.DEVICE_FIRMWARE_OUTDATED), result.reason) == (expected, None)
    assert value(await poll(Played(ROUTER)), metrics.DEVICE_FIRMWARE_OUTDATED) is None


# Security


@pytest.mark.parametrize(("version", "found"), [("v1", 1), ("v2c", 1), ("v3", 0)])
async def test_a_community_where_v3_is_required_is_a_finding_and_no_outage(version: str, found: float) -> None:
    agent = SnmpAgent("192.0.2.1", 161, version)
    result = await poll(Played(ROUTER), agent=agent, v3_required=True)
    assert (security(result), result.reason) == ({"snmp_community": found}, None)
    assert security(await poll(Played(ROUTER), agent=agent)) == {}


async def test_security_is_checked_on_request_within_an_hour_and_once_a_day() -> None:
    device, clock = Open(ROUTER), FakeClock()
    agent = SnmpAgent("127.0.0.1", 161, "v2c", community=SecretStr("other"))
    result = await poll(device, clock=clock, agent=agent, security_checks=True)
    assert security(result) == {}
    found = []
    for seconds in (3600, 60, EVERY_S - 61, 1):
        clock.go(seconds)
        device.objects[mib.SYS_UP_TIME] = device.objects[mib.SYS_UP_TIME] + int(seconds * 100)  # type: ignore[operator]
        device.communities.clear()
        result = await poll(device, memory=result.memory, clock=clock, agent=agent, security_checks=True)
        found.append("public" in device.communities)
        assert (security(result)["default_community"], result.reason) == (1, None)
    assert found == [True, False, False, True]


@pytest.mark.parametrize(("checks", "continuous"), [(False, True), (True, False)])
async def test_nothing_is_tried_by_hand_or_without_a_request(checks: bool, continuous: bool) -> None:
    device, clock = Open(ROUTER), FakeClock()
    told = {"agent": open_agent(161, community="other"), "recognise": True, "security_checks": checks}
    net = TestNet(snmp=device, clock=clock)  # type: ignore[arg-type]  # a clock that is moved by hand
    result = Result()
    for _ in range(2):
        result = await check(SnmpSettings.model_validate(told), net, beat(result.memory, continuous=continuous))
        clock.go(3600)
    assert set(device.communities) == {"other"}
