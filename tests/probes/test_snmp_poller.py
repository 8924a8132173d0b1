"""The SNMP poller: a real snmpd behind a relay that can misbehave, and agents that answer wrongly on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pydantic import SecretStr
from pysnmp.proto.api import v2c as api

from probes.ports import SnmpAgent, SnmpError
from probes.protocols.snmp import SnmpSessions
from probes.protocols.snmp_header import REPORT, RESPONSE, V2C, V3, Header
from probes.protocols.snmp_opinion import PER_DEVICE_S, Opinions
from probes.results import Conditions, Reason
from tests.probes.conftest import descriptors, free_port
from tests.probes.snmp_agent import Objects, Oid, playing

SYS_DESCR, SYS_NAME = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.5.0"
IF_TABLE = "1.3.6.1.2.1.2.2.1"
TABLE = "1.3.6.1.4.1.9.1"
AUTH = {"md5": "MD5", "sha1": "SHA", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
PRIVACY = {"des": "DES", "aes128": "AES", "aes192": "AES-192", "aes256": "AES-256"}
COMBINATIONS = [(None, None), *((auth, privacy) for auth in AUTH for privacy in (None, *PRIVACY))]


def user_of(auth: str | None, privacy: str | None) -> str:
    """The user of snmpd that has these protocols."""
    return f"u-{auth}-{privacy}"


def secured(port: int, auth: str | None = "sha256", privacy: str | None = "aes128", **change: Any) -> SnmpAgent:
    """A device asked by a v3 user."""
    agent = SnmpAgent(
        "127.0.0.1",
        port,
        "v3",
        user=user_of(auth, privacy),
        auth_protocol=auth,
        auth_key=SecretStr("auth-password" if auth else ""),
        privacy_protocol=privacy,
        privacy_key=SecretStr("privacy-password" if privacy else ""),
    )
    return replace(agent, **change)


def open_agent(port: int, version: str = "v2c", community: str = "public") -> SnmpAgent:
    """A device asked by community."""
    return SnmpAgent("127.0.0.1", port, version, community=SecretStr(community))


@contextlib.contextmanager
def snmpd(folder: Path, port: int, *more: str) -> Iterator[None]:
    """net-snmp's agent on loopback, with a user for each combination of protocols and `more` configuration."""
    binary = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("no snmpd (Debian package snmpd)")
    lines = [f"agentAddress udp:127.0.0.1:{port}", "rocommunity public 127.0.0.1", "sysName cao-bang-01273", *more]
    for auth, privacy in COMBINATIONS:
        user = user_of(auth, privacy)
        create, level = f"createUser {user}", "noauth"
        if auth:
            create, level = f'{create} {AUTH[auth]} "auth-password"', "auth"
        if privacy:
            create, level = f'{create} {PRIVACY[privacy]} "privacy-password"', "priv"
        lines += [create, f"rouser {user} {level}"]
    lines.append('createUser stranger SHA-256 "auth-password" AES "privacy-password"')  # may see nothing
    (folder / "snmpd.conf").write_text("\n".join(lines) + "\n", encoding="ascii")
    options = ["-f", "-Ln", "-C", "-c", str(folder / "snmpd.conf"), "-I", "-smux", "-p", str(folder / "pid")]
    environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(folder)}
    server = subprocess.Popen([binary, *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not asyncio.run(_answers(port)):
            assert server.poll() is None, "snmpd ended"
            assert time.monotonic() < deadline, "snmpd does not answer"
        yield
    finally:
        server.terminate()
        server.wait()


async def _answers(port: int) -> bool:
    sessions = SnmpSessions(opinions=Quiet())
    with contextlib.suppress(SnmpError):
        return bool(await sessions.get(open_agent(port), [SYS_NAME], 0.2))
    await asyncio.sleep(0.05)
    return False


class Quiet(Opinions):
    """Has no opinion."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = True


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


@dataclass
class Relay(asyncio.DatagramProtocol):
    """Hands datagrams on between one asker and an agent; `change` may alter, drop or add answers."""

    agent_port: int
    change: Callable[[bytes], list[bytes]] = field(default=lambda answer: [answer])
    requests: int = 0
    loss: float = 0.0
    delay_s: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.asker: Any = None

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From the agent, or from whoever asks."""
        answers = addr[1] == self.agent_port
        if not answers:
            self.asker = addr
            self.requests += 1
        for each in self.change(data) if answers else [data]:
            if self.chance.random() >= self.loss:
                to = self.asker if answers else ("127.0.0.1", self.agent_port)
                asyncio.get_running_loop().call_later(self.delay_s, self.transport.sendto, each, to)


@contextlib.asynccontextmanager
async def relaying(agent_port: int, **how: Any) -> AsyncIterator[tuple[Relay, int]]:
    """The relay and its port."""
    transport, relay = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Relay(agent_port, **how), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


# Versions, protocols, keys


@pytest.mark.parametrize(("auth", "privacy"), COMBINATIONS)
async def test_every_pair_of_protocols_is_spoken(
    sessions: SnmpSessions, port: int, auth: str | None, privacy: str | None
) -> None:
    agent = secured(port, auth, privacy)
    assert await sessions.get(agent, [SYS_NAME], 2.0) == {SYS_NAME: b"cao-bang-01273"}
    assert len(await sessions.walk(agent, IF_TABLE, 2.0, 1000)) >= 22
    sessions._open.popitem()[1].close()  # as when the socket makes room for others
    assert await sessions.get(agent, [SYS_NAME], 2.0) == {SYS_NAME: b"cao-bang-01273"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user": "nobody"}, Reason.UNKNOWN_USER),
        ({"user": "stranger"}, Reason.NO_ACCESS),
        ({"auth_key": SecretStr("other-password")}, Reason.WRONG_DIGEST),
        ({"auth_protocol": "sha512"}, Reason.WRONG_DIGEST),
        ({"privacy_key": SecretStr("other-password")}, Reason.DECRYPTION_ERROR),
        ({"privacy_protocol": "des"}, Reason.DECRYPTION_ERROR),
        ({"privacy_protocol": None}, Reason.NO_ACCESS),
        ({"user": user_of("sha256", None)}, Reason.UNSUPPORTED_LEVEL),
        ({"auth_key": SecretStr("")}, Reason.PROTOCOL_ERROR),
    ],
)
async def test_wrong_credentials_are_told_apart(
    sessions: SnmpSessions, port: int, change: dict[str, Any], reason: Reason
) -> None:
    for _ in range(2):  # also when it is asked the second time
        with pytest.raises(SnmpError) as caught:
            await sessions.get(secured(port, **change), [SYS_NAME], 0.5)
        assert caught.value.reason is reason
    assert await sessions.get(secured(port), [SYS_NAME], 2.0)


async def test_an_engine_and_its_keys_outlive_their_socket(port: int) -> None:
    sessions = SnmpSessions(limit=1, opinions=Quiet())
    async with relaying(port) as (relay, near):
        agent, other = secured(near), open_agent(port)
        await sessions.get(agent, [SYS_NAME], 2.0)
        assert relay.requests == 2  # discovery, question
        await sessions.get(agent, [SYS_NAME], 2.0)
        assert relay.requests == 3
        await sessions.get(other, [SYS_NAME], 2.0)  # takes the only place
        assert len(sessions) == 1
        await sessions.get(agent, [SYS_NAME], 2.0)
        assert relay.requests == 5  # the engine's time is learnt from its report
    sessions.close()


@pytest.mark.parametrize("same_engine", [True, False])
def test_a_device_that_restarts_or_is_replaced_is_read_in_the_same_call(tmp_path: Path, same_engine: bool) -> None:
    port = free_port(socket.SOCK_DGRAM)
    sessions = SnmpSessions(opinions=Quiet())

    async def asked() -> bytes:
        return cast(bytes, (await sessions.get(secured(port), [SYS_NAME], 2.0))[SYS_NAME])

    loop = asyncio.new_event_loop()
    try:
        for number in range(2):
            folder = tmp_path / ("one" if same_engine else str(number))
            folder.mkdir(exist_ok=True)
            with snmpd(folder, port):
                assert loop.run_until_complete(asked()) == b"cao-bang-01273"
    finally:
        sessions.close()
        loop.close()


async def test_a_clock_far_off_is_set_right_within_the_call(sessions: SnmpSessions, port: int) -> None:
    agent = secured(port)
    await sessions.get(agent, [SYS_NAME], 2.0)
    session = sessions._sessions[agent]
    session.close()  # boots and time are 0 again: outside the window of 150 s
    assert await sessions.get(agent, [SYS_NAME], 2.0)


# What is not from the agent


async def test_a_changed_answer_is_not_believed(sessions: SnmpSessions, port: int) -> None:
    async with relaying(port) as (relay, near):
        for agent in (secured(near, privacy=None), secured(near)):
            relay.change = lambda answer: [answer]
            assert await sessions.get(agent, [SYS_NAME], 2.0) == {SYS_NAME: b"cao-bang-01273"}
            relay.change = lambda answer: [answer[:-1] + bytes([answer[-1] ^ 1])]
            before = sessions.ignored["foreign"]
            with pytest.raises(SnmpError) as caught:
                await sessions.get(agent, [SYS_NAME], 0.3)
            assert caught.value.reason is Reason.TIMEOUT
            assert sessions.ignored["foreign"] >= before + 3


async def test_an_answer_without_the_users_protection_is_not_believed(sessions: SnmpSessions, port: int) -> None:
    agent = secured(port)
    await sessions.get(agent, [SYS_NAME], 2.0)
    wire = sessions._sessions[agent].wire
    assert wire is not None
    for authenticated in (False, True):  # noAuthNoPriv, authNoPriv
        assert not wire.accepts(b"", Header(V3, pdu=RESPONSE, authenticated=authenticated))
    assert not wire.accepts(b"", Header(V2C, pdu=RESPONSE))
    assert wire.accepts(b"", Header(V3, pdu=REPORT))


def forged(answer: bytes, **change: Any) -> bytes:
    """An answer with other fields."""
    message, _ = decoder.decode(answer, asn1Spec=api.Message())
    pdu = api.apiMessage.get_pdu(message)
    if "community" in change:
        api.apiMessage.set_community(message, change["community"])
    if "request_id" in change:
        api.apiPDU.set_request_id(pdu, change["request_id"])
    api.apiPDU.set_varbinds(pdu, [(oid, api.OctetString("forged")) for oid, _ in api.apiPDU.get_varbinds(pdu)])
    return bytes(encoder.encode(message))


async def test_forged_answers_before_the_real_one_are_ignored(sessions: SnmpSessions, port: int) -> None:
    async with relaying(port) as (relay, near):
        relay.change = lambda answer: [
            b"",
            b"0",
            b"garbage",
            answer[:-5],
            forged(answer, community=b"other"),
            forged(answer, request_id=12345),
            answer,
        ]
        for _ in range(3):
            assert await sessions.get(open_agent(near), [SYS_NAME], 1.0) == {SYS_NAME: b"cao-bang-01273"}
    assert sessions.ignored["malformed"] >= 9
    assert sessions.ignored["foreign"] >= 3
    assert sessions.ignored["stale"] >= 3


async def test_an_answer_that_makes_the_decoder_panic_is_one_more_that_cannot_be_read(
    sessions: SnmpSessions, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    def hollow(answer: bytes) -> list[bytes]:
        """The answer with an empty element behind its own."""
        message, _ = decoder.decode(answer, asn1Spec=api.Message())
        request_id = int(api.apiPDU.get_request_id(api.apiMessage.get_pdu(message)))
        name = bytes.fromhex("300d06082b060102010105000401") + b"x"
        found = element(0x30, name + bytes.fromhex("3000"))
        pdu = element(0xA2, b"\x02\x04" + request_id.to_bytes(4, "big") + bytes.fromhex("020100020100") + found)
        return [element(0x30, b"\x02\x01\x01" + element(4, b"public") + pdu)]

    async with relaying(port, change=hollow) as (relay, near):
        with pytest.raises(SnmpError) as caught:
            await sessions.get(open_agent(near), [SYS_NAME], 1.0)
        assert caught.value.reason is Reason.PROTOCOL_ERROR
        assert sessions.ignored["undecodable"] >= 3
        relay.change = lambda answer: [*hollow(answer), answer]
        assert await sessions.get(open_agent(near), [SYS_NAME], 1.0) == {SYS_NAME: b"cao-bang-01273"}
    capfd.readouterr()  # the panic's words


def element(tag: int, contents: bytes) -> bytes:
    """In BER, short form."""
    assert len(contents) < 128
    return bytes([tag, len(contents)]) + contents


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6), st.booleans())
def test_no_change_to_an_answer_upsets_the_poller(port: int, changes: list[tuple[int, int]], v3: bool) -> None:
    def change(answer: bytes) -> list[bytes]:
        changed = bytearray(answer)
        for at, octet in changes:
            changed[at % len(changed)] = octet
        return [bytes(changed), answer]

    async def scenario() -> None:
        sessions = SnmpSessions(opinions=Quiet())
        async with relaying(port, change=change) as (_, near):
            agent = secured(near, privacy=None) if v3 else open_agent(near)
            for ask in (sessions.get(agent, [SYS_NAME, SYS_DESCR], 0.1), sessions.walk(agent, IF_TABLE, 0.1, 30)):
                with contextlib.suppress(SnmpError):
                    await ask
        sessions.close()

    asyncio.run(scenario())


