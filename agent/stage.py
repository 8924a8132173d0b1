"""The whole product inside a lab: agent, Prometheus and Alertmanager with the generated files, and a sink."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from agent.bundle import build, write
from agent.errors import Unusable
from agent.inventory import load
from deploy import lab
from deploy.lab.client import Lab
from deploy.lab.edge import EdgeChoice
from probes.names import AGENT_PORT

PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
SINK_PORT = 9099
"""Inside the lab, where nothing else runs; its inventory names the sink's port."""

COMMAND = str(Path(sys.executable).with_name("lienxa"))


def start_lab(edge: EdgeChoice = "auto", battery_s: float | None = None) -> Lab:
    """The shipped Cao Bằng in a lab; raises `LabUnavailable`."""
    return Lab.start(lab.CAO_BANG, edge=edge, battery_s=battery_s, command=(COMMAND,))


@dataclass(frozen=True)
class Notification:
    """One message that Alertmanager delivered: `alerts` as in its webhook format, version 4."""

    at: float
    status: str
    alerts: tuple[dict[str, Any], ...]


@dataclass
class Stage:
    """Runs the product in `lab` over `inventory`, its files below `folder`. A context manager."""

    lab: Lab
    inventory: Path
    folder: Path
    notifications: list[Notification] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _sink: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        """Start everything; ready when the agent is and Prometheus has scraped it."""
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End every process that was started, the sink last, so that nothing is lost on the way."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._sink is not None:
            self._sink.shutdown()
            self._sink.server_close()

    def get(self, name: str, path: str) -> Any:
        """The JSON answer of the agent, Prometheus or Alertmanager (by name) to a GET, or its text."""
        port = int(self.urls[name].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != http.client.OK:
                raise ConnectionError(f"{name}{path}: {answer.status} {text[:200]}")
            return json.loads(text) if "json" in (answer.getheader("Content-Type") or "") else text
        finally:
            connection.close()

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition with a deadline; raises `Unusable` naming what did not come, and the log to read."""
        deadline = time.monotonic() + seconds
        while not self._holds(condition):
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                name = ended[0] if ended else "agent"
                raise Unusable(f"waited {seconds:g} s for {what}; {name}'s log ends with:\n{self.log(name)[-2000:]}")
            time.sleep(0.1)

    def log(self, name: str) -> str:
        """What one of the processes wrote."""
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @staticmethod
    def _holds(condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except (OSError, http.client.HTTPException):
            return False  # not up yet

    def _start(self) -> None:
        write(build(load(self.inventory)), self.folder)
        self._serve_sink()
        self._run("agent", [COMMAND, "run", str(self.inventory)], AGENT_PORT)
        self._run_alertmanager()
        self._run_prometheus()
        self.wait(lambda: "ready" in self.get("agent", "/-/ready"), 20, "the agent's first round")
        if "prometheus" in self.urls:
            self.wait(self._scraped, 30, "Prometheus's first scrape of the agent")

    def _scraped(self) -> bool:
        answer = self.get("prometheus", "/api/v1/query?query=lienxa_agent_info")
        return bool(answer["data"]["result"])

    def _run_alertmanager(self) -> None:
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if program is not None:
            argv = [
                program,
                f"--config.file={self.folder}/alertmanager/alertmanager.yml",
                f"--storage.path={self.folder}/alertmanager-data",
                f"--web.listen-address=127.0.0.1:{ALERTMANAGER_PORT}",
                "--cluster.listen-address=",
            ]
            self._run("alertmanager", argv, ALERTMANAGER_PORT)

    def _run_prometheus(self) -> None:
        program = shutil.which("prometheus")
        if program is not None:
            argv = [
                program,
                f"--config.file={self.folder}/prometheus/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/prometheus-data",
                f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}",
            ]
            self._run("prometheus", argv, PROMETHEUS_PORT)

    def _run(self, name: str, argv: list[str], port: int) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = self.lab.popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.urls[name] = f"http://127.0.0.1:{self.lab.door(port)}"

    def _serve_sink(self) -> None:
        received = self.notifications

        class Sink(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                received.append(Notification(time.time(), body["status"], tuple(body["alerts"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """The sink's own requests are of no interest."""

        self._sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink, bind_and_activate=False)
        self._sink.socket.close()
        self._sink.socket = self.lab.listen(SINK_PORT)
        threading.Thread(target=self._sink.serve_forever, name="sink", daemon=True).start()
