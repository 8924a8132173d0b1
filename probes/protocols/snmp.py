"""SNMP over gufo-snmp: sessions kept and bounded, and its gaps guarded."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from gufo.snmp import SnmpAuthError, SnmpVersion, User
from gufo.snmp import SnmpError as GufoError
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
)

from probes.ports import SnmpAgent, SnmpError, SnmpValue
from probes.protocols.tcp import meaning, reason_of
from probes.results import Reason

Answer = TypeVar("Answer")
Ask = Callable[[SnmpSession, int], Awaitable[Answer]]
"""What is done on a session, with so many attempts for each request."""

ATTEMPTS = 2
"""How often a request is sent: one datagram may be lost."""
SYNC_AGE_S = 100.0
"""Age at which a v3 session's engine time is asked again; agents refuse 150 s of difference (RFC 3414, 2.2.3)."""
BULK_ROWS = 25

_AUTH: Mapping[str, type[BaseAuthKey]] = MappingProxyType(
    {
        "md5": Md5Key,
        "sha1": Sha1Key,
        "sha224": Sha224Key,
        "sha256": Sha256Key,
        "sha384": Sha384Key,
        "sha512": Sha512Key,
    }
)
_PRIVACY: Mapping[str, type[BasePrivKey]] = MappingProxyType(
    {"des": DesKey, "aes128": Aes128Key, "aes192": Aes192Key, "aes256": Aes256Key}
)
_VERSIONS = MappingProxyType({"v1": SnmpVersion.v1, "v2c": SnmpVersion.v2c, "v3": SnmpVersion.v3})


@dataclass(slots=True, eq=False)
class _Session:
    """One socket; requests on it take turns."""

    wire: SnmpSession
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    synced: float | None = None
    """When a v3 agent's engine id and time were last learnt."""


