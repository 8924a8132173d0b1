"""TCP servers of the tests' own on loopback, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listens and says nothing."""
    await reader.read()


@contextlib.asynccontextmanager
async def serving(serve: Serve = quiet, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port of 127.0.0.1 that serves within the block; every connection is closed when it ends, or its client's."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
            await asyncio.sleep(0)
            tasks.discard(task)

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
