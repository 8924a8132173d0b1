"""By which ICMP method the agent measures, and what it lacks for a better one: told at start and on the page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.stage import COMMAND
from probes.protocols.icmp.edge import WANTED_BUFFER_BYTES
from tests.probes.test_icmp_access import NO_NET_RAW, run_in_user_namespace

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

SMALL = """\
province: "04"
timings: {profile: fast}
references: [127.0.0.9]
communes: [{code: "01290", links: [{address: 127.0.0.1}]}]
"""
RUN = """
import json, subprocess, sys, time, urllib.request
command, inventory = sys.argv[1:]
agent = subprocess.Popen([command, "run", inventory, "--listen", "127.0.0.1:9834"], stderr=subprocess.PIPE, text=True)
page, deadline = "", time.monotonic() + 12
try:
    while "lienxa_link_received_total" not in page or "lienxa_icmp_raw_sockets" not in page:
        assert agent.poll() is None and time.monotonic() < deadline, "no page"
        time.sleep(0.1)
        try:
            page = urllib.request.urlopen("http://127.0.0.1:9834/metrics", timeout=2).read().decode()
        except OSError:
            continue
finally:
    agent.terminate()
    _, log = agent.communicate(timeout=10)
    print(json.dumps([log, page]))
"""


def started(tmp_path: Path, *before: str) -> tuple[str, dict[str, float]]:
    """What an agent wrote to its log, and its ICMP series; in namespaces of its own, without the rights in `before`."""
    (tmp_path / "cao-bang.yaml").write_text(SMALL, encoding="utf-8")
    words = [*before, sys.executable, "-c", RUN, str(COMMAND), str(tmp_path / "cao-bang.yaml")]
    done: subprocess.CompletedProcess[str] = run_in_user_namespace(*words)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    log, page = told
    series = re.findall(r"^lienxa_(icmp_\w+){[^}]*} (\S+)$", page, re.MULTILINE)
    return log, {name: float(value) for name, value in series}


def capacity_is_told(log: str, series: dict[str, float]) -> None:
    size, held = int(series["icmp_receive_buffer_bytes"]), int(series["icmp_receive_buffer_replies"])
    assert f"the receive buffer of {size} bytes holds about {held // 100 * 100} replies at one time" in log
    assert ("net.core.rmem_max" in log) == (size < WANTED_BUFFER_BYTES)


def test_with_the_right_the_method_is_raw_and_the_log_says_what_its_buffer_holds(tmp_path: Path) -> None:
    log, series = started(tmp_path)
    assert series["icmp_raw_sockets"] == 1
    assert "raw ICMP sockets for IPv4" in log
    assert "CAP_NET_RAW" not in log
    capacity_is_told(log, series)


def test_without_the_right_it_is_datagram_and_a_warning_names_what_is_missing(tmp_path: Path) -> None:
    log, series = started(tmp_path, *NO_NET_RAW)
    assert series["icmp_raw_sockets"] == 0
    (line,) = [line for line in log.splitlines() if "unprivileged datagram ICMP sockets" in line]
    assert " W unprivileged" in line
    assert "CAP_NET_RAW is missing" in line
    assert "AmbientCapabilities=CAP_NET_RAW" in line
    capacity_is_told(log, series)
