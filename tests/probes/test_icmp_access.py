"""Which sockets the ICMP engine gets: raw, unprivileged datagram sockets in their place, or none; real packets."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from probes.protocols.icmp import IcmpEngine
from probes.protocols.icmp.access import described
from probes.protocols.icmp.edge import WANTED_BUFFER_BYTES, Edge, replies_held
from probes.protocols.icmp.packet import PACKET_BYTES, EchoV4, Identity
from probes.protocols.icmp.raw import RawEdge
from tests.probes.conftest import in_namespace

NO_NET_RAW = ["setpriv", "--bounding-set=-net_raw,-net_admin", "--inh-caps=-net_raw,-net_admin", "--"]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--net", "--", "sh", "-ec"]
PREPARE = """
ip link set lo up
ip route add unreachable 10.78.0.0/16 2>/dev/null || true
echo "0 0" > /proc/sys/net/ipv4/ping_group_range
exec "$@"
"""
SCENARIO = """
import asyncio, dataclasses, json, sys, uvloop
from probes.ports import PingOptions
from probes.protocols.icmp import IcmpEngine
ECHO_IGNORE = "/proc/sys/net/ipv4/icmp_echo_ignore_all"
async def main():
    pings = IcmpEngine(timeout_s=0.4, rotation_s=0.25)
    pings.open()
    told = {"raw": pings.raw, "says": pings.describe(), "capacity": pings.receive_buffer_replies}
    async def asked(name, address, **options):
        window = await pings.window(name, address, 50.0, options=PingOptions(**options))
        told[name] = {key: value for key, value in window._asdict().items() if not isinstance(value, tuple)}
    await asked("here", "127.4.0.9")
    await asyncio.sleep(1.2)  # several rotations
    await asked("here", "127.4.0.9")
    await asked("v6", "::1")
    await asked("options", "127.4.0.10", dscp=46, size_bytes=1200, ttl=9, dont_fragment=True, source="127.0.0.5")
    await asked("foreign source", "127.4.0.10", source="192.0.2.77")
    await asked("huge", "127.4.0.11", size_bytes=65_507)
    told["stray"], told["forged"], told["errors"] = pings.stray, pings.forged, pings.send_errors
    pings.close()
    print(json.dumps(told))
uvloop.run(main())
"""


def run_in_user_namespace(*words: str) -> subprocess.CompletedProcess[str]:
    """A command as a mapped root in namespaces of its own, where our group may open datagram ICMP sockets."""
    refused = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if refused.returncode:
        pytest.skip(f"no user namespaces on this machine: {refused.stderr}")
    return subprocess.run([*NAMESPACE, PREPARE, "sh", *words], capture_output=True, text=True, check=False, timeout=18)


@pytest.fixture(scope="module")
def without_the_right() -> dict[str, Any]:
    """What an engine saw that lacks CAP_NET_RAW, in a group that may use datagram sockets."""
    done = run_in_user_namespace(*NO_NET_RAW, sys.executable, "-c", SCENARIO)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_without_the_right_datagram_sockets_measure_the_same(without_the_right: dict[str, Any]) -> None:
    here = without_the_right["here"]
    assert not without_the_right["raw"]
    assert here["received"] == here["sent"] > 20
    assert here["total_received"] == here["total_sent"]
    assert 0 < min(here["rtts_s"]) < 0.005
    assert here["reply_ttl"] == 64
    assert without_the_right["v6"]["received"] == 5 or without_the_right["v6"]["send_error"]


def test_rotating_datagram_sockets_loses_nothing_and_calls_nothing_stray(without_the_right: dict[str, Any]) -> None:
    """The engine has rotated at least four times meanwhile."""
    here = without_the_right["here"]
    assert (here["total_late"], here["total_duplicates"]) == (0, 0)
    assert (without_the_right["stray"], without_the_right["forged"]) == (0, 0)


def test_datagram_sockets_obey_a_streams_options(without_the_right: dict[str, Any]) -> None:
    options, foreign = without_the_right["options"], without_the_right["foreign source"]
    assert options["received"] == options["sent"] == 5
    assert without_the_right["huge"]["received"] == 5
    assert foreign["sent"] == 0
    assert "the source address 192.0.2.77" in foreign["send_error"]


def test_the_log_says_what_is_missing_and_what_the_buffer_holds(without_the_right: dict[str, Any]) -> None:
    says = without_the_right["says"]
    assert says.startswith("unprivileged datagram ICMP sockets for IPv4")
    assert "CAP_NET_RAW is missing" in says
    assert "setcap cap_net_raw+ep" in says
    assert f"holds about {without_the_right['capacity'] // 100 * 100} replies" in says


ERRORS = """
import asyncio, json, sys, uvloop
from probes.protocols.icmp import IcmpEngine
async def main():
    pings = IcmpEngine(timeout_s=1.0)
    pings.open()
    beside = asyncio.create_task(pings.window("beside", "10.77.0.2", 20.0))
    window = await pings.window("beyond", "10.78.0.1", 20.0)
    other = await beside
    print(json.dumps([pings.raw, window.sent, window.received, window.errors, window.error_hop, window.error_kind,
                      other.sent, other.received, other.errors, pings.send_errors, pings.stray]))
    pings.close()
