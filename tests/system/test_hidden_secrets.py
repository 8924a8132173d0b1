"""Secrets reach whom they are for, and show nowhere else: not on the page, in JSON, in the log, on the terminal."""

from __future__ import annotations

import base64
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.stage import COMMAND

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

COMMUNITY, PASSWORD, TOKEN = "hidden-community", "hidden-password", "hidden-token"
BASIC = base64.b64encode(f"lienxa:{PASSWORD}".encode()).decode()
HIDDEN = (COMMUNITY, PASSWORD, TOKEN, BASIC)
INVENTORY = """\
province: "04"
timings: {{profile: fast}}
references: [127.0.0.9]
credentials:
  devices: {{community: {{file: community}}}}
  basic: {{user: lienxa, password: {{file: password}}}}
  bearer: {{token: {{file: token}}}}
communes:
  - code: "01290"
    links: [{{address: 127.0.0.2}}]
    devices: [{{id: ups, role: ups, address: 127.0.0.1, port: {snmp}, credential: devices}}]
services:
  - {{id: basic, kind: http, url: "{url}", credential: basic}}
  - {{id: bearer, kind: http, url: "{url}", credential: bearer}}
"""


@pytest.fixture
def portal() -> Iterator[tuple[str, set[str]]]:
    """A server's URL, and what it was told of who asks."""
    told: set[str] = set()

    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.add(self.headers["Authorization"] or "")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Its requests are of no interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", told
        server.shutdown()


@pytest.fixture
def inventory(tmp_path: Path, portal: tuple[str, set[str]]) -> Iterator[Path]:
    """With its secrets, one of them for everybody to read; nobody answers SNMP."""
    for name, text in (("community", COMMUNITY), ("password", PASSWORD), ("token", TOKEN)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "token").chmod(0o644)
    file = tmp_path / "cao-bang.yaml"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        file.write_text(INVENTORY.format(url=portal[0], snmp=silent.getsockname()[1]), encoding="utf-8")
        yield file


def fetched(url: str, method: str = "GET") -> str:
    request = urllib.request.Request(url, method=method)  # noqa: S310  # our own, on loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
        return str(answer.read().decode())


def test_a_running_agent_shows_no_secret(inventory: Path, portal: tuple[str, set[str]]) -> None:
    argv = [COMMAND, "run", str(inventory), "--listen", "127.0.0.1:0"]
    log = inventory.parent / "log"
    with log.open("w") as stderr, subprocess.Popen(argv, stderr=stderr) as agent:
        try:
            deadline = time.monotonic() + 30
            while "started" not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            url = log.read_text().partition("listening on ")[2].split()[0]
            while 'device="ups",target="device/01290/ups",kind="snmp",reason="timeout"' not in fetched(
                f"{url}/metrics"
            ):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            shown = [fetched(f"{url}{path}") for path in ("/", "/metrics", "/api/v1/status", "/-/ready")]
            shown.append(fetched(f"{url}/-/reload", "POST"))
        finally:
            agent.terminate()
    shown.append(log.read_text())
    assert portal[1] == {f"Basic {BASIC}", f"Bearer {TOKEN}"}
    assert 'lienxa_inventory_findings{province="04",reason="credential_unprotected"} 2\n' in shown[1]
    assert 'lienxa_inventory_findings{province="04",reason="secret_exposed"} 1\n' in shown[1]
    assert 'lienxa_inventory_findings{province="04",reason="default_community"} 0\n' in shown[1]
    assert f"secret files that others can read, chmod 600 them: {inventory.parent}/token (mode 0644)" in shown[-1]
    assert not [secret for secret in HIDDEN if secret in "".join(shown)]


@pytest.mark.parametrize(
    "arguments",
    [("validate",), ("check", "--json"), ("check", "--kind", "http"), ("generate", "-o", "out")],
)
def test_no_command_shows_a_secret(inventory: Path, arguments: tuple[str, ...]) -> None:
    command, *rest = arguments
    outcome = subprocess.run(
        [COMMAND, command, str(inventory), *rest],
        cwd=inventory.parent,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert outcome.returncode in {0, 2}, outcome.stderr
    written = "".join(path.read_text(encoding="utf-8") for path in inventory.parent.glob("out/**/*") if path.is_file())
    assert not [secret for secret in HIDDEN if secret in outcome.stdout + outcome.stderr + written]
