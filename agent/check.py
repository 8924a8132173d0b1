"""`lienxa check`: probes what is selected once, side by side, and tells it worst first."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvloop
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from agent.attempt import attempt
from agent.credentials import opened
from agent.errors import Unusable
from agent.net import SystemClock, open_net, resolvers
from agent.plan import plan
from agent.profiles import library_of
from agent.selection import select
from agent.terminal import console, plain
from probes import metrics, units
from probes.model import Device, Province, Service
from probes.ports import Clock, HttpAuth, Kind, Net, SnmpAgent
from probes.registry import KINDS
from probes.results import Beat, Reading, Reason, Result, Target, TargetState

AT_ONCE = 64
"""Probes that run side by side."""
ROOMY = 140
"""Columns from which on every row has room for what to do; below, it stands under the table, once per reason."""
SEVERITY = (TargetState.DOWN, TargetState.DEGRADED, TargetState.UNKNOWN, TargetState.UP)
COLOURS: Mapping[TargetState, str] = MappingProxyType(
    {
        TargetState.DOWN: "red",
        TargetState.DEGRADED: "yellow",
        TargetState.UNKNOWN: "bright_black",
        TargetState.UP: "green",
    }
)
DURATIONS: Mapping[str, str] = MappingProxyType(
    {
        metrics.LINK_RTT_MEAN.name: "rtt",
        metrics.LINK_RTT_P95.name: "p95",
        metrics.LINK_JITTER.name: "jitter",
    }
)
"""Families in seconds that the table shows, by the word that it uses; phases go by their own names."""
HINTS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.TIMEOUT: "is it switched on, is the address right, does a firewall drop the probe?",
        Reason.REFUSED: "the host lives, nothing listens there: start the service or correct the port",
        Reason.UNREACHABLE: "no route: ask the carrier, or check the routing at the hub",
        Reason.DNS_ERROR: "check the name's spelling and this machine's resolver",
        Reason.TLS_ERROR: "check the certificate: validity, host name, issuing authority; and this machine's clock",
        Reason.PROTOCOL_ERROR: "something else may listen there: check the port, the protocol, the credential",
        Reason.WRONG_STATUS: "open the address in a browser; correct `url` or `status`, or tell the service's owner",
        Reason.WRONG_CONTENT: "open the page: an error or login page in its place? tell the service's owner",
        Reason.OVERLOADED: "too much load: tell the service's owner; retries make it worse",
        Reason.SLOW: "compare the phases: resolve, connect, tls are the path; processing is the service",
        Reason.LOSS: "check the link for load, errors and signal; report it to the carrier if it lasts",
        Reason.LATENCY: "check the link for load and detours; is its `medium` right in the inventory?",
        Reason.JITTER: "check the link for load, shared capacity and radio interference",
        Reason.QUALITY: "no one figure is bad, together they are: check the link for load; see R-factor and MOS",
        Reason.PARTIAL: "some groups were not read: check the device's SNMP view and its firmware",
        Reason.SUSPECT: "the probe could not be sent: check this machine's interfaces and routes",
        Reason.INTERNAL: "an error of lienxa: see the log and report it",
        Reason.NO_SUCH_OBJECT: "the device does not have it: is its `role` right, does its SNMP view show it?",
        Reason.TOO_BIG: "the device cannot answer so much at once: update its firmware",
        Reason.GEN_ERR: "the device's agent failed: restart it, update its firmware",
        Reason.NO_ACCESS: "the device refuses: give this user or community a view of it",
        Reason.UNKNOWN_USER: "the device does not know the user: correct `user`, or make it on the device",
        Reason.WRONG_DIGEST: "wrong auth_key or auth_protocol: compare them with the device's",
        Reason.DECRYPTION_ERROR: "wrong privacy_key or privacy_protocol: compare them with the device's",
        Reason.UNSUPPORTED_LEVEL: "the device wants another security level: with or without privacy, authentication",
        Reason.NOT_IN_TIME_WINDOW: "the device's clock of boots and time jumps: restart its SNMP agent",
        Reason.UNKNOWN_ENGINE: "the device's engine id changes or is shared with another: set one of its own",
        Reason.LOOP: "the device's table has no end: update its firmware",
        Reason.OTHER_ADDRESS: "the answer comes from another address: give that one, or bind its agent to this one",
        Reason.OTHER_DEVICE: "was it exchanged, or the address given away? correct `role`, `profile` or `address`",
        Reason.CERTIFICATE_EXPIRING: "tell the service's owner to renew it, and to install it with its whole chain",
        Reason.WEAK_TLS: "tell the service's owner to mend what the detail names; or `accept` it for now",
        Reason.NXDOMAIN: "check the name's spelling; tell the zone's owner: deleted, or not delegated?",
        Reason.SERVFAIL: "the name server cannot answer: ask another one; zone expired, or its signatures (DNSSEC)?",
        Reason.QUERY_REFUSED: "the name server does not serve this name to us: is it the right one, may we ask it?",
        Reason.BLOCKED: "a firewall wants to see a browser: ask the service's owner to let the probe's address through",
        Reason.FORBIDDEN_TARGET: "the service sends us where no probe may go: tell its owner; is it the right `url`?",
        Reason.PROXY_ERROR: "the proxy, not the service: check `proxy`, and whether it lets us through",
        Reason.NO_TOKEN: "the token service, not the service: check `token_url`, `client_id` and the secret",
        Reason.REJECTED: "compare `client_id`, `redirect_uri`, `issuer` with what the service's owner has registered",
        Reason.SERVER_FAILURE: "the service says itself that it fails: tell its owner",
        Reason.BAD_SIGNATURE: "trust no such answer; is `ca` the right one? tell the service's owner",
        Reason.STALE: "check this machine's clock; if it is right, tell the service's owner: answers are not renewed",
        Reason.NEARLY_STALE: "answers are not renewed in good time: tell the service's owner before they end",
        Reason.STALE_CRL: "open `crl_url`; tell the service's owner that its revocation list is not renewed",
        Reason.NO_NONCE: "if the owner prepares answers in advance on purpose (RFC 5019), set `nonce: false`",
        Reason.CLOCK_SKEW: "check this machine's clock (NTP); if it is right, tell the service's owner",
    }
)
"""What to do, by reason."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe of one target has said, and how long it took."""

    target: Target
    result: Result
    duration_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be checked; empty means everything. See `agent.selection.select`."""

    communes: Sequence[str] = ()
    patterns: Sequence[str] = ()
    kinds: Sequence[str] = ()


def check(province: Province, folder: Path, choice: Choice, *, as_json: bool, watch_s: float | None) -> int:
    """Probe and show, again every `watch_s` seconds if given; the exit code. Raises `Unusable`.

    `folder` is where relative secret files lie. Ctrl-C ends it with the code of the last whole round.
    """
    targets = chosen_targets(province, folder, choice)
    code = exit_code([])
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.get_loop().set_default_executor(resolvers())
        while True:
            with _progress(len(targets)) as advance:
                outcomes = loop.run(_round(province, targets, advance))
            code = exit_code(outcomes)
            try:
                _show(outcomes, as_json=as_json, watch_s=watch_s)
            except BrokenPipeError:
                raise  # whoever reads has seen enough
            except OSError as error:
                raise Unusable(f"the results cannot be written: {error.strerror}; look where they are sent") from None
            if watch_s is None:
                break
            time.sleep(watch_s)
    return code


def chosen_targets(province: Province, folder: Path, choice: Choice) -> tuple[Target, ...]:
    """The targets that are meant; secrets are read only where one of them needs any. Raises `Unusable`."""
    library = library_of(province, folder)
    targets = plan(province, _without_secrets, _without_name, library).targets
    chosen = select(province, targets, choice.communes, choice.patterns, choice.kinds)
    if any("device" in target.labels or getattr(target.settings, "auth", None) for target in chosen):
        ids = {target.id for target in chosen}
        credentials = opened(province, folder)
        whole = plan(province, credentials.ask, credentials.auth, library).targets
        chosen = tuple(target for target in whole if target.id in ids)
    return chosen


def _without_secrets(device: Device) -> SnmpAgent:
    return SnmpAgent(address=device.address, port=device.port, version="")


def _without_name(service: Service) -> HttpAuth | None:
    return HttpAuth() if service.credential else None


async def _round(province: Province, targets: Sequence[Target], advance: Callable[[], None]) -> list[Outcome]:
    clock = SystemClock()
    may_ping = any(target.kind == "icmp" for target in targets)
    async with open_net(clock, province.timings.ping_timeout_s, may_ping=may_ping) as net:
        return await probe_all(targets, KINDS, net, clock, advance)


async def probe_all(
    targets: Sequence[Target], kinds: Mapping[str, Kind], net: Net, clock: Clock, advance: Callable[[], None]
) -> list[Outcome]:
    """Probe each target once, at most `AT_ONCE` side by side: worst first, otherwise in the order given.

    `advance` is called in the loop after each; it must not block.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(target: Target) -> Outcome:
        async with slots:
            started = clock.monotonic()
            beat = Beat(target.id, target.beat_s, continuous=False)
            kind = kinds[target.kind]
            result = await attempt(kind.check, target.settings, net, beat, kind.deadline_s)
            outcome = Outcome(target, result, clock.monotonic() - started)
        advance()
        return outcome

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(target), name=target.id) for target in targets]
    return sorted((task.result() for task in running), key=lambda outcome: SEVERITY.index(outcome.result.grade))


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 if all are up, 2 if one is down, otherwise 1."""
    grades = {outcome.result.grade for outcome in outcomes}
    if TargetState.DOWN in grades:
        return 2
    return 0 if grades == {TargetState.UP} else 1


def _show(outcomes: Sequence[Outcome], *, as_json: bool, watch_s: float | None) -> None:
    if as_json:
        print(json.dumps([as_data(outcome) for outcome in outcomes], indent=1), flush=True)
        return
    shown = console()
    if watch_s is not None:
        shown.clear()
        shown.print(Text(f"{datetime.now(UTC).astimezone():%H:%M:%S}, {watch_s:g} s after each round; Ctrl-C ends it"))
    beside = shown.width >= ROOMY
    below = [] if beside else legend(outcomes)
    lines = shown.render_lines(table(outcomes, hints=beside), pad=False)
    if watch_s is not None and shown.is_terminal:
        lines = lines[: max(3, shown.height - 3 - 2 * len(below))]  # the worst stays in sight
    shown.print(Segments(segment for line in lines for segment in (*line, Segment.line())), end="")
    shown.print(summary(outcomes), *below, sep="\n")


def as_data(outcome: Outcome) -> dict[str, Any]:
    """One outcome as JSON-ready data; values in the base units of their metric families, null where not finite."""
    target, result = outcome.target, outcome.result
    return {
        "id": target.id,
        "kind": target.kind,
        "labels": dict(target.labels),
        "grade": result.grade,
        "reason": result.reason,
        "detail": result.detail,
        "readings": [
            {
                "family": reading.family.name,
                "labels": dict(zip(reading.family.own, reading.labels, strict=True)),
                "value": reading.value if math.isfinite(reading.value) else None,
            }
            for reading in result.readings
        ],
        "duration_s": round(outcome.duration_s, 6),
    }


def table(outcomes: Sequence[Outcome], *, hints: bool) -> Table:
    """One row per target, in the order given; with what to do about it, if `hints`."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    shown.add_column("Target", min_width=max((len(outcome.target.id) for outcome in outcomes), default=0))
    for title in ("State", "Reason", "Milliseconds", "Detail", *(("What to do",) if hints else ())):
        shown.add_column(title)
    for outcome in outcomes:
        result = outcome.result
        shown.add_row(
            _who(outcome.target),
            Text(result.grade, style=COLOURS[result.grade]),
            Text(result.reason or ""),
            Text(_milliseconds(outcome)),
            Text(plain(result.detail)),
            *((Text(HINTS[result.reason] if result.reason else ""),) if hints else ()),
        )
    return shown


