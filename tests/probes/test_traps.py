"""Traps and informs of Debian's snmptrap and snmpinform against the real receiver on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from probes.ports import SnmpAgent
from probes.protocols import trap_decoder
from probes.protocols.snmp_header import Malformed, sender
from probes.protocols.trap_decoder import Decoder
from probes.protocols.trap_filter import SOURCE_BURST, Dropped, Filter, Sender
from probes.protocols.trap_socket import TrapsUnavailable, handed_in, opened, plain_address
from probes.protocols.traps import PER_S, Told, TrapReceiver

needs_snmp = pytest.mark.skipif(shutil.which("snmptrap") is None, reason="snmptrap (Debian's snmp) is not installed")
pytestmark = pytest.mark.timeout(60)

OUR_ENGINE = bytes.fromhex("80004fb804") + b"lienxa-04"
COLD_START = "1.3.6.1.6.3.1.1.5.1"
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
COMMUNITY = SnmpAgent("127.0.0.1", 161, "v2c", SecretStr("valley"))
USER = SnmpAgent(
    "127.0.0.1",
    161,
    "v3",
    user="lienxa",
    auth_protocol="sha256",
    auth_key=SecretStr("authentic-8"),
    privacy_protocol="aes128",
    privacy_key=SecretStr("private-88"),
)
ENGINE = "8000000001020304"
SAFE = ("-v3", "-l", "authPriv", "-u", "lienxa", "-a", "SHA-256", "-A", "authentic-8", "-x", "AES", "-X", "private-88")
INFORM = bytes.fromhex(
    "3043020101040676616c6c6579a636020408ccbe5f0201000201003028300d06082b0601020101030043014d3017060a2b06010603010104"
    "010006092b0601060301010501"
)
"""coldStart with the community `valley`, as net-snmp's snmpinform sends it."""
V3_PROBE = bytes.fromhex(
    "304f0201033011020429860f7b020300ffe30401040201030410300e04000201000201000400040004003025041180001f8880feff6e5e7b"
    "9f086b000000000400a00e02046cf552270201000201003000"
)
"""What snmpinform asks first: which engine we are."""


