"""The running agent takes over a changed inventory, or none of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.stage import COMMAND

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

INVENTORY = """\
province: "04"
timings: {profile: fast}
references: [127.0.0.1]
communes:
  - {code: "01290", links: [{address: 127.0.0.2}]}
  - {code: "01294", links: [{address: 127.0.0.3}]}
"""
SENT = 'lienxa_link_sent_total{province="04",commune="%s"'


class Agent:
    """A running agent over one file."""

    def __init__(self, inventory: Path, process: subprocess.Popen[str], url: str) -> None:
        self.inventory = inventory
        self.process = process
        self.url = url

    def page(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:  # noqa: S310  # our own, on loopback
            return str(answer.read().decode())

    def value(self, series: str) -> float | None:
        found = re.search(rf"^{re.escape(series)}[^ ]* (.+)$", self.page(), re.MULTILINE)
        return float(found[1]) if found else None

    def reload(self) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")  # noqa: S310  # as above
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}"
            time.sleep(0.05)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    inventory = tmp_path / "cao-bang.yaml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    log = tmp_path / "log"
    argv = [COMMAND, "run", str(inventory), "--listen", "127.0.0.1:0"]
    with log.open("w") as stderr, subprocess.Popen(argv, stderr=stderr, text=True) as process:
        try:
            deadline = time.monotonic() + 15
            while not (found := re.search(r"listening on (http://\S+)", log.read_text())):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            running = Agent(inventory, process, found[1])
            running.wait(lambda: (running.value(SENT % "01290") or 0) > 5, "the first pings")
            yield running
        finally:
            process.terminate()


def test_what_stays_goes_on_what_leaves_vanishes_and_what_is_new_begins(agent: Agent) -> None:
    before = agent.value(SENT % "01290")
    assert before is not None
    agent.inventory.write_text(INVENTORY.replace("01294", "01297").replace("127.0.0.3", "127.0.0.4"), encoding="utf-8")
    assert agent.reload() == (200, "3 targets: 1 new, 1 removed, 0 changed\n")
    page = agent.page()
    assert "01294" not in page
    assert 'commune="01297",name="Xã Nam Quang"' in page
    after = agent.value(SENT % "01290")
    assert after is not None
    assert after >= before
    agent.wait(lambda: (agent.value(SENT % "01297") or 0) > 0, "pings of the new commune")
    assert agent.value("lienxa_agent_config_last_reload_successful") == 1


def test_a_broken_inventory_changes_nothing_and_is_told_in_the_answer_and_as_a_metric(agent: Agent) -> None:
    agent.inventory.write_text(INVENTORY.replace("127.0.0.3", "127.0.0.300"), encoding="utf-8")
    status, text = agent.reload()
    assert status == 400
    assert text == (
        f"nothing has changed:\n{agent.inventory}:6: communes[1].links[0].address: "
        "must be an IPv4 or IPv6 address such as 10.4.1.1\n"
    )
    agent.wait(lambda: agent.value("lienxa_agent_config_last_reload_successful") == 0, "the metric")
    assert agent.value(SENT % "01294") is not None
    agent.inventory.write_text(INVENTORY, encoding="utf-8")
    assert agent.reload() == (200, "3 targets: 0 new, 0 removed, 0 changed\n")


def test_sighup_reloads_too(agent: Agent) -> None:
    agent.inventory.write_text(INVENTORY.replace("01294", "01297"), encoding="utf-8")
    os.kill(agent.process.pid, signal.SIGHUP)
    agent.wait(lambda: "01297" in agent.page() and "01294" not in agent.page(), "the new inventory")
    assert agent.process.poll() is None


def test_another_province_needs_a_restart(agent: Agent) -> None:
    agent.inventory.write_text('province: "01"\n', encoding="utf-8")
    assert agent.reload() == (
        400,
        "nothing has changed:\nprovince '01' in place of '04' needs a restart of the agent\n",
    )
