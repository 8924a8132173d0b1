"""By which interface a router sends: its default route, out of each of three tables, and from a real snmpd."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.ports import SnmpAgent, SnmpValue
from probes.protocols.snmp import SnmpSessions
from probes.results import Result
from tests.probes import mib
from tests.probes.conftest import TestNet, beat, in_namespace, ip
from tests.probes.recordings import Played
from tests.probes.test_snmp import v2c

INET, CIDR, OLD = "1.3.6.1.2.1.4.24.7.1", "1.3.6.1.2.1.4.24.4.1", "1.3.6.1.2.1.4.21.1"
ADDRESSES = "1.3.6.1.2.1.4.20.1"
ANYWHERE = "1.4.0.0.0.0.0.2.0.0"  # 0.0.0.0/0 with the policy 0.0
ROUTER: dict[str, SnmpValue] = {
    mib.SYS_OBJECT_ID: "1.3.6.1.4.1.99",
    mib.SYS_UP_TIME: 360000,
    f"{mib.IF_NAME}.1": b"ether1",
    f"{mib.IF_NAME}.4": b"lte1",
    f"{mib.IF_OPER_STATUS}.1": 1,
    f"{mib.IF_OPER_STATUS}.4": 1,
}


def inet(next_hop: str, interface: int, metric: int) -> dict[str, SnmpValue]:
    """A default route of inetCidrRouteTable; one without a next hop of its own is on-link."""
    index = f"{ANYWHERE}.1.4.{next_hop}"
    return {f"{INET}.7.{index}": interface, f"{INET}.12.{index}": metric, f"{INET}.8.{index}": 4}


def cidr(next_hop: str, interface: int, metric: int) -> dict[str, SnmpValue]:
    """A default route of ipCidrRouteTable."""
    index = f"0.0.0.0.0.0.0.0.0.{next_hop}"
    return {f"{CIDR}.5.{index}": interface, f"{CIDR}.11.{index}": metric, f"{CIDR}.6.{index}": 4}


def own(address: str, interface: int, mask: str) -> dict[str, SnmpValue]:
    """One of the router's own addresses, in ipAddrTable."""
    return {f"{ADDRESSES}.2.{address}": interface, f"{ADDRESSES}.3.{address}": mask}


async def poll(device: Played, memory: object = None) -> Result:
    """One beat of a router that is asked for its routes, as far as it has them."""
    told = {"agent": SnmpAgent("192.0.2.1", 161, "v2c"), "extras": ("routes",)}
    return await check(SnmpSettings.model_validate(told), TestNet(snmp=device), beat(memory))


def routes(result: Result) -> dict[str, float]:
    """Metric of the default route by interface."""
    return {item.labels[0]: item.value for item in result.readings if item.family is metrics.DEFAULT_ROUTE_METRIC}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({**inet("10.0.0.1", 1, 1), **inet("10.9.0.1", 4, 20)}, {"ether1": 1, "lte1": 20}),
        ({**cidr("10.0.0.1", 1, 5), **cidr("10.0.0.2", 1, 3)}, {"ether1": 3}),
        ({f"{OLD}.2.0.0.0.0": 4, f"{OLD}.3.0.0.0.0": 0, f"{OLD}.2.10.0.0.0": 1, f"{OLD}.3.10.0.0.0": 9}, {"lte1": 0}),
        (inet("0.0.0.0", 4, -1), {"lte1": 0}),
        ({**inet("10.0.0.1", 1, 1), **cidr("10.9.0.1", 4, 1)}, {"ether1": 1}),
        ({f"{INET}.7.1.4.10.0.0.0.8.2.0.0.1.4.10.0.0.1": 1}, {}),
        (inet("10.0.0.1", 0, 1), {}),
        (
            {**cidr("10.0.0.1", 0, 1), **own("10.0.0.2", 4, "255.255.255.252"), **own("10.0.0.9", 1, "255.0.0.0")},
            {"lte1": 1},
        ),
        ({**cidr("10.0.0.1", 0, 1), **own("10.1.0.2", 4, "255.255.255.0"), **own("10.2.0.2", 1, "0.0.0.0")}, {}),
        ({**cidr("0.0.0.0", 0, 1), **own("10.1.0.2", 4, "255.255.255.0")}, {}),
        (inet("10.0.0.1", 9, 1), {}),
        ({f"{CIDR}.5.0.0.0.0.0.0.0.0.0.10.0.0.1": b"1.4", f"{CIDR}.11.0.0.0.0.0.0.0.0.0.10.0.0.1": 1}, {}),
    ],
    ids=[
        "two ways of unequal metric",
        "two next hops by one interface",
        "the oldest table, that of RFC 1213",
        "a metric that is not in use",
        "the newest table tells",
        "another route",
        "no interface",
        "only a next hop, as RouterOS says: the smallest network that holds it",
        "a next hop in no network of its own",
        "neither interface nor next hop",
        "an interface without a name",
        "no number",
    ],
)
async def test_the_default_route_is_told_by_the_name_of_its_interface(
    table: dict[str, SnmpValue], expected: dict[str, float]
) -> None:
    result = await poll(Played({**ROUTER, **table}))
    assert routes(result) == expected
    assert result.reason is None