@dataclass
class Receiving:
    """A receiver at work, and what it has told."""

    receiver: TrapReceiver
    decoder: Decoder
    port: int
    folder: str
    """Where net-snmp's commands keep what they remember."""
    told: list[Told] = field(default_factory=list)
    end: Mapping[Dropped, int] | None = None

    async def send(self, command: str, *arguments: str) -> tuple[int, str]:
        """Run snmptrap or snmpinform: its exit code and what it said."""
        version = arguments[: arguments.index("-")]
        process = await asyncio.create_subprocess_exec(
            *(command, *version, f"127.0.0.1:{self.port}", *arguments[len(version) + 1 :]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": self.folder},
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def send_raw(self, data: bytes, source: str = "127.0.0.1") -> None:
        """One datagram, from an address of loopback."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind((source, 0))
            made.sendto(data, ("127.0.0.1", self.port))

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for it, with a deadline."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.told, dict(self.receiver.dropped))
            await asyncio.sleep(0.01)

    def judged(self, count: int) -> bool:
        """Whether so many were told or dropped."""
        return len(self.told) + sum(self.dropped().values()) == count

    def dropped(self) -> Mapping[Dropped, int]:
        """What was dropped, without zeros; at its end, once the socket is closed."""
        found = self.receiver.dropped if self.end is None else self.end
        return {reason: count for reason, count in found.items() if count}


@contextlib.contextmanager
def remembering() -> Iterator[str]:
    """A folder for what net-snmp's commands keep; they would say that they make what it lacks."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cert_indexes").mkdir()
        yield folder


@contextlib.asynccontextmanager
async def receiving(
    *agents: SnmpAgent, address: str = "127.0.0.1", engines: Mapping[bytes, str] | None = None
) -> AsyncIterator[Receiving]:
    """A receiver that knows a device `device/0`, `device/1` … for each agent."""
    sock = opened("127.0.0.1", 0)
    decoder = Decoder(OUR_ENGINE, time.time)
    told: list[Told] = []
    receiver = TrapReceiver(sock, decoder, told.append, time.monotonic)
    devices = [(address, Sender(f"device/{place}", agent)) for place, agent in enumerate(agents)]
    receiver.filter.know(devices, engines or {})
    task = asyncio.create_task(receiver.run())
    try:
        with remembering() as folder:
            at = Receiving(receiver, decoder, sock.getsockname()[1], folder, told)
            yield at
        at.end = dict(receiver.dropped)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        sock.close()


# What is believed


@needs_snmp
async def test_a_trap_of_each_version_is_told_in_one_form() -> None:
    async with receiving(COMMUNITY) as at:
        await at.send("snmptrap", "-v2c", "-c", "valley", "-", "77", COLD_START)
        await at.until(lambda: len(at.told) == 1)
        on_battery = ("1.3.6.1.2.1.33.2", "10.0.0.1", "6", "1", "55", "1.3.6.1.2.1.33.1.2.3.0", "i", "5")
        await at.send("snmptrap", "-v1", "-c", "valley", "-", *on_battery)
        await at.send("snmptrap", "-v1", "-c", "valley", "-", "1.3.6.1.4.1.8072.3.2.10", "10.0.0.1", "2", "0", "56")
        await at.until(lambda: len(at.told) == 3)
    assert [(told.target, told.oid) for told in at.told] == [
        ("device/0", COLD_START),
        ("device/0", "1.3.6.1.2.1.33.2.0.1"),
        ("device/0", LINK_DOWN),
    ]
    assert at.told[1].objects["1.3.6.1.2.1.33.1.2.3.0"] == 5
    assert "valley" not in repr(at.told)
    assert at.dropped() == {}


@needs_snmp
async def test_an_inform_is_acknowledged_and_told_once() -> None:
    async with receiving(COMMUNITY) as at:
        code, said = await at.send("snmpinform", "-v2c", "-c", "valley", "-t", "10", "-", "77", COLD_START)
    assert (code, said) == (0, "")
    assert [told.oid for told in at.told] == [COLD_START]


@needs_snmp
async def test_signed_and_encrypted_traps_and_informs_are_believed() -> None:
    async with receiving(USER) as at:
        await at.send("snmptrap", *SAFE, "-e", f"0x{ENGINE}", "-", "77", COLD_START)
        await at.until(lambda: len(at.told) == 1)
        code, said = await at.send("snmpinform", *SAFE, "-t", "10", "-", "78", LINK_DOWN)
    assert (code, said) == (0, "")
    assert [told.oid for told in at.told] == [COLD_START, LINK_DOWN]
    assert at.dropped() == {}


@needs_snmp
async def test_a_device_behind_another_address_is_known_by_its_engine() -> None:
    engines = {bytes.fromhex(ENGINE): "device/0"}
    async with receiving(USER, address="10.4.4.2", engines=engines) as at:
        await at.send("snmptrap", *SAFE, "-e", f"0x{ENGINE}", "-", "77", COLD_START)
        await at.until(lambda: at.told)
        await at.send("snmptrap", *SAFE, "-e", "0x8000000009090909", "-", "77", COLD_START)
        await at.until(at.dropped)
    assert [told.target for told in at.told] == ["device/0"]
    assert at.dropped() == {Dropped.UNKNOWN_SOURCE: 1}


@needs_snmp
async def test_of_two_devices_at_one_address_the_one_whose_credential_fits_is_told() -> None:
    other = SnmpAgent("127.0.0.1", 1161, "v2c", SecretStr("other"))
    async with receiving(other, COMMUNITY) as at:
        await at.send("snmptrap", "-v2c", "-c", "valley", "-", "77", COLD_START)
        await at.until(lambda: at.told)
    assert [told.target for told in at.told] == ["device/1"]


@needs_snmp
async def test_the_same_trap_again_is_told_once_and_the_next_one_is_told() -> None:
    again = ("-v2c", "-c", "valley", "-", "77", LINK_DOWN, "1.3.6.1.2.1.2.2.1.1.3", "i", "3")
    async with receiving(COMMUNITY) as at:
        for _ in range(3):
            await at.send("snmptrap", *again)
        await at.send("snmptrap", *again[:-1], "4")
        await at.until(lambda: len(at.told) == 2)
        assert at.dropped() == {Dropped.DUPLICATE: 2}


async def test_a_repeated_inform_is_acknowledged_again_without_being_decoded_again() -> None:
    async with receiving(COMMUNITY) as at:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            device.setblocking(False)
            loop = asyncio.get_running_loop()
            answers = []
            for _ in range(3):
                await loop.sock_sendto(device, INFORM, ("127.0.0.1", at.port))
                answers.append(await asyncio.wait_for(loop.sock_recv(device, 4096), 20))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][:2] == INFORM[:2]
        assert (at.receiver.decoded, len(at.told), at.dropped()) == (1, 1, {Dropped.DUPLICATE: 2})


# What is not


@needs_snmp
@pytest.mark.parametrize(
    ("agent", "arguments", "reason"),
    [
        (COMMUNITY, ("-v2c", "-c", "guess"), Dropped.WRONG_COMMUNITY),
        (COMMUNITY, SAFE, Dropped.WRONG_VERSION),
        (USER, ("-v2c", "-c", "valley"), Dropped.WRONG_VERSION),
        (USER, ("-v3", "-l", "noAuthNoPriv", "-u", "lienxa"), Dropped.UNSUPPORTED_LEVEL),
        (USER, ("-v3", "-l", "authNoPriv", *SAFE[3:9]), Dropped.UNSUPPORTED_LEVEL),
        (USER, ("-v3", "-l", "noAuthNoPriv", "-u", "nobody"), Dropped.UNKNOWN_USER),
        (USER, (*SAFE[:8], "guess-guess", *SAFE[9:]), Dropped.WRONG_DIGEST),
        (USER, (*SAFE[:12], "guess-guess"), Dropped.DECRYPTION_ERROR),
    ],
)
async def test_who_has_not_the_devices_credential_is_not_believed(
    agent: SnmpAgent, arguments: tuple[str, ...], reason: Dropped
) -> None:
    engine = ("-e", f"0x{ENGINE}") if "-v3" in arguments else ()
    async with receiving(agent) as at:
        await at.send("snmptrap", *arguments, *engine, "-", "77", COLD_START)
        await at.until(at.dropped)
    assert (at.told, at.dropped()) == ([], {reason: 1})


async def test_a_request_is_no_trap() -> None:
    async with receiving(COMMUNITY) as at:
        at.send_raw(INFORM.replace(b"\xa6", b"\xa0", 1))
        await at.until(at.dropped)
        assert at.dropped() == {Dropped.NOT_A_TRAP: 1}


@needs_snmp
async def test_a_recorded_trap_that_is_sent_again_later_is_not_believed() -> None:
    """net-snmp takes boots and time of a trap from the command line."""
    async with receiving(USER) as at:
        for boots, seconds, uptime in ((7, 1000, "77"), (7, 900, "78"), (7, 700, "79"), (6, 5000, "80")):
            clock = ("-e", f"0x{ENGINE}", "-Z", f"{boots},{seconds}")
            await at.send("snmptrap", *SAFE, *clock, "-", uptime, COLD_START, "1.3.6.1.4.1.9.1.1", "i", uptime)
            sent = int(uptime) - 76
            await at.until(partial(at.judged, sent))
    assert len(at.told) == 2
    assert at.dropped() == {Dropped.NOT_IN_TIME_WINDOW: 2}


async def test_an_unknown_source_is_dropped_before_anything_is_decoded() -> None:
    async with receiving(COMMUNITY, address="127.0.0.9") as at:
        at.send_raw(INFORM)
        await at.until(at.dropped)
        assert at.dropped() == {Dropped.UNKNOWN_SOURCE: 1}
        at.send_raw(INFORM, "127.0.0.9")
        await at.until(lambda: at.told)
        assert at.receiver.decoded == 1


async def test_one_device_may_send_so_much_and_others_are_heard_all_the_same() -> None:
    async with receiving(COMMUNITY) as at:
        at.receiver.filter.know(
            [("127.0.0.1", Sender("device/0", COMMUNITY)), ("127.0.0.2", Sender("device/1", COMMUNITY))], {}
        )
        for number in range(60):
            at.send_raw(numbered(number))
        at.send_raw(numbered(0), "127.0.0.2")
        await at.until(lambda: any(told.target == "device/1" for told in at.told))
        assert SOURCE_BURST <= 60 - at.dropped()[Dropped.RATE] <= SOURCE_BURST + 10


async def test_a_flood_costs_little_is_counted_and_decodes_at_most_20_a_second() -> None:
    """Unknown sources, and the device itself with the right community, in turn, as fast as another process can."""
    count = 100_000
    messages = [numbered(number).hex() for number in range(500)]
    async with receiving(COMMUNITY) as at:
        at.send_raw(INFORM)
        await at.until(lambda: at.told)  # the decoder is there
        decoded, began, cpu_s = at.receiver.decoded, time.monotonic(), _cpu_s()
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOOD, str(at.port), str(count), stdin=asyncio.subprocess.PIPE
        )
        await flood.communicate("\n".join(messages).encode())
        assert flood.returncode == 0
        await at.until(lambda: sum(at.dropped().values()) + at.receiver.decoded - decoded >= count)
        whole_s, spent_s = time.monotonic() - began, _cpu_s() - cpu_s
        assert at.receiver.decoded - decoded <= PER_S * whole_s + 1
        before_decoding = {Dropped.SOCKET_BUFFER, Dropped.UNKNOWN_SOURCE, Dropped.RATE, Dropped.DUPLICATE}
        assert set(at.dropped()) <= before_decoding | {Dropped.OVERLOAD}
        assert sum(at.dropped().values()) + at.receiver.decoded - decoded == count
        assert spent_s < 0.2 * whole_s + 0.1, (spent_s, whole_s)


