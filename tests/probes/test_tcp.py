"""The tcp kind against sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
import uvloop

from probes import metrics
from probes.kinds.tcp import TcpSettings, check
from probes.results import Reason, Result
from tests.probes.conftest import TestNet, beat, descriptors, descriptors_when, free_port, in_namespace, value


@contextlib.contextmanager
def listening(backlog: int = 100) -> Iterator[int]:
    """A port that accepts, as long as its backlog has room."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def full() -> Iterator[int]:
    """A port whose backlog is full: further connections get no answer."""
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(listening(backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", port))
        yield port


async def probe(port: int, *, host: str = "127.0.0.1", timeout_s: float = 1.0, slow_s: float = 3.0) -> Result:
    """One beat."""
    return await check(TcpSettings(host=host, port=port, timeout_s=timeout_s, slow_s=slow_s), TestNet(), beat())


async def test_a_port_that_accepts_passes_with_its_phases() -> None:
    with listening() as port:
        result = await probe(port)
    assert result == Result(readings=result.readings)
    resolve, connect = (value(result, metrics.PROBE_DURATION, phase) for phase in ("resolve", "connect"))
    assert resolve is not None
    assert connect is not None
    assert 0 <= resolve < 0.1
    assert 0 < connect < 0.1


async def test_a_name_is_resolved() -> None:
    with listening() as port:
        result = await probe(port, host="localhost")
    assert result.reason is None


async def test_a_closed_port_refuses() -> None:
    result = await probe(free_port())
    assert (result.reason, result.detail) == (Reason.REFUSED, "connect: Connection refused")
    assert value(result, metrics.PROBE_DURATION, "resolve") is not None
    assert value(result, metrics.PROBE_DURATION, "connect") is None


async def test_no_answer_is_a_time_out_that_names_the_phase() -> None:
    with full() as port:
        result = await probe(port, timeout_s=0.3)
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no end of connect within 0.3 s")


async def test_a_slow_connection_is_slow() -> None:
    with listening() as port:
        result = await probe(port, slow_s=1e-9)
    assert result.reason is Reason.SLOW


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test"])
async def test_a_name_that_cannot_be_is_a_dns_error(host: str) -> None:
    result = await probe(80, host=host)
    assert result.reason is Reason.DNS_ERROR


def test_a_network_without_a_route_is_unreachable() -> None:
    result = in_namespace(lambda: probe(80, host="192.0.2.1"))
    assert (result.reason, result.detail) == (Reason.UNREACHABLE, "connect: Network is unreachable")


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_no_descriptor_is_left_whatever_happens(runner: object) -> None:
    async def scenario() -> tuple[int, int]:
        with listening() as port, full() as busy:
            await probe(port)
            before = descriptors()
            for _ in range(5):
                await probe(port)
                await probe(1)
                await probe(busy, timeout_s=0.02)
                task = asyncio.create_task(probe(busy))
                await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            return before, await descriptors_when(before)

    assert callable(runner)
    before, after = runner(scenario())
    assert before == after
