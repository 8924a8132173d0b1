"""`lienxa discover` as people meet it, among real devices in a network namespace of its own."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agent.stage import COMMAND
from tests.system.field import INVENTORY, QUIET_V6, ROUTER, SECRETS, SWITCH, UPS, Field, field

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

FAST = ("--rate", "1000")


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Shared: nothing in it changes."""
    with field(tmp_path_factory.mktemp("field")) as made:
        yield made


def rows(stdout: str) -> dict[str, list[str]]:
    """The table by address: inventory, commune, role, profile, credential, device; without the milliseconds."""
    header, _, *lines = stdout.splitlines()
    starts = [header.index(title) for title in header.split()]
    cells = {}
    for line in lines:
        if not line.startswith(" "):
            break
        parts = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        cells[parts[0]] = [*parts[1:6], parts[7]]
    return cells


def trouble(outcome: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr of unusable input."""
    assert (outcome.returncode, outcome.stdout) == (3, "")
    (line,) = outcome.stderr.splitlines()
    return line


def test_a_sweep_finds_the_devices_and_knows_what_the_inventory_has(land: Field) -> None:
    outcome = land.lienxa("discover", "10.4.4.0/28", "10.4.5.0/28", *FAST)
    assert outcome.returncode == 0
    assert rows(outcome.stdout) == {
        ROUTER: ["known: device/01290/router", "Xã Bảo Lâm", "router", "net-snmp", "devices", "router-bao-lam"],
        UPS: ["new", "Xã Bảo Lâm", "ups", "apc", "private", "APC Smart-UPS, ups-bao-lam"],
        "10.4.4.9": ["", "Xã Bảo Lâm", "", "", "none: refused", ""],
        SWITCH: ["new", "Xã Lý Bôn", "switch", "net-snmp", "devices", "switch-ly-bon"],
    }
    assert "\n4 answered, 3 of them SNMP; 2 new to the inventory\n" in outcome.stdout
    assert outcome.stderr == (
        "28 addresses, 5 pings each, 1000 packets a second: about 1 s, and longer for what answers; Ctrl-C ends it\n"
        "look through the lines (roles are guessed), merge them into the inventory, then: lienxa validate\n"
    )


def test_the_proposed_lines_are_valid_once_they_are_merged(land: Field, tmp_path: Path) -> None:
    lines = tmp_path / "found.yaml"
    outcome = land.lienxa("discover", "10.4.4.0/28", "10.4.5.7", "-o", lines, *FAST)
    assert outcome.stdout.endswith(f"Written: {lines}\n")
    assert lines.read_text(encoding="utf-8") == (
        "communes:\n"
        '  - code: "01290"  # Xã Bảo Lâm\n'
        "    devices:\n"
        "      - {id: ups, role: ups, address: 10.4.4.2, credential: private}  # apc, APC Smart-UPS, ups-bao-lam\n"
        '  - code: "01294"  # Xã Lý Bôn\n'
        "    devices:\n"
        "      - {id: switch, role: switch, address: 10.4.5.7, credential: devices}  # net-snmp, switch-ly-bon\n"
    )
    whole = yaml.safe_load(INVENTORY.replace("  portal: {token: {file: nowhere}}\n", ""))
    for found in yaml.safe_load(lines.read_text(encoding="utf-8"))["communes"]:
        (home,) = [commune for commune in whole["communes"] if commune["code"] == found["code"]]
        home.setdefault("devices", []).extend(found["devices"])
    for name in ("community", "auth", "privacy", "foreign", "stranger"):
        (tmp_path / name).write_bytes((land.folder / name).read_bytes())
        (tmp_path / name).chmod(0o600)
    merged = tmp_path / "cao-bang.yaml"
    merged.write_text(yaml.safe_dump(whole), encoding="utf-8")
    outcome = subprocess.run(
        [COMMAND, "validate", str(merged)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (outcome.returncode, "2 communes, 1 link, 3 devices" in outcome.stdout) == (0, True), outcome.stdout
    again = land.lienxa("discover", "10.4.5.7", "-o", lines, *FAST)
    assert trouble(again) == f"lienxa: {lines}: is there already, and nothing is overwritten; name another with -o"


def test_only_the_named_credentials_are_tried_and_a_refusal_is_told(land: Field) -> None:
    outcome = land.lienxa("discover", f"{UPS}/32", "--credentials", "stranger", *FAST)
    assert rows(outcome.stdout)[UPS][4] == "none: unknown_user"
    outcome = land.lienxa("discover", f"{ROUTER}/32", "--credentials", "foreign", *FAST)
    assert rows(outcome.stdout)[ROUTER][4] == "none: timeout"
    assert "\n1 answered, 0 of them SNMP; 0 new to the inventory\n" in outcome.stdout


def test_devices_that_answer_no_pings_are_found_without_them(land: Field) -> None:
    outcome = land.lienxa("discover", "10.4.5.0/28", "--no-ping", "--credentials", "devices", *FAST)
    assert set(rows(outcome.stdout)) == {SWITCH}
    assert outcome.stderr.startswith(
        "14 addresses, SNMP with 1 credential each, no pings, 1000 packets a second: about 4 s where nothing answers; "
    )


def test_ipv6_is_swept_as_well(land: Field) -> None:
    outcome = land.lienxa("discover", "2001:db8:4::8/125", *FAST)
    assert outcome.returncode == 0
    assert rows(outcome.stdout) == {QUIET_V6: ["", "", "", "", "none: refused", ""]}
    assert outcome.stderr.startswith("7 addresses, 5 pings each")


def test_nothing_that_answers_is_one_line(land: Field) -> None:
    outcome = land.lienxa("discover", "10.4.200.0/30", *FAST)
    assert (outcome.returncode, outcome.stdout) == (0, "")
    assert outcome.stderr.splitlines()[1:] == ["nothing answered"]


def test_ctrl_c_ends_it_with_what_was_found(land: Field) -> None:
    argv = land.inside(COMMAND, "discover", "10.4.5.0/24", "--inventory", str(land.inventory), "--rate", "60")
    before = land.datagrams()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        seen, since = before, time.monotonic()
        while seen == before or time.monotonic() - since < 1.5:  # the device has been asked everything
            assert time.monotonic() < deadline
            assert process.poll() is None
            if (now := land.datagrams()) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    first, second, third = errors.splitlines()
    assert first.startswith("254 addresses, 5 pings each, 60 packets a second: about 22 s, ")
    assert second.startswith("ended by Ctrl-C after ")
    assert second.endswith(" of 254 addresses; what was found until then:")
    assert third.startswith("look through the lines")
    assert rows(out)[SWITCH][3] == "net-snmp"
    assert "{id: switch, role: switch, address: 10.4.5.7, credential: devices}" in out
    assert not [secret for secret in SECRETS if secret in out + errors]


def test_without_the_right_to_ping_it_says_how_to_get_it(land: Field) -> None:
    drop = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", "--")
    outcome = land.lienxa("discover", "10.4.5.0/29", before=drop)
    assert outcome.returncode == 3
    assert outcome.stderr.splitlines()[-1] == (
        "lienxa: no raw ICMP socket: CAP_NET_RAW is missing; run as root, or `setcap cap_net_raw+ep` the interpreter, "
        "or set AmbientCapabilities=CAP_NET_RAW in the systemd unit; and no datagram ICMP socket: group 0 lies outside "
        'net.ipv4.ping_group_range; `sysctl -w net.ipv4.ping_group_range="0 2147483647"` admits all; '
        "or sweep with SNMP alone: --no-ping"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("10.4.4.x",), "'10.4.4.x': must be addresses in CIDR notation, such as 10.4.0.0/24"),
        (("10.4.4.0/33",), "'10.4.4.0/33': must be addresses in CIDR notation, such as 10.4.0.0/24"),
        (("10.4.4.5/24",), "10.4.4.5/24: has host bits set; did you mean 10.4.4.0/24, or only 10.4.4.5?"),
        (
            ("10.5.0.0/24",),
            "10.5.0.0/24 lies outside the inventory's `networks` (10.4.0.0/16, 2001:db8:4::/48); correct it, or add "
            "its network",
        ),
        (
            ("10.0.0.0/8", "--yes"),
            "10.0.0.0/8 lies outside the inventory's `networks` (10.4.0.0/16, 2001:db8:4::/48); correct it, or add "
            "its network",
        ),
        (
            ("10.4.0.0/16", "10.4.4.0/24"),
            "10.4.0.0/16 and 10.4.4.0/24: 65792 addresses, more than a /16 has; name less, or say --yes",
        ),
        (
            ("2001:db8:4::/64", "--yes"),
            "2001:db8:4::/64: IPv6 prefixes up to /112 (65536 addresses) can be swept; name a longer one",
        ),
        (
            ("10.4.4.0/24", "--credentials", "device"),
            "--credentials device: the inventory has none of that name; did you mean 'devices'? "
            "SNMP credentials of the inventory: devices, private, foreign, stranger",
        ),
        (
            ("10.4.4.0/24", "--credentials", "portal"),
            "--credentials portal: is for services, not for devices; "
            "SNMP credentials of the inventory: devices, private, foreign, stranger",
        ),
        (("10.4.4.0/24", "--rate", "0"), "--rate 0: must be more than 0 and at most 10000 packets a second"),
        (("10.4.4.0/24", "--rate", "nan"), "--rate nan: must be more than 0 and at most 10000 packets a second"),
        (("10.4.4.0/24", "--port", "0"), "--port 0: must be 1 to 65535"),
        (("10.4.4.0/24", "-o", "/nowhere/x.yaml"), "-o /nowhere/x.yaml: no such folder"),
    ],
)
def test_what_cannot_be_swept_is_one_line(land: Field, arguments: tuple[str, ...], message: str) -> None:
    assert trouble(land.lienxa("discover", *arguments)) == f"lienxa: {message}"


def test_usage_errors_exit_with_3(land: Field) -> None:
    outcome = land.lienxa("discover")
    assert outcome.returncode == 3
    assert outcome.stderr.splitlines()[-1] == ("lienxa discover: the following arguments are required: CIDR")
