"""Links by name, as the running agent and `lienxa check` see them; with a hosts file and name servers of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.stage import COMMAND

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

INVENTORY = """\
province: "04"
timings: {profile: fast}
references: [hub.example]
communes:
  - {code: "01290", links: [{address: router-90.example}]}
  - {code: "01294", links: [{address: router-94.example}]}
"""
STATE = 'lienxa_commune_state{{commune="{}",state="{}"}}'


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """The hosts file of `inside`: the hub and one of both routers."""
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 hub.example\n127.0.0.90 router-90.example\n", encoding="ascii")
    return file


def inside(hosts: Path, *words: str) -> list[str]:
    """A command that sees this hosts file, and a name server that nobody is."""
    servers = hosts.with_name("resolv.conf")
    servers.write_text("nameserver 127.0.0.1\n", encoding="ascii")
    binds = f"mount --bind {hosts} /etc/hosts && mount --bind {servers} /etc/resolv.conf"
    mount = ["unshare", "--mount", "sh", "-c"]
    tried = subprocess.run([*mount, binds], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount namespace: {tried.stderr}")
    return [*mount, f'{binds} && exec "$@"', "sh", *words]


@contextmanager
def running(hosts: Path, inventory: Path) -> Iterator[str]:
    """The agent's address."""
    log = hosts.with_name("log")
    argv = inside(hosts, COMMAND, "run", str(inventory), "--listen", "127.0.0.1:0")
    with log.open("w") as stderr, subprocess.Popen(argv, stderr=stderr, text=True, env=os.environ) as process:
        try:
            deadline = time.monotonic() + 20
            while not (found := re.search(r"listening on (http://\S+)", log.read_text())):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield found[1]
        finally:
            process.terminate()


def value(url: str, series: str) -> float | None:
    """One series of the agent's page, by its name and labels that it has in this order; absent is None."""
    name, _, labels = series.rstrip("}").partition("{")
    pattern = "[^ ]*".join(map(re.escape, [name, *labels.split(",")]))
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310  # our own, on loopback
        found = re.search(rf"^{pattern}[^ ]* (.+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else None


def wait(url: str, series: str, expected: float) -> None:
    """Until a series has a value, or fail after 30 s."""
    deadline = time.monotonic() + 30
    while value(url, series) != expected:
        assert time.monotonic() < deadline, f"{series} is {value(url, series)}"
        time.sleep(0.1)


def test_a_name_that_does_not_resolve_is_unknown_until_it_does(tmp_path: Path, hosts: Path) -> None:
    inventory = tmp_path / "cao-bang.yaml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    with running(hosts, inventory) as url:
        wait(url, STATE.format("01290", "up"), 1)
        wait(url, STATE.format("01294", "unknown"), 1)
        assert (value(url, 'lienxa_target_results_total{commune="01294",reason="dns_error"}') or 0) >= 1
        assert (value(url, "lienxa_name_lookup_failures_total") or 0) >= 1
        assert value(url, "lienxa_vantage_up") == 1
        with hosts.open("a", encoding="ascii") as file:  # the same file, which is mounted
            file.write("127.0.0.94 router-94.example\n")
        wait(url, STATE.format("01294", "up"), 1)


def test_check_tells_which_name_does_not_resolve_and_is_not_down(tmp_path: Path, hosts: Path) -> None:
    inventory = tmp_path / "cao-bang.yaml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    argv = inside(hosts, COMMAND, "check", str(inventory), "--json")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=40)
    told = {row["id"]: row for row in json.loads(done.stdout)}
    assert (done.returncode, done.stderr) == (1, "")
    assert {name: row["grade"] for name, row in told.items()} == {
        "link/01294/primary": "unknown",
        "reference/hub.example": "up",
        "link/01290/primary": "up",
    }
    assert told["link/01294/primary"]["reason"] == "dns_error"
    assert told["link/01294/primary"]["detail"] == "router-94.example: Could not contact DNS servers"
