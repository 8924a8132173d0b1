"""The running agent reads announcements of power cuts again when they change, and keeps them when they are lost."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.stage import COMMAND
from probes.model.windows import VIETNAM

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

INVENTORY = """\
province: "04"
timings: {profile: fast}
references: [127.0.0.1]
communes:
  - {code: "01290", links: [{address: 127.0.0.2}]}
  - {code: "01294", links: [{address: 127.0.0.3}]}
planned_cuts: {file: cuts.csv}
maintenance:
  - {start: "2026-01-01 00:00", end: "2099-01-01 00:00", communes: ["01294"]}
"""
OVERLAY = 'lienxa_commune_overlay{province="04",commune="%s",overlay="%s"}'

READ_OK = 'lienxa_planned_cuts_last_read_successful{province="04"}'


class Agent:
    """A running agent with a file of planned cuts beside its inventory."""

    def __init__(self, folder: Path, url: str) -> None:
        self.cuts = folder / "cuts.csv"
        self.url = url

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:  # noqa: S310  # our own, on loopback
            return str(answer.read().decode())

    def value(self, series: str) -> float | None:
        found = re.search(rf"^{re.escape(series)} (.+)$", self.get("/metrics"), re.MULTILINE)
        return float(found[1]) if found else None

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.get("/api/v1/status"))
        return told

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
            running = Agent(tmp_path, found[1])
            running.wait(lambda: running.value(OVERLAY % ("01290", "none")) is not None, "the first round")
            yield running
        finally:
            process.terminate()


def row(commune: str, hours: float) -> str:
    """A cut that began an hour ago and ends so many hours from now."""
    now = datetime.now(VIETNAM)
    start, end = (f"{moment:%d/%m/%Y %H:%M}" for moment in (now - timedelta(hours=1), now + timedelta(hours=hours)))
    return f"{commune};{start};{end};sửa đường dây\n"


def test_announcements_are_taken_over_while_the_agent_runs_and_stay_when_the_file_is_lost(agent: Agent) -> None:
    assert agent.value(READ_OK) == 0
    assert agent.status()["planned_cuts"]["error"] == "no such file"
    assert agent.value(OVERLAY % ("01294", "maintenance")) == 1
    agent.cuts.write_text("mã xã;bắt đầu;kết thúc;lý do\n" + row("01290", 2) + row("09999", 2), encoding="utf-8")
    agent.wait(lambda: agent.value(OVERLAY % ("01290", "planned")) == 1, "the announced cut")
    assert agent.value('lienxa_planned_cuts{province="04",state="active"}') == 1
    told = agent.status()
    assert (told["communes"]["01290"]["overlay"], told["communes"]["01294"]["overlay"]) == ("planned", "maintenance")
    assert [wrong["line"] for wrong in told["planned_cuts"]["rejected_rows"]] == [3]
    agent.cuts.unlink()
    agent.wait(lambda: agent.value(READ_OK) == 0, "the loss to be told")
    assert agent.value(OVERLAY % ("01290", "planned")) == 1
    agent.cuts.write_text("mã xã;bắt đầu;kết thúc\n", encoding="utf-8")
    agent.wait(lambda: agent.value(OVERLAY % ("01290", "planned")) == 0, "the cut to be withdrawn")
    seconds = 'lienxa_commune_state_seconds_total{province="04",commune="01290",state="up",overlay="planned"}'
    assert (agent.value(seconds) or 0) > 0
