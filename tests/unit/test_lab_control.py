"""The control socket: who may claim its place, and what a request may look like."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lab import LabError
from deploy.lab.client import request
from deploy.lab.control import ControlServer, claim
from deploy.lab.up import default_control, run
from probes.model import Province


def test_only_the_owner_may_use_it(tmp_path: Path) -> None:
    with claim(tmp_path / "control"):
        assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600


def test_what_a_crashed_lab_left_is_replaced(tmp_path: Path) -> None:
    claim(tmp_path / "control").close()
    with claim(tmp_path / "control"):
        pass


def test_a_living_lab_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with claim(path), pytest.raises(LabError) as caught:
        claim(path)
    assert str(caught.value) == (
        f"{path}: a lab runs there already: stop it first, or choose another path with --control"
    )


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("precious", encoding="utf-8")
    with pytest.raises(LabError, match="is no socket: choose another path"):
        claim(tmp_path / "control")
    assert (tmp_path / "control").read_text(encoding="utf-8") == "precious"


def test_paths_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="has at most 107 bytes"):
        claim(tmp_path / ("x" * 120))
    with pytest.raises(LabError, match="no control socket can be made there: No such file or directory"):
        claim(tmp_path / "no" / "control")


def test_the_default_place_is_a_folder_that_only_its_owner_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = default_control()
    assert path == tmp_path / f"lienxa-lab-{os.geteuid()}" / "control"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.chmod(0o777)
    with pytest.raises(LabError, match="or others may enter: name a control socket with --control"):
        default_control()


@pytest.mark.parametrize("battery_s", [-1, 0, float("nan"), float("inf")])
def test_a_battery_lasts_longer_than_nothing_and_not_for_ever(battery_s: float) -> None:
    with pytest.raises(LabError) as caught:
        run(Province(province="04"), battery_s=battery_s)
    assert str(caught.value) == f"a full battery must last more than 0 s and at most 86400 s, not {battery_s:g}"


def test_nobody_answers_where_no_lab_runs(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no lab answers there: No such file or directory"):
        request(tmp_path / "control", {"do": "stats"})


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[ControlServer]:
    async def handle(asked: object, descriptors: list[int]) -> tuple[dict[str, Any], int | None]:
        if asked == {"do": "swap"}:
            (came,) = descriptors
            os.close(came)
            return {"swapped": True}, os.open("/dev/null", os.O_RDONLY)
        if asked == {"do": "fail"}:
            raise LabError("cannot be done")
        return {"asked": asked}, None

    server = ControlServer(tmp_path / "control", handle)
    yield server
    server.close()
    assert not (tmp_path / "control").exists()


@pytest.fixture
async def server(claimed: ControlServer) -> AsyncIterator[ControlServer]:
    task = asyncio.create_task(claimed.run())
    yield claimed
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_requests_are_answered_and_errors_come_back_as_such(server: ControlServer, tmp_path: Path) -> None:
    control = tmp_path / "control"
    answer, _ = await asyncio.to_thread(request, control, {"do": "x" * 300_000})
    assert answer == {"asked": {"do": "x" * 300_000}}
    with pytest.raises(LabError, match="cannot be done"):
        await asyncio.to_thread(request, control, {"do": "fail"})


async def test_descriptors_travel_both_ways(server: ControlServer, tmp_path: Path) -> None:
    ours = os.open("/dev/zero", os.O_RDONLY)
    try:
        answer, came = await asyncio.to_thread(request, tmp_path / "control", {"do": "swap"}, [ours])
    finally:
        os.close(ours)
    assert answer == {"swapped": True}
    assert os.read(came[0], 1) == b""
    os.close(came[0])


async def test_noise_is_answered_in_words(server: ControlServer, tmp_path: Path) -> None:
    def shout() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(tmp_path / "control"))
            connection.sendall(b"hello\n")
            return connection.recv(1000)

    assert b"a request is one JSON object a line" in await asyncio.to_thread(shout)
