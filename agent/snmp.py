"""`lienxa snmp get|walk`: what a device sends, what its profile makes of it, and why groups fail; recordings of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.text import Text

from agent.attempt import attempt
from agent.credentials import Credentials
from agent.errors import Unusable
from agent.masks import HOST_NAME, Masks
from agent.net import SystemClock, open_net, through
from agent.profiles import library_of
from agent.recording import snmprec
from agent.snmp_targets import Aim
from agent.terminal import console, grid, plain
from probes import metrics
from probes.kinds.snmp import SILENT, Known, SnmpSettings, check
from probes.metrics import PREFIX
from probes.model import Province
from probes.ports import NO_CONDITIONS, Snmp, SnmpAgent, SnmpError, SnmpRows
from probes.profiles import Library, objects
from probes.profiles.model import named
from probes.protocols.snmp_raw import NOTHING, Found, RawSnmp
from probes.results import Beat, Conditions, Reading, Result

EVERYTHING = "1.3.6.1"
"""Where all MIBs are: internet (RFC 1155)."""
BEAT_S = 60.0
PING_TIMEOUT_S = 1.0
"""Of pings that are never sent."""
MOST = 20_000
LONGEST_SHOWN = 60
"""Octets of a value on the terminal."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted: `oids` (none: what the profile reads, or everything), walked or asked for."""

    walk: bool
    oids: Sequence[str] = ()
    limit: int = MOST
    record: Path | None = None


