"""The composition root of the agent: joins clock, network, monitor and web, and runs them until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import uvloop
from aiohttp import web

from agent import links, planned_cuts
from agent.calendar import Calendar
from agent.credentials import Credentials, opened
from agent.errors import Unusable
from agent.findings import findings, readings
from agent.health import Health
from agent.inventory import InventoryError, folder_of, load
from agent.monitor import Monitor
from agent.net import OpenNet, SystemClock, open_net, resolvers
from agent.paths import Paths
from agent.plan import Plan, plan
from agent.profiles import library_of
from agent.runner import Runner
from agent.series import SeriesTable
from agent.watch import Watch, fingerprint
from agent.web import Reloaded, application
from probes import metrics
from probes.kinds.icmp import IcmpSettings
from probes.model import Province
from probes.protocols.path import trace
from probes.protocols.path_route import Route
from probes.protocols.tcp import meaning
from probes.registry import KINDS
from probes.results import Distribution, Reading, RootKind, Target

log = logging.getLogger(__name__)
_T = TypeVar("_T")

LONGEST_ROUND_S = 1.0
WATCH_S = 2.0
"""How often the inventory's files are looked at, with `--watch`."""
SWITCH_S = 0.0005
"""How long a thread that works may hold up the event loop at each of its turns; Python's default is ten times that."""
LONGEST_LOOK_S = 5.0
"""How often the file of planned cuts is looked at, or twice a beat; what has changed is read at the second look."""
FINDINGS_S = 3600.0
"""How often findings are looked for again: days pass, and windows end."""


def run(inventory: Path, host: str, port: int, *, watch: bool = False) -> None:
    """Run the agent until SIGTERM or SIGINT; SIGHUP reloads. Raises `InventoryError` or `Unusable` if it cannot start.

    Port 0 takes a free one. With `watch` it also reloads whenever a file of the inventory has changed.
    """
    watched = Watch.of(inventory) if watch else None
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end us while there is nothing to reload yet
    loaded = _load(inventory, SystemClock().wall())
    with contextlib.suppress(KeyboardInterrupt):
        _keep_the_loop_free()
        uvloop.run(_run(inventory, loaded, host, port, watched))


