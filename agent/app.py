"""The composition root of the agent: joins clock, network, monitor and web, and runs them until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from agent.errors import Unusable
from agent.monitor import Monitor
from agent.plan import Ask, Plan, plan
from agent.runner import Runner
from agent.secrets import SecretError, secrets_of
from agent.series import SeriesTable
from agent.web import application
from probes import metrics
from probes.model import Device, Distribution, Province, Reading
from probes.ports import Clock, SnmpAgent
from probes.protocols.http import open_session
from probes.protocols.icmp import IcmpEngine, IcmpUnavailable
from probes.protocols.snmp import SnmpSessions
from probes.registry import KINDS

log = logging.getLogger(__name__)

LONGEST_ROUND_S = 1.0
RESOLVERS = 64
"""Names looked up at once: the C library's resolver blocks a thread, and a dead server must not stop the others."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def wall(self) -> float:
        """See `Clock`."""
        return time.time()


@dataclass(frozen=True)
class OpenNet:
    """Everything long-lived that probes share, open."""

    clock: Clock
    pings: IcmpEngine
    snmp: SnmpSessions
    http: aiohttp.ClientSession


def run(province: Province, folder: Path, host: str, port: int) -> None:
    """Run the agent until SIGTERM or SIGINT; raises `Unusable` if it cannot start.

    `folder` is where relative secret files lie. Port 0 takes a free one.
    """
    made = plan(province, _asker(province, folder))
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(province, made, host, port))


def _asker(province: Province, folder: Path) -> Ask:
    try:
        secrets = {name: secrets_of(name, item, folder) for name, item in province.credentials.items()}
    except SecretError as error:
        raise Unusable(str(error)) from None

    def ask(device: Device) -> SnmpAgent:
        credential = province.credentials[device.credential]
        return SnmpAgent(
            address=device.address,
            port=device.port,
            version=credential.version,
            user=credential.user or "",
            auth_protocol=credential.auth_protocol,
            privacy_protocol=credential.privacy_protocol,
            **secrets[device.credential],
        )

    return ask


async def _run(province: Province, made: Plan, host: str, port: int) -> None:
    clock = SystemClock()
    table = SeriesTable(province.province)
    monitor = Monitor(province, made.topology, table, clock)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(RESOLVERS, "resolver"))
    async with _open_net(clock, province.timings.ping_timeout_s) as net:
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
async def _open_net(clock: Clock, ping_timeout_s: float) -> AsyncIterator[OpenNet]:
    try:
        pings = IcmpEngine(ping_timeout_s)
        pings.open()
    except IcmpUnavailable as error:
        raise Unusable(str(error)) from None
    log.info("one raw ICMP socket, receive buffer of %d bytes", pings.receive_buffer_bytes)
    http = open_session(version("lienxa"))
    snmp = SnmpSessions()
    try:
        yield OpenNet(clock, pings, snmp, http)
    finally:
        pings.close()
        snmp.close()
        await http.close()


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
    if error.errno == errno.EADDRINUSE:
        return "is in use; stop the other process or choose another"
    return f"cannot be used: {error.strerror}; choose another"


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