async def test_a_decoder_that_dies_is_counted_and_started_again() -> None:
    async with receiving(COMMUNITY) as at:
        at.send_raw(numbered(1))
        await at.until(lambda: at.told)
        process = at.decoder._process
        assert process is not None
        process.kill()
        await process.wait()
        at.send_raw(numbered(2))
        await at.until(at.dropped)
        assert at.dropped() == {Dropped.DECODER: 1}
        at.send_raw(numbered(3))
        await at.until(lambda: len(at.told) == 2)
        assert at.decoder.started == 2


async def test_the_loop_goes_on_while_traps_are_decoded() -> None:
    late: list[float] = []

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            late.append(time.monotonic() - before - 0.005)

    async with receiving(COMMUNITY) as at:
        at.send_raw(numbered(0))
        await at.until(lambda: at.told)
        watching = asyncio.create_task(watch())
        for number in range(1, 15):
            at.send_raw(numbered(number))
        await at.until(lambda: len(at.told) == 15)
        watching.cancel()
    assert sorted(late)[len(late) * 9 // 10] < 0.02


# Hostile datagrams


def _mutated(data: st.DataObject, message: bytes) -> bytes:
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    return bytes(changed[: data.draw(st.integers(0, len(changed)))]) if data.draw(st.booleans()) else bytes(changed)


@given(st.data())
@settings(max_examples=400)
def test_no_datagram_upsets_the_filter(data: st.DataObject) -> None:
    message = data.draw(st.one_of(st.binary(max_size=300), st.just(INFORM), st.just(V3_PROBE)))
    if message and data.draw(st.booleans()):
        message = _mutated(data, message)
    known = Filter()
    known.know(
        [("127.0.0.1", Sender("device/0", data.draw(st.sampled_from([COMMUNITY, USER]))))], {b"engine": "device/0"}
    )
    judged = known.admit("127.0.0.1", message, 0.0)
    with contextlib.suppress(Malformed):
        header = sender(message)
        assert isinstance(judged, Dropped) or judged[1] == header


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=20), st.data())
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_datagram_upsets_the_decoder(noise: list[bytes], data: st.DataObject) -> None:
    """Past the filter, as from somebody who knows the community: the process answers each, and goes on."""

    async def scenario() -> None:
        decoder = Decoder(OUR_ENGINE, time.time)
        for message in (
            *noise,
            *(_mutated(data, INFORM) for _ in range(30)),
            *(_mutated(data, V3_PROBE) for _ in range(10)),
        ):
            await decoder.decode(USER if message[:5] == V3_PROBE[:5] else COMMUNITY, b"", message)
        assert (await decoder.decode(COMMUNITY, b"", INFORM)).oid == COLD_START
        assert decoder.started == 1
        await decoder.close()

    asyncio.run(scenario())


