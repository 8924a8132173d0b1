"""The lab's control socket: JSON objects, one a line, over a Unix socket that only its owner may use."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.lab.errors import LabError

Answer = tuple[Mapping[str, Any], int | None]
"""What goes back, and a descriptor that goes with it (closed afterwards)."""
Handle = Callable[[object, list[int]], Awaitable[Answer]]
"""Carries out one request (any JSON) with the descriptors that came along; raises LabError."""

_PATH_BYTES = 107  # unix(7): sun_path, without its final zero
_MOST_DESCRIPTORS = 4


def claim(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600; what a crashed lab left there is replaced. Raises LabError."""
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise LabError(f"{path}: a control socket's path has at most {_PATH_BYTES} bytes: choose a shorter one")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        _remove_stale(path)
        listener.bind(str(path))
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise LabError(f"{path}: no control socket can be made there: {error.strerror}") from None
    except LabError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise LabError(f"{path}: is no socket: choose another path for the control socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(2)
        try:
            attempt.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass  # somebody is there, and busy
    raise LabError(f"{path}: a lab runs there already: stop it first, or choose another path with --control")


class ControlServer:
    """Answers requests until closed; each connection in turn order, connections side by side."""

    def __init__(self, path: Path, handle: Handle) -> None:
        """Claim the path at once; raises LabError."""
        self._path = path
        self._handle = handle
        self._listener = claim(path)
        self._own = path.lstat().st_ino
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept connections, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._converse(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End all conversations, and take the socket away."""
        for task in self._tasks:
            task.cancel()
        self._listener.close()
        with suppress(OSError):
            if self._path.lstat().st_ino == self._own:
                self._path.unlink()

    async def _converse(self, connection: socket.socket) -> None:
        pending = b""
        descriptors: list[int] = []
        with connection, suppress(ConnectionError):
            connection.setblocking(False)
            while True:
                await _readable(connection)
                try:
                    heard, came, _, _ = socket.recv_fds(connection, 65536, _MOST_DESCRIPTORS)
                except BlockingIOError:
                    continue
                descriptors += came
                if not heard:
                    break
                *lines, pending = (pending + heard).split(b"\n")
                for line in lines:
                    await self._reply(connection, line, descriptors)
                    descriptors = []
        for descriptor in descriptors:
            os.close(descriptor)

    async def _reply(self, connection: socket.socket, line: bytes, descriptors: list[int]) -> None:
        try:
            answer, descriptor = await self._handle(json.loads(line), descriptors)
        except json.JSONDecodeError as error:
            answer, descriptor = {"error": f"a request is one JSON object a line: {error}"}, None
        except LabError as error:
            answer, descriptor = {"error": str(error)}, None
        data = json.dumps(answer).encode() + b"\n"
        if descriptor is not None:
            try:
                sent = socket.send_fds(connection, [data[:1]], [descriptor])
            finally:
                os.close(descriptor)
            data = data[sent:]
        await asyncio.get_running_loop().sock_sendall(connection, data)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
