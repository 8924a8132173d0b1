"""The poller against snmpsim, with recordings of real devices from snmpsim-data (BSD-2-Clause)."""

from __future__ import annotations

import bz2
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from probes.ports import SnmpAgent, SnmpError
from probes.protocols.snmp import SnmpSessions
from probes.results import Reason
from tests.probes.simulator import device, simulator

UPS, UPS_LINE_VOLTS = "1.3.6.1.2.1.33.1", "1.3.6.1.2.1.33.1.3.3.1.3"
UPS_CHARGE, SYS_DESCR = "1.3.6.1.2.1.33.1.2.4.0", "1.3.6.1.2.1.1.1.0"
IF_DESCR = "1.3.6.1.2.1.2.2.1.2"
DEVICES = {
    "eaton": "UPS/eaton-93e-80",
    "phoenixtec": "UPS/phoenixtec-power",
    "eastpower": "UPS/eastpower-istars-swv053",
    "ubiquiti": "network/wifi/ubiquiti-m5",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a simulator that plays `DEVICES`; the community is the device's name."""
    found = importlib.util.find_spec("snmpsim_data")
    if found is None or found.origin is None:
        pytest.skip("no snmpsim-data (Python package, extra dev)")
    folder = tmp_path_factory.mktemp("snmpsim")
    data = folder / "data"
    data.mkdir()
    for name, path in DEVICES.items():
        recording = Path(found.origin).parent / "data" / f"{path}.snmprec.bz2"
        (data / f"{name}.snmprec").write_bytes(bz2.decompress(recording.read_bytes()))
    with simulator(data, folder / "cache") as number:
        yield number


@pytest.fixture
def sessions() -> Iterator[SnmpSessions]:
    """Closed after the test."""
    kept = SnmpSessions()
    yield kept
    kept.close()


@pytest.mark.parametrize(("name", "rows"), [("eaton", 73), ("phoenixtec", 75), ("eastpower", 83)])
async def test_a_recorded_ups_is_walked_whole(sessions: SnmpSessions, port: int, name: str, rows: int) -> None:
    found = await sessions.walk(device(port, name), UPS, 5.0, 1000)
    assert (len(found), found.reason) == (rows, None)
    lines = {oid: value for oid, value in found.items() if oid.startswith(UPS_LINE_VOLTS + ".")}
    assert lines
    assert await sessions.walk(device(port, name), UPS_LINE_VOLTS, 5.0, 100) == lines


async def test_the_end_of_a_recording_ends_the_walk(sessions: SnmpSessions, port: int) -> None:
    found = await sessions.walk(device(port, "ubiquiti"), "1.3.6.1", 10.0, 10_000)
    assert (len(found), found.reason) == (334, None)  # 18 more lie outside
    assert len(await sessions.walk(device(port, "ubiquiti"), IF_DESCR, 5.0, 100)) > 1


async def test_v1_reads_the_same(sessions: SnmpSessions, port: int) -> None:
    old = SnmpAgent("127.0.0.1", port, "v1", community=SecretStr("eaton"))
    assert await sessions.walk(old, UPS, 10.0, 1000) == await sessions.walk(device(port, "eaton"), UPS, 5.0, 1000)


async def test_a_community_that_no_device_has_is_silence(sessions: SnmpSessions, port: int) -> None:
    with pytest.raises(SnmpError) as caught:
        await sessions.get(device(port, "nobody"), [SYS_DESCR], 0.3)
    assert caught.value.reason is Reason.TIMEOUT
