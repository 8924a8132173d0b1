"""The agent's web endpoints: /metrics, /-/healthy, /-/ready, /-/reload, /api/v1/status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

INDEX = """<!doctype html><meta charset="utf-8"><title>lienxa</title>
<h1>lienxa</h1><p>The probe agent of province {province}.</p>
<ul><li><a href="/metrics">Metrics</a><li><a href="/api/v1/status">Verdicts and incidents (JSON)</a>
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
        if {"Origin", "Sec-Fetch-Site"} & set(request.headers):  # a page in somebody's browser must not command us
            return web.Response(status=403, text=f"not from a browser; use: curl -X POST {request.url}\n")
        reloaded = await reload()
        return web.Response(status=200 if reloaded.ok else 400, text=reloaded.text)

    app = web.Application()
    app.add_routes(
        [
            web.get("/", index),
            web.get("/metrics", metrics),
            web.get("/-/healthy", healthy),
            web.get("/-/ready", is_ready),
            web.get("/api/v1/status", api_status),
            web.post("/-/reload", reload_inventory),
        ]
    )
    return app
