"""The simulated province on real packets: what an agent inside it sees, through either edge."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lab import LabError
from deploy.lab.client import Lab

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

INVENTORY = """
province: "04"
timings: {profile: fast}
references: [10.200.0.254]
credentials:
  lab: {version: v2c, community: {env: LIENXA_LAB_COMMUNITY}}
trunks:
  - {id: ring, address: 10.4.240.1}
  - {id: radio, parent: ring}
communes:
  - code: "01290"
    trunk: radio
    links:
      - {role: primary, medium: fibre, address: 10.4.1.1}
      - {role: backup, medium: lte, address: 10.4.1.3}
    devices:
      - {id: router, role: router, address: 10.4.1.1, credential: lab}
      - {id: ups, role: ups, address: 10.4.1.2, credential: lab}
  - code: "01294"
    trunk: radio
    links: [{role: primary, medium: fibre, address: "fd00:4::1"}]
    devices: [{id: router, role: router, address: "fd00:4::1", credential: lab}]
  - code: "01273"
    links: [{role: primary, medium: fibre, address: 10.4.3.1}]
services:
  - {id: portal, kind: http, name: Portal, url: "http://10.4.250.1/"}
  - {id: portal-v6, kind: http, name: Portal, url: "http://[fd00:4:250::1]:8080/"}
  - {id: gateway, kind: tcp, host: 10.4.250.3, port: 443}
