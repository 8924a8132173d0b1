"""The snmp kind and its sessions: against snmpd, and against small agents that play UPS and misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.ports import SnmpAgent, SnmpError
from probes.protocols.snmp import SnmpSessions
from probes.results import Reason, Result
from tests.probes import mib
from tests.probes.conftest import TestNet, beat, descriptors, descriptors_when, free_port, value
from tests.probes.snmp_agent import Counter32, Counter64, Gauge32, ObjectIdentifier, Oid, TimeTicks, playing

COMMUNITY, AUTH_KEY, PRIVACY_KEY = "geheim-community", "geheim-auth-key", "geheim-privacy-key"
SECRETS = (COMMUNITY, AUTH_KEY, PRIVACY_KEY)


def v2c(port: int, community: str = COMMUNITY, version: str = "v2c") -> SnmpAgent:
    """A device asked by community."""
    return SnmpAgent("127.0.0.1", port, version, community=SecretStr(community))


def v3(port: int, user: str = "probe", auth: str = AUTH_KEY, privacy: str = PRIVACY_KEY) -> SnmpAgent:
    """A device asked with authentication and privacy."""
    return SnmpAgent(
        "127.0.0.1",
        port,
        "v3",
        user=user,
        auth_protocol="sha256",
        auth_key=SecretStr(auth),
        privacy_protocol="aes128",
        privacy_key=SecretStr(privacy),
    )


async def probe(net: TestNet, agent: SnmpAgent, *groups: str, memory: object = None, timeout_s: float = 1.0) -> Result:
    """One beat."""
    settings = SnmpSettings.model_validate({"agent": agent, "groups": groups, "timeout_s": timeout_s})
    return await check(settings, net, beat(memory))


def groups_ok(result: Result) -> dict[str, float]:
    """Which groups were read."""
    return {r.labels[0]: r.value for r in result.readings if r.family is metrics.DEVICE_GROUP_OK}


# A real agent


@contextlib.contextmanager
def snmpd(folder: Path, port: int) -> Iterator[None]:
    """net-snmp's agent on loopback, answering."""
    binary = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("no snmpd (Debian package snmpd)")
    (folder / "snmpd.conf").write_text(
        f"agentAddress udp:127.0.0.1:{port}\n"
        f"rocommunity {COMMUNITY} 127.0.0.1\n"
        f'createUser probe SHA-256 "{AUTH_KEY}" AES "{PRIVACY_KEY}"\n'
        "rouser probe priv\n"
        "sysName cao-bang-01273\n",
        encoding="ascii",
    )
    options = ["-f", "-Ln", "-C", "-c", str(folder / "snmpd.conf"), "-I", "-smux", "-p", str(folder / "pid")]
    environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(folder)}
    server = subprocess.Popen([binary, *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not asyncio.run(_answers(port)):
            assert server.poll() is None, "snmpd ended"
            assert time.monotonic() < deadline, "snmpd does not answer"
        yield
    finally:
        server.terminate()
        server.wait()


async def _answers(port: int) -> bool:
    with contextlib.suppress(SnmpError):
        return bool(await SnmpSessions().get(v2c(port), [mib.SYS_NAME], 0.2))
    await asyncio.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an snmpd that lives as long as this module's tests."""
    number = free_port(socket.SOCK_DGRAM)
    with snmpd(tmp_path_factory.mktemp("snmpd"), number):
        yield number


@pytest.mark.parametrize("ask", [v2c, v3])
async def test_a_real_agent_tells_system_and_interfaces(
    net: TestNet, port: int, ask: Callable[[int], SnmpAgent]
) -> None:
    result = await probe(net, ask(port), "system", "interfaces")
    assert (result.reason, groups_ok(result)) == (None, {"system": 1, "interfaces": 1})
    uptime = value(result, metrics.DEVICE_UPTIME)
    assert uptime is not None
    assert 0 <= uptime < 3600
    (info,) = [reading for reading in result.readings if reading.family is metrics.DEVICE_INFO]
    assert info.labels[0].startswith("Linux")
    assert info.labels[1].startswith("1.3.6.1.4.1.8072.")
    assert info.labels[2] == "cao-bang-01273"
    for family in (metrics.INTERFACE_ADMIN_UP, metrics.INTERFACE_OPER_UP):
        assert value(result, family, "lo") == 1
    for family in (metrics.INTERFACE_RECEIVE_BYTES, metrics.INTERFACE_TRANSMIT_BYTES):
        octets = value(result, family, "lo")
        assert octets is not None
        assert octets > 0


async def test_the_oldest_version_is_asked_object_by_object(net: TestNet, port: int) -> None:
    result = await probe(net, v2c(port, version="v1"), "system", "interfaces")
    assert result.reason is None
    assert value(result, metrics.INTERFACE_OPER_UP, "lo") == 1
    octets = value(result, metrics.INTERFACE_RECEIVE_BYTES, "lo")
    assert octets is not None
    assert 0 < octets < 2**32  # ifInOctets: Counter64 is not in v1


async def test_groups_that_a_device_lacks_fail_alone(net: TestNet, port: int) -> None:
    result = await probe(net, v2c(port), "ups", "system")
    assert (result.reason, groups_ok(result)) == (Reason.PARTIAL, {"ups": 0, "system": 1})
    assert result.detail == "ups: an answer without any of the objects"
    assert value(result, metrics.DEVICE_UPTIME) is not None


@pytest.mark.parametrize("community", ["public", ""])
async def test_a_wrong_community_gets_no_answer(net: TestNet, port: int, community: str) -> None:
    started = time.monotonic()
    result = await probe(net, v2c(port, community), "system", "interfaces", "ups", timeout_s=0.4)
    assert time.monotonic() - started < 0.8  # the other groups are not waited for
    assert (result.reason, groups_ok(result)) == (Reason.TIMEOUT, {"system": 0, "interfaces": 0, "ups": 0})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user": "probf"}, Reason.UNKNOWN_USER),
        ({"auth": "another-auth-key"}, Reason.WRONG_DIGEST),
        ({"privacy": "another-privacy-key"}, Reason.DECRYPTION_ERROR),
    ],
)
async def test_wrong_keys_are_told(net: TestNet, port: int, change: dict[str, str], reason: Reason) -> None:
    result = await probe(net, v3(port, **change), "system", timeout_s=0.5)
    assert result.reason is reason
    assert "another" not in repr(result)