def _keep_the_loop_free() -> None:
    """Beats go on while a thread reads another inventory: with 1,500 targets about 0.1 s late, 0.5 s without."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what is there now stays: to search it for garbage stops everything for 100 ms


@dataclass(frozen=True)
class _Loaded:
    """An inventory and what follows from it, with the power cuts that are announced beside it."""

    province: Province
    plan: Plan
    credentials: Credentials
    announced: planned_cuts.Announced
    calendar: Calendar

    def findings(self, wall: float) -> list[Reading]:
        """What the inventory costs, as `lienxa validate` tells it."""
        known = self.credentials
        return readings(
            findings(self.province, wall, default_communities=known.default_communities, exposed=known.exposed)
        )


def _load(inventory: Path, wall: float, before: planned_cuts.Announced | None = None) -> _Loaded:
    province = load(inventory)
    credentials = opened(province, folder_of(inventory))
    announced = planned_cuts.announced(province, folder_of(inventory), wall, before)
    try:
        calendar = Calendar(province, announced.cuts)
    except ValueError as error:
        raise Unusable(f"{inventory}: {error}") from None
    planned = plan(province, credentials.ask, credentials.auth, library_of(province, folder_of(inventory)))
    return _Loaded(province, planned, credentials, announced, calendar)


def _look(inventory: Path, loaded: _Loaded, wall: float) -> _Loaded:
    """The same inventory, with the power cuts that are announced now."""
    announced = planned_cuts.look(loaded.province, folder_of(inventory), wall, loaded.announced)
    if announced is loaded.announced:
        return loaded
    same = announced.cuts is loaded.announced.cuts
    calendar = loaded.calendar if same else Calendar(loaded.province, announced.cuts)
    return replace(loaded, announced=announced, calendar=calendar)


async def _run(inventory: Path, loaded: _Loaded, host: str, port: int, watched: Watch | None) -> None:
    asyncio.get_running_loop().set_default_executor(resolvers())
    async with open_net(SystemClock(), loaded.province.timings.ping_timeout_s) as net:
        log.log(logging.INFO if net.pings.raw else logging.WARNING, "%s", net.pings.describe())
        agent = _Agent(inventory, loaded, net)
        code = loaded.province.province
        app = application(
            code,
            agent.table.page,
            lambda: agent.monitor.ready,
            agent.status,
            agent.reload,
            agent.paths.ask,
            agent.links,
        )
        async with _serve(app, host, port), asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(agent.runner.run(loaded.plan.targets)),
                tasks.create_task(agent.rounds()),
                tasks.create_task(agent.health.watch()),
                tasks.create_task(agent.paths.run()),
                tasks.create_task(agent.announcements()),
            ]
            if watched is not None:
                work.append(tasks.create_task(agent.watch(watched)))
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
        self.monitor = Monitor(loaded.province, loaded.plan.topology, self.table, net.clock, loaded.calendar)
        self.runner = Runner(KINDS, net, net.clock, self.monitor.report)
        self.health = Health(net.pings, net.clock)
        self.paths = Paths(self._trace, self.table, net.clock)
        self.paths.update(_with_paths(loaded.plan), _hop_names(loaded.province))
        self.monitor.changed = self.paths.changed
        self._inventory = inventory
        self._loaded = loaded
        self._net = net
        self._started = self._reloaded = net.clock.wall()
        self._reload_ok = True
        self._reloading = asyncio.Lock()
        self._reader = ThreadPoolExecutor(
            1, "inventory"
        )  # not the resolvers': they may all wait for a dead name server
        self._looked_at: tuple[_Loaded, float] | None = None

    async def rounds(self) -> None:
        """A step of the diagnosis a few times per beat, with the agent's own series after each."""
        while True:
            await asyncio.sleep(min(LONGEST_ROUND_S, self._loaded.province.timings.link_beat_s / 4))
            self.monitor.round()
            tally = self.runner.tally
            lateness = Distribution(metrics.AGENT_LATENESS, tuple(tally.lateness_counts), tally.lateness_sum_s)
            self.table.put("agent", {}, self._own_readings(), [lateness, *self.health.distributions()])
            known = self._loaded
            self.table.put("planned-cuts", {}, planned_cuts.readings(known.announced, known.calendar))
            self._show_findings()

    async def announcements(self) -> None:
        """Planned cuts as they are announced, looked at off the loop; never while the inventory is exchanged."""
        while True:
            await asyncio.sleep(min(LONGEST_LOOK_S, self._loaded.province.timings.link_beat_s / 2))
            async with self._reloading:
                try:
                    self._loaded = await self._off_loop(_look, self._inventory, self._loaded, self._net.clock.wall())
                except Exception:  # as in a reload: a bug in reading a file must not end an agent that runs
                    log.exception("planned cuts could not be looked at in a way nobody expected; please report it")
                self.monitor.calendar = self._loaded.calendar

    async def watch(self, watched: Watch) -> None:
        """Reload whenever a file of the inventory has changed; a refused one is tried again at the next change."""
        while True:
            await asyncio.sleep(WATCH_S)
            if watched.look(await self._off_loop(fingerprint, self._inventory)):
                await self.reload()

    async def _off_loop(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work, *arguments)

    def _show_findings(self) -> None:
        """How many each finding concerns: looked for once in a while, and whenever the inventory is another."""
        wall = self._net.clock.wall()
        if self._looked_at is not None:
            loaded, at = self._looked_at
            if loaded is self._loaded and 0 <= wall - at < FINDINGS_S:
                return
        self._looked_at = self._loaded, wall
        self.table.put("findings", {}, self._loaded.findings(wall))

    async def reload(self) -> Reloaded:
        """Read the inventory again, off the loop. All or nothing: a bad one changes nothing."""
        async with self._reloading:
            try:
                now = self._net.clock.wall()
                loaded = await self._off_loop(_load, self._inventory, now, self._loaded.announced)
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
            self.monitor.update(loaded.province, loaded.plan.topology, loaded.calendar)
            self.runner.update(loaded.plan.targets)
            self.paths.update(_with_paths(loaded.plan), _hop_names(loaded.province))
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
        pings, names, tally = self._net.pings, self._net.names, self.runner.tally
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
            Reading(metrics.ICMP_FORGED, pings.forged),
            Reading(metrics.ICMP_SEND_ERRORS, pings.send_errors),
            Reading(metrics.ICMP_UNSURE_SENDS, pings.unsure_sends),
            Reading(metrics.ICMP_RAW, float(pings.raw)),
            Reading(metrics.ICMP_BUFFER, pings.receive_buffer_bytes),
            Reading(metrics.ICMP_CAPACITY, pings.receive_buffer_replies),
            Reading(metrics.NAME_LOOKUPS, names.lookups),
            Reading(metrics.NAME_LOOKUP_FAILURES, names.failures),
            Reading(metrics.NAMES_STALE, names.stale),
            *self.health.readings(),
        ]

    async def _trace(self, target: Target) -> Route:
        settings = cast(IcmpSettings, target.settings)  # see `_with_paths`
        try:
            address = await self._net.names.address(settings.address)
        except socket.gaierror as error:
            return Route(settings.address, problem=meaning(error))
        return await trace(address, settings.options)

    async def links(self) -> dict[str, Any]:
        """Every link's state and what the last five minutes measured, as JSON-ready data."""
        known = self._loaded
        return await links.told(known.province, known.plan.topology, self.monitor, self._net.pings.figures)

    def status(self) -> dict[str, Any]:
        """Verdicts and open incidents as JSON-ready data; times are seconds since 1970."""
        return _status(self._loaded.province, self.monitor, self.paths) | {
            "planned_cuts": self._loaded.announced.told(),
            "vantage": self.health.status(),
        }


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