async def test_an_agent_that_answers_from_another_address_is_named_and_not_believed() -> None:
    sessions = SnmpSessions()
    async with playing({SYS_NAME: b"x"}) as (device, port):
        other, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.2", 0)
        )
        device._transport = other
        agent = open_agent(port)
        with pytest.raises(SnmpError) as caught:
            await sessions.get(agent, [SYS_NAME], 0.3)
        assert caught.value.reason is Reason.TIMEOUT  # its opinion is not waited for
        deadline = time.monotonic() + 10
        while sessions._opinions.remembered(agent, [SYS_NAME]) is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        with pytest.raises(SnmpError) as caught:
            await sessions.get(agent, [SYS_NAME], 0.3)
        assert caught.value.reason is Reason.OTHER_ADDRESS
        other.close()
        await asyncio.sleep(0)
    sessions.close()


# Questions in parts


async def test_a_device_is_asked_for_fewer_objects_once_it_found_them_too_many(sessions: SnmpSessions) -> None:
    objects: Objects = {f"{TABLE}.{number}.0": number for number in range(1, 31)}
    async with playing(objects) as (device, port):
        device.most = 4
        assert await sessions.get(open_agent(port), list(objects), 2.0) == objects
        learning, device.requests = device.requests, 0
        assert await sessions.get(open_agent(port), list(objects), 2.0) == objects
        assert device.requests == 8 < learning  # 4 at once


