"""Host names as addresses: how long answers are kept, and what happens while no resolver answers; a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from probes import metrics
from probes.kinds import icmp, snmp
from probes.kinds.icmp import IcmpSettings
from probes.kinds.snmp import SnmpSettings
from probes.ports import SnmpAgent
from probes.protocols.icmp import IcmpEngine
from probes.protocols.names import LONGEST_RETRY_S, LONGEST_S, PATIENCE_S, RETRY_S, SHORTEST_S, STALE_S, HostNames
from probes.results import Reason, TargetState
from tests.probes.conftest import TestNet, beat, value
from tests.probes.name_server import NXDOMAIN, SERVFAIL, NameServer, a_name_server

ROUTER = "router.xa.example"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        """The monotonic zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@contextlib.asynccontextmanager
async def resolving() -> AsyncIterator[tuple[HostNames, NameServer, Clock]]:
    """A resolver that asks a server of the test's own, by a clock of the test's own."""
    clock = Clock()
    async with a_name_server() as server:
        names = HostNames([server.place], clock)
        try:
            yield names, server, clock
        finally:
            await names.close()


async def becomes(condition: Callable[[], bool]) -> None:
    """Wait until it holds, or fail after five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("address", ["10.4.1.1", "2001:db8::1"])
async def test_an_address_is_itself_and_nobody_is_asked(address: str) -> None:
    async with resolving() as (names, server, _):
        assert await names.address(address) == address
        assert (names.lookups, server.asked.total()) == (0, 0)


async def test_a_name_is_looked_up_once_for_all_who_ask_until_its_time_to_live_is_over() -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER] = ["10.4.1.1"]
        assert await asyncio.gather(*(names.address(ROUTER) for _ in range(20))) == ["10.4.1.1"] * 20
        clock.now = server.ttl_s - 1
        await names.address(ROUTER)
        assert (names.lookups, names.failures) == (1, 0)
        server.addresses[ROUTER] = ["10.4.1.2"]
        clock.now = server.ttl_s
        await names.address(ROUTER)
        assert names.lookups == 2


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(0, SHORTEST_S), (1_000_000, LONGEST_S)])
async def test_a_time_to_live_is_believed_within_bounds(ttl_s: int, kept_s: float) -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["10.4.1.1"], ttl_s
        await names.address(ROUTER)
        for clock.now, lookups in ((kept_s - 0.1, 1), (kept_s, 2)):
            await names.address(ROUTER)
            assert names.lookups == lookups


async def test_another_address_is_taken_over_when_the_time_to_live_is_over() -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["10.4.1.1"], 0
        await names.address(ROUTER)
        server.addresses[ROUTER] = ["10.4.1.2"]
        clock.now = SHORTEST_S
        assert await names.address(ROUTER) == "10.4.1.2"


async def test_of_several_addresses_one_is_kept_whatever_their_order() -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["10.4.1.1", "10.4.1.2"], 0
        first = await names.address(ROUTER)
        for turn in range(1, 5):
            server.addresses[ROUTER].reverse()
            clock.now = turn * SHORTEST_S
            assert await names.address(ROUTER) == first
        assert server.asked[ROUTER] == 5


async def test_a_name_with_an_ipv6_address_alone_has_that() -> None:
    async with resolving() as (names, server, _):
        server.addresses[ROUTER] = ["2001:db8::7"]
        assert await names.address(ROUTER) == "2001:db8::7"


@pytest.mark.parametrize("code", [SERVFAIL, NXDOMAIN])
async def test_while_the_resolver_fails_the_last_address_stays_in_use_for_a_day_and_that_is_counted(code: int) -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["10.4.1.1"], 0
        await names.address(ROUTER)
        server.failing = code
        clock.now = SHORTEST_S
        assert await names.address(ROUTER) == "10.4.1.1"
        assert (names.failures, names.stale) == (1, 1)
        clock.now = STALE_S + 2 * SHORTEST_S
        await names.address(ROUTER)  # asks again, and does not wait
        await becomes(lambda: names.failures == 2)
        with pytest.raises(socket.gaierror, match=ROUTER):
            await names.address(ROUTER)
        assert names.stale == 0


async def test_a_name_that_nobody_asks_for_any_more_is_not_in_use() -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["10.4.1.1"], 0
        await names.address(ROUTER)
        server.failing = SERVFAIL
        clock.now = SHORTEST_S
        await names.address(ROUTER)
        assert names.stale == 1
        clock.now += LONGEST_S
        assert names.stale == 0


async def test_a_silent_resolver_delays_nobody_who_has_an_address_by_more_than_two_seconds() -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["10.4.1.1"], 0
        await names.address(ROUTER)
        server.silent = True
        clock.now = SHORTEST_S
        began = time.monotonic()
        assert await names.address(ROUTER) == "10.4.1.1"
        assert PATIENCE_S <= time.monotonic() - began < PATIENCE_S + 1.5
        await becomes(lambda: names.failures == 1)
        clock.now += RETRY_S
        began = time.monotonic()
        assert await names.address(ROUTER) == "10.4.1.1"
        assert time.monotonic() - began < PATIENCE_S / 2, "it is known to be silent"
        assert names.lookups == 3


async def test_without_any_address_the_reason_is_told_and_asking_again_takes_ever_longer() -> None:
    async with resolving() as (names, server, clock):
        waits = []
        for _ in range(9):
            began = clock.now
            with pytest.raises(socket.gaierror, match=rf"{ROUTER}: Domain name not found"):
                await names.address(ROUTER)
            asked = names.lookups
            with pytest.raises(socket.gaierror):
                await names.address(ROUTER)
            assert names.lookups == asked, "no more than one question at a time"
            while names.lookups == asked:
                clock.now += 1
                with pytest.raises(socket.gaierror):
                    await names.address(ROUTER)
            waits.append(clock.now - began)
        assert waits[:3] == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S]
        assert waits[-1] == LONGEST_RETRY_S
        server.addresses[ROUTER] = ["10.4.1.1"]
        clock.now += LONGEST_RETRY_S
        assert await names.address(ROUTER) == "10.4.1.1"


async def test_whoever_stops_waiting_does_not_disturb_the_others() -> None:
    async with resolving() as (names, server, _):
        server.silent, server.addresses[ROUTER] = True, ["10.4.1.1"]
        impatient, patient = (asyncio.create_task(names.address(ROUTER)) for _ in range(2))
        await becomes(lambda: server.asked[ROUTER] > 0)
        impatient.cancel()
        server.silent = False  # the second attempt is answered
        assert await patient == "10.4.1.1"


async def test_closing_releases_whoever_waits() -> None:
    async with resolving() as (names, server, _):
        server.silent = True
        waiting = asyncio.create_task(names.address(ROUTER))
        await becomes(lambda: server.asked[ROUTER] > 0)
        await names.close()
        with pytest.raises(socket.gaierror):
            await waiting


def test_the_hosts_file_is_obeyed_and_name_servers_are_those_of_this_machine(tmp_path: Path) -> None:
    """In a mount namespace, with files of the test's own."""
    hosts, servers = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("10.4.7.7  router-of-07 router-of-07.example\n", encoding="ascii")
    servers.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="ascii")
    binds = f"mount --bind {hosts} /etc/hosts && mount --bind {servers} /etc/resolv.conf"
    inside = ["unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh", sys.executable, "-c", RESOLVE]
    try:
        done = subprocess.run(
            [*inside, "router-of-07", ROUTER], check=False, capture_output=True, text=True, timeout=15
        )
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if "ermi" in done.stderr and not done.stdout:  # not permitted, permission denied
        pytest.skip(done.stderr)
    assert done.stdout.splitlines() == ["10.4.7.7", f"{ROUTER}: Could not contact DNS servers"]


