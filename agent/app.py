"""The composition root of the agent: joins clock, network, monitor and web, and runs them until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from agent.errors import Unusable
from agent.inventory import InventoryError, folder_of, load
from agent.monitor import Monitor
from agent.net import OpenNet, SystemClock, asker, open_net, resolvers
from agent.plan import Plan, plan
from agent.runner import Runner
from agent.series import SeriesTable
from agent.web import Reloaded, application
from probes import metrics
from probes.model import Province
from probes.registry import KINDS
from probes.results import Distribution, Reading

log = logging.getLogger(__name__)

LONGEST_ROUND_S = 1.0


def run(inventory: Path, host: str, port: int) -> None:
    """Run the agent until SIGTERM or SIGINT; SIGHUP reloads. Raises `InventoryError` or `Unusable` if it cannot start.

    Port 0 takes a free one.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end us while there is nothing to reload yet
    loaded = _load(inventory)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(inventory, loaded, host, port))


@dataclass(frozen=True)
class _Loaded:
    """An inventory and what follows from it."""

    province: Province
    plan: Plan


def _load(inventory: Path) -> _Loaded:
    province = load(inventory)
    return _Loaded(province, plan(province, asker(province, folder_of(inventory))))


async def _run(inventory: Path, loaded: _Loaded, host: str, port: int) -> None:
    asyncio.get_running_loop().set_default_executor(resolvers())
    async with open_net(SystemClock(), loaded.province.timings.ping_timeout_s) as net:
        log.info("one raw ICMP socket, receive buffer of %d bytes", net.pings.receive_buffer_bytes)
        agent = _Agent(inventory, loaded, net)
        code = loaded.province.province
        app = application(code, agent.table.page, lambda: agent.monitor.ready, agent.status, agent.reload)
        async with _serve(app, host, port), asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(agent.runner.run(loaded.plan.targets)), tasks.create_task(agent.rounds())]
            stop = _stop_signals()
            reloads: set[asyncio.Task[Reloaded]] = set()  # a task that nobody holds may vanish
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGHUP, lambda: reloads.add(tasks.create_task(agent.reload()))
            )
            log.info("province %s: %d targets, started", code, len(loaded.plan.targets))
            await stop.wait()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            log.info("stopping")
            for task in (*work, *reloads):
                task.cancel()


class _Agent:
    """The running agent; its inventory can be exchanged while it runs."""

    def __init__(self, inventory: Path, loaded: _Loaded, net: OpenNet) -> None:
        self.table = SeriesTable(loaded.province.province)
        self.monitor = Monitor(loaded.province, loaded.plan.topology, self.table, net.clock)
        self.runner = Runner(KINDS, net, net.clock, self.monitor.report)
        self._inventory = inventory
        self._loaded = loaded
        self._net = net
        self._started = self._reloaded = net.clock.wall()
        self._reload_ok = True
        self._reloading = asyncio.Lock()

    async def rounds(self) -> None:
        """A step of the diagnosis a few times per beat, with the agent's own series after each."""
        while True:
            await asyncio.sleep(min(LONGEST_ROUND_S, self._loaded.province.timings.link_beat_s / 4))
            self.monitor.round()
            tally = self.runner.tally
            lateness = Distribution(metrics.AGENT_LATENESS, tuple(tally.lateness_counts), tally.lateness_sum_s)
            self.table.put("agent", {}, self._own_readings(), [lateness])

    async def reload(self) -> Reloaded:
        """Read the inventory again, off the loop. All or nothing: a bad one changes nothing."""
        async with self._reloading:
            try:
                loaded = await asyncio.to_thread(_load, self._inventory)
                self._refuse_what_needs_a_restart(loaded.province)
            except (InventoryError, Unusable) as error:
                self._reload_ok = False
                log.warning("reload refused, nothing has changed: %s", error)
                return Reloaded(False, f"nothing has changed:\n{error}\n")
            except Exception:  # a bug in reading an inventory must not end an agent that runs
                self._reload_ok = False
                log.exception("reload failed in a way nobody expected, nothing has changed; please report it")
                return Reloaded(False, "nothing has changed: unexpected failure, see the agent's log\n")
            before, after = ({target.id: target for target in item.plan.targets} for item in (self._loaded, loaded))
            self.monitor.update(loaded.province, loaded.plan.topology)
            self.runner.update(loaded.plan.targets)
            self._loaded, self._reload_ok, self._reloaded = loaded, True, self._net.clock.wall()
            changed = sum(1 for name in before.keys() & after.keys() if before[name] != after[name])
            summary = (
                f"{len(after)} targets: {len(after.keys() - before.keys())} new, "
                f"{len(before.keys() - after.keys())} removed, {changed} changed"
            )
            log.info("reloaded, %s", summary)
            return Reloaded(True, f"{summary}\n")

    def _refuse_what_needs_a_restart(self, province: Province) -> None:
        now = self._loaded.province
        if province.province != now.province:
            raise Unusable(f"province {province.province!r} in place of {now.province!r} needs a restart of the agent")
        if province.timings.ping_timeout_s != now.timings.ping_timeout_s:
            raise Unusable("another timings.ping_timeout_s needs a restart of the agent")

    def _own_readings(self) -> list[Reading]:
        pings, tally = self._net.pings, self.runner.tally
        kinds = [target.kind for target in self._loaded.plan.targets]
        return [
            Reading(metrics.AGENT_INFO, 1, (version("lienxa"),)),
            Reading(metrics.AGENT_START, self._started),
            Reading(metrics.AGENT_LAST_ROUND, self._net.clock.wall()),
            Reading(metrics.AGENT_RELOAD_OK, float(self._reload_ok)),
            Reading(metrics.AGENT_RELOADED, self._reloaded),
            *(Reading(metrics.AGENT_TARGETS, kinds.count(kind), (kind,)) for kind in KINDS),
            Reading(metrics.AGENT_SKIPPED_BEATS, tally.skipped),
            *(Reading(metrics.AGENT_CRASHES, tally.crashes.get(kind, 0), (kind,)) for kind in KINDS),
            Reading(metrics.VANTAGE_UP, float(self.monitor.outcome.vantage_up)),
            Reading(metrics.ICMP_SOCKET_DROPS, pings.socket_drops),
            Reading(metrics.ICMP_STRAY, pings.stray),
            Reading(metrics.ICMP_SEND_ERRORS, pings.send_errors),
            Reading(metrics.ICMP_BUFFER, pings.receive_buffer_bytes),
        ]

    def status(self) -> dict[str, Any]:
        """Verdicts and open incidents as JSON-ready data; times are seconds since 1970."""
        return _status(self._loaded.province, self.monitor)


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