# The socket


def test_a_port_in_use_is_told_with_its_number() -> None:
    with opened("127.0.0.1", 0) as first, pytest.raises(TrapsUnavailable, match=r"UDP port .*Address already in use"):
        opened("127.0.0.1", first.getsockname()[1])


def test_one_socket_hears_both_families_and_tells_plain_addresses() -> None:
    with opened(None, 0) as both, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
        four.sendto(b"x", ("127.0.0.1", both.getsockname()[1]))
        both.setblocking(True)
        both.settimeout(5)
        _, source = both.recvfrom(10)
        assert plain_address(source[0]) == "127.0.0.1"
    assert plain_address("fe80::1%eth0") == "fe80::1"


def test_only_what_systemd_hands_to_this_very_process_is_taken() -> None:
    assert handed_in({}) is None
    foreign = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "traps"}
    assert handed_in(foreign) is None
    assert foreign == {}


def test_the_decoders_engine_boots_never_go_back() -> None:
    decoder = Decoder(OUR_ENGINE, lambda: trap_decoder.EPOCH_S + 5.0)

    async def scenario() -> list[int]:
        found = []
        for _ in range(2):
            await decoder._start()
            found.append(decoder._boots)
            await decoder.close()
        return found

    assert asyncio.run(scenario()) == [5, 6]


def _cpu_s() -> float:
    """Of this process, the decoder apart."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


FLOOD = """
import socket, sys
port, count = map(int, sys.argv[1:])
messages = [bytes.fromhex(line) for line in sys.stdin]
known, unknown = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
unknown.bind(("127.0.0.7", 0))
for number in range(count):
    (known if number % 2 else unknown).sendto(messages[number % len(messages)], ("127.0.0.1", port))
"""


def numbered(number: int) -> bytes:
    """A v2c trap whose port is this number."""
    from pyasn1.codec.ber import encoder
    from pysnmp.proto.api import v2c

    pdu = v2c.SNMPv2TrapPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    v2c.apiTrapPDU.set_varbinds(
        pdu,
        [
            (v2c.ObjectIdentifier("1.3.6.1.2.1.1.3.0"), v2c.TimeTicks(77)),
            (v2c.ObjectIdentifier("1.3.6.1.6.3.1.1.4.1.0"), v2c.ObjectIdentifier(LINK_DOWN)),
            (v2c.ObjectIdentifier("1.3.6.1.2.1.2.2.1.1.1"), v2c.Integer32(number)),
        ],
    )
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, "valley")
    v2c.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))
