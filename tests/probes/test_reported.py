"""Recordings that came with bug reports (`lienxa snmp walk --record`), played by snmpsim: a file copied is a test.

`reported/NAME.snmprec` is the recording, `reported/NAME.readings` what the agent shall make of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.kinds.snmp import SnmpSettings, check
from probes.results import Result
from tests.probes.conftest import TestNet, beat
from tests.probes.simulator import device, simulator

FOLDER = Path(__file__).with_name("reported")
REPORTED = sorted(FOLDER.glob("*.snmprec"))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where all of them are played."""
    with simulator(FOLDER, tmp_path_factory.mktemp("snmpsim") / "cache") as number:
        yield number


def told(result: Result) -> str:
    """One line per reading, in the order of the page: family, labels, value; the beat's reason first."""
    lines = sorted(f"{item.family.name}{{{','.join(item.labels)}}} {item.value:.12g}" for item in result.readings)
    return "".join(f"{line}\n" for line in (f"reason {result.reason}", *lines))


@pytest.mark.parametrize("recording", REPORTED, ids=lambda path: path.stem)
async def test_a_reported_device_reads_as_it_should(net: TestNet, port: int, recording: Path) -> None:
    settings = SnmpSettings(agent=device(port, recording.stem), groups=("system",), recognise=True, timeout_s=3)
    found = told(await check(settings, net, beat()))
    expected = recording.with_suffix(".readings")
    assert expected.exists(), f"write what is right into {expected.name}; now the agent reads:\n{found}"
    assert found == expected.read_text(encoding="utf-8")
