"""`lienxa check` as people meet it, on the lab's real packets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent.check import HINTS
from agent.stage import COMMAND, Stage
from deploy import lab
from probes.results import Reason
from tests.system.conftest import Province

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]

CUT = "01290"
WITHOUT_RAW_SOCKETS = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", "--")


def check(
    stage: Stage, *arguments: str, before: tuple[str, ...] = (), inventory: Path = lab.CAO_BANG
) -> subprocess.CompletedProcess[str]:
    argv = [*before, COMMAND, "check", str(inventory), *arguments]
    with stage.lab.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        out, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    return subprocess.CompletedProcess(argv, process.returncode, out, errors)


def test_a_healthy_province_is_up_and_nothing_stands_on_stderr(province: Province) -> None:
    outcome = check(province.stage)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[0].split()[:3] == ["Target", "State", "Reason"]
    assert len(lines) == 2 + 147 + 1
    assert lines[-1] == "147 up"


def test_a_cut_commune_comes_first_with_what_to_do(province: Province) -> None:
    province.act(cut=CUT)
    try:
        outcome = check(province.stage)
    finally:
        province.act(clear="everything")
    assert outcome.returncode == 2
    _, _, *rows = outcome.stdout.splitlines()
    assert rows[0].startswith(f" link/{CUT}/primary Xã Bảo Lâm ")
    assert HINTS[Reason.TIMEOUT] in rows[0]
    assert [CUT in row for row in rows[:5]] == [True, True, True, True, False]
    assert rows[-1] == "4 down, 143 up"


def test_json_is_one_array_and_nothing_else(province: Province) -> None:
    outcome = check(province.stage, "--json", "--commune", "Bảo Lâm", "--commune", "thuc phan", "--kind", "icmp")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    found = json.loads(outcome.stdout)
    assert [item["id"] for item in found] == [f"link/{code}/{role}" for code in ("01273", CUT) for role in LINKS]
    for item in found:
        assert (item["kind"], item["grade"], item["reason"], item["detail"]) == ("icmp", "up", None, "5 of 5 answered")
        readings = {reading["family"]: reading["value"] for reading in item["readings"]}
        assert readings["lienxa_link_sent_total"] == 5
        assert 0 < readings["lienxa_link_rtt_mean_seconds"] < 1
        assert 0.5 < item["duration_s"] < 5


LINKS = ("primary", "backup")


def test_json_holds_no_secret(province: Province) -> None:
    outcome = check(province.stage, "--json", "--kind", "snmp")
    assert outcome.returncode == 0
    assert len(json.loads(outcome.stdout)) == 76
    assert os.environ.get(lab.COMMUNITY, lab.DEFAULT_COMMUNITY) not in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--commune", "bảo lân"),
            "lienxa: --commune: no commune of province 04 has the code or name 'bảo lân'; "
            "did you mean 01290 (Xã Bảo Lâm), 01321 (Xã Bảo Lạc) or 01558 (Xã Hạ Lang)?\n",
        ),
        (
            ("--commune", "1273"),
            "lienxa: --commune: no commune of province 04 has the code or name '1273'; "
            "did you mean 01273 (Phường Thục Phán)?\n",
        ),
        (
            ("--target", "service/nationl-portal"),
            "lienxa: --target: no target is 'service/nationl-portal'; "
            "did you mean service/national-portal or service/provincial-portal?\n",
        ),
        (
            ("--commune", CUT, "--kind", "http"),
            "lienxa: nothing to check: no target passes --commune and --kind\n",
        ),
        (("--watch", "nan"), "lienxa: --watch nan: must be more than 0 and at most 86400 seconds\n"),
    ],
)
def test_unusable_input_is_one_line(stage: Stage, arguments: tuple[str, ...], message: str) -> None:
    outcome = check(stage, *arguments)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (3, "", message)


def test_usage_errors_exit_with_3(stage: Stage) -> None:
    for arguments in (("--kind", "tpc"), ("--json", "--watch", "5"), ("--watch", "soon")):
        assert check(stage, *arguments).returncode == 3


def test_without_the_right_to_ping_everything_else_is_still_checked(province: Province) -> None:
    outcome = check(province.stage, "--kind", "http", "--kind", "tcp", "--kind", "snmp", before=WITHOUT_RAW_SOCKETS)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    outcome = check(province.stage, "--commune", CUT, before=WITHOUT_RAW_SOCKETS)
    assert (outcome.returncode, outcome.stdout) == (3, "")
    assert outcome.stderr.startswith("lienxa: no raw ICMP socket: CAP_NET_RAW is missing; ")


def test_a_watch_tells_round_after_round_until_ctrl_c(province: Province) -> None:
    argv = [COMMAND, "check", str(lab.CAO_BANG), "--target", "service/*", "--watch", "0.2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with province.stage.lab.popen(argv, **pipes) as process:
        assert process.stdout is not None
        rounds = 0
        for line in process.stdout:
            rounds += line == "3 up\n"
            if rounds == 3:
                break
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("loaded", ["pydantic_core", "uvloop"])
def test_ctrl_c_while_it_is_loading_and_while_it_probes_is_no_traceback(province: Province, loaded: str) -> None:
    argv = [COMMAND, "check", str(lab.CAO_BANG), "--json"]
    with province.stage.lab.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        province.wait(lambda: loaded in maps.read_text(encoding="utf-8"), f"{loaded} to be loaded")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Traceback" not in errors


def test_on_a_terminal_a_bar_counts_and_a_narrow_table_has_its_hints_below(province: Province) -> None:
    province.act(cut=CUT)
    try:
        command = f"stty cols 80 rows 30; exec {COMMAND} check {lab.CAO_BANG} --commune {CUT} --kind icmp"
        argv = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
        with province.stage.lab.popen(argv, **pipes) as process:
            text, _ = process.communicate(timeout=60)
    finally:
        province.act(clear="everything")
    assert process.returncode == 2
    assert "2/2" in text
    assert f"link/{CUT}/primary" in text
    assert "timeout: is it switched on, is the address right" in text
