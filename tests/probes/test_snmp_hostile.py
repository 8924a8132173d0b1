"""What the poller makes of answers that nobody should send: other engines, floods, any encoding, any length."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysnmp.proto.api import v2c as api

from probes.ports import SnmpError, SnmpRows
from probes.protocols.snmp import SnmpSessions
from probes.protocols.snmp_wire import LARGEST, MOST_AT_ONCE
from probes.results import Reason
from tests.probes.conftest import free_port
from tests.probes.snmp_agent import Objects, Oid, playing
from tests.probes.test_snmp_poller import SYS_NAME, Quiet, open_agent, relaying, secured, snmpd

TABLE = "1.3.6.1.4.1.9.1"
PATIENCE_S = 0.05
"""Of one call in the fuzzing."""
LATE_S = 1.5
"""How much later than that a busy machine may be; a hang would be later still."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an snmpd that lives as long as this module's tests."""
    number = free_port(socket.SOCK_DGRAM)
    with snmpd(tmp_path_factory.mktemp("snmpd"), number):
        yield number


@pytest.fixture
def sessions() -> Iterator[SnmpSessions]:
    """Without a second opinion."""
    kept = SnmpSessions(opinions=Quiet())
    yield kept
    kept.close()


class Answering(asyncio.DatagramProtocol):
    """Answers each request with whatever `make` gives."""

    def __init__(self, make: Callable[[bytes], list[bytes]]) -> None:
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One request."""
        for each in self._make(data):
            self._transport.sendto(each, addr)


@contextlib.asynccontextmanager
async def answering(make: Callable[[bytes], list[bytes]]) -> AsyncIterator[int]:
    """The port where `make` answers."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Answering(make), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


# Forged


async def test_answers_of_another_engine_and_unsigned_ones_are_ignored_and_counted(
    sessions: SnmpSessions, port: int
) -> None:
    async with relaying(port) as (relay, near):
        agent = secured(near)
        await sessions.get(agent, [SYS_NAME], 2.0)
        engine = sessions._sessions[agent].engine
        assert engine is not None
        other = engine.engine_id[:-1] + bytes([engine.engine_id[-1] ^ 1])
        relay.change = lambda answer: [answer.replace(engine.engine_id, other), answer]
        before = sessions.ignored["foreign"]
        assert await sessions.get(agent, [SYS_NAME], 2.0) == {SYS_NAME: b"cao-bang-01273"}
        assert sessions.ignored["foreign"] == before + 1


async def test_an_answer_to_an_earlier_question_is_not_taken_for_this_one(sessions: SnmpSessions, port: int) -> None:
    kept: list[bytes] = []

    def replayed(answer: bytes) -> list[bytes]:
        kept.append(answer)
        return [*kept[:-1], answer]

    async with relaying(port, change=replayed) as (_, near):
        for agent in (open_agent(near), secured(near)):
            kept.clear()
            for _ in range(4):
                assert await sessions.get(agent, [SYS_NAME], 2.0) == {SYS_NAME: b"cao-bang-01273"}
    assert sessions.ignored["stale"] >= 6


async def test_a_flood_does_not_hold_up_the_loop_and_hides_no_answer(sessions: SnmpSessions, port: int) -> None:
    turns = 0
    flood = [b"garbage"] * (MOST_AT_ONCE * 4)

    def turn() -> None:
        nonlocal turns
        turns += 1
        if looking:
            asyncio.get_running_loop().call_soon(turn)

    async with relaying(port, change=lambda answer: [*flood, answer]) as (_, near):
        agent = open_agent(near)
        asking = asyncio.ensure_future(sessions.get(agent, [SYS_NAME], 2.0))
        looking, seen = True, set()
        turn()
        while not asking.done():
            seen.add(sessions.ignored["malformed"])
            await asyncio.sleep(0)
        looking = False
        assert await asking == {SYS_NAME: b"cao-bang-01273"}
    assert sessions.ignored["malformed"] == len(flood)
    steps = sorted(seen)
    assert max(after - before for before, after in itertools.pairwise(steps)) <= MOST_AT_ONCE


# Any encoding

TAGS = st.sampled_from([2, 4, 5, 6, 0x30, 0x40, 0x41, 0x42, 0x43, 0x44, 0x46, 0x80, 0x81, 0x82, 0x9F, 0xA2, 0xFF])


