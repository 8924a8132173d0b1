"""snmpsim playing a folder of recordings; the community is the name of the file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from probes.ports import SnmpAgent, SnmpError
from probes.protocols.snmp import SnmpSessions
from tests.probes import mib
from tests.probes.conftest import free_port

AUTH_KEY, PRIVACY_KEY = "auth-password", "privacy-password"


def device(port: int, name: str) -> SnmpAgent:
    """The device of one recording."""
    return SnmpAgent("127.0.0.1", port, "v2c", community=SecretStr(name))


@contextlib.contextmanager
def simulator(data: Path, cache: Path) -> Iterator[int]:
    """The UDP port on 127.0.0.1 of a simulator that plays every `.snmprec` below `data`."""
    number = free_port(socket.SOCK_DGRAM)
    cache.mkdir(exist_ok=True)
    argv = [
        str(Path(sys.executable).with_name("snmpsim-command-responder")),
        f"--data-dir={data}",
        f"--cache-dir={cache}",
        f"--agent-udpv4-endpoint=127.0.0.1:{number}",
        "--v3-user=probe",
        f"--v3-auth-key={AUTH_KEY}",
        "--v3-auth-proto=SHA256",
        f"--v3-priv-key={PRIVACY_KEY}",
        "--v3-priv-proto=AES",
        "--log-level=error",
    ]
    name = next(data.rglob("*.snmprec")).stem
    environment = {**os.environ, "SNMPSIM_ALLOW_ROOT": "true"}
    server = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while not asyncio.run(_answers(device(number, name))):
            assert server.poll() is None, "snmpsim ended"
            assert time.monotonic() < deadline, "snmpsim does not answer"
        yield number
    finally:
        server.terminate()
        server.wait()


async def _answers(agent: SnmpAgent) -> bool:
    sessions = SnmpSessions()
    with contextlib.suppress(SnmpError):
        return bool(await sessions.get(agent, [mib.SYS_DESCR, mib.SYS_OBJECT_ID, mib.SYS_NAME], 0.3))
    sessions.close()
    await asyncio.sleep(0.1)
    return False