class _Tap:
    """Implements `probes.ports.Snmp` over another; remembers which objects the device has answered."""

    def __init__(self, snmp: Snmp) -> None:
        self._snmp = snmp
        self.oids: dict[str, None] = {}

    async def get(
        self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, *, conditions: Conditions = NO_CONDITIONS
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        try:
            rows = await self._snmp.get(agent, oids, timeout_s, conditions=conditions)
        except SnmpError as error:
            self.oids |= dict.fromkeys(error.found)
            raise
        self.oids |= dict.fromkeys(rows)
        return rows

    async def walk(
        self,
        agent: SnmpAgent,
        oid: str,
        timeout_s: float,
        max_rows: int,
        *,
        conditions: Conditions = NO_CONDITIONS,
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        try:
            rows = await self._snmp.walk(agent, oid, timeout_s, max_rows, conditions=conditions)
        except SnmpError as error:
            self.oids |= dict.fromkeys(error.found)
            raise
        self.oids |= dict.fromkeys(rows)
        return rows


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of it: the beat as the agent has it, and the objects with their types, as far as they came."""

    result: Result
    found: Sequence[Found] = ()
    error: SnmpError | None = None
    host_name: bytes = b""
    """sysName, for a recording: other texts may hold it."""


def inspect(province: Province, folder: Path, credentials: Credentials, aim: Aim, question: Question) -> int:
    """Ask one device and show it; 0 if it answered, else 1. Raises `Unusable`."""
    library = library_of(province, folder)
    if question.record is not None and not question.record.parent.is_dir():
        raise Unusable(f"--record {question.record}: no such folder")
    settings = SnmpSettings.model_validate(
        {
            "agent": credentials.ask(aim.device),
            "groups": aim.groups,
            "profiles": () if aim.device.profile is None else (aim.device.profile,),
            "recognise": True,
            "library": library,
        }
    )
    secrets = [
        secret.get_secret_value()
        for secret in (settings.agent.community, settings.agent.auth_key, settings.agent.privacy_key)
    ]
    told = asyncio.run(_ask(aim.name, settings, question))
    masks = Masks(secrets, " ".join(profile.title for profile in library.profiles.values()))
    _show(aim, library, question, replace(told, found=masks.hidden(told.found)))
    if question.record is not None and told.found:
        _record(question.record, masks, told)
    return int(not told.found and told.result.reason is not None)


async def _ask(name: str, settings: SnmpSettings, question: Question) -> _Told:
    async with open_net(SystemClock(), PING_TIMEOUT_S, may_ping=False) as net:
        tap = _Tap(net.snmp)
        result = await attempt(check, settings, through(net, tap), Beat(name, BEAT_S, continuous=False))
        if not tap.oids and result.reason in SILENT:  # nor would it answer anything else
            return _Told(result)
        agent = replace(settings.agent, address=await net.names.address(settings.agent.address))
        return await _raw(agent, question, tuple(tap.oids), result)


async def _raw(agent: SnmpAgent, question: Question, known: Sequence[str], result: Result) -> _Told:
    found: list[Found] = []
    host_name = b""
    try:
        with RawSnmp(agent) as raw:
            if question.record is not None:
                values = [item.value for item in await raw.get((HOST_NAME,))]
                host_name = next((value for value in values if isinstance(value, bytes)), b"")
            if not question.walk:
                found += await raw.get(question.oids or known)
            for oid in (question.oids or (EVERYTHING,)) if question.walk else ():
                async for item in raw.walk(oid, question.limit - len(found)):
                    found.append(item)  # what came before an error is kept
    except SnmpError as error:
        return _Told(result, found, error, host_name)
    return _Told(result, found, host_name=host_name)


# What is shown


def _show(aim: Aim, library: Library, question: Question, told: _Told) -> None:
    shown = console()
    profile = next((item.labels[0] for item in told.result.readings if item.family is metrics.DEVICE_PROFILE_INFO), "")
    how = f"{aim.device.address} port {aim.device.port}, credential {aim.device.credential}"
    shown.print(Text(f"{aim.name}: {how}, {f'profile {profile}' if profile else 'no profile recognised'}\n"))
    if told.found:
        words = _words(library)
        raw = grid("Object identifier", "Object", "Type", "Value")
        for item in told.found:
            raw.add_row(item.oid, _word(words, item.oid), item.type, Text(_value(item)))
        shown.print(raw)
        if len(told.found) >= question.limit:
            shown.print(Text(f"\nno more than {question.limit} objects are read; --limit sets another number"))
    if told.error is not None:
        shown.print(Text(f"\nnot read to the end: {told.error.reason}: {plain(str(told.error))}"))
    readings = _readings(library, question, told.result.readings)
    if readings:
        made = grid("\nMetric", "\nValue", "\nLabels")
        for reading in readings:
            labels = ", ".join(
                f"{name}={value}" for name, value in zip(reading.family.own, reading.labels, strict=True)
            )
            made.add_row(reading.family.name, f"{reading.value:.12g}", Text(plain(labels)))
        shown.print(made)
    groups = grid("\nGroup", "\nRead", "\nWhy not")
    for group, ok, why in _groups(told.result):
        groups.add_row(group, ok, Text(plain(why)))
    if groups.row_count:
        shown.print(groups)
    if told.result.reason is not None and not readings:
        shown.print(Text(f"{told.result.reason}{f': {plain(told.result.detail)}' if told.result.detail else ''}"))


def _groups(result: Result) -> list[tuple[str, str, str]]:
    """Name, whether it was read, why not."""
    why = dict(part.split(": ", 1) for part in result.detail.split("; ") if ": " in part)
    rows = [
        (group, "yes" if reading.value else "no", "" if reading.value else why.get(group, result.detail))
        for reading in result.readings
        if reading.family is metrics.DEVICE_GROUP_OK
        for group in reading.labels
    ]
    absent = result.memory.absent if isinstance(result.memory, Known) else ()
    return rows + [(group, "no", "the profile has it, the device does not") for group in absent]


def _words(library: Library) -> Mapping[str, str]:
    """What profiles call objects, by object identifier without index."""
    return {
        item["oid"].removesuffix(".0"): item["object"]
        for profile in library.profiles.values()
        for item in objects(profile)
    }


def _word(words: Mapping[str, str], oid: str) -> str:
    arcs = oid.split(".")
    return next((words[part] for end in range(len(arcs), 5, -1) if (part := ".".join(arcs[:end])) in words), "")


OF_THE_BEAT = (metrics.DEVICE_GROUP_OK, metrics.DEVICE_PROFILE_INFO, metrics.DEVICE_SEEN)
"""Families that tell how the beat went, not what the device said."""


def _readings(library: Library, question: Question, readings: Sequence[Reading]) -> list[Reading]:
    """What the profile made of the device; of objects that are asked for by name, what they feed."""
    told = [item for item in readings if item.family not in OF_THE_BEAT]
    if not question.oids:
        return told
    feeds: set[str] = set()
    for profile in library.profiles.values():
        for group in profile.groups:
            columns: list[Any] = [*group.scalars, *(column for table in group.tables for column in table.columns)]
            for column in columns:
                oids = [item["oid"] for item in named(column.model_dump())]
                if any(_related(oid, asked) for oid in oids for asked in question.oids):
                    feeds.add(PREFIX + column.family)
    return [item for item in told if item.family.name in feeds]


def _related(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _value(item: Found) -> str:
    if item.type in NOTHING:
        return "-"
    if not isinstance(item.value, bytes):
        return str(item.value)
    cut = item.value[:LONGEST_SHOWN]
    more = f"… ({len(item.value)} octets)" if len(item.value) > LONGEST_SHOWN else ""
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        text = ""
    if cut and not (text.isprintable() and text):
        return f"0x{cut.hex()}{more}"
    return f'"{text}"{more}'


def _record(file: Path, masks: Masks, told: _Told) -> None:
    kept = masks.masked(told.found, told.host_name)
    try:
        with file.open("x", encoding="ascii") as opened_file:
            opened_file.write(snmprec(kept))
    except FileExistsError:
        raise Unusable(f"--record {file}: is there already, and is not overwritten; name another file") from None
    except OSError as error:
        raise Unusable(f"--record {file}: cannot be written: {error.strerror}") from None
    print(f"\nWritten: {file}, {len(kept)} objects", file=sys.stdout)
    for words, counts in (("masked", masks.counts), ("left out", masks.left_out)):
        listed = ", ".join(f"{sort} ({count})" for sort, count in sorted(counts.items()) if count)
        print(f"  {words}: {listed or 'nothing'}")
    print("Look through it before you pass it on: a device may hide private words where nobody expects them.")