RESOLVE = """
import asyncio, socket, sys
from probes.protocols.names import HostNames
async def main():
    names = HostNames()
    for host in sys.argv[1:]:
        try:
            print(await names.address(host))
        except socket.gaierror as error:
            print(error.strerror)
    await names.close()
asyncio.run(main())
"""


async def test_a_link_by_name_is_pinged_and_another_address_begins_a_new_stream(engine: IcmpEngine) -> None:
    async with resolving() as (names, server, clock):
        server.addresses[ROUTER], server.ttl_s = ["127.4.0.9"], 0
        net = TestNet(pings=engine, names=names)
        settings = IcmpSettings(address=ROUTER, packets_per_s=50.0)
        first = await icmp.check(settings, net, beat())
        assert (first.reason, value(first, metrics.LINK_SENT)) == (None, 5)
        server.addresses[ROUTER] = ["127.4.0.10"]
        clock.now = SHORTEST_S
        second = await icmp.check(settings, net, beat(first.memory))
        assert (second.reason, value(second, metrics.LINK_SENT)) == (None, 5)


async def test_a_name_that_does_not_resolve_is_a_dns_error_and_says_nothing_of_link_or_device() -> None:
    async with resolving() as (names, _, _):
        net = TestNet(names=names)  # any use of pings or SNMP is an error
        link = await icmp.check(IcmpSettings(address=ROUTER), net, beat())
        device = await snmp.check(SnmpSettings(agent=SnmpAgent(ROUTER, 161, "v2c")), net, beat())
        for result in (link, device):
            assert result.reason is Reason.DNS_ERROR
            assert result.grade is TargetState.UNKNOWN
            assert result.detail == f"{ROUTER}: Domain name not found"
        assert value(link, metrics.LINK_SENT) is None
        assert value(link, metrics.LINK_LOSS) is None
