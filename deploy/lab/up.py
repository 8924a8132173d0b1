"""`lienxa lab up`: one process that makes the namespaces, forks the WAN and simulates the province."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.lab import COMMUNITY, DEFAULT_COMMUNITY, far_side, namespaces, wan
from deploy.lab import edge as edges
from deploy.lab import scenario as scenarios
from deploy.lab.control import Answer, ControlServer
from deploy.lab.devices import Surroundings
from deploy.lab.doors import Doors, listening_socket
from deploy.lab.edge import EdgeChoice
from deploy.lab.errors import LabError
from deploy.lab.scenario import LONGEST_S
from deploy.lab.topology import Topology
from deploy.lab.wan_commands import WanCommands
from deploy.lab.world import DEFAULT_BATTERY_S, World
from probes.model import Commune, Province


def default_control() -> Path:
    """Where the control socket lies unless told otherwise: in a folder that only this user may enter."""
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"lienxa-lab-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LabError(f"{folder}: cannot be made: {error.strerror}; name a control socket with --control") from None
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise LabError(f"{folder}: belongs to somebody else, or others may enter: name a control socket with --control")
    return folder / "control"


def run(
    province: Province,
    *,
    edge: EdgeChoice = "auto",
    control: Path | None = None,
    scenario: str | None = None,
    battery_s: float | None = None,
) -> int:
    """Simulate a province until told to end (SIGTERM, SIGINT, the control socket); gives the exit status.

    Prints one line of JSON when ready: `pid`, `edge`, `control`, `ipv6`, `user_namespace`, and `namespaces` with their
    inodes. `scenario` is one to begin with, `battery_s` how long a full battery lasts. To be called in a fresh
    process with one thread. Raises LabUnavailable where this machine allows no lab, LabError for wrong options.
    """
    battery_s = DEFAULT_BATTERY_S if battery_s is None else battery_s
    if not 0 < battery_s <= LONGEST_S:
        raise LabError(f"a full battery must last more than 0 s and at most {LONGEST_S:g} s, not {battery_s:g}")
    topology = Topology(province)
    control = control or default_control()
    far_side.allow_descriptors()
    spaces = namespaces.make()
    made = edges.make(spaces, edge)
    pid, commands = wan.start(made, topology)
    lab = _Lab(province, topology, spaces, control)
    announcement = {
        "pid": os.getpid(),
        "edge": made.kind,
        "control": str(control.absolute()),
        "ipv6": made.ipv6,
        "user_namespace": spaces.in_user_namespace,
        "namespaces": spaces.inodes(),
    }
    try:
        return asyncio.run(lab.live(commands, announcement, scenario, battery_s))
    finally:
        commands.close()
        os.waitpid(pid, 0)  # it ends as soon as nobody commands it


class _Lab:
    """The parts of a running lab, and what the control socket can ask of them."""

    def __init__(self, province: Province, topology: Topology, spaces: namespaces.Namespaces, control: Path) -> None:
        self._province = province
        self._topology = topology
        self._spaces = spaces
        self._control = control
        self._doors = Doors()
        self._ended = asyncio.Event()

    async def live(self, commands: Any, announcement: Mapping[str, object], play: str | None, battery_s: float) -> int:
        """Simulate until told to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        self._wan = await WanCommands.connect(commands)
        portals = await far_side.open_portals(self._province, self._spaces.far)
        self._world = World(self._province, self._topology, self._wan, portals, time.monotonic, battery_s)
        community = os.environ.get(COMMUNITY) or DEFAULT_COMMUNITY
        await far_side.answer_for_devices(self._province, self._spaces.far, community, self._surroundings)
        story = scenarios.load(play, self._world) if play else None
        server = ControlServer(self._control, self._handle)
        tasks = [
            asyncio.create_task(each)
            for each in (server.run(), self._world.drain(), self._ended.wait(), self._wan.gone.wait())
        ]
        try:
            if story:
                await self._world.play(story)
            sys.stdout.write(json.dumps(announcement) + "\n")
            sys.stdout.flush()
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            server.close()
            self._doors.close()
            await self._world.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for portal in portals.values():
                await portal.close()
            await self._wan.close()
        if self._ended.is_set():
            return 0
        sys.stderr.write("lab: the WAN forwarder has ended, and the lab with it\n")
        return 1

    def _surroundings(self, commune: Commune) -> Surroundings:
        return Surroundings(
            now=time.monotonic,
            site=lambda: self._world.sites[commune.code],
            link_works=lambda link: self._world.link_works(commune.code, link),
        )

    async def _handle(self, request: object, descriptors: list[int]) -> Answer:
        answer: Mapping[str, Any] = {}
        descriptor = None
        match request:
            case {"do": "act", "event": dict() as event}:
                await self._world.act(scenarios.parse_event(event, self._world))
            case {"do": "play", "scenario": str() as name}:
                story = await asyncio.to_thread(scenarios.load, name, self._world)
                await self._world.play(story)
                answer = {"lasts_s": story.lasts_s}
            case {"do": "stats"}:
                answer = await self._wan.stats()
            case {"do": "status"}:
                answer = self._world.status()
            case {"do": "listen", "port": int() as port}:
                descriptor = listening_socket(port)
            case {"do": "door", "port": int() as port} if descriptors:
                await self._doors.open(descriptors[0], port)
            case {"do": "end"}:
                self._ended.set()
            case _:
                raise LabError(
                    "a request is one of: act (event), play (scenario), stats, status, listen (port), "
                    "door (port, with a listening socket), end"
                )
        return answer, descriptor
