"""The running agent and a device that tells of itself: by snmptrap, at a socket that is handed in as systemd does."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.stage import COMMAND

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(60),
    pytest.mark.skipif(shutil.which("snmptrap") is None, reason="snmptrap (Debian's snmp) is not installed"),
]

INVENTORY = """\
province: "04"
references: [127.0.0.3]
timings: {device_beat_s: 86400}
credentials: {devices: {community: {file: community}}}
communes:
  - code: "01290"
    links: [{address: 127.0.0.2}]
    devices: [{id: ups, role: ups, address: 127.0.0.1, port: %d, credential: devices}]
"""
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "traps"}
os.execv(sys.argv[2], sys.argv[2:])
"""


class Agent:
    """A running agent, the port of its traps, and the socket of the device that it asks."""

    def __init__(self, url: str, port: int, device: socket.socket, log: Path) -> None:
        self.url, self.port, self.device, self.log = url, port, device, log

    def value(self, series: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:  # noqa: S310  # our own, on loopback
            found = re.search(rf"^{re.escape(series)} (.+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def trap(self, community: str, *what: str) -> None:
        to = f"127.0.0.1:{self.port}"
        subprocess.run(["snmptrap", "-v2c", "-c", community, to, *what], check=True, env={"MIBS": ""})

    def asked(self) -> bool:
        """Whether the device has been asked since last time."""
        found = False
        try:
            while self.device.recv(4096):
                found = True
        except BlockingIOError:
            return found
        return found


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    log = tmp_path / "log"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as traps,
    ):
        device.bind(("127.0.0.1", 0))
        device.setblocking(False)
        traps.bind(("127.0.0.1", 0))
        (tmp_path / "community").write_text("valley")
        (tmp_path / "community").chmod(0o600)
        inventory = tmp_path / "cao-bang.yaml"
        inventory.write_text(INVENTORY % device.getsockname()[1], encoding="utf-8")
        argv = [COMMAND, "run", str(inventory), "--listen", "127.0.0.1:0"]
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, str(traps.fileno()), *argv],
                stderr=stderr,
                pass_fds=[traps.fileno()],
            )
        try:
            deadline = time.monotonic() + 15
            while not (found := re.search(r"listening on (http://\S+)", log.read_text())):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Agent(found[1], traps.getsockname()[1], device, log)
        finally:
            process.terminate()
            process.wait()


def test_a_trap_is_counted_and_has_the_device_asked_at_once(agent: Agent) -> None:
    agent.wait(lambda: agent.value('lienxa_traps_listening{province="04"}') == 1, "the socket that was handed in")
    assert not agent.asked()
    agent.trap("valley", "77", "1.3.6.1.2.1.33.2.1")
    counted = 'lienxa_device_traps_total{province="04",commune="01290",device="ups",trap="ups_on_battery"}'
    agent.wait(lambda: agent.value(counted) == 1, "the counter")
    agent.wait(agent.asked, "a beat long before it is due")


def test_who_guesses_the_community_is_counted_and_not_believed(agent: Agent) -> None:
    agent.wait(lambda: agent.value('lienxa_traps_listening{province="04"}') == 1, "the socket that was handed in")
    agent.trap("guess", "77", "1.3.6.1.2.1.33.2.1")
    dropped = 'lienxa_traps_dropped_total{province="04",reason="wrong_community"}'
    agent.wait(lambda: agent.value(dropped) == 1, "the counter")
    assert not agent.asked()
