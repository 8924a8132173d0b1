"""One lab with the whole product in it, shared by the system tests of this folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent.stage import Notification, Stage, start_lab
from deploy import lab

BATTERY_S = 8.0


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Cao Bằng in a lab, with agent, Prometheus and Alertmanager, on the fast timings."""
    for program in ("prometheus", "prometheus-alertmanager"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; `make setup` installs it")
    try:
        started = start_lab(battery_s=BATTERY_S)
    except lab.LabError as error:
        pytest.skip(f"no lab on this machine: {error}")
    with started, Stage(started, lab.CAO_BANG, tmp_path_factory.mktemp("stage")) as running:
        yield running


class Province:
    """What a test sees of the running product, and what it can do to the province."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._first = len(stage.notifications)

    def act(self, **event: Any) -> None:
        self.stage.lab.act(**event)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 45) -> None:
        self.stage.wait(condition, seconds, what)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.stage.get("agent", "/api/v1/status")
        return answer

    def verdict(self, code: str) -> tuple[str, list[str]]:
        found = self.status()["communes"][code]
        return found["state"], found["causes"]

    def incidents(self) -> dict[str, list[str]]:
        return {f"{item['kind']}/{item['root']}": item["communes"] for item in self.status()["incidents"]}

    def samples(self, promql: str) -> list[tuple[dict[str, str], float]]:
        answer = self.stage.get("prometheus", f"/api/v1/query?query={quote(promql)}")
        return [(item["metric"], float(item["value"][1])) for item in answer["data"]["result"]]

    @property
    def notifications(self) -> list[Notification]:
        return self.stage.notifications[self._first :]

    def notified(self, status: str) -> list[Notification]:
        return [item for item in self.notifications if item.status == status]

    def quiet(self) -> bool:
        """Everything is up, nothing is open, Alertmanager holds no alert."""
        status = self.status()
        return (
            {verdict["state"] for verdict in status["communes"].values()} == {"up"}
            and not status["incidents"]
            and not self.stage.get("alertmanager", "/api/v2/alerts")
            and not [metric for metric, _ in self.samples("ALERTS")]
        )


@pytest.fixture
def province(stage: Stage) -> Province:
    """The province, healthy and quiet, whatever the test before has left."""
    stage.lab.act(clear="everything")
    Province(stage).wait(Province(stage).quiet, "a healthy and quiet province", 60)
    return Province(stage)


@pytest.fixture
def capture_script(tmp_path: Path) -> Path:
    """The capture program, where every user can read it."""
    target = tmp_path / "capture.py"
    target.write_text(Path(__file__).with_name("capture.py").read_text(encoding="utf-8"), encoding="utf-8")
    return target


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)
