"""The command as people meet it: its own process, exit codes, one clear line for every trouble."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.stage import COMMAND
from deploy import lab

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]

SMALL = 'province: "04"\nreferences: [127.0.0.9]\ncommunes:\n  - {code: "01290", links: [{address: 127.0.0.1}]}\n'


def lienxa(*arguments: str | Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    argv = [*before, COMMAND, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def trouble(outcome: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr that is not a log line of a normal start."""
    assert outcome.returncode == 3
    assert "Traceback" not in outcome.stderr
    (line,) = [line for line in outcome.stderr.splitlines() if not line.startswith("20")]
    return line


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


def test_a_valid_inventory_is_told_in_one_line() -> None:
    outcome = lienxa("validate", lab.CAO_BANG)
    assert outcome.returncode == 0
    (line,) = outcome.stdout.splitlines()
    assert line.startswith(f"{lab.CAO_BANG}: province 04, 56 communes, ")
    assert ": no errors, " in line


def test_an_inventory_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert trouble(lienxa("run", tmp_path / "none.yaml")) == f"{tmp_path}/none.yaml: no such file"


def test_an_unreadable_inventory_is_one_line(inventory: Path) -> None:
    inventory.write_bytes(b"\xff\xfe\x00")
    assert trouble(lienxa("run", inventory)) == f"{inventory}:1: not UTF-8 text; save the file as UTF-8"


def test_an_unknown_commune_code_is_one_line_with_the_likely_one(inventory: Path) -> None:
    inventory.write_text(SMALL.replace("01290", "01209"), encoding="utf-8")
    assert trouble(lienxa("run", inventory)) == (
        f"{inventory}:4: communes[0].code: no commune has the code '01209'; did you mean '01279' (Phường Nùng Trí Cao) or '01290' (Xã Bảo Lâm)?"
    )


def test_a_port_in_use_is_one_line(inventory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert trouble(lienxa("run", inventory, "--listen", listen)) == (
            f"lienxa: {listen} is in use; stop the other process or choose another with --listen HOST:PORT"
        )


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("a..b", "not a host name"),
        ("h" * 300, "not a host name"),
        ("[fe80::1%nowhere]", "Name or service not known"),  # a name that no server is asked for
        ("192.0.2.1", "Cannot assign requested address"),
    ],
)
def test_a_host_that_cannot_be_listened_on_is_one_line(inventory: Path, host: str, why: str) -> None:
    assert trouble(lienxa("run", inventory, "--listen", f"{host}:9834")) == (
        f"lienxa: {host.strip('[]')}:9834 cannot be used: {why}; choose another with --listen HOST:PORT"
    )


@pytest.mark.parametrize("port", ["²", "99999999", "9" * 5000, "-1", "http", ""])
def test_a_port_that_is_none_is_one_line(inventory: Path, port: str) -> None:
    assert trouble(lienxa("run", inventory, "--listen", f"127.0.0.1:{port}")) == (
        f"lienxa: --listen 127.0.0.1:{port}: must be HOST:PORT, such as 127.0.0.1:9834"
    )


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0"])
def test_a_battery_that_cannot_be_is_one_line(seconds: str) -> None:
    assert trouble(lienxa("lab", "up", "--battery", seconds)) == (
        f"lienxa: a full battery must last more than 0 s and at most 86400 s, not {seconds}"
    )


@pytest.mark.parametrize("action", [("up",), ("down",), ("scenario", "hard-night")])
def test_no_folder_for_the_control_socket_is_one_line(
    action: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert trouble(lienxa("lab", *action)) == (
        f"lienxa: {tmp_path}/gone/lienxa-lab-{os.geteuid()}: cannot be made: No such file or directory; "
        "name a control socket with --control"
    )


def test_an_inventory_nested_without_end_is_one_line(inventory: Path) -> None:
    inventory.write_text("[" * 50_000, encoding="utf-8")
    assert trouble(lienxa("validate", inventory)) == (
        f"{inventory}:1: more than 50 lists and mappings inside each other; is it an inventory?"
    )


def test_a_warning_is_one_line_and_no_error(inventory: Path) -> None:
    inventory.write_text(SMALL.replace("references: [127.0.0.9]\n", ""), encoding="utf-8")
    outcome = lienxa("validate", inventory)
    assert outcome.returncode == 0
    assert outcome.stdout == (
        f"{inventory}: province 04, 1 commune, 1 link, 0 devices, 0 services (0 national systems), 0 trunks, 0 maintenance windows, 0 known issues: no errors, 8 warnings\n"
    )
    first, *others = outcome.stderr.splitlines()
    assert first == (
        f"{inventory}: warning: no references: the agent can tell its own blindness only when every link and trunk is silent; name one or two addresses close to it"
    )
    assert [line.startswith(f"{inventory}: warning: ") for line in others] == [True] * 7


def test_a_terminal_that_knows_no_vietnamese_is_written_to_all_the_same(inventory: Path) -> None:
    folder = inventory.parent / "Xã Bảo Lâm"
    folder.mkdir()
    inventory.rename(folder / "a.yaml")
    for command in (("validate", folder / "a.yaml"), ("generate", folder / "a.yaml", "-o", folder / "out")):
        argv = [COMMAND, *map(str, command)]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
        outcome = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=environment)
        assert (outcome.returncode, "Traceback" in outcome.stderr) == (0, False)


def test_no_permission_for_raw_sockets_is_one_line(inventory: Path) -> None:
    before = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", "--")
    line = trouble(lienxa("run", inventory, "--listen", "127.0.0.1:0", before=before))
    assert line.startswith("lienxa: ")
    assert "CAP_NET_RAW" in line


