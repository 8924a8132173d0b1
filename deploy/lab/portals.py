"""The services that communes depend on: web sites and TCP listeners that can be made slow, overloaded or wrong."""

from __future__ import annotations

import asyncio
import html
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from aiohttp import web

from probes.model import Service


class Mood(StrEnum):
    """How a portal treats its visitors."""

    OK = "ok"
    SLOW = "slow"
    ERROR = "error"
    OVERLOAD = "overload"
    WRONG = "wrong"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Manner:
    """A mood, and for a slow portal the seconds that each answer takes."""

    mood: Mood = Mood.OK
    seconds: float = 0.0


TCP_MOODS = frozenset({Mood.OK, Mood.REFUSE})
"""All that a listener which only accepts connections can do."""
Listen = Callable[[], socket.socket]
"""Makes a listening socket at the portal's place; raises OSError."""

_PAGE = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p id="service">{service}</p><p>{text}</p></body></html>
"""
_RETRY_AFTER_S = "30"


class Portal:
    """One place (address and port) with the services behind it, by the path of their address."""

    def __init__(self, services: dict[str, Service], listen: Listen) -> None:
        """`services` by their URL's path; a kind other than http has one, by any path."""
        self._services = services
        self._listen = listen
        self._manners = {service.id: Manner() for service in services.values()}
        self._is_web = all(service.kind == "http" for service in services.values())
        self._web: web.AppRunner | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def behave(self, service: str, manner: Manner) -> None:
        """Treat one service's visitors so from now on; at one place all services refuse, or none does."""
        self._manners[service] = manner
        if manner.mood is Mood.REFUSE:
            await self.close()
        else:
            for other, own in self._manners.items():
                if own.mood is Mood.REFUSE:
                    self._manners[other] = replace(own, mood=Mood.OK)
            await self.open()

    async def open(self) -> None:
        """Listen, unless it does already; raises OSError."""
        if self._web or self._tcp:
            return
        if not self._is_web:
            self._tcp = await asyncio.start_server(self._hold, sock=self._listen())
            return
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._page)
        self._web = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._web.setup()
        await web.SockSite(self._web, self._listen()).start()

    async def close(self) -> None:
        """Stop listening: connections are refused from now on, and those there are end."""
        runner, self._web = self._web, None
        server, self._tcp = self._tcp, None
        if runner:
            await runner.cleanup()
        if server:
            server.close()
            for task in self._connections:
                task.cancel()
            await server.wait_closed()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep a connection until its visitor leaves."""
        task = asyncio.current_task()
        if task:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await reader.read(65536):
                pass
        except OSError:
            pass  # the visitor broke off
        finally:
            writer.close()

    async def _page(self, request: web.Request) -> web.Response:
        service = self._services.get(request.path) or next(iter(self._services.values()))
        manner = self._manners[service.id]
        match manner.mood:
            case Mood.SLOW:
                await asyncio.sleep(manner.seconds)
            case Mood.ERROR:
                return web.Response(status=500, text="Internal Server Error\n")
            case Mood.OVERLOAD:
                return web.Response(status=503, headers={"Retry-After": _RETRY_AFTER_S}, text="Service Unavailable\n")
            case Mood.WRONG:
                return _answer("Trang chờ", "", "Hệ thống đang bảo trì, xin quay lại sau.")
        return _answer(service.name or service.id, service.id, "Xin chào.")


def _answer(title: str, service: str, text: str) -> web.Response:
    page = _PAGE.format(title=html.escape(title), service=html.escape(service), text=html.escape(text))
    return web.Response(text=page, content_type="text/html")
