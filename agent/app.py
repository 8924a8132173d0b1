"""The composition root of the agent: joins clock, network, monitor and web, and runs them until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from agent.errors import Unusable
from agent.monitor import Monitor
from agent.net import OpenNet, SystemClock, asker, open_net, resolvers
from agent.plan import Plan, plan
from agent.runner import Runner
from agent.series import SeriesTable
from agent.web import application
from probes import metrics
from probes.model import Distribution, Province, Reading
from probes.registry import KINDS

log = logging.getLogger(__name__)

LONGEST_ROUND_S = 1.0


def run(province: Province, folder: Path, host: str, port: int) -> None:
    """Run the agent until SIGTERM or SIGINT; raises `Unusable` if it cannot start.

    `folder` is where relative secret files lie. Port 0 takes a free one.
    """
    made = plan(province, asker(province, folder))
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(province, made, host, port))


async def _run(province: Province, made: Plan, host: str, port: int) -> None:
    clock = SystemClock()
    table = SeriesTable(province.province)
    monitor = Monitor(province, made.topology, table, clock)
    asyncio.get_running_loop().set_default_executor(resolvers())
    async with open_net(clock, province.timings.ping_timeout_s) as net:
        log.info("one raw ICMP socket, receive buffer of %d bytes", net.pings.receive_buffer_bytes)
        runner = Runner(KINDS, net, clock, monitor.report)

        def status() -> dict[str, Any]:
            return _status(province, monitor)

        app = application(province.province, table.page, lambda: monitor.ready, status)
        async with _serve(app, host, port), asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(runner.run(made.targets)),
                tasks.create_task(_rounds(province, made, monitor, runner, net, table)),
            ]
            stop = _stop_signals()
            log.info("province %s: %d targets, started", province.province, len(made.targets))
            await stop.wait()
            log.info("stopping")
            for task in work:
                task.cancel()


@contextlib.asynccontextmanager
async def _serve(app: web.Application, host: str, port: int) -> AsyncIterator[None]:
    served = web.AppRunner(app, access_log=None)
    await served.setup()
    try:
        site = web.TCPSite(served, host, port)
        try:
            await site.start()
        except (OSError, UnicodeError) as error:  # a name that cannot be encoded (IDNA) is not even looked up
            raise Unusable(f"{host}:{port} {_why_not(error)} with --listen HOST:PORT") from None
        for address in served.addresses:
            log.info("listening on http://%s:%d", *address[:2])
        yield
    finally:
        await served.cleanup()


def _why_not(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "cannot be used: not a host name; choose another"
    code = error.errno or 0
    if code == errno.EADDRINUSE:
        return "is in use; stop the other process or choose another"
    # the event loop's own text repeats the address; a resolver's codes are below 0 and no errno
    reason = os.strerror(code) if code > 0 else error.strerror
    return f"cannot be used: {reason}; choose another"


async def _rounds(
    province: Province, made: Plan, monitor: Monitor, runner: Runner, net: OpenNet, table: SeriesTable
) -> None:
    """A step of the diagnosis a few times per beat, with the agent's own series after each."""
    started = net.clock.wall()
    kinds = [target.kind for target in made.targets]
    pause = min(LONGEST_ROUND_S, province.timings.link_beat_s / 4)
    while True:
        await asyncio.sleep(pause)
        outcome = monitor.round()
        tally = runner.tally
        readings = [
            Reading(metrics.AGENT_INFO, 1, (version("lienxa"),)),
            Reading(metrics.AGENT_START, started),
            Reading(metrics.AGENT_LAST_ROUND, net.clock.wall()),
            *(Reading(metrics.AGENT_TARGETS, kinds.count(kind), (kind,)) for kind in KINDS),
            Reading(metrics.AGENT_SKIPPED_BEATS, tally.skipped),
            *(Reading(metrics.AGENT_CRASHES, tally.crashes.get(kind, 0), (kind,)) for kind in KINDS),
            Reading(metrics.VANTAGE_UP, float(outcome.vantage_up)),
            Reading(metrics.ICMP_SOCKET_DROPS, net.pings.socket_drops),
            Reading(metrics.ICMP_STRAY, net.pings.stray),
            Reading(metrics.ICMP_SEND_ERRORS, net.pings.send_errors),
            Reading(metrics.ICMP_BUFFER, net.pings.receive_buffer_bytes),
        ]
        lateness = Distribution(metrics.AGENT_LATENESS, tuple(tally.lateness_counts), tally.lateness_sum_s)
        table.put("agent", {}, readings, [lateness])


def _stop_signals() -> asyncio.Event:
    """Set once SIGTERM or SIGINT has come."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _status(province: Province, monitor: Monitor) -> dict[str, Any]:
    """Verdicts and open incidents as JSON-ready data; times are seconds since 1970."""
    outcome = monitor.outcome
    return {
        "province": province.province,
        "vantage_up": outcome.vantage_up,
        "communes": {
            code: {
                "state": verdict.state,
                "causes": list(verdict.causes),
                "since": monitor.wall(verdict.since),
                "root": "/".join(verdict.root) if verdict.root else None,
                "evidence": [asdict(evidence) for evidence in verdict.evidence],
                "last_words": {
                    name: {"value": value, "at": monitor.wall(at)} for name, (value, at) in verdict.last_words.items()
                },
            }
            for code, verdict in outcome.verdicts.items()
        },
        "incidents": [
            {
                "kind": incident.kind,
                "root": incident.root,
                "cause": incident.cause,
                "began": monitor.wall(incident.began),
                "communes": sorted(incident.members),
            }
            for incident in outcome.incidents.values()
        ],
    }
