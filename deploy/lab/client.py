"""A handle on a running lab, for the demonstration and the system tests: blocking calls, few and short."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from deploy.lab import COMMUNITY, DEFAULT_COMMUNITY
from deploy.lab.errors import LabError, LabUnavailable

_READY_WITHIN_S = 30.0
_ENDED_WITHIN_S = 10.0
_ANSWER_WITHIN_S = 30.0


def request(
    control: Path, question: Mapping[str, object], descriptors: Sequence[int] = ()
) -> tuple[dict[str, Any], list[int]]:
    """Ask a running lab over its control socket: the answer, and descriptors that came with it. Raises LabError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_WITHIN_S)
            connection.connect(str(control))
            data = json.dumps(question).encode() + b"\n"
            sent = socket.send_fds(connection, [data], descriptors)
            connection.sendall(data[sent:])
            heard, came = b"", []
            while not heard.endswith(b"\n"):
                part, more, _, _ = socket.recv_fds(connection, 65536, 4)
                if not part:
                    raise LabError(f"{control}: the lab ended before it answered")
                heard += part
                came += more
    except OSError as error:
        raise LabError(f"{control}: no lab answers there: {error.strerror or error}") from None
    answer: dict[str, Any] = json.loads(heard)
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return answer, came


def act(control: Path, event: Mapping[str, object]) -> None:
    """Let one scenario event happen in a running lab; returns when it has taken effect. Raises LabError."""
    request(control, {"do": "act", "event": event})


def play(control: Path, scenario: str) -> float:
    """Start a scenario (its name, or the path of a file) in a running lab: how long it lasts, in seconds.

    Raises LabError.
    """
    name = str(Path(scenario).absolute()) if scenario.endswith((".yaml", ".yml")) else scenario
    answer, _ = request(control, {"do": "play", "scenario": name})
    return float(answer["lasts_s"])


def end(control: Path) -> None:
    """Tell a running lab to end. Raises LabError."""
    request(control, {"do": "end"})


class Lab:
    """A lab in a process of its own, which ends with `close`, with this process, and with the `with` block.

    To be started from the main thread: the kernel ends the lab with the thread that started it.
    """

    def __init__(
        self, process: subprocess.Popen[str], folder: Path, ready: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        """Made by `start`."""
        self._process = process
        self._folder = folder
        self._environment = environment
        self._started: list[subprocess.Popen[Any]] = []
        self.pid = int(ready["pid"])
        self.edge = str(ready["edge"])
        self.control = Path(ready["control"])
        self.ipv6 = bool(ready["ipv6"])
        self.in_user_namespace = bool(ready["user_namespace"])
        self.namespaces: dict[str, int] = ready["namespaces"]

    @classmethod
    def start(
        cls,
        inventory: Path,
        *,
        edge: str = "auto",
        scenario: str | None = None,
        battery_s: float | None = None,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ) -> Lab:
        """Run `lienxa lab up` on an inventory and wait until it is ready.

        `env` is added to this process's environment, for the lab and for what `popen` starts, as is the lab's SNMP
        community unless it is set. `command` runs `lienxa`; by default the one beside this Python. Raises
        LabUnavailable with the lab's own words where it does not get ready.
        """
        beside = Path(sys.executable).with_name("lienxa")
        command = command or [str(beside) if beside.exists() else "lienxa"]
        folder = Path(tempfile.mkdtemp(prefix="lienxa-lab-"))
        environment = {COMMUNITY: DEFAULT_COMMUNITY, **os.environ, **(env or {})}
        asked = ["lab", "up", str(inventory), "--edge", edge, "--control", str(folder / "control")]
        asked += ["--scenario", scenario] if scenario else []
        asked += ["--battery", f"{battery_s:g}"] if battery_s is not None else []
        with (folder / "errors").open("wb") as errors:
            try:
                process = subprocess.Popen(
                    _mortal("TERM", [*command, *asked]),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env=environment,
                )
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise LabUnavailable(f"`setpriv` could not be started: {error.strerror}") from None
        try:
            return cls(process, folder, _ready_line(process, folder), environment)
        except BaseException:
            _stop(process)
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def __enter__(self) -> Lab:
        """The lab, ended with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def act(self, **event: object) -> None:
        """Let one scenario event happen: `lab.act(cut="01290")`. Raises LabError."""
        act(self.control, event)

    def play(self, scenario: str) -> float:
        """Start a scenario: how long it lasts, in seconds. Raises LabError."""
        return play(self.control, scenario)

    def stats(self) -> dict[str, Any]:
        """What the WAN has carried and dropped (see `wan_commands.WanCommands.stats`). Raises LabError."""
        return request(self.control, {"do": "stats"})[0]

    def status(self) -> dict[str, Any]:
        """What is being played, and the sites that are not on mains with a full battery. Raises LabError."""
        return request(self.control, {"do": "status"})[0]

    def errors(self) -> str:
        """What the lab has said on standard error."""
        return (self._folder / "errors").read_text(encoding="utf-8", errors="replace")

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` on the agent's side, ended with the process that starts it."""
        user = ["--user", "--preserve-credentials"] if self.in_user_namespace else []
        # nsenter first: entering a user namespace forgets the parent-death signal
        return ["nsenter", *user, "--net", "-t", str(self.pid), "--", *_mortal("KILL", argv)]

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a command on the agent's side, with the options of `subprocess.Popen`; killed at `close`."""
        process = subprocess.Popen(self.inside(argv), **{"env": self._environment, **options})
        self._started.append(process)
        return process

    def listen(self, port: int = 0) -> socket.socket:
        """A socket that listens on 127.0.0.1 on the agent's side; port 0 takes a free one. Raises LabError."""
        _, (descriptor,) = request(self.control, {"do": "listen", "port": port})
        return socket.socket(fileno=descriptor)

    def door(self, port: int) -> int:
        """A port of this machine's 127.0.0.1 that leads to that port on the agent's side. Raises LabError."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            request(self.control, {"do": "door", "port": port}, [listener.fileno()])
            return int(listener.getsockname()[1])

    def close(self) -> None:
        """End everything that was started here, then the lab."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._started.clear()
        _stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def _mortal(signal_name: str, argv: Sequence[str]) -> list[str]:
    """The command line of `argv`, to which the kernel sends a signal when this process dies."""
    # a parent that died before the signal was asked for is noticed by its number
    still_ours = '[ "$PPID" = "$0" ] && exec "$@"'
    return ["setpriv", "--pdeathsig", signal_name, "--", "sh", "-c", still_ours, str(os.getpid()), *argv]


def _ready_line(process: subprocess.Popen[str], folder: Path) -> Mapping[str, Any]:
    """The line with which the lab says that it is ready; raises LabUnavailable."""
    if process.stdout is None:
        raise LabUnavailable("the lab was started without a pipe for its ready line")
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until:
        readable, _, _ = select.select([process.stdout], (), (), until - time.monotonic())
        if readable:
            line = process.stdout.readline()
            if line:
                found: Mapping[str, Any] = json.loads(line)
                return found
            process.wait(_ENDED_WITHIN_S)
            said = (folder / "errors").read_text(encoding="utf-8", errors="replace").strip()
            raise LabUnavailable(said or f"the lab ended with status {process.returncode} and without a word")
    raise LabUnavailable(f"the lab was not ready within {_READY_WITHIN_S:g} s")


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()