async def test_what_a_device_refuses_takes_nothing_else_with_it(sessions: SnmpSessions) -> None:
    objects: Objects = {f"{TABLE}.{number}.0": number for number in range(1, 9)}
    async with playing(objects) as (device, port):
        device.broken_below = f"{TABLE}.3"
        rows = await sessions.get(open_agent(port), list(objects), 2.0)
        assert rows == {oid: number for oid, number in objects.items() if number != 3}
        assert rows.reason is Reason.GEN_ERR
        with pytest.raises(SnmpError) as caught:
            await sessions.get(open_agent(port), [f"{TABLE}.3.0"], 2.0)
        assert caught.value.reason is Reason.GEN_ERR


async def test_objects_that_a_device_lacks_are_no_time_out(sessions: SnmpSessions, port: int) -> None:
    for agent in (open_agent(port), open_agent(port, "v1"), secured(port, privacy=None)):
        with pytest.raises(SnmpError) as caught:
            await sessions.get(agent, [f"{TABLE}.1.0"], 2.0)
        assert caught.value.reason is Reason.NO_SUCH_OBJECT
        found = await sessions.get(agent, [f"{TABLE}.1.0", SYS_NAME], 2.0)
        assert (found, found.reason) == ({SYS_NAME: b"cao-bang-01273"}, None)


