"""Ways into the agent's namespace: listening sockets handed out, and connections from outside relayed in."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

from deploy.lab.errors import LabError

LOOPBACK = "127.0.0.1"
_CHUNK = 65536


def listening_socket(port: int) -> int:
    """The descriptor of a socket that listens on loopback in the current network namespace; port 0 takes a free one.

    Raises LabError.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise LabError(f"port {port} in the lab: {error.strerror}") from None
    return listener.detach()


class Doors:
    """Relays what connects to sockets of other namespaces to ports inside this one."""

    def __init__(self) -> None:
        """Without any door."""
        self._servers: list[asyncio.Server] = []
        self._relays: set[asyncio.Task[None]] = set()

    async def open(self, descriptor: int, port: int) -> None:
        """Relay every connection to a listening socket, which is ours from now on. Raises LabError."""
        try:
            listener = socket.socket(fileno=descriptor)
        except OSError as error:
            os.close(descriptor)
            raise LabError(f"a door needs a listening socket: {error.strerror}") from None
        listener.setblocking(False)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task:
                self._relays.add(task)
                task.add_done_callback(self._relays.discard)
            await _relay(reader, writer, port)

        self._servers.append(await asyncio.start_server(relay, sock=listener))

    def close(self) -> None:
        """Close every door, and end what goes through."""
        for server in self._servers:
            server.close()
        for task in self._relays:
            task.cancel()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        writer.transport.abort()  # nobody listens inside: the same for the visitor outside
        return
    async with asyncio.TaskGroup() as both:
        both.create_task(_pour(reader, inner_writer))
        both.create_task(_pour(inner_reader, writer))
    for each in (writer, inner_writer):
        each.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
        return
    writer.transport.abort()
