"""`lienxa snmp get|walk` as people meet it, on real devices in a network namespace of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.ports import SnmpAgent
from probes.protocols.snmp import SnmpSessions
from probes.results import Result
from tests.probes.conftest import TestNet, beat
from tests.probes.simulator import device, simulator
from tests.system.field import ROUTER, SECRETS, SWITCH, UPS, Field, field

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Shared: nothing in it changes."""
    with field(tmp_path_factory.mktemp("field")) as made:
        yield made


def lines(text: str) -> list[list[str]]:
    """Every line by its words; cells are two spaces apart."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.strip()]


def test_get_shows_raw_values_with_types_what_is_made_of_them_and_the_groups(land: Field) -> None:
    outcome = land.lienxa("snmp", "get", UPS, "--credentials", "private")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    shown = lines(outcome.stdout)
    assert shown[0] == [f"{UPS}: {UPS} port 161, credential private, profile apc"]
    assert ["1.3.6.1.2.1.1.1.0", "sysDescr", "OctetString", '"APC Web/SNMP Management Card"'] in shown
    assert ["1.3.6.1.2.1.1.2.0", "sysObjectID", "ObjectIdentifier", "1.3.6.1.4.1.318.1.3.27"] in shown
    assert ["1.3.6.1.4.1.318.1.1.1.2.2.1.0", "upsAdvBatteryCapacity", "Gauge32", "87"] in shown
    assert ["lienxa_ups_charge_ratio", "0.87"] in shown
    assert ["lienxa_ups_on_battery", "0"] in shown
    assert ["system", "yes"] in shown
    assert ["ups", "yes"] in shown


def test_named_objects_show_what_they_feed_and_what_is_not_there_is_told(land: Field) -> None:
    charge = "1.3.6.1.4.1.318.1.1.1.2.2.1.0"
    outcome = land.lienxa("snmp", "get", UPS, charge, "1.3.6.1.4.1.318.9.9.0", "--credentials", "private")
    shown = lines(outcome.stdout)
    assert [charge, "upsAdvBatteryCapacity", "Gauge32", "87"] in shown
    assert ["1.3.6.1.4.1.318.9.9.0", "NoSuchObject", "-"] in shown
    assert [row[0] for row in shown if row[0].startswith("lienxa_")] == ["lienxa_ups_charge_ratio"]


def test_a_device_of_the_inventory_needs_no_credentials_and_fails_group_by_group(land: Field) -> None:
    outcome = land.lienxa("snmp", "walk", "device/01290/router", "1.3.6.1.2.1.1")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    shown = lines(outcome.stdout)
    assert shown[0] == [f"device/01290/router: {ROUTER} port 161, credential devices, profile net-snmp"]
    assert ["1.3.6.1.2.1.1.5.0", "sysName", "OctetString", '"router-bao-lam"'] in shown
    assert ["parts", "no", "the profile has it, the device does not"] in shown
    assert {row[0] for row in shown if row[0].startswith("1.3.6.")} > {"1.3.6.1.2.1.1.4.0", "1.3.6.1.2.1.1.1.0"}


def test_a_silent_device_and_a_wrong_user_are_told_with_their_reason(land: Field) -> None:
    outcome = land.lienxa("snmp", "walk", SWITCH, "--credentials", "foreign")
    assert (outcome.returncode, lines(outcome.stdout)[-1][:2]) == (1, ["timeout"])
    outcome = land.lienxa("snmp", "get", UPS, "--credentials", "stranger")
    assert (outcome.returncode, lines(outcome.stdout)[-1][:2]) == (1, ["unknown_user"])
    outcome = land.lienxa("snmp", "get", "10.4.4.9", "--credentials", "devices")
    assert outcome.returncode == 1
    assert lines(outcome.stdout)[-1][0].startswith("refused")


def test_a_recording_hides_what_is_private_and_plays_in_snmpsim_as_the_same_device(land: Field, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = data / "reported.snmprec"
    outcome = land.lienxa("snmp", "walk", UPS, "--credentials", "private", "--record", file)
    assert outcome.returncode == 0, outcome.stderr
    told = outcome.stdout[outcome.stdout.index(f"\nWritten: {file}, ") :]
    assert re.search(r"\n  masked: .*names and places \(4\), serial numbers \(1\)\n", told)
    assert re.search(r"\n  left out: .*users \(\d+\), views \(\d+\)\n", told)
    text = file.read_text(encoding="ascii")
    assert "1.3.6.1.2.1.1.5.0|4|masked\n" in text
    private = ("Nong Van A", "0912", "UBND", "bao-lam", "BaoLam", "AS0512340987", *SECRETS)
    assert [word for word in private if word in text] == []
    assert [secret for secret in SECRETS if ".".join(str(octet) for octet in secret.encode()) in text] == []
    with simulator(data, tmp_path / "cache") as port:
        replayed = asyncio.run(_read(device(port, "reported")))
    found = {item.family.name: item.value for item in replayed.readings}
    assert [item.labels for item in replayed.readings if item.family is metrics.DEVICE_PROFILE_INFO] == [("apc",)]
    assert (found["lienxa_ups_charge_ratio"], found["lienxa_ups_on_battery"]) == (0.87, 0)


async def _read(agent: SnmpAgent) -> Result:
    sessions = SnmpSessions()
    settings = SnmpSettings(agent=agent, groups=("system",), recognise=True, timeout_s=3)
    try:
        return await check(settings, TestNet(snmp=sessions), beat())
    finally:
        sessions.close()


def trouble(land: Field, *arguments: str) -> str:
    outcome = land.lienxa("snmp", *arguments)
    assert (outcome.returncode, outcome.stdout) == (3, "")
    return outcome.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("get", "device/01290/ruter"),
            "lienxa: no device of the inventory is 'device/01290/ruter'; did you mean device/01290/router?",
        ),
        (
            ("get", "10.4.4.300"),
            "lienxa: '10.4.4.300' is no device of the inventory, and no address: "
            "must be an IPv4 or IPv6 address such as 10.4.1.1; ids look like device/01290/router",
        ),
        (
            ("walk", "10.4.4.2"),
            "lienxa: 10.4.4.2 is no device of the inventory: say how to ask it, with --credentials NAME "
            "(devices, private, foreign, stranger)",
        ),
        (
            ("walk", "10.4.4.2", "--credentials", "portal"),
            "lienxa: --credentials portal: is for services, not for devices; "
            "SNMP credentials of the inventory: devices, private, foreign, stranger",
        ),
        (
            ("walk", "10.4.4.2", "--credentials", "devices", "--credentials", "private"),
            "lienxa: --credentials: a device is asked with one of them; name one",
        ),
        (
            ("get", "10.4.4.2", "sysDescr"),
            "lienxa: 'sysDescr': must be an object identifier in numbers, such as 1.3.6.1.2.1.1.3.0",
        ),
        (("get", "10.4.4.2", "--port", "70000"), "lienxa: --port 70000: must be 1 to 65535"),
        (("walk", "10.4.4.2", "--limit", "0"), "lienxa: --limit 0: must be 1 to 1000000"),
        (
            ("get", "device/01290/router", "--record", "/nowhere/file"),
            "lienxa: --record /nowhere/file: no such folder",
        ),
        (("get",), "lienxa snmp get: the following arguments are required: TARGET"),
    ],
)
def test_what_cannot_be_asked_is_one_line(land: Field, arguments: tuple[str, ...], message: str) -> None:
    assert trouble(land, *arguments) == message