async def test_a_text_too_long_for_the_decoder_leaves_the_others(sessions: SnmpSessions) -> None:
    async with playing({SYS_DESCR: b"x" * 60_000, SYS_NAME: b"n"}) as (_, port):
        rows = await sessions.get(open_agent(port), [SYS_DESCR, SYS_NAME], 2.0)
        assert (rows, rows.reason) == ({SYS_NAME: b"n"}, Reason.TOO_BIG)
        with pytest.raises(SnmpError) as caught:
            await sessions.walk(open_agent(port), "1.3.6.1.2.1.1", 2.0, 100)
        assert caught.value.reason is Reason.TOO_BIG


# Walks


async def test_long_rows_are_asked_few_at_once(sessions: SnmpSessions) -> None:
    table: Objects = {f"{TABLE}.{row}": b"x" * 900 for row in range(1, 41)}
    async with playing(table) as (device, port):
        assert len(await sessions.walk(open_agent(port), TABLE, 2.0, 1000)) == 40
        device.requests = 0
        assert len(await sessions.walk(open_agent(port), TABLE, 2.0, 1000)) == 40
        assert device.requests <= 15


async def test_a_bad_link_is_asked_for_fewer_rows(sessions: SnmpSessions) -> None:
    table: Objects = {f"{TABLE}.{row}": row for row in range(1, 101)}
    async with playing(table) as (device, port):
        requests = []
        for conditions in (Conditions(), Conditions(0.6, 0.0), Conditions(0.6, 0.1)):
            device.requests = 0
            assert len(await sessions.walk(open_agent(port), TABLE, 2.0, 1000, conditions=conditions)) == 100
            requests.append(device.requests)
        assert requests == [5, 8, 11]


