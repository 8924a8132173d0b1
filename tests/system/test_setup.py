"""`make setup` as newcomers meet it: what it says, asks, installs and leaves behind; with a fake apt-get."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

DEPLOY = Path(__file__).parents[2] / "deploy"
TOOLS = ("awk", "cat", "chmod", "dirname", "env", "find", "grep", "rm", "sed", "sh", "tail", "tee", "touch")
PACKAGES = (
    "# Debian packages\nfping    bench: the peer\nnftables tests: a stateful firewall\nopenssl  tests: certificates\n"
)

FAKES = {
    "id": 'echo "$FAKE_UID"\n',
    "sudo": 'echo "sudo $*" >>"$FAKE/calls"\nexec "$@"\n',
    "dpkg-query": 'for package; do :; done\ngrep -q "^$package$" "$FAKE/installed" && printf "ii "\n',
    "apt-get": """\
echo "apt-get $*" >>"$FAKE/calls"
echo "policy: $(cat "$POLICY_RC_D" 2>/dev/null)" >>"$FAKE/calls"
[ "$1" != "${FAKE_STOPS:-}" ] || kill -"$FAKE_SIGNAL" $PPID
[ "$1" != "${FAKE_FAILS:-}" ] || { echo "E: Unable to fetch some archives" >&2; exit 100; }
[ "$1" != install ] || printf "%s\\n" fping nftables openssl >"$FAKE/installed"
""",
}
LISTED = """\
setup: Debian packages to install (their daemons will not be started):
    fping    bench: the peer
    nftables tests: a stateful firewall
