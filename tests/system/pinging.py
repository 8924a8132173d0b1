"""Pings with our engine where it is run; each line of standard input closes every window and prints one JSON line.

The first line comes when every stream has had its first burst.

`python -m tests.system.pinging SETTINGS`, the settings as JSON: see `Settings`.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import socket
import stat
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from probes.kinds.icmp import IcmpSettings, check
from probes.ports import PLAIN_PING, PingOptions, PingWindow
from probes.protocols.icmp import IcmpEngine
from tests.probes.conftest import TestNet, beat


@dataclass(frozen=True)
class Settings:
    """Whom to ask how often, and what is done to the process meanwhile."""

    addresses: list[str]
    packets_per_s: float
    buffer_bytes: int | None = None
    """The receive buffer's real size, as the kernel counts it; the engine's own choice unless given."""
    blocked_s: list[float] = field(default_factory=list)
    """Least and most time for which the event loop is held, again and again."""
    pause_s: list[float] = field(default_factory=lambda: [0.05, 0.2])
    """Least and most time between two blocks."""


async def main(settings: Settings) -> None:
    """Windows on demand until standard input ends."""
    engine = IcmpEngine()
    engine.open()
    try:
        if settings.buffer_bytes is not None:
            shrink_raw_sockets(settings.buffer_bytes)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        blocks = asyncio.create_task(block(settings))
        print(json.dumps(await windows(engine, settings)), flush=True)  # noqa: T201  # its reader is a test
        while await lines.readline():
            print(json.dumps(await windows(engine, settings)), flush=True)  # noqa: T201  # its reader is a test
        blocks.cancel()
    finally:
        engine.close()


@dataclass
class Overheard:
    """Stands between the kind and the engine; keeps each stream's latest window."""

    engine: IcmpEngine
    closed: dict[str, PingWindow] = field(default_factory=dict)

    async def window(
        self,
        stream: str,
        address: str,
        packets_per_s: float,
        *,
        continuous: bool = True,
        options: PingOptions = PLAIN_PING,
    ) -> PingWindow:
        """See `probes.ports.Pings`."""
        window = await self.engine.window(stream, address, packets_per_s, continuous=continuous, options=options)
        self.closed[stream] = window
        return window


async def windows(engine: IcmpEngine, settings: Settings) -> dict[str, Any]:
    """Every stream's window and what the kind makes of it, and what the engine says of itself."""
    pings = Overheard(engine)
    results = await asyncio.gather(
        *(
            check(
                IcmpSettings(address=each, packets_per_s=settings.packets_per_s),
                TestNet(pings=pings),
                beat(target=each),
            )
            for each in settings.addresses
        )
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "streams": {
            address: {
                "reason": result.reason,
                "suspect": window.suspect,
                "sent": window.total_sent,
                "received": window.total_received,
                "late": window.total_late,
                "duplicates": window.total_duplicates,
                "rtts_s": list(window.rtts_s),
                "jitter_s": window.jitter_s,
            }
            for address, result in zip(settings.addresses, results, strict=True)
            for window in (pings.closed[address],)
        },
        "excused": engine.health.excused,
        "drops": engine.socket_drops,
        "stray": engine.stray,
        "forged": engine.forged,
        "unsent": engine.send_errors,
        "unsure": engine.unsure_sends,
        "cpu_s": used.ru_utime + used.ru_stime,
    }


async def block(settings: Settings) -> None:
    """Hold the loop: asleep or at work, as a probe with a bug would."""
    while settings.blocked_s:
        await asyncio.sleep(random.uniform(*settings.pause_s))
        until = time.monotonic() + random.uniform(*settings.blocked_s)
        if random.random() < 0.5:
            time.sleep(max(0.0, until - time.monotonic()))  # noqa: ASYNC251  # the very thing under test
        while time.monotonic() < until:
            pass


def shrink_raw_sockets(real_bytes: int) -> None:
    """As on a machine with a small `net.core.rmem_max`, which is no namespace's own; socket(7): half of it is asked."""
    for entry in Path("/proc/self/fd").iterdir():
        number = int(entry.name)
        try:
            is_socket = stat.S_ISSOCK(entry.stat().st_mode)
        except OSError:  # the folder's own descriptor, gone again
            continue
        if is_socket:
            with socket.fromfd(number, socket.AF_INET, socket.SOCK_RAW) as copy:
                if copy.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_RAW:
                    copy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, real_bytes // 2)


if __name__ == "__main__":
    uvloop.run(main(Settings(**json.loads(sys.argv[1]))))