async def test_holes_and_rows_sent_twice_end_no_walk(sessions: SnmpSessions) -> None:
    table: Objects = {f"{TABLE}.1.{row}": row for row in (1, 2, 5, 900, 2**31 - 1)}
    async with playing(table) as (device, port):
        straight, again = device.next_of, itertools.cycle([True, False])

        def stammering(oid: Oid) -> Oid | None:
            return oid if oid in device.objects and oid[-1] < 1000 and next(again) else straight(oid)

        device.next_of = stammering
        rows = await sessions.walk(open_agent(port), TABLE, 2.0, 100)
        assert (list(rows.values()), rows.reason) == ([1, 2, 5, 900, 2**31 - 1], None)


async def test_the_oldest_version_is_walked_row_by_row(sessions: SnmpSessions, port: int) -> None:
    rows = await sessions.walk(open_agent(port, "v1"), f"{IF_TABLE}.1", 2.0, 100)
    assert rows == await sessions.walk(open_agent(port), f"{IF_TABLE}.1", 2.0, 100) != {}


async def test_a_loop_is_told_and_its_rows_are_kept(sessions: SnmpSessions) -> None:
    table: Objects = {f"{TABLE}.{row}": row for row in range(1, 4)}
    async with playing(table) as (device, port):
        first = (*map(int, TABLE.split(".")), 1)
        for following in (lambda oid: first if oid[-1] == 3 else device._next(oid), lambda _: first):
            device.next_of = following
            rows = await sessions.walk(open_agent(port), TABLE, 2.0, 1000)
            assert rows.reason is Reason.LOOP
            assert list(rows.values())[:1] == [1]


async def test_what_was_walked_before_silence_is_kept(sessions: SnmpSessions) -> None:
    table: Objects = {f"{TABLE}.{row}": row for row in range(1, 101)}
    async with playing(table) as (device, port):
        straight = device.next_of

        def tiring(oid: Oid) -> Oid | None:
            if oid[-1] == 50:
                device.ignored = 100
            return straight(oid)

        device.next_of = tiring
        with pytest.raises(SnmpError) as caught:
            await sessions.walk(open_agent(port), TABLE, 0.4, 1000)
        assert caught.value.reason is Reason.TIMEOUT
        assert 50 <= len(caught.value.found) < 100


async def test_an_error_within_a_walk_is_not_taken_for_its_end(sessions: SnmpSessions) -> None:
    table: Objects = {f"{TABLE}.{row}": row for row in range(1, 61)}
    async with playing(table) as (device, port):
        device.broken_below = f"{TABLE}.25"
        with pytest.raises(SnmpError) as caught:
            await sessions.walk(open_agent(port), TABLE, 1.0, 1000)
        assert caught.value.reason is Reason.GEN_ERR
        assert len(caught.value.found) == 25


# Second opinion


async def test_pysnmp_names_what_is_wrong(port: int) -> None:
    clock = [0.0]
    opinions = Opinions(lambda: clock[0])
    async with playing({SYS_NAME: b"x"}) as (device, near):
        device.most, device.broken_below = 1, "1.3.6.1.2.1.1.6"
        questions = [
            (open_agent(near), [SYS_NAME, SYS_DESCR], Reason.TOO_BIG),
            (open_agent(near), ["1.3.6.1.2.1.1.6.0"], Reason.GEN_ERR),
            (open_agent(near), [SYS_DESCR], Reason.NO_SUCH_OBJECT),
            (open_agent(near), [SYS_NAME], None),
            (secured(port, user="nobody"), [SYS_NAME], Reason.UNKNOWN_USER),
            (secured(port, auth_key=SecretStr("other-password")), [SYS_NAME], Reason.WRONG_DIGEST),
            (secured(port), [f"{TABLE}.1.0"], Reason.NO_SUCH_OBJECT),
        ]
        for agent, oids, reason in questions:
            clock[0] += PER_DEVICE_S
            assert await opinions.ask(agent, oids, 1.0) is reason
            assert await opinions.ask(agent, oids, 1.0) is reason  # remembered
    assert opinions.asked == len(questions)
    opinions.close()