async def test_a_closed_port_refuses(net: TestNet) -> None:
    result = await probe(net, v2c(free_port(socket.SOCK_DGRAM)), "system")
    assert result.reason is Reason.REFUSED


def test_a_session_with_keys_outlives_a_restart_of_the_device(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    loop = asyncio.new_event_loop()
    net = TestNet(snmp=SnmpSessions())
    try:
        for _ in range(2):
            with snmpd(tmp_path, port):
                for _ in range(2):
                    result = loop.run_until_complete(probe(net, v3(port), "system"))
                    assert (result.reason, result.detail) == (None, "")
    finally:
        loop.close()


# Sessions


async def test_sessions_are_bounded_and_reused(port: int) -> None:
    before = descriptors()
    sessions = SnmpSessions(limit=3)
    for user in "abcdee":
        await sessions.get(replace(v2c(port), user=user), [mib.SYS_NAME], 1.0)
    assert len(sessions) == 3
    assert await descriptors_when(before + 8) == before + 8  # two for each, and two
    sessions.close()
    assert await descriptors_when(before) == before


async def test_many_at_once_on_one_device_take_turns(net: TestNet, port: int) -> None:
    results = await asyncio.gather(*(probe(net, v2c(port), "system", "interfaces") for _ in range(20)))
    assert {result.reason for result in results} == {None}


async def test_one_lost_datagram_is_asked_again() -> None:
    async with playing({mib.SYS_NAME: b"x"}) as (device, port):
        device.ignored = 1
        assert await SnmpSessions().get(v2c(port), [mib.SYS_NAME], 1.0) == {mib.SYS_NAME: b"x"}
        assert device.requests == 2


async def test_objects_that_nobody_asked_for_are_dropped() -> None:
    async with playing({mib.SYS_NAME: b"x"}) as (device, port):
        device.extra = (1, 3, 6, 1, 2, 1, 1, 99, 0)
        assert await SnmpSessions().get(v2c(port), [mib.SYS_NAME], 1.0) == {mib.SYS_NAME: b"x"}


async def test_a_walk_ends_at_the_subtree_and_at_its_bound() -> None:
    table = {f"1.3.6.1.4.1.9.{column}.{row}": row for column in (1, 2) for row in range(1, 61)}
    async with playing(table) as (_, port):
        sessions = SnmpSessions()
        assert len(await sessions.walk(v2c(port), "1.3.6.1.4.1.9.1", 1.0, 1000)) == 60
        assert len(await sessions.walk(v2c(port), "1.3.6.1.4.1.9.1", 1.0, 7)) == 7
        assert not await sessions.walk(v2c(port), "1.3.6.1.4.1.9.3", 1.0, 7)


@pytest.mark.parametrize("after", ["1.3.6.1.4.1.9.1.1", "1.3.6.1.4.1.9.1.2"])
async def test_an_agent_that_walks_in_circles_ends(after: str) -> None:
    table = {f"1.3.6.1.4.1.9.1.{row}": row for row in range(1, 4)}
    async with playing(table) as (device, port):
        straight = device.next_of

        def circle(oid: Oid) -> Oid | None:
            return tuple(map(int, after.split("."))) if oid[-1] == 3 else straight(oid)

        device.next_of = circle
        rows = await SnmpSessions().walk(v2c(port), "1.3.6.1.4.1.9.1", 2.0, 1_000_000)
        assert list(rows.values()) == [1, 2, 3]
        assert device.requests <= 3


# Interfaces

TABLE = {
    mib.SYS_UP_TIME: TimeTicks(360000),
    mib.IF_NUMBER: 2,
    **{f"{mib.IF_DESCR}.{index}": f"Interface {index}".encode() for index in (1, 7)},
    **{f"{mib.IF_NAME}.{index}": name for index, name in ((1, b"wan"), (7, b"lan"))},
    **{f"{mib.IF_ADMIN_STATUS}.{index}": 1 for index in (1, 7)},
    **{f"{mib.IF_OPER_STATUS}.{index}": status for index, status in ((1, 5), (7, 7))},
    **{f"{mib.IF_HIGH_SPEED}.{index}": Gauge32(speed) for index, speed in ((1, 100), (7, 0))},
    **{f"{mib.IF_HC_IN_OCTETS}.{index}": Counter64(2**40) for index in (1, 7)},
    **{f"{mib.IF_HC_OUT_OCTETS}.{index}": Counter64(2**41) for index in (1, 7)},
    **{f"{mib.IF_IN_ERRORS}.{index}": Counter32(3) for index in (1, 7)},
    **{f"{mib.IF_OUT_ERRORS}.{index}": Counter32(4) for index in (1, 7)},
}


def interfaces(result: Result) -> set[str]:
    """Their names."""
    return {r.labels[0] for r in result.readings if r.family is metrics.INTERFACE_OPER_UP}


async def test_interfaces_have_states_speed_and_counters(net: TestNet) -> None:
    async with playing(TABLE) as (_, port):
        result = await probe(net, v2c(port), "interfaces")
    assert result.reason is None
    expected = {
        metrics.INTERFACE_ADMIN_UP: (1, 1),
        metrics.INTERFACE_OPER_UP: (1, 0),
        metrics.INTERFACE_SPEED: (12.5e6, None),
        metrics.INTERFACE_RECEIVE_BYTES: (2**40, 2**40),
        metrics.INTERFACE_TRANSMIT_BYTES: (2**41, 2**41),
        metrics.INTERFACE_RECEIVE_ERRORS: (3, 3),
        metrics.INTERFACE_TRANSMIT_ERRORS: (4, 4),
    }
    assert {family: (value(result, family, "wan"), value(result, family, "lan")) for family in expected} == expected


async def test_names_are_remembered_until_the_table_changes_or_the_device_restarts(net: TestNet) -> None:
    async with playing(TABLE) as (device, port):
        first = await probe(net, v2c(port), "interfaces")
        cold = device.requests
        second = await probe(net, v2c(port), "interfaces", memory=first.memory)
        assert (device.requests - cold, second.readings) == (2, first.readings)
        renamed = {**TABLE, f"{mib.IF_NAME}.7": b"lte"}
        for sign in ({mib.IF_NUMBER: 3}, {mib.SYS_UP_TIME: TimeTicks(5)}):
            device.objects = type(device)({**renamed, **sign}).objects
            changed = await probe(net, v2c(port), "interfaces", memory=first.memory)
            assert interfaces(changed) == {"wan", "lte"}


async def test_an_interface_that_is_gone_makes_names_be_asked_again(net: TestNet) -> None:
    async with playing(TABLE) as (device, port):
        first = await probe(net, v2c(port), "interfaces")
        device.objects = {oid: found for oid, found in device.objects.items() if oid[-1] != 7 or oid[-2] == 2}
        second = await probe(net, v2c(port), "interfaces", memory=first.memory)
        assert (second.reason, interfaces(second)) == (None, {"wan"})
        device.objects = type(device)({**TABLE, f"{mib.IF_NAME}.7": b"lte"}).objects
        third = await probe(net, v2c(port), "interfaces", memory=second.memory)
        assert interfaces(third) == {"wan", "lte"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((b"eth", b"eth"), {"eth#1", "eth#7"}),
        ((b"wan\0", b"Mi\xe9n"), {"wan", "Mién"}),
        ((b"X\xb7 Qu\xb6ng L\xa9m", b"lan"), {"X· Qu¶ng L©m", "lan"}),  # TCVN3: told from Latin-1 by nothing
        ((b"", b"lan"), {"#1", "lan"}),
        ((b"", b""), {"Interface 1", "Interface 7"}),
        ((b"a\nb\x07", "Cổng".encode()), {"a b", "Cổng"}),
    ],
)
async def test_names_are_made_readable_and_unique(net: TestNet, names: tuple[bytes, bytes], expected: set[str]) -> None:
    table = {**TABLE, f"{mib.IF_NAME}.1": names[0], f"{mib.IF_NAME}.7": names[1]}
    async with playing(table) as (_, port):
        result = await probe(net, v2c(port), "interfaces")
    assert interfaces(result) == expected


