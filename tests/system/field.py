"""A network namespace of the test's own with devices that are real snmpd, and machines that only answer pings."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.stage import COMMAND

COMMUNITY, AUTH_KEY, PRIVACY_KEY = "geheim-community", "geheim-auth-key", "geheim-privacy-key"
SECRETS = (COMMUNITY, AUTH_KEY, PRIVACY_KEY, "fremd-community", "fremd-auth-key")
ROUTER, UPS, SWITCH = "10.4.4.1", "10.4.4.2", "10.4.5.7"
QUIET = ("10.4.4.0", "10.4.4.9", "10.4.4.15", "10.4.4.17")
"""Answer pings only: two of them are network and broadcast address of 10.4.4.0/28, one lies behind it."""
QUIET_V6 = "2001:db8:4::a"
INVENTORY = """\
province: "04"
timings: {profile: fast}
networks: [10.4.0.0/16, "2001:db8:4::/48"]
references: [10.4.0.1]
credentials:
  devices: {community: {file: community}}
  private:
    version: v3
    user: probe
    auth_protocol: sha256
    auth_key: {file: auth}
    privacy_protocol: aes128
    privacy_key: {file: privacy}
  foreign: {community: {file: foreign}}
  stranger: {version: v3, user: nobody, auth_protocol: sha256, auth_key: {file: stranger}}
  portal: {token: {file: nowhere}}
communes:
  - code: "01290"
    prefix: 10.4.4
    links: [{address: 10.4.4.1}]
    devices: [{id: router, role: router, address: 10.4.4.1, credential: devices}]
  - {code: "01294", prefix: 10.4.5}
"""
CONFIGURATION = {
    ROUTER: f"rocommunity {COMMUNITY} default\nsysName router-bao-lam\nsysContact Nong Van A 0912 345 678\n",
    SWITCH: f"rocommunity {COMMUNITY} default\nsysName switch-ly-bon\nsysServices 2\n",
    UPS: (
        f'createUser probe SHA-256 "{AUTH_KEY}" AES "{PRIVACY_KEY}"\nrouser probe priv\n'
        "sysName ups-bao-lam\nsysObjectID 1.3.6.1.4.1.318.1.3.27\nsysDescr APC Web/SNMP Management Card\n"
        "sysContact Nong Van A 0912 345 678\nsysLocation UBND Bao Lam\n"
        "override 1.3.6.1.4.1.318.1.1.1.1.1.1.0 octet_str Smart-UPS\n"
        "override 1.3.6.1.4.1.318.1.1.1.1.1.2.0 octet_str BaoLam\n"
        "override 1.3.6.1.4.1.318.1.1.1.1.2.3.0 octet_str AS0512340987\n"
        "override 1.3.6.1.4.1.318.1.1.1.2.1.1.0 integer 2\n"
        "override 1.3.6.1.4.1.318.1.1.1.2.2.1.0 uinteger 87\n"
        "override 1.3.6.1.4.1.318.1.1.1.4.1.1.0 integer 2\n"
    ),
}


@dataclass(frozen=True)
class Field:
    """The namespace is that of the process `pid`; the inventory lies in `folder`."""

    pid: int
    folder: Path

    @property
    def inventory(self) -> Path:
        return self.folder / "cao-bang.yaml"

    def inside(self, *argv: str) -> list[str]:
        """The same command, in the namespace."""
        return ["nsenter", "--net", "--target", str(self.pid), "--", *argv]

    def lienxa(self, *arguments: str | Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run the command over the inventory; whatever it says shows no secret, and no traceback."""
        argv = self.inside(*before, COMMAND, *map(str, arguments), "--inventory", str(self.inventory))
        outcome = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=self.folder)
        assert "Traceback" not in outcome.stderr
        assert not [secret for secret in SECRETS if secret in outcome.stdout + outcome.stderr]
        return outcome

    def datagrams(self) -> int:
        """UDP datagrams that arrived at somebody in the namespace."""
        lines = Path(f"/proc/{self.pid}/net/snmp").read_text(encoding="ascii").splitlines()
        names, values = (line.split() for line in lines if line.startswith("Udp:"))
        return int(values[names.index("InDatagrams")])


@contextlib.contextmanager
def field(folder: Path) -> Iterator[Field]:
    """The namespace with everything in it; skips where one is refused, or snmpd is missing."""
    binary = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("no snmpd (Debian package snmpd)")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace: unshare(CLONE_NEWNET) was refused")
    _write(folder)
    with contextlib.ExitStack() as running:
        holder = running.enter_context(_running(["unshare", "--net", "sleep", "600"]))
        _wait(lambda: _namespace(holder.pid) != _namespace(os.getpid()), "the namespace")
        made = Field(holder.pid, folder)
        for words in (
            *(
                "link set lo up",
                "link add silent type veth peer name beyond",
                "link set silent arp off",
                "link set beyond up",
                "link set silent up",
            ),
            "route add 10.4.0.0/16 dev silent",  # whoever is not there says nothing
            *(f"addr add {address}/32 dev lo" for address in (*CONFIGURATION, *QUIET)),
        ):
            subprocess.run(made.inside("ip", *words.split()), check=True, capture_output=True)
        subprocess.run(made.inside("ip", "addr", "add", f"{QUIET_V6}/128", "dev", "lo", "nodad"), check=True)
        for address in CONFIGURATION:
            state = folder / address
            options = ["-f", "-Ln", "-C", "-c", str(state / "snmpd.conf"), "-I", "-smux", "-p", str(state / "pid")]
            environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(state)}
            running.enter_context(_running(made.inside(binary, *options), environment))
        listening = made.inside("ss", "-Hlun", "sport", "=", "161")
        _wait(lambda: len(subprocess.check_output(listening).splitlines()) == len(CONFIGURATION), "snmpd")
        yield made


def _write(folder: Path) -> None:
    for name, text in zip(("community", "auth", "privacy", "foreign", "stranger"), SECRETS, strict=True):
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(0o600)
    (folder / "cao-bang.yaml").write_text(INVENTORY, encoding="utf-8")
    for address, text in CONFIGURATION.items():
        (folder / address).mkdir()
        (folder / address / "snmpd.conf").write_text(f"agentAddress udp:{address}:161\n{text}", encoding="ascii")


@contextlib.contextmanager
def _running(argv: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _namespace(pid: int) -> Path:
    return Path(f"/proc/{pid}/ns/net").readlink()


def _wait(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