"""
BATTERY_S = 3.0
HOPS = ["10.200.0.254", "10.201.0.1", "10.4.240.1", "10.201.0.2"]
HOPS_V6 = ["fd00:200::fe", "fd00:201::1", "fd00:202::1", "fd00:201::2"]

PING = """
import json, os, select, socket, struct, sys, time
address, count, interval, ttl, wait = sys.argv[1], *map(float, sys.argv[2:])
v6, found, sent, ident = ":" in address, {}, {}, os.getpid() & 0xFFFF
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) if v6 else socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
s.setsockopt(*((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if v6 else (socket.IPPROTO_IP, socket.IP_TTL)), int(ttl))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
def summed(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
def listen(until):
    while len(found) < count and select.select([s], [], [], max(0, until - time.perf_counter()))[0]:
        packet, (sender, *_) = s.recvfrom(4096)
        now = time.perf_counter()
        icmp = packet if v6 else packet[(packet[0] & 15) * 4:]
        if icmp[0] == (129 if v6 else 0) and icmp[4:6] == struct.pack(">H", ident) and sender == address:
            found[struct.unpack(">H", icmp[6:8])[0]] = (now - sent[struct.unpack(">H", icmp[6:8])[0]]) * 1000
        elif icmp[0] in ((1, 3) if v6 else (3, 11)):
            quoted = icmp[8 + (40 if v6 else (icmp[8] & 15) * 4):]
            if quoted[4:6] == struct.pack(">H", ident):
                found[struct.unpack(">H", quoted[6:8])[0]] = [sender, icmp[0], icmp[1]]
start = time.perf_counter()
for sequence in range(int(count)):
    listen(start + sequence * interval)
    icmp = struct.pack(">BBHHH", 128 if v6 else 8, 0, 0, ident, sequence) + bytes(48)
    icmp = icmp[:2] + struct.pack(">H", 0 if v6 else summed(icmp)) + icmp[4:]
    sent[sequence] = time.perf_counter()
    s.sendto(icmp, (address, 0))
listen(time.perf_counter() + wait)
print(json.dumps([found.get(sequence) for sequence in range(int(count))]))
"""
"""Echo requests: for each one the RTT in ms, or [hop, type, code] of the error that answered, or null."""

GET = """
import http.client, json, sys, time
host, port = sys.argv[1], int(sys.argv[2])
connection = http.client.HTTPConnection(host, port, timeout=1)
began = time.perf_counter()
try:
    connection.connect()
    connected = time.perf_counter() - began
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read().decode()
    said = {"status": answer.status, "retry": answer.getheader("Retry-After"), "body": body}
    print(json.dumps({**said, "connect_s": connected, "total_s": time.perf_counter() - began}))
except OSError as error:
    print(json.dumps({"error": type(error).__name__}))
"""
"""One HTTP request over the kernel's TCP."""


class Agent:
    """What runs on the agent's side."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def python(self, script: str, *arguments: object) -> Any:
        process = self.lab.popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        return json.loads(out)

    def ping(
        self, address: str, count: int = 1, *, ttl: int = 64, interval_s: float = 0.01, wait_s: float = 1.0
    ) -> Any:
        return self.python(PING, address, count, interval_s, ttl, wait_s)

    def answers(self, address: str) -> bool:
        return isinstance(self.ping(address, wait_s=0.3)[0], float)

    def walk(self, address: str, hops: int) -> list[str | None]:
        """Who answers for each hop count up to `hops`."""
        found = []
        for ttl in range(1, hops + 1):
            (outcome,) = self.ping(address, ttl=ttl, wait_s=0.4)
            found.append(address if isinstance(outcome, float) else outcome and outcome[0])
        return found

    def get(self, host: str, port: int) -> Any:
        return self.python(GET, host, port)

    def snmp(self, address: str, *names: str) -> list[str] | None:
        """Values by net-snmp; None for silence."""
        if shutil.which("snmpget") is None:
            pytest.skip("snmpget is not installed (Debian package snmp)")
        target = f"udp6:[{address}]" if ":" in address else address
        asked = ["snmpget", "-v2c", "-c", "lab-community", "-t", "0.5", "-r", "0", "-Ovqt", "-m", "", target, *names]
        process = self.lab.popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        out, _ = process.communicate(timeout=10)
        return out.splitlines() if process.returncode == 0 else None


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "inventory.yaml"
    path.write_text(INVENTORY, encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["tun", "packet"])
def shared(request: pytest.FixtureRequest, inventory: Path) -> Iterator[Lab]:
    try:
        lab = Lab.start(inventory, edge=request.param, battery_s=BATTERY_S)
    except LabError as error:
        pytest.skip(f"no lab on this machine: {error}")
    with lab:
        yield lab
        assert "Traceback" not in lab.errors()


@pytest.fixture
def agent(shared: Lab) -> Iterator[Agent]:
    """The agent's side of a healthy lab."""
    yield Agent(shared)
    shared.act(clear="everything")


def test_the_agents_side_has_no_way_out_but_the_lab(agent: Agent) -> None:
    listed = agent.lab.popen(["ip", "-json", "link"], stdout=subprocess.PIPE).communicate()[0]
    assert {link["ifname"] for link in json.loads(listed)} == {"lo", "wan0"}
    routes = agent.lab.popen(["ip", "-json", "route", "show", "default"], stdout=subprocess.PIPE).communicate()[0]
    assert [route["dev"] for route in json.loads(routes)] == ["wan0"]


@pytest.mark.parametrize("address", ["10.4.1.1", "fd00:4::1"])
def test_a_delay_is_seen_to_the_millisecond_both_ways(agent: Agent, address: str) -> None:
    agent.lab.act(impair={"segment": "radio", "delay_ms": 20})
    rtts = agent.ping(address, 50)
    assert None not in rtts
    assert min(rtts) >= 40
    assert statistics.median(rtts) < 43
    assert statistics.median(agent.ping("10.4.3.1", 20)) < 3


def test_jitter_spreads_and_loss_loses(agent: Agent) -> None:
    agent.lab.act(impair={"segment": "01273", "jitter_ms": 20, "loss": 0.3})
    found = agent.ping("10.4.3.1", 300, interval_s=0.003)
    rtts = [rtt for rtt in found if rtt is not None]
    assert 0.35 < len(rtts) / 300 < 0.63  # 0.49 of them cross twice
    assert max(rtts) - min(rtts) > 10
    dropped = agent.lab.stats()["segments"]["01273"]
    assert dropped["lost"] == 300 - len(rtts)


def test_a_rate_slows_long_packets_down(agent: Agent) -> None:
    agent.lab.act(impair={"segment": "10.4.3.1", "rate_kbps": 64})
    (rtt,) = agent.ping("10.4.3.1")
    assert 2 * 76 / 8 <= rtt < 25  # two packets of 76 bytes, at 8 bytes a millisecond


def test_several_thousand_packets_a_second_are_carried(agent: Agent) -> None:
    found = agent.ping("10.4.3.1", 4000, interval_s=0.00025)
    assert found.count(None) == 0
    assert statistics.median(found) < 5


@pytest.mark.parametrize(("address", "hops"), [("10.4.1.1", HOPS), ("fd00:4::1", HOPS_V6)])
def test_every_hop_names_itself_also_on_the_way_into_a_cut_trunk(agent: Agent, address: str, hops: list[str]) -> None:
    assert agent.walk(address, 5) == [*hops, address]
    agent.lab.act(cut="radio")
    assert agent.walk(address, 5) == [*hops, None]
    agent.lab.act(cut="ring")
    assert agent.walk(address, 3) == [*hops[:2], None]
    assert agent.answers("10.200.0.254")
    agent.lab.act(restore=["radio", "ring"])
    assert agent.answers(address)


def test_hops_answer_for_their_own_addresses(agent: Agent) -> None:
    assert all(agent.answers(address) for address in (*HOPS, *HOPS_V6))


@pytest.mark.parametrize(
    ("address", "error"), [("10.4.1.1", ["10.201.0.2", 3, 1]), ("fd00:4::1", ["fd00:201::2", 1, 3])]
)
def test_unreachable_is_said_by_the_router_before(agent: Agent, address: str, error: list[object]) -> None:
    agent.lab.act(unreachable=["01290", "01294"])
    assert agent.ping(address) == [error]


def test_a_link_a_network_or_an_address_is_cut_alone(agent: Agent) -> None:
    agent.lab.act(cut="01290/primary")
    assert [agent.answers(f"10.4.1.{last}") for last in (1, 2, 3)] == [False, True, True]
    agent.lab.act(clear="01290/primary")
    agent.lab.act(cut="10.4.1.2/31")
    assert [agent.answers(f"10.4.1.{last}") for last in (1, 2, 3)] == [True, False, False]
    agent.lab.act(clear=True)
    agent.lab.act(cut="10.4.1.3")
    assert [agent.answers(f"10.4.1.{last}") for last in (1, 2, 3)] == [True, True, False]


def test_http_runs_over_the_kernels_tcp(agent: Agent) -> None:
    agent.lab.act(impair={"segment": "portal", "delay_ms": 20})
    answer = agent.get("10.4.250.1", 80)
    assert answer["status"] == 200
    assert '<p id="service">portal</p>' in answer["body"]
    assert 0.04 <= answer["connect_s"] < 0.08
    assert 0.08 <= answer["total_s"] < 0.2
    assert agent.get("fd00:4:250::1", 8080)["status"] == 200


def test_portals_have_bad_days(agent: Agent) -> None:
    agent.lab.act(portal_slow={"service": "portal", "seconds": 0.3})
    assert agent.get("10.4.250.1", 80)["total_s"] >= 0.3
    agent.lab.act(portal_error="portal")
    assert agent.get("10.4.250.1", 80)["status"] == 500
    agent.lab.act(portal_overload="portal")
    answer = agent.get("10.4.250.1", 80)
    assert (answer["status"], answer["retry"]) == (503, "30")
    agent.lab.act(portal_wrong="portal")
    answer = agent.get("10.4.250.1", 80)
    assert answer["status"] == 200
    assert "portal" not in answer["body"]
    agent.lab.act(portal_refuse=["portal", "gateway"])
    assert agent.get("10.4.250.1", 80) == {"error": "ConnectionRefusedError"}
    assert agent.get("10.4.250.3", 443) == {"error": "ConnectionRefusedError"}
    agent.lab.act(portal_ok=["portal", "gateway"])
    assert agent.get("10.4.250.1", 80)["status"] == 200
    assert agent.get("10.4.250.3", 443) == {"error": "TimeoutError"}  # it accepts, and says nothing


SOURCE, CHARGE, BADS = "1.3.6.1.2.1.33.1.4.1.0", "1.3.6.1.2.1.33.1.2.4.0", "1.3.6.1.2.1.33.1.3.1.0"
UPTIME = "1.3.6.1.2.1.1.3.0"
BATTERY, MAINS = "5", "3"  # upsOutputSource, RFC 1628


def test_a_ups_drains_and_dies_and_everything_restarts_with_the_mains(agent: Agent) -> None:
    before = agent.snmp("10.4.1.2", SOURCE, CHARGE, BADS)
    assert before is not None
    assert before[:2] == [MAINS, "100"]
    agent.lab.act(power_cut="01290")
    cut = time.monotonic()
    charges: list[int] = []
    while (now := agent.snmp("10.4.1.2", SOURCE, CHARGE, BADS)) is not None:
        assert (now[0], int(now[2])) == (BATTERY, int(before[2]) + 1)
        charges.append(int(now[1]))
        assert time.monotonic() - cut < 3 * BATTERY_S
        time.sleep(0.1)
    assert charges == sorted(charges, reverse=True)
    assert charges[-1] < 50
    assert not any(agent.answers(f"10.4.1.{last}") for last in (1, 2, 3))
    agent.lab.act(power_back="01290")
    uptime, source = agent.snmp("10.4.1.1", UPTIME), agent.snmp("10.4.1.2", SOURCE)
    assert uptime is not None
    assert int(uptime[0]) < 500
    assert source == [MAINS]


def test_a_site_without_a_ups_is_dark_at_once_and_a_cut_outlives_the_dark(agent: Agent) -> None:
    agent.lab.act(power_cut="01273")
    assert not agent.answers("10.4.3.1")
    agent.lab.act(cut="01273")
    agent.lab.act(power_back="01273")
    assert not agent.answers("10.4.3.1")
    agent.lab.act(restore="01273")
    assert agent.answers("10.4.3.1")


def test_devices_answer_over_ipv6_and_only_to_their_community(agent: Agent) -> None:
    uptime = agent.snmp("fd00:4::1", UPTIME)
    assert uptime is not None
    assert int(uptime[0]) > 8_640_000
    wrong = ["snmpget", "-v2c", "-c", "other", "-t", "0.3", "-r", "0", "10.4.1.1", UPTIME]
    process = agent.lab.popen(wrong, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, said = process.communicate(timeout=10)
    assert "No Response" in said


def test_a_scenario_is_played_to_its_end(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text(
        "name: short\nabout: a cut of half a second\nevents:\n"
        '  - {at: 0s, cut: "01273"}\n  - {at: 0.5s, restore: "01273"}\n',
        encoding="utf-8",
    )
    assert agent.lab.play(str(path)) == 0.5
    wait_for(lambda: not agent.answers("10.4.3.1"), "the cut")
    wait_for(lambda: agent.lab.status()["playing"] is None, "the end")
    assert agent.answers("10.4.3.1")


def test_what_cannot_be_done_is_an_error_in_words(agent: Agent) -> None:
    with pytest.raises(LabError, match=r"cut\[0\]: unknown segment '0129'; did you mean"):
        agent.lab.act(cut="0129")
    with pytest.raises(LabError, match=r"unknown scenario 'hard'"):
        agent.lab.play("hard")


def test_a_sink_inside_and_a_door_to_it(agent: Agent) -> None:
    with agent.lab.listen() as sink:
        port = sink.getsockname()[1]

        def serve() -> None:
            connection, _ = sink.accept()
            with connection:
                while not connection.recv(65536).endswith(b"\r\n\r\n"):
                    pass
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nsink")

        thread = threading.Thread(target=serve)
        thread.start()
        visitor = http.client.HTTPConnection("127.0.0.1", agent.lab.door(port), timeout=10)
        visitor.request("GET", "/")
        assert visitor.getresponse().read() == b"sink"
        visitor.close()
        thread.join(10)
    with socket.create_connection(("127.0.0.1", agent.lab.door(port)), timeout=10) as closed:
        assert closed.recv(1) == b""


def test_a_second_lab_is_refused_the_first_ones_control_socket(agent: Agent, inventory: Path) -> None:
    second = [str(Path(sys.executable).with_name("lienxa")), "lab", "up", str(inventory)]
    done = subprocess.run(
        [*second, "--control", str(agent.lab.control)], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 3
    assert "a lab runs there already" in done.stderr
    assert "Traceback" not in done.stderr
    assert agent.answers("10.4.3.1")


# What is left behind


def network_namespaces() -> set[int]:
    """The inodes of every network namespace that some process lives in or holds open."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places = [process / "ns" / "net", *(process / "fd").iterdir()]
        except OSError:
            continue
        for place in places:
            try:
                target = str(place.readlink())
            except OSError:
                continue
            if target.startswith("net:["):
                found.add(int(target[5:-1]))
    return found


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def host_devices() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


class Traces:
    """What one lab is made of, to be looked for afterwards."""

    def __init__(self, lab: Lab) -> None:
        self.processes = [lab.pid, *children(lab.pid)]
        self.spaces = set(lab.namespaces.values())
        assert len(self.processes) == 2
        assert self.spaces <= network_namespaces()

    def gone(self) -> bool:
        return not any(map(alive, self.processes)) and not self.spaces & network_namespaces()


@pytest.fixture(params=["tun", "packet"])
def own(request: pytest.FixtureRequest, inventory: Path) -> Iterator[Lab]:
    before = host_devices()
    try:
        lab = Lab.start(inventory, edge=request.param)
    except LabError as error:
        pytest.skip(f"no lab on this machine: {error}")
    with lab:
        assert host_devices() == before
        yield lab
    assert host_devices() == before


def test_nothing_is_left_after_the_end(own: Lab) -> None:
    traces = Traces(own)
    sleeper = own.popen(["sleep", "600"])
    own.close()
    wait_for(traces.gone, "processes and namespaces to go")
    assert sleeper.returncode == -9
    assert not own.control.parent.exists()


@pytest.mark.parametrize("victim", [0, 1], ids=["the lab", "the forwarder"])
def test_nothing_is_left_after_either_process_was_killed(own: Lab, victim: int) -> None:
    traces = Traces(own)
    os.kill(traces.processes[victim], 9)
    wait_for(traces.gone, "processes and namespaces to go")


def test_a_lab_ends_with_the_process_that_started_it(inventory: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from deploy.lab.client import Lab\n"
        "lab = Lab.start(Path(sys.argv[1])); child = lab.popen(['sleep', '600'])\n"
        "print(lab.pid, child.pid, lab.control, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script, str(inventory)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    line = starter.stdout.readline().split()
    if not line:
        pytest.skip("no lab on this machine")
    lab, child, control = int(line[0]), int(line[1]), Path(line[2])
    everything = [lab, child, *children(lab)]
    starter.kill()
    starter.wait()
    starter.stdout.close()
    wait_for(lambda: not any(map(alive, everything)), "the lab and what ran in it to end")
    assert not control.exists()
    shutil.rmtree(control.parent)
