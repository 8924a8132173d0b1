"""One SNMP agent: its engine and keys, how much it takes at once, and questions in parts that fit it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from gufo.snmp._fast import GetIter, SnmpV3ClientSocket

from probes.ports import SnmpAgent, SnmpError, SnmpRows, SnmpValue
from probes.protocols.snmp_header import V3
from probes.protocols.snmp_pace import Pace
from probes.protocols.snmp_security import (
    Engine,
    MasterKey,
    community_codec,
    discovering_codec,
    enter,
    localised,
    signed,
    speaks,
    user_codec,
)
from probes.protocols.snmp_wire import UNREADABLE, Accepts, Answer, Codec, Fast, Wire
from probes.protocols.tcp import meaning, reason_of
from probes.results import Reason

MOST_OBJECTS = 40
"""In one GET, at first; a device that finds this too big is asked for fewer from then on."""
EXTRA_REQUESTS = 8
"""Requests in a call beyond the parts it begins with, spent on finding what a device can answer."""
NOTHING = "an answer without any of the objects"

Arcs = tuple[int, ...]
Send = Callable[[Any], None]
Receive = Callable[[Any], object]


class Session:
    """What is known of one agent, kept when its socket is given up; one call at a time."""

    def __init__(self, agent: SnmpAgent, codec: Codec, master: MasterKey, ignored: Counter[str]) -> None:
        """`ignored` counts datagrams that were not let through."""
        self.turn = asyncio.Lock()
        self.users = 0
        self.silent = False
        """Whether the last call got no answer."""
        self.engine: Engine | None = None
        self.wire: Wire | None = None
        self._agent = agent
        self._codec = codec
        self._master = master
        self._ignored = ignored
        self._most = MOST_OBJECTS
        self._rows = 0
        self._proven = False
        self._new = False
        self._pace = Pace((), 0.0, 0)
        self._deadline = 0.0
        self._extra = 0

    def begin(self, pace: Pace, deadline: float) -> None:
        """Set the rules of the next call; `deadline` is in the loop's time."""
        self._pace, self._deadline, self._extra, self._new = pace, deadline, EXTRA_REQUESTS, False
        if self.wire is not None:
            self.wire.listen()

    def end(self, failed: bool) -> None:
        """After a failure nothing of the agent's side is taken for granted; a new socket has nothing stale in it."""
        if failed:
            self.forget()
        elif self.wire is not None:
            self.wire.rest()
            self._proven = True

    def close(self) -> None:
        """Give up the socket."""
        if self.wire is not None:
            self.wire.close()
        self.wire = None

    def refused(self, objects: int) -> None:
        """Ask for fewer than so many objects at once from now on."""
        self._most = max(1, min(self._most, objects // 2))

    def forget(self) -> None:
        """Give up the socket, and the engine with its keys."""
        self.close()
        self.engine, self._proven = None, False

    async def get(self, oids: Sequence[str], split_unclear: bool) -> SnmpRows:
        """See `probes.ports.Snmp`. With `split_unclear` an empty encrypted answer is taken for one that is too big."""
        rows = SnmpRows()
        failures: list[Reason] = []
        guessed = False
        most = 1 if self._agent.version == "v1" else self._most  # in v1 one missing object empties the whole answer
        parts = deque(list(oids[start : start + most]) for start in range(0, len(oids), most))
        while parts:
            part = parts.popleft()
            try:
                answer = await self._get(part)
            except SnmpError as error:
                raise SnmpError(error.reason, error.detail, rows) from None
            values = answer.value or {}
            found = {oid: value for oid in part if (value := values.get(oid)) is not None}
            if found and answer.error is None:
                rows |= found
                if guessed:  # so the whole was too big
                    self._most = min(self._most, len(part))
                continue
            reason = answer.error or (Reason.PROTOCOL_ERROR if answer.encrypted else Reason.NO_SUCH_OBJECT)
            smaller = self._smaller(part, answer, reason, split_unclear)
            guessed = guessed or (bool(smaller) and answer.error is None)
            if not smaller:
                failures.append(reason)
            parts.extendleft(reversed(smaller))
        if not rows:
            raise SnmpError(failures[0] if failures else Reason.NO_SUCH_OBJECT, NOTHING)
        rows.reason = next((reason for reason in failures if reason is not Reason.NO_SUCH_OBJECT), None)
        return rows

    def _smaller(self, part: list[str], answer: Answer, reason: Reason, split_unclear: bool) -> list[list[str]]:
        """What to ask in place of a part that was refused: without the object that is named, or half by half."""
        unclear = answer.error is None
        if len(part) == 1 or self._extra <= 0 or (unclear and (not answer.encrypted or not split_unclear)):
            return []
        self._extra -= 1
        half = (len(part) + 1) // 2
        if reason is Reason.TOO_BIG:
            self._most = min(self._most, half)
        elif not unclear and 0 < answer.index <= len(part):
            return [part[: answer.index - 1] + part[answer.index :]]
        return [part[:half], part[half:]]

    async def _get(self, part: list[str]) -> Answer:
        if self._agent.version != "v1":
            return await self._ask(lambda fast: fast.send_get_many(part), lambda fast: fast.recv_get_many())
        (oid,) = part
        answer = await self._ask(lambda fast: fast.send_get(oid), lambda fast: fast.recv_get())
        return Answer({oid: answer.value}, answer.error, answer.index)

    async def walk(self, oid: str, max_rows: int) -> SnmpRows:
        """See `probes.ports.Snmp`. GETBULK, and GETNEXT for v1."""
        while True:
            at_once = min(self._pace.rows, max_rows, self._rows or max_rows)
            rows = await self._walk(oid, max_rows, at_once)
            if rows.reason is not Reason.TOO_BIG:
                return rows
            if at_once == 1:
                raise SnmpError(Reason.TOO_BIG, "a single row is too big", rows)
            self._rows = at_once // 2  # gufo-snmp's iterator cannot go on with another size: from the beginning

    async def _walk(self, oid: str, max_rows: int, at_once: int) -> SnmpRows:
        rows = SnmpRows()
        prefix = last = arcs_of(oid)
        place = GetIter(oid, at_once)
        send, receive = _steps(self._agent.version, place)
        while True:
            try:
                answer = await self._ask(send, receive)
            except SnmpError as error:
                raise SnmpError(error.reason, error.detail, rows) from None
            if answer.error is Reason.TOO_BIG:
                rows.reason = Reason.TOO_BIG
                return rows
            end_in_v1 = answer.error is Reason.NO_SUCH_OBJECT and self._agent.version == "v1"
            if answer.error is not None and not end_in_v1:
                raise SnmpError(answer.error, "", rows)
            last, ended = _add(rows, answer.value or (), prefix, last, max_rows)
            if ended:
                return rows

    async def _ask(self, send: Send, receive: Receive) -> Answer:
        """One request; a v3 agent that has restarted is asked again with its new time or engine (RFC 3414, 3.2.7)."""
        mended: set[Reason] = set()
        while True:
            wire = self.wire or await self._open()
            try:
                answer = await wire.ask(
                    partial(send, wire.fast), partial(receive, wire.fast), self._pace.waits_s, self._deadline
                )
            except SnmpError as error:
                if error.reason is Reason.TIMEOUT and await self._privacy_is_wrong():
                    raise SnmpError(Reason.DECRYPTION_ERROR) from None
                raise
            if answer.error in (Reason.NOT_IN_TIME_WINDOW, Reason.UNKNOWN_ENGINE) and answer.error not in mended:
                mended.add(answer.error)
                if answer.error is Reason.UNKNOWN_ENGINE:
                    self.forget()
                continue  # gufo-snmp has taken the engine's boots and time from the report
            if answer.error in _REPORTED or (answer.value is None and answer.error is Reason.PROTOCOL_ERROR):
                raise SnmpError(answer.error)
            return answer

    async def _open(self) -> Wire:
        agent = self._agent
        if agent.version != "v3":
            return self._wired(partial(community_codec, agent), speaks(agent))
        if self.engine is not None:
            return self._wired(partial(user_codec, agent, self.engine), signed(agent, self.engine))
        wire = self._wired(discovering_codec, lambda _, header: header.version == V3)
        codec = cast(SnmpV3ClientSocket, wire.fast)
        await wire.ask(codec.send_refresh, codec.recv_refresh, self._pace.waits_s, self._deadline)
        engine_id = codec.get_engine_id()
        if not engine_id:
            raise SnmpError(Reason.UNKNOWN_ENGINE, "no engine id")
        self.engine = localised(agent, engine_id, self._master)
        self._new = True
        enter(codec, agent, self.engine)
        wire.accepts = signed(agent, self.engine)
        return wire

    def _wired(self, make: Callable[[], Fast], accepts: Accepts) -> Wire:
        """A new wire in place of the old one, listening."""
        self.close()
        try:
            self.wire = Wire(self._agent, self._codec, make(), accepts, self._ignored)
        except OSError as error:  # gufo-snmp's come without a number, and mean that descriptors are used up
            raise SnmpError(reason_of(error) if error.errno else Reason.SUSPECT, meaning(error)) from None
        self.wire.listen()
        return self.wire

    async def _privacy_is_wrong(self) -> bool:
        """Whether an agent that has just told its engine, and then fell silent, answers without encryption.

        It cannot tell a wrong privacy key from garbage, and many say nothing then.
        """
        agent, engine = self._agent, self.engine
        if engine is None or not self._new or self._proven or agent.privacy_protocol is None:
            return False
        plain = signed(agent, engine, encrypted=False)
        wire = self._wired(
            partial(user_codec, agent, engine, private=False),
            lambda data, header: header.authenticated and plain(data, header),
        )
        codec = cast(SnmpV3ClientSocket, wire.fast)
        waits_s = self._pace.waits_s[:1]
        try:
            await wire.ask(
                codec.send_refresh, codec.recv_refresh, waits_s, asyncio.get_running_loop().time() + waits_s[0]
            )
        except SnmpError:
            return False
        return True


_REPORTED = frozenset(
    {
        Reason.UNSUPPORTED_LEVEL,
        Reason.NOT_IN_TIME_WINDOW,
        Reason.UNKNOWN_USER,
        Reason.UNKNOWN_ENGINE,
        Reason.WRONG_DIGEST,
        Reason.DECRYPTION_ERROR,
    }
)


def _add(
    rows: SnmpRows, items: Sequence[tuple[str, SnmpValue | None] | None], prefix: Arcs, last: Arcs, max_rows: int
) -> tuple[Arcs, bool]:
    """Take over what one answer of a walk brought; gives the last identifier, and whether this is the end.

    A row that is sent twice is skipped. Identifiers that go back, or an answer without a new row, mean a loop.
    """
    before = len(rows)
    for item in items:
        if item is None or len(rows) >= max_rows:
            return last, True
        name, value = item
        arcs = arcs_of(name)
        if arcs[: len(prefix)] != prefix:
            return last, True
        if arcs < last:
            rows.reason = Reason.LOOP
            return last, True
        if arcs > last and value is not None:
            rows[name] = value
        last = arcs
    if items and len(rows) == before:
        rows.reason = Reason.LOOP
    return last, len(rows) == before or len(rows) >= max_rows


def _steps(version: str, place: GetIter) -> tuple[Send, Receive]:
    if version != "v1":
        return lambda fast: fast.send_get_bulk(place), lambda fast: fast.recv_get_bulk(place)
    return lambda fast: fast.send_get_next(place), lambda fast: [fast.recv_get_next(place)]


def arcs_of(oid: str) -> Arcs:
    """An object identifier's numbers; raises `SnmpError` where it is none."""
    try:
        return tuple(map(int, oid.split(".")))
    except ValueError:
        raise SnmpError(Reason.PROTOCOL_ERROR, UNREADABLE) from None