class SnmpSessions:
    """Implements `probes.ports.Snmp`. Nothing to open; `close()` drops every session."""

    def __init__(self, limit: int = 256) -> None:
        """`limit` bounds the sockets that are kept while idle."""
        self._limit = limit
        self._sessions: OrderedDict[tuple[SnmpAgent, float], _Session] = OrderedDict()

    def __len__(self) -> int:
        """Sessions kept."""
        return len(self._sessions)

    def close(self) -> None:
        """Forget every session; their sockets close with them."""
        self._sessions.clear()

    async def get(self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float) -> Mapping[str, SnmpValue]:
        """See `probes.ports.Snmp`. v1 is asked object by object, as one that is missing empties the whole answer."""

        async def ask(wire: SnmpSession, attempts: int) -> Mapping[str, SnmpValue | None]:
            if agent.version == "v1":
                return {oid: await _persist(partial(wire.get, oid), attempts) for oid in oids}
            return await _persist(partial(wire.get_many, oids), attempts)

        found = await self._call(agent, timeout_s, ask)
        values = {oid: value for oid in oids if (value := found.get(oid)) is not None}
        if not values:  # gufo-snmp returns tooBig and genErr as an empty answer
            raise SnmpError(Reason.PROTOCOL_ERROR, "an answer without any of the objects")
        return values

    async def walk(self, agent: SnmpAgent, oid: str, timeout_s: float, max_rows: int) -> Mapping[str, SnmpValue]:
        """See `probes.ports.Snmp`. Uses GETBULK, and GETNEXT for v1."""

        async def ask(wire: SnmpSession, attempts: int) -> dict[str, SnmpValue]:
            rows: dict[str, SnmpValue] = {}
            prefix = last = _arcs(oid)
            deadline = time.monotonic() + timeout_s
            iterator = wire.getnext(oid) if agent.version == "v1" else wire.getbulk(oid, min(BULK_ROWS, max_rows))
            while len(rows) < max_rows:
                if time.monotonic() > deadline:  # Python 3.11's wait_for, as gufo-snmp uses it, can lose our time-out
                    raise TimeoutError
                try:
                    name, value = await _persist(iterator.__anext__, attempts)
                except StopAsyncIteration:
                    break
                arcs = _arcs(name)
                if arcs <= last or arcs[: len(prefix)] != prefix:
                    break
                last = arcs
                if value is not None:
                    rows[name] = value
            return rows

        return await self._call(agent, timeout_s, ask)

    async def _call(self, agent: SnmpAgent, timeout_s: float, ask: Ask[Answer]) -> Answer:
        """Ask in the session's turn. A session that fails is not used again: nothing stale is left in its socket."""
        key = (agent, timeout_s)
        failed = True
        session = None
        try:
            session = self._session(key)
            async with asyncio.timeout(timeout_s), session.turn:
                answer = await self._ask(session, agent, timeout_s, ask)
            failed = False
        except GufoError as error:
            raise SnmpError(Reason.PROTOCOL_ERROR, _meaning(error)) from None
        except TimeoutError as error:
            raise SnmpError(Reason.REFUSED if _refused(error) else Reason.TIMEOUT) from None
        except OSError as error:
            raise SnmpError(reason_of(error), meaning(error)) from None
        else:
            return answer
        finally:
            if session is not None:
                session.users -= 1
            if failed and self._sessions.get(key) is session:
                self._sessions.pop(key, None)

    async def _ask(
        self,
        session: _Session,
        agent: SnmpAgent,
        timeout_s: float,
        ask: Ask[Answer],
    ) -> Answer:
        if agent.version != "v3":
            return await ask(session.wire, ATTEMPTS)
        if session.synced is not None and time.monotonic() - session.synced <= SYNC_AGE_S:
            with contextlib.suppress(GufoError, TimeoutError):
                return await ask(session.wire, 1)
            # a lost datagram, or the device has restarted: its engine's boots and time are others (RFC 3414, 3.2.7)
            session.wire = _open(agent, timeout_s)
        await _persist(session.wire.refresh)
        session.synced = time.monotonic()
        return await ask(session.wire, ATTEMPTS)

    def _session(self, key: tuple[SnmpAgent, float]) -> _Session:
        """The session, as the one used last; the oldest idle ones make room."""
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = _Session(_open(*key))
        self._sessions.move_to_end(key)
        session.users += 1
        if len(self._sessions) > self._limit:
            idle = [other for other, kept in self._sessions.items() if not kept.users]
            for other in idle[: len(self._sessions) - self._limit]:
                del self._sessions[other]
        return session


def _open(agent: SnmpAgent, timeout_s: float) -> SnmpSession:
    """A new socket; half of `timeout_s` for each attempt, so that a second one fits in."""
    return SnmpSession(
        agent.address,
        agent.port,
        community=agent.community.get_secret_value(),
        user=_user(agent) if agent.version == "v3" else None,
        version=_VERSIONS[agent.version],
        timeout=timeout_s / ATTEMPTS,
    )


def _user(agent: SnmpAgent) -> User:
    auth = privacy = None
    if agent.auth_protocol is not None:
        auth = _AUTH[agent.auth_protocol](agent.auth_key.get_secret_value().encode())
    if agent.privacy_protocol is not None:
        privacy = _PRIVACY[agent.privacy_protocol](agent.privacy_key.get_secret_value().encode())
    return User(agent.user, auth_key=auth, priv_key=privacy)


async def _persist(request: Callable[[], Awaitable[Answer]], attempts: int = ATTEMPTS) -> Answer:
    """Send again what got no answer."""
    for _ in range(attempts - 1):
        try:
            return await request()
        except TimeoutError as error:
            if _refused(error):
                raise
    return await request()


def _refused(error: TimeoutError) -> bool:
    """gufo-snmp reports an ICMP port unreachable as a time-out, caused by one with this text."""
    return "refused" in f"{error} {error.__cause__}"


def _meaning(error: GufoError) -> str:
    """In words; a wrong user and a wrong key look alike."""
    return "authentication failed: user or keys" if isinstance(error, SnmpAuthError) else "not a usable answer"


def _arcs(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))