async def test_opinions_are_few(port: int) -> None:
    opinions = Opinions(lambda: 0.0)
    agents = [secured(port, user=f"nobody{number}") for number in range(20)]
    told = await asyncio.gather(*(opinions.ask(agent, [SYS_NAME], 1.0) for agent in agents))
    assert opinions.asked == 3
    assert told.count(Reason.UNKNOWN_USER) == 3
    assert told.count(None) == 17
    opinions.close()


async def test_an_opinion_holds_up_nothing(port: int) -> None:
    opinions = Opinions()
    asking = asyncio.ensure_future(opinions.ask(secured(port, user="nobody"), [SYS_NAME], 1.0))
    lags = []
    while not asking.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(time.perf_counter() - before)
    assert await asking is Reason.UNKNOWN_USER
    assert sorted(lags)[len(lags) * 95 // 100] < 0.05
    opinions.close()


# Many devices


async def test_silent_devices_leave_places_for_the_others(port: int) -> None:
    sessions = SnmpSessions(limit=8, opinions=Quiet())
    with contextlib.ExitStack() as held:
        deaf = [held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(20)]
        for one in deaf:
            one.bind(("127.0.0.1", 0))
        dead = [open_agent(one.getsockname()[1]) for one in deaf]
        for _ in range(2):  # they are known to be silent after this
            await asyncio.gather(*(sessions.get(agent, [SYS_NAME], 0.1) for agent in dead), return_exceptions=True)
        waiting = [asyncio.ensure_future(sessions.get(agent, [SYS_NAME], 3.0)) for agent in dead]
        await asyncio.sleep(0.05)
        started = time.monotonic()
        for number in range(50):
            await sessions.get(replace(open_agent(port), user=str(number)), [SYS_NAME], 3.0)
        assert time.monotonic() - started < 2.4, "as long as a silent device is waited for"
        assert len(sessions) <= 8
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    sessions.close()


async def test_sockets_stay_within_their_bound_however_many_ask_at_once(port: int) -> None:
    before = descriptors()
    sessions = SnmpSessions(limit=10, opinions=Quiet())
    agents = [replace(open_agent(port), user=str(number)) for number in range(200)]
    most = 0

    async def ask(agent: SnmpAgent) -> None:
        nonlocal most
        await sessions.get(agent, [SYS_NAME], 5.0)
        most = max(most, len(sessions))

    await asyncio.gather(*(ask(agent) for agent in agents))
    assert most <= 10
    sessions.close()
    del agents
    assert descriptors() <= before + 1


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_calls_leave_nothing_behind(port: int, seed: int) -> None:
    chance = random.Random(seed)
    sessions = SnmpSessions(limit=4, opinions=Quiet())
    agents = [secured(port), open_agent(port), replace(open_agent(port), user="b"), open_agent(free_port())]
    for _ in range(60):
        task = asyncio.ensure_future(sessions.walk(chance.choice(agents), IF_TABLE, 1.0, 100))
        await asyncio.sleep(chance.random() * 0.003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    for agent in agents[:3]:
        assert await sessions.get(agent, [SYS_NAME], 2.0)
    assert all(not session.users for session in sessions._sessions.values())
    sessions.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_link_with_losses_and_long_round_trips_is_read(port: int) -> None:
    rtt_s, loss, devices, beats = 0.6, 0.1, 40, 8
    conditions = Conditions(rtt_s, loss)
    gets: list[bool] = []
    walks: list[bool] = []

    async def device(number: int) -> None:
        sessions = SnmpSessions(opinions=Quiet())
        one_way = 1 - (1 - loss) ** 0.5
        how = {"loss": one_way, "delay_s": rtt_s / 2, "chance": random.Random(number)}
        async with relaying(port, **how) as (_, near):
            agent = secured(near) if number % 2 else open_agent(near)
            for _ in range(beats):
                for outcomes, ask in (
                    (gets, sessions.get(agent, [SYS_NAME, SYS_DESCR], 5.0, conditions=conditions)),
                    (walks, sessions.walk(agent, IF_TABLE, 5.0, 1000, conditions=conditions)),
                ):
                    try:
                        outcomes.append(bool(await ask))
                    except SnmpError:
                        outcomes.append(False)
        sessions.close()

    await asyncio.gather(*(device(number) for number in range(devices)))
    assert sum(gets) / len(gets) > 0.99
    assert sum(walks) / len(walks) > 0.9
