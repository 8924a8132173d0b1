"""The running agent takes over a changed inventory, or none of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.stage import COMMAND
from probes import units
from tests.bench.inventories import written_out

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
OK = "lienxa_agent_config_last_reload_successful"


class Agent:
    """A running agent over one file or folder."""

    def __init__(self, inventory: Path, process: subprocess.Popen[str], log: Path, url: str) -> None:
        self.inventory = inventory
        self.process = process
        self.url = url
        self._log = log

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def page(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:  # noqa: S310  # our own, on loopback
            return str(answer.read().decode())

    def value(self, series: str) -> float | None:
        found = re.search(rf"^{re.escape(series)}[^ ]* (.+)$", self.page(), re.MULTILINE)
        return float(found[1]) if found else None

    def values(self, name: str) -> dict[str, float]:
        """Every series of a name, by its labels."""
        found = re.findall(rf"^{name}{{(.*)}} (.+)$", self.page(), re.MULTILINE)
        return {labels: float(value) for labels, value in found}

    def reload(self) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")  # noqa: S310  # as above
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        looked = time.monotonic()
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}\n{self.log()[-3000:]}"
            # a look at a large page takes the agent's time: no more of it than is left to the agent
            time.sleep(max(0.05, 2 * (time.monotonic() - looked)))
            looked = time.monotonic()

    def held_up_s(self) -> float:
        """How long this process and the agent were ready to run so far, while others had the processors."""
        tasks = [*Path(f"/proc/{self.process.pid}/task").iterdir(), Path("/proc/self")]
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9


@contextlib.contextmanager
def running(inventory: Path, log: Path, *options: str) -> Iterator[Agent]:
    argv = [COMMAND, "run", str(inventory), "--listen", "127.0.0.1:0", *options]
    environment = {**os.environ, "SNMP_COMMUNITY": "public"}
    with (
        log.open("w") as stderr,
        subprocess.Popen(argv, stderr=stderr, text=True, env=environment) as process,
    ):
        try:
            deadline = time.monotonic() + 40  # a busy machine takes its time to start
            while not (found := re.search(r"listening on (http://\S+)", log.read_text())):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Agent(inventory, process, log, found[1])
        finally:
            process.terminate()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    inventory = tmp_path / "cao-bang.yaml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    with running(inventory, tmp_path / "log") as started:
        both = (SENT % "01290", SENT % "01294")
        started.wait(lambda: all((started.value(series) or 0) > 5 for series in both), "the first pings")
        yield started


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
    assert agent.value(OK) == 1


def test_a_broken_inventory_changes_nothing_and_is_told_in_the_answer_and_as_a_metric(agent: Agent) -> None:
    agent.inventory.write_text(INVENTORY.replace("127.0.0.3", "127.0.0.300").replace('"04"', "4"), encoding="utf-8")
    status, text = agent.reload()
    assert status == 400
    assert text == (
        "nothing has changed:\n"
        f'{agent.inventory}:1: province: must be text in quotes: write "04"; '
        "without quotes YAML reads a number and drops zeros\n"
        f"{agent.inventory}:6: communes[1].links[0].address: must be an IPv4 or IPv6 address such as 10.4.1.1\n"
    )
    agent.wait(lambda: agent.value(OK) == 0, "the metric")
    assert agent.value(SENT % "01294") is not None
    agent.inventory.write_text(INVENTORY, encoding="utf-8")
    assert agent.reload() == (200, "3 targets: 0 new, 0 removed, 0 changed\n")
    agent.wait(lambda: agent.value(OK) == 1, "the metric")


def test_whatever_becomes_of_the_file_the_agent_goes_on(agent: Agent) -> None:
    for become in (Path.unlink, Path.mkdir, Path.rmdir, os.mkfifo, Path.unlink, Path.touch):
        become(agent.inventory)
        status, text = agent.reload()
        assert (status, text.splitlines()[0]) == (400, "nothing has changed:")
    before = agent.value(SENT % "01294")
    assert before is not None
    agent.wait(lambda: (agent.value(SENT % "01294") or 0) > before, "more pings")


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


def test_with_watch_a_folder_that_changes_is_read_again_and_a_broken_one_is_told_once(tmp_path: Path) -> None:
    folder = tmp_path / "04"
    folder.mkdir()
    (folder / "a.yaml").write_text(INVENTORY, encoding="utf-8")
    with running(folder, tmp_path / "log", "--watch") as agent:
        more = folder / "b.yaml"
        more.write_text('communes: [{code: "01297", links: [{address: 127.0.0.4}]}]\n', encoding="utf-8")
        agent.wait(lambda: (agent.value(SENT % "01297") or 0) > 0, "the new commune")
        more.write_text("communes: [{code: 1297}]\n", encoding="utf-8")
        agent.wait(lambda: agent.value(OK) == 0, "the refusal")
        time.sleep(2.5)  # one more look, at what it has seen before
        assert agent.log().count("reload refused") == 1
        more.unlink()
        agent.wait(lambda: agent.value(OK) == 1 and "01297" not in agent.page(), "the way back")
        assert agent.log().count("reloaded, ") == 2


LARGE = "79"


def large(*moved: str) -> str:
    """1,515 targets on the loopback interface, where every link answers and everything else refuses at once."""
    text = written_out(LARGE, moved, network=127)
    return text.replace(
        "{version: v3, user: lienxa, auth_protocol: sha256, auth_key: {env: LIENXA_AUTH}}",
        "{community: {env: SNMP_COMMUNITY}}\n"
        "timings: {link_beat_s: 2, link_packets: 2, service_beat_s: 4, device_beat_s: 4}",
    )


RESULTS, LAST = "lienxa_target_results_total", "lienxa_target_last_result_timestamp_seconds"
BEAT_S = {"icmp": 2.0, "snmp": 4.0, "tcp": 4.0, "http": 4.0}


class Looked(NamedTuple):
    """One look at the page, by target: how many beats it has had, whatever came of them, and when the last one was."""

    beats: dict[str, float]
    last: dict[str, float]
    sent: dict[str, float]

    @classmethod
    def at(cls, agent: Agent, moved: Collection[str]) -> Looked:
        """Without the communes that have moved."""
        page = agent.page()

        def unchanged(name: str) -> dict[str, float]:
            found = re.findall(rf"^{name}{{(.*)}} (.+)$", page, re.MULTILINE)
            return {key: float(value) for key, value in found if not any(f'"{code}"' in key for code in moved)}

        beats: dict[str, float] = {}
        for key, count in unchanged(RESULTS).items():
            target = re.sub(r',reason="[a-z_]+"', "", key)
            beats[target] = beats.get(target, 0) + count
        return cls(beats, unchanged(LAST), unchanged("lienxa_link_sent_total"))


def _beat_s(key: str) -> float:
    return next(beat_s for kind, beat_s in BEAT_S.items() if f'kind="{kind}"' in key)


@pytest.mark.timeout(150)
def test_the_largest_province_is_reloaded_within_a_second_and_no_unchanged_target_misses_a_beat(tmp_path: Path) -> None:
    inventory = tmp_path / "ho-chi-minh-city.yaml"
    inventory.write_text(large(), encoding="utf-8")
    moved = tuple(unit.code for unit in units.communes(LARGE)[:2])
    with running(inventory, tmp_path / "log") as agent:
        agent.wait(lambda: len(agent.values(LAST)) == 1515, "every first beat", 45)
        skipped = agent.value("lienxa_agent_skipped_beats_total")
        before = Looked.at(agent, moved)
        assert (len(before.beats), len(before.last), len(before.sent)) == (1515 - 18, 1515 - 18, 337 + 2 - 4)
        took_s: list[float] = []
        while not took_s or (
            took_s[-1] >= 1 and len(took_s) < 3
        ):  # a neighbour makes one reload slow, not each of them
            inventory.write_text(large(*moved) if len(took_s) % 2 == 0 else large(), encoding="utf-8")
            began, held_up_s = time.monotonic(), agent.held_up_s()
            assert agent.reload() == (200, "1515 targets: 0 new, 0 removed, 18 changed\n")
            took_s.append(time.monotonic() - began - (agent.held_up_s() - held_up_s))
        assert took_s[-1] < 1, took_s
        looks = [before]

        def enough() -> bool:
            """Three more beats of each link, one of each device and service."""
            looks.append(Looked.at(agent, moved))
            beats = looks[-1].beats
            return all(beats[key] >= count + (3 if _beat_s(key) == 2 else 1) for key, count in before.beats.items())

        agent.wait(enough, "three beats of links, one of devices and services", 45)
        later = looks[-1]
        # the time between two results tells how many beats there were to be had
        assert {
            key: (later.beats[key] - count, later.last[key] - before.last[key])
            for key, count in before.beats.items()
            if later.beats[key] - count != round((later.last[key] - before.last[key]) / _beat_s(key))
        } == {}
        assert {key for key, count in before.sent.items() if later.sent[key] <= count} == set()
        assert (
            agent.value("lienxa_agent_skipped_beats_total") == skipped
        )  # a starved start may skip some, the reload none