async def test_a_device_that_finds_the_question_too_big_is_walked(net: TestNet) -> None:
    async with playing(TABLE) as (device, port):
        device.most = 4
        result = await probe(net, v2c(port), "interfaces")
    assert (result.reason, interfaces(result)) == (None, {"wan", "lan"})
    assert value(result, metrics.INTERFACE_RECEIVE_ERRORS, "lan") == 3


async def test_groups_that_the_device_refuses_fail_alone(net: TestNet) -> None:
    async with playing({**TABLE, mib.SYS_NAME: b"x"}) as (device, port):
        device.broken_below = "1.3.6.1.2.1.31"
        result = await probe(net, v2c(port), "system", "interfaces")
    assert (result.reason, groups_ok(result)) == (Reason.PARTIAL, {"system": 1, "interfaces": 0})


# UPS

MAINS = {
    mib.UPS_SECONDS_ON_BATTERY: 0,
    mib.UPS_MINUTES_REMAINING: 42,
    mib.UPS_CHARGE_REMAINING: 97,
    mib.UPS_INPUT_LINE_BADS: Counter32(5),
    mib.UPS_INPUT_NUM_LINES: 1,
    mib.UPS_OUTPUT_SOURCE: 3,
    mib.UPS_OUTPUT_NUM_LINES: 1,
    f"{mib.UPS_INPUT_VOLTAGE}.1": 221,
    f"{mib.UPS_OUTPUT_PERCENT_LOAD}.1": 35,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, (0, 0.97, 2520, 0.35, 221, 5), id="on mains"),
        pytest.param(
            {mib.UPS_OUTPUT_SOURCE: 5, mib.UPS_SECONDS_ON_BATTERY: 90, f"{mib.UPS_INPUT_VOLTAGE}.1": 0},
            (1, 0.97, 2520, 0.35, 0, 5),
            id="on battery",
        ),
        pytest.param({mib.UPS_SECONDS_ON_BATTERY: 3}, (1, 0.97, 2520, 0.35, 221, 5), id="seconds alone tell"),
        pytest.param({mib.UPS_OUTPUT_SOURCE: 1}, (0, 0.97, 2520, 0.35, 221, 5), id="other is normal on some"),
        pytest.param({mib.UPS_MINUTES_REMAINING: 0}, (0, 0.97, None, 0.35, 221, 5), id="0 minutes on mains"),
        pytest.param(
            {mib.UPS_MINUTES_REMAINING: 0, mib.UPS_OUTPUT_SOURCE: 5},
            (1, 0.97, 0, 0.35, 221, 5),
            id="0 minutes on battery",
        ),
        pytest.param(
            {
                mib.UPS_MINUTES_REMAINING: Gauge32(4294967295),
                mib.UPS_CHARGE_REMAINING: 65535,
                mib.UPS_SECONDS_ON_BATTERY: 2147483647,
                f"{mib.UPS_OUTPUT_PERCENT_LOAD}.1": 65535,
                f"{mib.UPS_INPUT_VOLTAGE}.1": 2147483647,
            },
            (0, None, None, None, None, 5),
            id="sentinels",
        ),
        pytest.param(
            {mib.UPS_CHARGE_REMAINING: b"97 %\0", mib.UPS_OUTPUT_SOURCE: b"5", mib.UPS_INPUT_LINE_BADS: b""},
            (1, 0.97, 2520, 0.35, 221, None),
            id="texts for numbers",
        ),
        pytest.param(
            {f"{mib.UPS_INPUT_VOLTAGE}.2": 239, f"{mib.UPS_INPUT_VOLTAGE}.3": 0},
            (0, 0.97, 2520, 0.35, 221, 5),
            id="rows beyond the number of lines",
        ),
        pytest.param(
            {
                mib.UPS_INPUT_NUM_LINES: 3,
                mib.UPS_OUTPUT_NUM_LINES: 3,
                **{f"{mib.UPS_INPUT_VOLTAGE}.{line}": 210 + line for line in (1, 2, 3)},
                **{f"{mib.UPS_OUTPUT_PERCENT_LOAD}.{line}": 10 * line for line in (1, 2, 3)},
            },
            (0, 0.97, 2520, 0.3, 213, 5),
            id="three lines",
        ),
        pytest.param(
            {f"{mib.UPS_INPUT_VOLTAGE}.1": 2360}, (0, 0.97, 2520, 0.35, None, 5), id="volts of an unknown scale"
        ),
    ],
)
async def test_a_ups_is_read_with_its_scales_and_sentinels(
    net: TestNet, change: dict[str, object], expected: tuple[float | None, ...]
) -> None:
    async with playing({**MAINS, **change}) as (_, port):
        result = await probe(net, v2c(port), "ups")
    assert (result.reason, groups_ok(result)) == (None, {"ups": 1})
    families = (
        metrics.UPS_ON_BATTERY,
        metrics.UPS_CHARGE,
        metrics.UPS_RUNTIME,
        metrics.UPS_LOAD,
        metrics.UPS_INPUT_VOLTS,
        metrics.UPS_LINE_BADS,
    )
    assert tuple(value(result, family) for family in families) == expected