def test_a_secret_that_is_not_there_is_one_line(inventory: Path) -> None:
    inventory.write_text(f"{SMALL}credentials: {{lab: {{community: {{file: none}}}}}}\n", encoding="utf-8")
    assert trouble(lienxa("run", inventory)) == (
        f"lienxa: credentials.lab.community: the secret file {inventory.parent}/none cannot be read: "
        f"No such file or directory; `touch {inventory.parent}/none && chmod 600 {inventory.parent}/none`, "
        "then write the secret into it"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "lienxa run: the following arguments are required: inventory"),
        (("fly",), "lienxa: argument COMMAND: invalid choice: 'fly'"),
        (("generate", lab.CAO_BANG, "-o", "/proc/x"), "lienxa: /proc/x"),
        (("generate", lab.CAO_BANG, "-o", "x", "--lang", "de"), "lienxa: --lang: unknown language 'de'; known: vi, en, fr"),
        (("run", lab.CAO_BANG, "--listen", "9834"), "lienxa: --listen 9834: must be HOST:PORT, such as 127.0.0.1:9834"),
        (("demo", "--scenario", "quiet"), "lienxa: unknown scenario 'quiet' (known: hard-night, portal-overload, "),
        (("lab", "down", "--control", "/nowhere/control"), "lienxa: /nowhere/control: no lab answers there"),
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_3(arguments: tuple[str, ...], message: str) -> None:
    outcome = lienxa(*arguments)
    assert outcome.returncode == 3
    assert "Traceback" not in outcome.stderr
    assert message in outcome.stderr


def test_the_agent_stops_at_once_and_cleanly(inventory: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(
            [COMMAND, "run", inventory, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
        ) as agent:
            assert agent.stderr is not None
            for line in agent.stderr:
                if "started" in line:
                    break
            began = time.monotonic()
            agent.send_signal(number)
            rest = agent.stderr.read()
        assert agent.returncode == 0
        assert time.monotonic() - began < 3
        assert "Traceback" not in rest


def ours() -> dict[int, str]:
    """Processes whose command line says that they are of this product, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has just ended
            if any(word in words for word in ("lienxa", "prometheus")) and "pytest" not in words:
                found[int(entry.name)] = words
    return found


def namespaces() -> set[str]:
    """Every network namespace that a process lives in."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.add(os.readlink(entry / "ns" / "net"))  # noqa: PTH115  # the link's text, not a path
            except OSError:
                continue  # it has just ended
    return found


AGES = {"valid_life_time", "preferred_life_time", "expires", "age", "used"}
"""What changes by itself in the kernel's tables."""


def host_network() -> set[str]:
    """Devices, addresses, routes and packet filter rules of the namespace that we run in, without counters and ages."""
    found = {name for _, name in socket.if_nameindex()}
    for words in (["addr"], ["route", "show", "table", "all"], ["-6", "route", "show", "table", "all"]):
        shown = subprocess.run(["ip", "-json", *words], capture_output=True, text=True, check=True, timeout=10).stdout
        found |= {json.dumps(item) for item in json.loads(shown or "[]", object_hook=ageless)}
    if shutil.which("nft"):
        rules = subprocess.run(["nft", "--stateless", "list", "ruleset"], capture_output=True, timeout=10, check=False)
        found.add(rules.stdout.decode())
    return found


def ageless(item: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in item.items() if key not in AGES}


@pytest.fixture
def left_behind() -> Iterator[None]:
    """Fails if processes or namespaces are left that were not there before, or the host's network is not as it was."""
    processes, spaces, network = set(ours().items()), namespaces(), host_network()
    yield
    deadline = time.monotonic() + 15
    while extra := (set(ours().items()) - processes) | (namespaces() - spaces) | (host_network() ^ network):
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {extra}")
        time.sleep(0.1)


@pytest.mark.usefixtures("left_behind")
def test_the_demonstration_reaches_the_first_notification_by_itself_and_ctrl_c_ends_all_of_it() -> None:
    argv = [COMMAND, "demo", "--plain"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=unbuffered()) as demo:
        assert demo.stdout is not None
        told = []
        for line in demo.stdout:
            told.append(line)
            if "Xã Bảo Lâm (01290) is down" in line:
                demo.send_signal(signal.SIGINT)
                break
        told += demo.stdout.readlines()
    text = "".join(told)
    assert "NOTIFICATION, firing" in text
    assert "01290 Xã Bảo Lâm       down: link" in text
    assert "Traceback" not in text
    assert text.endswith("Everything that the demonstration started has ended.\n")
    assert demo.returncode == 0


@pytest.mark.usefixtures("left_behind")
def test_nothing_is_left_when_the_demonstration_is_killed() -> None:
    with subprocess.Popen([COMMAND, "demo", "--plain"], stdout=subprocess.PIPE, text=True, env=unbuffered()) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Playing" in line:
                break
        demo.kill()


def unbuffered() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


def test_another_folder_with_our_names_in_it_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "__init__.py").write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    outcome = subprocess.run(
        [COMMAND, "generate", lab.CAO_BANG, "-o", tmp_path / "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stderr.startswith("Next: put the inventory ")) == (0, True)
    assert (tmp_path / "out" / "prometheus" / "rules" / "lienxa.yml").is_file()


def test_the_wheel_holds_all_packages_and_their_data_and_works_elsewhere(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(root)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    program = (
        "import agent, probes, deploy.lab, sys; from agent.cli import main; "
        "assert all(m.__file__.startswith(sys.argv[1]) for m in (agent, probes)), (agent.__file__, probes.__file__); "
        "sys.exit(main(['generate', str(deploy.lab.CAO_BANG), '-o', 'out']))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (outcome.returncode, len(outcome.stderr.splitlines())) == (0, 1)
    assert len(outcome.stdout.splitlines()) == 13
