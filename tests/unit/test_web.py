"""The agent's endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from agent.errors import Busy
from agent.web import Reloaded, application


@asynccontextmanager
async def client(*, ready: bool = True, reloads: bool = True) -> AsyncIterator[TestClient[Any, Any]]:
    async def reload() -> Reloaded:
        return Reloaded(reloads, "12 targets\n" if reloads else "nothing has changed:\ncao-bang.yaml:1: …\n")

    async def path(target: str) -> Mapping[str, Any] | None:
        if target == "link/busy":
            raise Busy("ask again in a few seconds")
        return {"target": target} if target == "link/01290/primary" else None

    async def links() -> Mapping[str, Any]:
        return {"links": []}

    page = "# TYPE lienxa_x gauge\nlienxa_x 1\n"
    app = application("04", lambda: page, lambda: ready, lambda: {"province": "04"}, reload, path, links)
    async with TestClient(TestServer(app)) as started:
        yield started


async def test_the_page_has_the_series_and_the_process_and_nothing_that_is_not_ours() -> None:
    async with client() as agent:
        answer = await agent.get("/metrics")
        text = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    names = {line.split("{")[0].split()[0] for line in text.splitlines() if not line.startswith("#")}
    assert "lienxa_x" in names
    assert "lienxa_process_resident_memory_bytes" in names
    assert {name for name in names if not name.startswith("lienxa_")} == set()


async def test_health_and_readiness_are_told_apart() -> None:
    async with client(ready=False) as agent:
        assert (await agent.get("/-/healthy")).status == 200
        assert (await agent.get("/-/ready")).status == 503


async def test_the_status_is_json() -> None:
    async with client() as agent:
        assert await (await agent.get("/api/v1/status")).json() == {"province": "04"}
        assert await (await agent.get("/api/v1/links")).json() == {"links": []}


async def test_a_reload_answers_with_what_changed_or_with_the_errors() -> None:
    async with client() as agent:
        answer = await agent.post("/-/reload")
        assert (answer.status, await answer.text()) == (200, "12 targets\n")
    async with client(reloads=False) as agent:
        answer = await agent.post("/-/reload")
        assert (answer.status, await answer.text()) == (400, "nothing has changed:\ncao-bang.yaml:1: …\n")


async def test_a_page_in_a_browser_cannot_reload() -> None:
    async with client() as agent:
        for header in ({"Origin": "http://elsewhere"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await agent.post("/-/reload", headers=header)
            assert answer.status == 403
            assert "not from a browser; use: curl -X POST http://" in await answer.text()
        assert (await agent.get("/-/reload")).status == 405


async def test_a_path_is_traced_for_whoever_names_a_link_or_trunk_and_is_no_browser() -> None:
    async with client() as agent:
        good = await agent.get("/api/v1/path?target=link/01290/primary")
        assert (good.status, await good.json()) == (200, {"target": "link/01290/primary"})
        for query in ("", "?target=link/99999/primary"):
            unknown = await agent.get(f"/api/v1/path{query}")
            assert unknown.status == 404
            assert "?target=link/01290/primary" in await unknown.text()
        busy = await agent.get("/api/v1/path?target=link/busy")
        assert (busy.status, await busy.text()) == (429, "ask again in a few seconds\n")
        page = await agent.get("/api/v1/path?target=link/01290/primary", headers={"Sec-Fetch-Site": "none"})
        assert page.status == 403