def _with_paths(planned: Plan) -> Iterator[Target]:
    """Links and trunks that are pinged."""
    for target in planned.targets:
        if isinstance(target.settings, IcmpSettings) and {"link", "trunk"} & target.labels.keys():
            yield target


def _hop_names(province: Province) -> dict[str, str]:
    """What is known of routers by address: the inventory's own names for hops, and trunks' far ends."""
    ends = {trunk.address: trunk.name or trunk.id for trunk in province.trunks if trunk.address is not None}
    return ends | dict(province.hops)


def _stop_signals() -> asyncio.Event:
    """Set once SIGTERM or SIGINT has come."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _status(province: Province, monitor: Monitor, paths: Paths) -> dict[str, Any]:
    """Verdicts and open incidents as JSON-ready data; times are seconds since 1970."""
    outcome = monitor.outcome
    return {
        "province": province.province,
        "vantage_up": outcome.vantage_up,
        "communes": {
            code: {
                "state": verdict.state,
                "overlay": verdict.overlay,
                "causes": list(verdict.causes),
                "since": monitor.wall(verdict.since),
                "root": "/".join(verdict.root) if verdict.root else None,
                "evidence": [asdict(evidence) for evidence in verdict.evidence],
                "last_words": {
                    name: {"value": value, "at": monitor.wall(at)} for name, (value, at) in verdict.last_words.items()
                },
                "path": paths.of_commune(code),
            }
            for code, verdict in outcome.verdicts.items()
        },
        "incidents": [
            {
                "kind": incident.kind,
                "root": incident.root,
                "cause": incident.cause,
                "overlay": incident.overlay,
                "began": monitor.wall(incident.began),
                "communes": sorted(incident.members),
                "path": paths.of_trunk(incident.root) if incident.kind is RootKind.TRUNK else None,
            }
            for incident in outcome.incidents.values()
        ],
    }