"""
FORBIDDEN = "policy: #!/bin/sh\nexit 101\n"


class Machine:
    """A tree with setup.sh in it, and a machine of fakes where openssl is installed."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.fakes, self.policy = folder / "tree", folder / "fakes", folder / "policy-rc.d"
        (self.tree / "deploy").mkdir(parents=True)
        shutil.copy(DEPLOY / "setup.sh", self.tree / "deploy")
        (self.tree / "deploy" / "packages.txt").write_text(PACKAGES, encoding="utf-8")
        for name in ("pyproject.toml", "hatch_build.py"):
            (self.tree / name).touch()
        self.fakes.mkdir()
        for tool in TOOLS:
            (self.fakes / tool).symlink_to(shutil.which(tool) or tool)
        for name, program in FAKES.items():
            self.put(self.fakes / name, program)
        self.put(self.tree / ".venv" / "bin" / "python", 'echo "python $*" >>"$FAKE/calls"\n')
        (self.fakes / "installed").write_text("openssl\n", encoding="utf-8")

    def put(self, path: Path, program: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{program}", encoding="utf-8")
        path.chmod(0o755)

    def setup(self, answer: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it, as root unless told otherwise."""
        told: Mapping[str, str] = {
            "PATH": str(self.fakes),
            "FAKE": str(self.fakes),
            "FAKE_UID": "0",
            "POLICY_RC_D": str(self.policy),
            **environment,
        }
        shell = shutil.which("dash") or "/bin/sh"
        argv = [shell, "deploy/setup.sh"]
        return subprocess.run(
            argv, cwd=self.tree, env=told, input=answer, capture_output=True, text=True, timeout=15, check=False
        )

    def calls(self) -> str:
        """What was run on the machine."""
        path = self.fakes / "calls"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("answer", "newline"), [("", "\n"), ("n\n", ""), ("\n", "")])
def test_it_says_what_and_why_and_installs_nothing_without_a_yes(machine: Machine, answer: str, newline: str) -> None:
    outcome = machine.setup(answer)
    assert outcome.returncode == 3
    assert outcome.stdout == (f"{LISTED}setup: install them now? [y/N] {newline}setup: nothing was installed\n")
    assert machine.calls() == ""
    assert not machine.policy.exists()


def test_a_yes_installs_what_is_missing_with_daemons_forbidden_meanwhile(machine: Machine) -> None:
    outcome = machine.setup("y\n")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout == (
        f"{LISTED}setup: install them now? [y/N] setup: installing; what apt-get says goes to deploy-setup.log\n"
        "setup: Debian packages installed\n"
        "setup: Python packages into .venv (the index is whatever pip is configured with)\n"
        "setup: ready\n"
    )
    assert machine.calls() == (
        f"apt-get update -q\n{FORBIDDEN}"
        f"apt-get install -y -q --no-install-recommends fping nftables\n{FORBIDDEN}"
        "python -m pip install -q --disable-pip-version-check --use-pep517 -e .[dev]\n"
    )
    assert not machine.policy.exists()
    assert not (machine.tree / "deploy-setup.log").exists()


def test_continuous_integration_is_not_asked(machine: Machine) -> None:
    outcome = machine.setup(CI="true")
    assert outcome.returncode == 0
    assert outcome.stdout.startswith(f"{LISTED}setup: installing; ")
    assert "apt-get install" in machine.calls()


def test_a_second_run_prints_nothing_and_takes_no_time(machine: Machine) -> None:
    machine.setup("y\n")
    before, began = machine.calls(), time.monotonic()
    outcome = machine.setup()
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert time.monotonic() - began < 5
    assert machine.calls() == before


@pytest.mark.parametrize("step", ["update", "install"])
def test_a_failing_package_manager_is_an_error_with_the_end_of_its_log(machine: Machine, step: str) -> None:
    outcome = machine.setup("y\n", FAKE_FAILS=step)
    log = machine.tree / "deploy-setup.log"
    assert outcome.returncode == 1
    assert outcome.stderr == (
        f"E: Unable to fetch some archives\nsetup: installing Debian packages failed; the whole log is {log}\n"
    )
    assert log.exists()
    assert machine.calls().count("apt-get") == (1 if step == "update" else 2)
    assert "python" not in machine.calls()
    assert not machine.policy.exists()


def test_without_root_and_sudo_it_says_what_root_must_do(machine: Machine) -> None:
    (machine.fakes / "sudo").unlink()
    outcome = machine.setup(FAKE_UID="1000")
    assert outcome.returncode == 3
    assert outcome.stdout == LISTED
    assert outcome.stderr == (
        "setup: these packages must be installed by root, and sudo is not here. As root, run:\n"
        "    apt-get install -y --no-install-recommends fping nftables\n"
    )
    assert machine.calls() == ""


def test_an_ordinary_user_installs_through_sudo(machine: Machine) -> None:
    assert machine.setup("yes\n", FAKE_UID="1000").returncode == 0
    asked = [line for line in machine.calls().splitlines() if line.startswith("sudo")]
    assert asked == [
        f"sudo tee {machine.policy}",
        f"sudo chmod 755 {machine.policy}",
        "sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q",
        "sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends fping nftables",
        f"sudo rm -f {machine.policy}",
    ]


@pytest.mark.parametrize(("own", "warned"), [("#!/bin/sh\nexit 0\n", True), ("#!/bin/sh\n# ours\nexit 101\n", False)])
def test_a_policy_that_is_there_already_stays_as_it_is(machine: Machine, own: str, *, warned: bool) -> None:
    machine.policy.write_text(own, encoding="utf-8")
    outcome = machine.setup("y\n")
    warning = f"setup: {machine.policy} exists and may let daemons start; it is left as it is\n"
    assert outcome.returncode == 0
    assert (warning in outcome.stdout) is warned
    assert machine.policy.read_text(encoding="utf-8") == own


@pytest.mark.parametrize(("name", "code"), [("HUP", 129), ("INT", 130), ("TERM", 143)])
def test_an_interrupt_ends_it_and_leaves_no_policy_behind(machine: Machine, name: str, code: int) -> None:
    outcome = machine.setup("y\n", FAKE_STOPS="update", FAKE_SIGNAL=name)
    assert outcome.returncode == code
    assert "apt-get install" not in machine.calls()
    assert not machine.policy.exists()
