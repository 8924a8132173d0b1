"""The lab without privilege: inside a user namespace, and in plain words where that is refused."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_lab import HOPS, INVENTORY, PING

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534
COMMAND = [sys.executable, "-c", "from agent.cli import main; raise SystemExit(main())"]

LOOK = """
import json, subprocess, sys
from pathlib import Path
from deploy.lab import LabError
from deploy.lab.client import Lab
inventory, edge, ping, command = json.loads(sys.argv[1])
try:
    lab = Lab.start(Path(inventory), edge=edge, command=command)
except LabError as error:
    print(json.dumps({"refused": str(error)}))
    raise SystemExit
with lab:
    def run(*arguments):
        asked = [sys.executable, "-c", ping, *arguments]
        return json.loads(lab.popen(asked, stdout=subprocess.PIPE).communicate(timeout=20)[0])
    lab.act(impair={"segment": "01290", "delay_ms": 20})
    found = {"edge": lab.edge, "user_namespace": lab.in_user_namespace, "ipv6": lab.ipv6}
    found["rtts"] = run("10.4.1.1", "20", "0.01", "64", "1")
    found["hops"] = [run("10.4.1.1", "1", "0", str(ttl), "1")[0][0] for ttl in (1, 2, 3, 4)]
    found["v6"] = run("fd00:4::1", "1", "0", "64", "1")
    lab.act(portal_refuse="portal")
    lab.act(portal_ok="portal")
    with lab.listen() as sink:
        found["door"] = lab.door(sink.getsockname()[1])
    found["errors"] = lab.errors()
print(json.dumps(found))
"""


def readable_python() -> str:
    """A Python of this version that every user can run; skips where there is none, or where the tree is private."""
    if not all(folder.stat().st_mode & 0o001 for folder in (CHECKOUT, *CHECKOUT.parents)):
        pytest.skip(f"an ordinary user cannot read {CHECKOUT}")
    for candidate in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        found = Path(os.path.realpath(candidate))
        folders = [found, *found.parents]
        if found.exists() and all(folder.stat().st_mode & 0o005 for folder in folders):
            return candidate
    pytest.skip("no Python here that an ordinary user can read")


@pytest.fixture
def open_inventory() -> Iterator[Path]:
    """The inventory where every user can read it, which pytest's own folders never are."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "inventory.yaml"
        path.write_text(INVENTORY, encoding="utf-8")
        yield path


def run_as(prefix: list[str], python: str, code: list[str]) -> subprocess.CompletedProcess[str]:
    places = os.pathsep.join([str(CHECKOUT), *site.getsitepackages()])
    environment = {**os.environ, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"}
    return subprocess.run(
        [*prefix, python, "-c", *code],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env=environment,
        cwd="/",
    )


AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--"]
AS_IN_A_CONTAINER = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--"]


def look(prefix: list[str], python: str, inventory: Path, edge: str) -> dict[str, Any]:
    command = [python, *COMMAND[1:]]
    done = run_as(prefix, python, [LOOK, json.dumps([str(inventory), edge, PING, command])])
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    if "unshare(CLONE_NEWUSER)" in found.get("refused", ""):
        pytest.skip(found["refused"])
    return found


def sees_all(found: dict[str, Any]) -> None:
    assert found["user_namespace"]
    assert all(40 <= rtt < 60 for rtt in found["rtts"])
    assert sorted(found["rtts"])[10] < 43
    assert found["hops"] == HOPS
    assert not found["ipv6"] or isinstance(found["v6"][0], float)
    assert "Traceback" not in found["errors"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_has_a_lab_of_his_own(open_inventory: Path) -> None:
    found = look(AS_NOBODY, readable_python(), open_inventory, "auto")
    sees_all(found)
    assert found["edge"] == "packet" or os.stat("/dev/net/tun").st_mode & 0o006  # noqa: PTH116 - a device


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up capabilities")
@pytest.mark.parametrize("edge", ["tun", "packet"])
def test_root_without_its_powers_as_in_a_container_has_a_lab(open_inventory: Path, edge: str) -> None:
    sees_all(look(AS_IN_A_CONTAINER, sys.executable, open_inventory, edge))


def up(prefix: list[str], python: str, inventory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    control = str(inventory.with_name("control"))
    return run_as(prefix, python, [COMMAND[2], "lab", "up", str(inventory), "--control", control, *options])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_refused_tun_device_is_said_with_the_way_out(open_inventory: Path) -> None:
    if Path("/dev/net/tun").stat().st_mode & 0o006:
        pytest.skip("every user may open /dev/net/tun here")
    done = up(AS_NOBODY, readable_python(), open_inventory, "--edge", "tun")
    if "CLONE_NEWUSER" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 3
    assert "opening /dev/net/tun was refused: Permission denied." in done.stderr
    assert "or choose `--edge packet`" in done.stderr
    assert "Traceback" not in done.stderr


def test_refused_namespaces_are_said_with_every_way_out(open_inventory: Path) -> None:
    nested = ["unshare", "--user", "--map-root-user", "--", "sh", "-c"]
    nested += ['echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh", *AS_IN_A_CONTAINER]
    probe = subprocess.run([*nested, "true"], capture_output=True, text=True, check=False, timeout=10)
    if probe.returncode:
        pytest.skip(f"no user namespaces on this machine: {probe.stderr}")
    done = up(nested, sys.executable, open_inventory)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        "lienxa: unshare(CLONE_NEWUSER) was refused: No space left on device (uid 0; user.max_user_namespaces=0, "
        f"kernel.unprivileged_userns_clone={_setting('kernel/unprivileged_userns_clone')}, "
        "kernel.apparmor_restrict_unprivileged_userns="
        f"{_setting('kernel/apparmor_restrict_unprivileged_userns')}). To allow it: a limit is used up: "
        "raise `sysctl user.max_user_namespaces` (now 0)\n"
    )


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return "not there"