async def test_an_index_with_an_extra_zero_is_allowed(net: TestNet) -> None:
    table = {oid: found for oid, found in MAINS.items() if not oid.startswith(mib.UPS_INPUT_VOLTAGE)}
    async with playing({**table, f"{mib.UPS_INPUT_VOLTAGE}.1.0": 222}) as (_, port):
        result = await probe(net, v2c(port), "ups")
    assert value(result, metrics.UPS_INPUT_VOLTS) == 222


async def test_a_ups_that_knows_nothing_of_its_source_is_not_called_on_mains(net: TestNet) -> None:
    async with playing({mib.UPS_CHARGE_REMAINING: 50}) as (_, port):
        result = await probe(net, v2c(port), "ups")
    assert value(result, metrics.UPS_CHARGE) == 0.5
    assert value(result, metrics.UPS_ON_BATTERY) is None


# Values and secrets


async def test_an_object_identifier_and_a_long_description_are_one_line_each(net: TestNet) -> None:
    table = {mib.SYS_DESCR: b"Line 1\r\nLine 2 " + b"x" * 300, mib.SYS_OBJECT_ID: ObjectIdentifier("1.3.6.1.4.1.9")}
    async with playing(table) as (_, port):
        result = await probe(net, v2c(port), "system")
    (info,) = [reading for reading in result.readings if reading.family is metrics.DEVICE_INFO]
    assert info.labels[0].startswith("Line 1 Line 2 x")
    assert len(info.labels[0]) == 120
    assert info.labels[1:] == ("1.3.6.1.4.1.9", "")
    assert value(result, metrics.DEVICE_UPTIME) is None


@pytest.mark.parametrize("ask", [v2c, v3])
async def test_no_secret_is_ever_shown(
    net: TestNet, port: int, ask: Callable[[int], SnmpAgent], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    for where in (port, free_port(socket.SOCK_DGRAM)):
        agent = ask(where)
        settings = SnmpSettings(agent=agent)
        result = await check(settings, net, beat())
        shown += [agent, settings, settings.model_dump(), settings.model_dump_json(), result, net.snmp, vars(net.snmp)]
        with contextlib.suppress(SnmpError):
            await net.snmp.get(agent, ["no object identifier"], 0.2)
        try:
            await net.snmp.walk(agent, "1.3.6.1.99", 0.2, 10)
        except SnmpError as error:
            shown += [error, error.detail, error.__cause__]
    everything = " ".join(f"{item!r} {item}" for item in shown) + caplog.text
    for secret in SECRETS:
        assert secret not in everything