def _element(tag: int, content: bytes, claimed: int | None = None) -> bytes:
    """Tag, length (right, or as claimed) and content."""
    length = len(content) if claimed is None else claimed
    octets = length.to_bytes(max(1, (length.bit_length() + 7) // 8), "big")
    return bytes([tag]) + (bytes([length]) if length < 128 else bytes([0x80 | len(octets)]) + octets) + content


NAMES = st.one_of(
    st.just(bytes.fromhex("2b06010401090100")),  # below TABLE
    st.integers(0, 255).map(lambda arc: bytes.fromhex("2b060104010901") + bytes([arc])),
    st.binary(max_size=20),
)
VALUES = st.builds(
    _element,
    TAGS,
    st.one_of(st.binary(max_size=20), st.integers(0, 70_000).map(bytes)),
    st.none() | st.sampled_from([0, 1, 127, 2**16, 2**31, 2**64]),
)
BINDINGS = st.one_of(
    st.tuples(NAMES, VALUES).map(lambda pair: _element(0x30, _element(6, pair[0]) + pair[1])),
    VALUES,
    st.just(b""),
)
PDUS = st.tuples(
    st.sampled_from([0xA2, 0xA2, 0xA2, 0xA8, 0xA0, 0x30]),
    st.lists(BINDINGS, max_size=6).map(b"".join),
    st.integers(0, 2**33),
    st.integers(-1, 2**33),
)


def response(request: bytes, pdu: tuple[int, bytes, int, int]) -> bytes:
    """A v2c response to this request, so that it is let through; its error, bindings and their lengths are anything."""
    at = request.index(b"public") + len(b"public")
    length = request[at + 3]
    request_id = request[at + 2 : at + 4 + length]
    tag, bindings, status, index = pdu
    fields = b"".join(_element(2, each.to_bytes(6, "big", signed=True)) for each in (status, index))
    return _element(
        0x30, b"\x02\x01\x01" + _element(4, b"public") + _element(tag, request_id + fields + _element(0x30, bindings))
    )


@pytest.mark.timeout(90)
@settings(deadline=None, max_examples=60)
@given(st.lists(PDUS, min_size=1, max_size=3), st.booleans())
def test_no_bindings_whatever_upset_a_get_or_a_walk_and_both_end_in_time(
    pdus: list[tuple[int, bytes, int, int]], walk: bool
) -> None:
    async def scenario() -> None:
        sessions = SnmpSessions(opinions=Quiet())
        async with answering(lambda request: [response(request, pdu)[:65_507] for pdu in pdus]) as near:
            agent = open_agent(near)
            ask = (
                sessions.walk(agent, TABLE, PATIENCE_S, 50)
                if walk
                else sessions.get(agent, [f"{TABLE}.0", SYS_NAME], PATIENCE_S)
            )
            began = time.monotonic()
            with contextlib.suppress(SnmpError):
                found = await ask
                assert isinstance(found, SnmpRows)
                assert len(found) <= 50
                assert all(isinstance(value, (int, float, str, bytes)) for value in found.values())
            assert time.monotonic() - began < PATIENCE_S + LATE_S
        sessions.close()

    asyncio.run(scenario())


def test_the_fuzzing_reaches_the_decoder() -> None:
    """Else it would show nothing: a well-formed one of its answers is read."""

    async def scenario() -> SnmpRows:
        sessions = SnmpSessions(opinions=Quiet())
        name = bytes.fromhex("2b06010401090100")
        binding = _element(0x30, _element(6, name) + _element(4, b"read"))
        async with answering(lambda request: [response(request, (0xA2, binding, 0, 0))]) as near:
            try:
                return await sessions.get(open_agent(near), [f"{TABLE}.0"], 2.0)
            finally:
                sessions.close()

    assert asyncio.run(scenario()) == {f"{TABLE}.0": b"read"}


# Any length


async def test_a_table_without_end_takes_bounded_memory_and_ends(sessions: SnmpSessions) -> None:
    start = tuple(map(int, TABLE.split(".")))
    text = api.OctetString(b"x" * 100)

    class Endless(dict[Oid, object]):
        def __missing__(self, oid: Oid) -> object:
            return text

    async with playing({}) as (device, port):
        device.objects = Endless()
        device.next_of = lambda oid: (*start, oid[-1] + 1 if len(oid) > len(start) else 1)
        tracemalloc.start()
        try:
            rows = await sessions.walk(open_agent(port), TABLE, 10.0, 500)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(rows) == 500
    assert peak < 4_000_000


@pytest.mark.parametrize("size", [LARGEST - 100, LARGEST, 16_384, 64_000])
async def test_texts_up_to_the_largest_datagram_leave_the_others(sessions: SnmpSessions, size: int) -> None:
    objects: Objects = {f"{TABLE}.1.0": b"x" * size, f"{TABLE}.2.0": b"short"}
    async with playing(objects) as (_, port):
        rows = await sessions.get(open_agent(port), list(objects), 2.0)
    assert rows[f"{TABLE}.2.0"] == b"short"
    if size < LARGEST - 60:
        assert (rows.reason, rows[f"{TABLE}.1.0"]) == (None, b"x" * size)
    else:
        assert (rows.reason, len(rows)) == (Reason.TOO_BIG, 1)