async def test_a_route_that_moves_to_another_interface_is_told_in_the_next_beat() -> None:
    device = Played({**ROUTER, **inet("0.0.0.0", 1, 1)})
    first = await poll(device)
    device.objects |= inet("0.0.0.0", 4, 1)
    second = await poll(device, first.memory)
    device.objects |= inet("10.0.0.1", 1, 0)
    third = await poll(device, second.memory)
    assert [routes(result) for result in (first, second, third)] == [
        {"ether1": 1},
        {"lte1": 1},
        {"ether1": 0, "lte1": 1},
    ]


async def test_the_table_that_has_spoken_is_asked_alone() -> None:
    device = Played({**ROUTER, f"{OLD}.2.0.0.0.0": 1, f"{OLD}.3.0.0.0.0": 0})
    first = await poll(device)
    asked = len(device.requests)
    second = await poll(device, first.memory)
    walked = [oids for oids in device.requests[asked:] if any(oid.startswith("1.3.6.1.2.1.4.") for oid in oids)]
    assert routes(second) == {"ether1": 0}
    assert walked == [(f"{OLD}.2.0.0.0",), (f"{OLD}.3.0.0.0.0", f"{OLD}.8.0.0.0.0")]


async def test_a_router_that_was_read_and_has_no_way_out_any_more_is_partial() -> None:
    device = Played({**ROUTER, **inet("0.0.0.0", 1, 1)})
    first = await poll(device)
    for oid in inet("0.0.0.0", 1, 1):
        del device.objects[oid]
    second = await poll(device, first.memory)
    assert (routes(second), second.reason) == ({}, "partial")


@contextlib.contextmanager
def snmpd(folder: Path) -> Iterator[None]:
    """net-snmp's agent in this thread's network namespace."""
    binary = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("no snmpd (Debian package snmpd)")
    (folder / "snmpd.conf").write_text("agentAddress udp:127.0.0.1:1161\nrocommunity public\n", encoding="ascii")
    options = ["-f", "-Ln", "-C", "-c", str(folder / "snmpd.conf"), "-I", "-smux", "-p", str(folder / "pid")]
    environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(folder)}
    server = subprocess.Popen([binary, *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def test_a_linux_router_tells_when_it_turns_to_its_backup(tmp_path: Path) -> None:
    async def scenario() -> list[dict[str, float]]:
        for name, address, metric in (("wan", "10.7.1.2/24", "10"), ("lte", "10.7.2.2/24", "20")):
            ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
            ip("address", "add", address, "dev", name)
            for end in (name, f"{name}-far"):
                ip("link", "set", end, "up")
            ip("route", "add", "default", "via", address.replace("2/24", "1"), "metric", metric)
        told = {"agent": v2c(1161, "public"), "extras": ("routes",), "timeout_s": 0.5}
        settings = SnmpSettings.model_validate(told)
        sessions = SnmpSessions()

        async def routes_of_a_fresh_agent() -> dict[str, float]:
            with snmpd(tmp_path):  # a running one keeps what it knows of routes for a minute
                deadline = time.monotonic() + 8
                while not (found := routes(await check(settings, TestNet(snmp=sessions), beat()))):
                    assert time.monotonic() < deadline, "snmpd tells no route"
                return found

        try:
            before = await routes_of_a_fresh_agent()
            ip("link", "set", "wan", "down")
            return [before, await routes_of_a_fresh_agent()]
        finally:
            sessions.close()

    assert in_namespace(scenario) == [{"wan": 10, "lte": 20}, {"lte": 20}]
