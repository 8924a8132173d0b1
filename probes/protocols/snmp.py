"""SNMP over gufo-snmp: sessions kept and bounded, places for slow devices apart, a second opinion on failures."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Sequence

from probes.ports import NO_CONDITIONS, SnmpAgent, SnmpError, SnmpRows
from probes.protocols.snmp_opinion import Opinions
from probes.protocols.snmp_pace import Pace, pace_of
from probes.protocols.snmp_security import master_key
from probes.protocols.snmp_session import NOTHING, Session
from probes.protocols.snmp_wire import Codec
from probes.results import Conditions, Reason

MOST_SOCKETS = 1024
KNOWN_AGENTS = 10_000
"""Agents whose engine, keys and limits are remembered, with a socket or without."""
MASTER_KEYS = 256
ALIVE_LOSS = 0.5
"""On a link that loses more, silence needs no second opinion."""


def sockets() -> int:
    """How many may be open at once: they take two descriptors each, and a quarter of those this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_SOCKETS if soft == resource.RLIM_INFINITY else max(1, min(MOST_SOCKETS, soft // 8))


class SnmpSessions:
    """Implements `probes.ports.Snmp`. Nothing to open; `close()` drops every session."""

    def __init__(self, limit: int | None = None, opinions: Opinions | None = None) -> None:
        """At most `limit` sockets are open; devices that were silent last get half of them: nobody waits for those."""
        self.ignored: Counter[str] = Counter()
        """Datagrams that were not let through, by why: foreign, malformed, stale, undecodable, too_long."""
        self._limit = limit or sockets()
        self._sessions: OrderedDict[SnmpAgent, Session] = OrderedDict()
        self._open: OrderedDict[SnmpAgent, Session] = OrderedDict()
        self._places = asyncio.Semaphore(self._limit)
        self._slow_places = asyncio.Semaphore(max(1, self._limit // 2))
        self._masters = _MasterKeys()
        self._codec = Codec()
        self._opinions = opinions or Opinions()

    def __len__(self) -> int:
        """Sockets kept open."""
        return len(self._open)

    def close(self) -> None:
        """Forget every session; their sockets close with them."""
        self._opinions.close()
        for session in self._open.values():
            if not session.users:
                session.close()
        self._open.clear()
        self._sessions.clear()
        self._codec.close()

    async def get(
        self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, *, conditions: Conditions = NO_CONDITIONS
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        pace = pace_of(timeout_s, conditions)
        split = self._opinions.remembered(agent, oids) is not Reason.NO_SUCH_OBJECT
        try:
            async with self._turn(agent, pace) as session:
                return await session.get(oids, split)
        except SnmpError as error:
            reason = await self._named(agent, error, oids, pace, conditions)
            if reason is Reason.TOO_BIG:
                self._known(agent).refused(len(oids))
            raise _with(error, reason) from None

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
        pace = pace_of(timeout_s, conditions)
        try:
            async with self._turn(agent, pace) as session:
                rows = await session.walk(oid, max_rows)
        except SnmpError as error:
            raise _with(error, await self._named(agent, error, (oid,), pace, conditions, walk=True)) from None
        if not rows and agent.privacy_protocol is not None:  # the end of the MIB, or an error that gufo-snmp hides
            reason = await self._opinions.ask(agent, (oid,), pace.waits_s[-1], walk=True)
            if reason not in (None, Reason.NO_SUCH_OBJECT):
                raise SnmpError(reason)
        return rows

    async def _named(
        self,
        agent: SnmpAgent,
        error: SnmpError,
        oids: Sequence[str],
        pace: Pace,
        conditions: Conditions,
        *,
        walk: bool = False,
    ) -> Reason | None:
        """Another name for a failure that says little. Silence has taken its time: its opinion is not waited for."""
        if error.found:
            return None
        if error.reason is Reason.TIMEOUT and (conditions.loss_ratio or 0.0) < ALIVE_LOSS:
            return self._opinions.ask_later(agent, oids, pace.waits_s[-1])
        if error.reason is Reason.PROTOCOL_ERROR:
            return await self._opinions.ask(agent, oids, pace.waits_s[-1], walk=walk)
        return None

    @contextlib.asynccontextmanager
    async def _turn(self, agent: SnmpAgent, pace: Pace) -> AsyncIterator[Session]:
        """The agent's session in its turn, with a place for its socket."""
        session = self._known(agent)
        session.users += 1
        began, failed = False, True
        deadline = asyncio.get_running_loop().time() + pace.call_s
        try:
            async with contextlib.AsyncExitStack() as held:
                try:
                    async with asyncio.timeout_at(deadline):
                        await held.enter_async_context(session.turn)
                        if session.silent:
                            await held.enter_async_context(self._slow_places)
                        await held.enter_async_context(self._places)
                except TimeoutError:
                    raise SnmpError(Reason.TIMEOUT, "no turn") from None
                self._make_room(agent, session)
                began = True
                try:
                    session.begin(pace, deadline)
                    yield session
                    failed = False
                except SnmpError as error:
                    session.silent = error.reason is Reason.TIMEOUT
                    raise
                else:
                    session.silent = False
                finally:
                    session.end(failed)
                    if session.wire is None:
                        self._open.pop(agent, None)
        finally:
            session.users -= 1
            if not began and not session.users and session.wire is None:
                self._open.pop(agent, None)

    def engines(self) -> dict[bytes, tuple[str, int]]:
        """Where each v3 engine answers: address and port. Ids that several devices share tell nothing."""
        places: dict[bytes, set[tuple[str, int]]] = {}
        for agent, session in self._sessions.items():
            if session.engine is not None:
                places.setdefault(session.engine.engine_id, set()).add((agent.address, agent.port))
        return {engine: next(iter(found)) for engine, found in places.items() if len(found) == 1}

    def _known(self, agent: SnmpAgent) -> Session:
        session = self._sessions.get(agent)
        if session is None:
            session = self._sessions[agent] = Session(agent, self._codec, self._masters.of, self.ignored)
            if len(self._sessions) > KNOWN_AGENTS:
                idle = next((other for other, kept in self._sessions.items() if not kept.users), None)
                if idle is not None and idle != agent:
                    self._open.pop(idle, None)
                    del self._sessions[idle]
        self._sessions.move_to_end(agent)
        return session

    def _make_room(self, agent: SnmpAgent, session: Session) -> None:
        """Count this socket; the ones idle for longest close for it."""
        self._open[agent] = session
        self._open.move_to_end(agent)
        while len(self._open) > self._limit:
            idle = next((other for other, kept in self._open.items() if not kept.turn.locked()), None)
            if idle is None:
                break
            self._open.pop(idle).close()


class _MasterKeys:
    """Those used last; shown to nobody."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def of(self, protocol: str, password: str) -> bytes:
        """See `MasterKey`."""
        key = (protocol, password)
        if key not in self._kept:
            self._kept[key] = master_key(protocol, password)
            if len(self._kept) > MASTER_KEYS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _with(error: SnmpError, reason: Reason | None) -> SnmpError:
    """The same failure under the name that was found for it."""
    if reason is None or reason is error.reason:
        return error
    return SnmpError(reason, error.detail if error.detail == NOTHING else "", error.found)