def legend(outcomes: Sequence[Outcome]) -> list[Text]:
    """What to do, once for each reason that occurs."""
    reasons = dict.fromkeys(outcome.result.reason for outcome in outcomes)
    return [Text(f"{reason}: {HINTS[reason]}") for reason in reasons if reason]


def summary(outcomes: Sequence[Outcome]) -> Text:
    """How many targets are in each state."""
    grades = [outcome.result.grade for outcome in outcomes]
    counts = [Text(f"{grades.count(grade)} {grade}", style=COLOURS[grade]) for grade in SEVERITY if grade in grades]
    return Text(", ").join(counts)


def _who(target: Target) -> Text:
    commune = target.labels.get("commune")
    return Text(f"{target.id} {units.name(commune)}" if commune else target.id)


def _milliseconds(outcome: Outcome) -> str:
    """Phases or round-trip times; how long all of it took where there are none."""
    shown = [
        f"{word} {reading.value * 1000:.1f}" for reading in outcome.result.readings if (word := _duration(reading))
    ]
    return ", ".join(shown) or f"total {outcome.duration_s * 1000:.1f}"


def _duration(reading: Reading) -> str | None:
    if reading.family is metrics.PROBE_DURATION:
        return reading.labels[0]
    return DURATIONS.get(reading.family.name)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr while it is a terminal; gives what counts one more."""
    console = Console(stderr=True)
    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task("", total=total)
        (task,) = progress.tasks

        def advance() -> None:
            task.completed += 1  # not `advance`: it waits for the thread that writes to the terminal

        yield advance
