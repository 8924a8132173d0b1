"""The agent's web endpoints: /metrics, /-/healthy, /-/ready, /-/reload, /api/v1/status, /links, /path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

from agent.errors import Busy

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

INDEX = """<!doctype html><meta charset="utf-8"><title>lienxa</title>
<h1>lienxa</h1><p>The probe agent of province {province}.</p>
<ul><li><a href="/metrics">Metrics</a><li><a href="/api/v1/status">Verdicts and incidents (JSON)</a>
<li><a href="/api/v1/links">Links over five minutes (JSON)</a>
<li><a href="/-/ready">Ready?</a></ul>
"""


@dataclass(frozen=True)
class Reloaded:
    """How a reload of the inventory went; `text` is for whoever asked for it."""

    ok: bool
    text: str


def application(
    province: str,
    page: Callable[[], str],
    ready: Callable[[], bool],
    status: Callable[[], Mapping[str, Any]],
    reload: Callable[[], Awaitable[Reloaded]],
    path: Callable[[str], Awaitable[Mapping[str, Any] | None]],
    links: Callable[[], Awaitable[Mapping[str, Any]]],
) -> web.Application:
    """All endpoints over values that the composition root provides."""
    registry = CollectorRegistry()
    ProcessCollector(namespace="lienxa", registry=registry)

    async def metrics(_: web.Request) -> web.Response:
        body = page().encode() + generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": METRICS_TYPE})

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def is_ready(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if ready() else web.Response(text="no results yet\n", status=503)

    async def api_status(_: web.Request) -> web.Response:
        return web.json_response(status())

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=INDEX.format(province=province), content_type="text/html")

    async def reload_inventory(request: web.Request) -> web.Response:
        if _from_a_browser(request):
            return web.Response(status=403, text=f"not from a browser; use: curl -X POST {request.url}\n")
        reloaded = await reload()
        return web.Response(status=200 if reloaded.ok else 400, text=reloaded.text)

    async def api_path(request: web.Request) -> web.Response:
        if _from_a_browser(request):
            return web.Response(status=403, text=f"not from a browser; use: curl '{request.url}'\n")
        target = request.query.get("target", "")
        try:
            found = await path(target)
        except Busy as error:
            return web.Response(status=429, text=f"{error}\n")
        if found is None:
            text = f"no path to {target!r}; name a link or trunk as in ?target=link/01290/primary or ?target=trunk/ID\n"
            return web.Response(status=404, text=text)
        return web.json_response(found)

    app = web.Application()
    app.add_routes(
        [
            web.get("/", index),
            web.get("/metrics", metrics),
            web.get("/-/healthy", healthy),
            web.get("/-/ready", is_ready),
            web.get("/api/v1/status", api_status),
            web.get("/api/v1/links", _told(links)),
            web.get("/api/v1/path", api_path),
            web.post("/-/reload", reload_inventory),
        ]
    )
    return app


def _told(ask: Callable[[], Awaitable[Mapping[str, Any]]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that answers with what is known at the moment."""

    async def handler(_: web.Request) -> web.Response:
        return web.json_response(await ask())

    return handler


def _from_a_browser(request: web.Request) -> bool:
    """Whether a page in somebody's browser may be behind it, which must not command us."""
    return bool({"Origin", "Sec-Fetch-Site"} & set(request.headers))