uvloop.run(main())
"""
FAR = """
ip link set lo up
echo "0 0" > /proc/sys/net/ipv4/ping_group_range
unshare --net sleep 15 &
far=$!
trap "kill $far" EXIT
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && [ -d /proc/$far ]; do sleep 0.02; done
ip link add near type veth peer name far netns $far
ip addr add 10.77.0.1/24 dev near
ip link set near up
inside="nsenter --target $far --net"
$inside ip addr add 10.77.0.2/24 dev far
$inside ip link set far up
$inside sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit'
$inside ip route add unreachable 10.78.0.0/16
ip route add 10.78.0.0/16 via 10.77.0.2
"$@"
"""


@pytest.mark.parametrize("privileges", ["none", "raw"])
def test_an_error_names_hop_and_kind_with_either_method(privileges: str) -> None:
    """With datagram sockets it comes from the error queue, and must not become a send error of somebody else."""
    prefix = NO_NET_RAW if privileges == "none" else []
    refused = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if refused.returncode:
        pytest.skip(f"no user namespaces on this machine: {refused.stderr}")
    words = [*NAMESPACE, FAR, "sh", *prefix, sys.executable, "-c", ERRORS]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=18)
    assert done.returncode == 0, done.stderr
    raw, sent, received, errors, hop, kind, *beside, send_errors, stray = json.loads(done.stdout)
    assert raw == (privileges == "raw")
    assert (received, hop, kind) == (0, "10.77.0.2", "host_unreachable")
    assert errors == sent >= 5
    assert beside[0] == beside[1] >= 5
    assert (beside[2], send_errors, stray) == (0, 0, 0)


def test_with_neither_the_message_names_both_ways() -> None:
    code = (
        "import asyncio\n"
        "from probes.protocols.icmp import IcmpEngine, IcmpUnavailable\n"
        "async def main():\n"
        "    try:\n"
        "        IcmpEngine().open()\n"
        "    except IcmpUnavailable as error:\n"
        "        print(error)\n"
        "asyncio.run(main())\n"
    )
    words = ["unshare", "--net", "--", *NO_NET_RAW, sys.executable, "-c", code]  # a new network admits nobody
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs root to give up capabilities: {done.stderr}")
    assert done.stdout.count("\n") == 1
    for word in (
        "no raw ICMP socket: CAP_NET_RAW is missing; ",
        "root",
        "setcap cap_net_raw+ep",
        "AmbientCapabilities=CAP_NET_RAW",
        'sysctl -w net.ipv4.ping_group_range="0 2147483647"',
    ):
        assert word in done.stdout


def test_the_capacity_that_is_told_is_what_the_buffer_holds() -> None:
    async def scenario() -> tuple[int, int]:
        identity = Identity(0x1230, 77)
        edge = RawEdge(EchoV4(identity))
        told = replies_held(edge.buffer_bytes)
        for number in range(told * 2):
            edge.send(edge.echo.request(number + 1, 1), ("127.0.0.1", 0))
        held = 0
        while arrivals := edge.read():
            held += len(arrivals)
        edge.close()
        return told, held

    told, held = in_namespace(scenario)
    assert PACKET_BYTES == 64
    assert 0.7 < held / told < 1.5


async def test_raw_sockets_say_so(engine: IcmpEngine) -> None:
    assert engine.raw
    assert engine.describe().startswith("raw ICMP sockets for IPv4")
    assert engine.receive_buffer_replies > 200


@pytest.mark.parametrize(("size", "limited"), [(212_992, True), (WANTED_BUFFER_BYTES, False)])
def test_a_buffer_that_rmem_max_keeps_small_is_told_with_what_it_holds_and_how_to_mend_it(
    size: int, limited: bool
) -> None:
    says = described({4: cast(Edge, SimpleNamespace(buffer_bytes=size))})
    assert f"the receive buffer of {size} bytes holds about {replies_held(size) // 100 * 100} replies" in says
    assert (f"`sysctl -w net.core.rmem_max={WANTED_BUFFER_BYTES}` gives more" in says) == limited
