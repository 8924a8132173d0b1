"""Doubles of services that speak more than a web page: real protocols and real keys, no real service.

Each is an aiohttp handler with a `Manner`; `serving` lets one listen. Tests and the lab use the same ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web


class Mood(StrEnum):
    """How a double treats whoever asks; TLS and DNS are broken outside of it."""

    HEALTHY = "healthy"
    SLOW = "slow"
    OVERLOADED = "overloaded"
    RESET = "reset"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Manner:
    """A mood, and for a slow double the seconds that each answer takes."""

    mood: Mood = Mood.HEALTHY
    seconds: float = 0.0


class Double(ABC):
    """A service that is none."""

    def __init__(self) -> None:
        """It is well until it is told otherwise."""
        self.manner = Manner()
        self.asked = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """What aiohttp calls: the manner first, then the protocol."""
        self.asked += 1
        match self.manner.mood:
            case Mood.SLOW:
                await asyncio.sleep(self.manner.seconds)
            case Mood.OVERLOADED:
                return web.Response(status=503, headers={"Retry-After": "30"}, text="Service Unavailable\n")
            case Mood.RESET:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case Mood.SILENT:
                await asyncio.Event().wait()
        return await self.answer(request)

    @abstractmethod
    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The protocol's own answer."""


@contextlib.asynccontextmanager
async def serving(double: Double, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Let a double listen on a free port; yields its URL, without a final slash."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", double.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=context).start()
        yield f"{'https' if context else 'http'}://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
