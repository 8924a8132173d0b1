"""A stateful firewall between the agent and its link: namespaces of the test's own, nftables and conntrack between."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from probes.ports import PingWindow
from probes.protocols.icmp import IcmpEngine
from tests.probes.conftest import in_namespace, ip, other_namespace

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

NEAR, FAR = "192.0.2.1", "198.51.100.9"
OUTSIDE, NOBODYS = "198.51.100.1", "198.51.100.77"
"""The firewall's address on the far side, and one that is nobody's."""
FORGETS_S = 1
"""conntrack's time-out for echoes."""
PACE = 20.0
RULES = """\
flush ruleset
table ip gate {{
    chain before {{
        type filter hook prerouting priority -300;
        {cut}
    }}
    chain through {{
        type filter hook forward priority 0; policy drop;
        ct state invalid drop
        ct state established,related accept
        iifname "inside" ct state new icmp type echo-request accept
    }}
    chain after {{
        type nat hook postrouting priority 100;
        oifname "outside" snat to {address}
    }}
}}
"""
REFUSED = ("not permitted", "not supported", "No such file or directory")


class Firewall:
    """The namespace in the middle, as its rules stand; conntrack keeps what it knows when they change."""

    def __init__(self, holder: str) -> None:
        self._holder = holder

    def run(self, *argv: str, text: str | None = None) -> str:
        done = subprocess.run(
            ["nsenter", "--net", "-t", self._holder, *argv], input=text, text=True, capture_output=True, check=False
        )
        if any(words in done.stderr for words in REFUSED):
            pytest.skip(f"no stateful firewall on this machine: {' '.join(argv)}: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rules(self, *, cut: bool = False, address: str = OUTSIDE) -> None:
        self.run("nft", "-f", "-", text=RULES.format(cut='iifname "inside" drop' if cut else "", address=address))


@contextmanager
def firewall() -> Iterator[Firewall]:
    """Agent, firewall and far end, three namespaces in a row."""
    if shutil.which("nft") is None and not Path("/usr/sbin/nft").exists():
        pytest.skip("nft is not installed (Debian package nftables)")
    with ExitStack() as stack:
        middle, far = stack.enter_context(other_namespace()), stack.enter_context(other_namespace())
        gate, end = Firewall(middle), Firewall(far)
        ip("link", "add", "name", "near", "type", "veth", "peer", "name", "inside", "netns", middle)
        ip("addr", "add", f"{NEAR}/30", "dev", "near")
        ip("link", "set", "near", "up")
        gate.run("ip", "addr", "add", "192.0.2.2/30", "dev", "inside")
        gate.run("ip", "link", "set", "inside", "up")
        ip("route", "add", "default", "via", "192.0.2.2")
        gate.run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "end", "netns", far)
        gate.run("ip", "addr", "add", f"{OUTSIDE}/24", "dev", "outside")
        gate.run("ip", "link", "set", "outside", "up")
        end.run("ip", "addr", "add", f"{FAR}/24", "dev", "end")
        end.run("ip", "link", "set", "end", "up")
        gate.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        gate.rules()
        gate.run("sysctl", "-qw", f"net.netfilter.nf_conntrack_icmp_timeout={FORGETS_S}")
        yield gate


async def until(engine: IcmpEngine, *, answered: bool, seconds: float = 15.0) -> PingWindow:
    """The first window in which everything is answered, or nothing."""
    deadline = time.monotonic() + seconds
    while True:
        await asyncio.sleep(0.3)
        window = await engine.window("link", FAR, PACE)
        if window.sent and window.received == (window.sent if answered else 0):
            return window
        assert time.monotonic() < deadline, f"{window.received} of {window.sent} answered after {seconds:g} s"


def pinging() -> subprocess.Popen[str]:
    """`ping`, which keeps one id; each answer with its time."""
    return subprocess.Popen(["ping", "-D", "-n", "-i", "0.2", FAR], stdout=subprocess.PIPE, text=True)


def test_a_cut_longer_than_the_firewalls_memory_ends_with_the_cut() -> None:
    async def scenario() -> None:
        with firewall() as gate:
            engine = IcmpEngine(timeout_s=0.5)
            engine.open()
            try:
                await until(engine, answered=True)
                gate.rules(cut=True)
                await until(engine, answered=False)
                await asyncio.sleep(2 * FORGETS_S)
                gate.rules()
                await until(engine, answered=True, seconds=5)
            finally:
                engine.close()

    in_namespace(scenario)


def test_a_conversation_that_the_firewall_began_wrongly_is_not_kept_alive() -> None:
    """After the cut the firewall has no good address for a while; what begins then keeps the bad one while it is used.

    `ping` with its one id stays dead, as long as it is running; we turn to another id.
    """

    async def scenario() -> str:
        with firewall() as gate:
            engine = IcmpEngine(timeout_s=0.5)
            engine.open()
            other = pinging()
            try:
                await until(engine, answered=True)
                gate.rules(cut=True)
                await asyncio.sleep(2 * FORGETS_S)
                gate.rules(address=NOBODYS)
                await asyncio.sleep(2)
                await until(engine, answered=False)
                gate.rules()
                mended = time.time()
                await until(engine, answered=True)
                await asyncio.sleep(2)
            finally:
                engine.close()
                other.terminate()
                said, _ = other.communicate(timeout=5)
        stamps = [float(found) for found in re.findall(r"^\[(\d+\.\d+)\] 64 bytes", said, re.MULTILINE)]
        assert stamps, "ping was never answered"
        assert max(stamps) < mended, "the scenario lets a conversation with one id recover as well"
        return said

    in_namespace(scenario)
