"""The dns kind against a name server on loopback that answers over UDP, TCP and TLS as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from probes import metrics
from probes.kinds.dns import DnsSettings, check
from probes.protocols import dns as client
from probes.protocols.attempt import Failed
from probes.results import Reason, Result
from tests.probes.authorities import an_authority, written
from tests.probes.conftest import TestNet, beat, descriptors, descriptors_when, free_port, value
from tests.probes.loopback import serving

Answer = Callable[[dns.message.Message], bytes | None]
ZONE = {
    "A": ["203.0.113.10", "203.0.113.11"],
    "AAAA": ["2001:db8::10"],
    "CNAME": ["elsewhere.test."],
    "MX": ["10 mail.portal.test."],
    "NS": ["ns1.portal.test."],
    "SOA": ["ns1.portal.test. admin.portal.test. 2026112601 7200 3600 1209600 300"],
    "TXT": ['"v=spf1 -all"'],
    "SRV": ["10 5 5061 sip.portal.test."],
    "CAA": ['0 issue "ca.test"'],
    "DS": ["12345 13 2 " + "ab" * 32],
}


def reply(asked: dns.message.Message, *, rcode: int = 0, flags: int = 0, records: list[str] | None = None) -> bytes:
    """An answer with the zone's records of the type that was asked for."""
    made = dns.message.make_response(cast(dns.message.QueryMessage, asked))
    made.set_rcode(dns.rcode.Rcode(rcode))
    made.flags |= flags
    (question,) = asked.question
    kind = dns.rdatatype.to_text(question.rdtype)
    found = ZONE.get(kind, []) if records is None else records
    if rcode == 0 and found:
        made.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
    return made.to_wire(max_size=65535)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = self.answer(dns.message.from_wire(data))
        if said is not None:
            self.transport.sendto(said, addr)


@contextlib.asynccontextmanager
async def over_udp(answer: Answer, port: int = 0) -> AsyncIterator[int]:
    """A name server over UDP."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(answer), ("127.0.0.1", port))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def over_tcp(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A name server over TCP, or TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        said = answer(dns.message.from_wire(await reader.readexactly(size)))
        if said is not None:
            writer.write(struct.pack("!H", len(said)) + said)
        await reader.read()

    async with serving(serve, context) as port:
        yield port


async def probe(port: int, **settings: Any) -> Result:
    """One beat."""
    told = {"query": "portal.test", "server": "127.0.0.1", "port": port, "timeout_s": 2, **settings}
    return await check(DnsSettings.model_validate(told), TestNet(), beat())


async def asked(answer: Answer, **settings: Any) -> Result:
    """One beat against a server that answers so over UDP."""
    async with over_udp(answer) as port:
        return await probe(port, **settings)


async def test_a_good_answer_passes_with_its_phases() -> None:
    result = await asked(reply)
    assert (result.reason, result.detail) == (None, "203.0.113.10, 203.0.113.11")
    assert value(result, metrics.DNS_ANSWER_RECORDS) == 2
    assert value(result, metrics.DNS_AUTHENTICATED) == 0
    phases = [value(result, metrics.PROBE_DURATION, phase) for phase in ("resolve", "connect", "request")]
    assert all(seconds is not None and 0 <= seconds < 1 for seconds in phases)


@pytest.mark.parametrize("record", ZONE)
async def test_every_type_of_record_is_read(record: str) -> None:
    result = await asked(reply, record=record)
    assert result.reason is None, result.detail
    assert value(result, metrics.DNS_ANSWER_RECORDS) == len(ZONE[record])


async def test_the_serial_of_a_zone_is_a_value() -> None:
    assert value(await asked(reply, record="SOA"), metrics.DNS_SOA_SERIAL) == 2026112601


async def test_an_address_is_asked_for_in_the_reverse_tree() -> None:
    def answer(question: dns.message.Message) -> bytes:
        assert question.question[0].name.to_text() == "10.113.0.203.in-addr.arpa."
        return reply(question, records=["portal.test."])

    assert (await asked(answer, query="203.0.113.10", record="PTR")).detail == "portal.test."


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [
        (dns.rcode.NXDOMAIN, Reason.NXDOMAIN),
        (dns.rcode.SERVFAIL, Reason.SERVFAIL),
        (dns.rcode.REFUSED, Reason.QUERY_REFUSED),
        (dns.rcode.NOTIMP, Reason.WRONG_STATUS),
    ],
)
async def test_response_codes_are_told_apart(rcode: int, reason: Reason) -> None:
    result = await asked(lambda question: reply(question, rcode=rcode))
    assert (result.reason, result.detail) == (
        reason,
        f"the name server says {dns.rcode.to_text(dns.rcode.Rcode(rcode))}",
    )


async def test_a_name_that_must_not_exist_passes_if_it_does_not() -> None:
    result = await asked(lambda question: reply(question, rcode=dns.rcode.NXDOMAIN), rcode=["NXDOMAIN"])
    assert result.reason is None
    assert (await asked(reply, rcode=["NXDOMAIN"])).reason is Reason.WRONG_STATUS


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"answers": ["203.0.113.12"]}, "203.0.113.12 is not among the records"),
        ({"answers_match": [r"^10\."]}, r"no record matches ^10\."),
        ({"min_records": 3}, "2 A records in place of 3 or more"),
        ({"authenticated": True}, "the resolver has not validated the answer"),
        ({"record": "PTR"}, "0 PTR records in place of 1 or more"),
    ],
)
async def test_wrong_answers_are_named(settings: dict[str, Any], words: str) -> None:
    result = await asked(reply, **settings)
    assert (result.reason, result.detail) == (Reason.WRONG_CONTENT, words)


async def test_right_answers_pass() -> None:
    def answer(question: dns.message.Message) -> bytes:
        assert question.flags & dns.flags.AD
        return reply(question, flags=dns.flags.AD)

    result = await asked(answer, answers=["203.0.113.11"], answers_match=[r"^203\."], authenticated=True)
    assert result.reason is None, result.detail
    assert value(result, metrics.DNS_AUTHENTICATED) == 1


async def test_silence_is_a_time_out_and_a_closed_port_refuses() -> None:
    silent = await asked(lambda _: None, timeout_s=0.2)
    assert (silent.reason, silent.detail) == (Reason.TIMEOUT, "no end of request within 0.2 s")
    assert (await probe(free_port())).reason is Reason.REFUSED


async def test_what_does_not_fit_is_asked_for_over_tcp() -> None:
    async with (
        over_tcp(reply) as port,
        over_udp(lambda question: reply(question, flags=dns.flags.TC, records=[]), port),
    ):
        result = await probe(port)
    assert (result.reason, value(result, metrics.DNS_ANSWER_RECORDS)) == (None, 2)


async def test_tcp_is_asked_first_where_it_should_be() -> None:
    async with over_tcp(reply) as port:
        assert (await probe(port, transport="tcp")).reason is None


async def test_dns_over_tls_is_verified(tmp_path: Path) -> None:
    root = an_authority()
    files = written(tmp_path, root, root.issue())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain)
    trusted = {"transport": "tls", "ca_file": str(files.authority)}
    async with over_tcp(reply, context) as port:
        good = await probe(port, server_name="portal.test", **trusted)
        other = await probe(port, server_name="other.test", **trusted)
        strange = await probe(port, transport="tls")
        careless = await probe(port, transport="tls", verify_tls=False)
    assert good.reason is None, good.detail
    assert value(good, metrics.PROBE_DURATION, "tls") is not None
    assert other.detail == "the certificate is for another host: portal.test, 127.0.0.1"
    assert strange.reason is Reason.TLS_ERROR
    assert careless.reason is None


async def test_answers_to_other_questions_are_passed_over_until_the_right_one_comes() -> None:
    def answer(question: dns.message.Message) -> bytes:
        said = reply(question)
        return bytes([said[0] ^ 1]) + said[1:]

    assert (await asked(answer, timeout_s=0.2)).reason is Reason.TIMEOUT


async def test_an_answer_to_another_name_is_invalid() -> None:
    def answer(question: dns.message.Message) -> bytes:
        other = dns.message.make_query("other.test", "A", id=question.id)
        return reply(other)

    result = await asked(answer)
    assert (result.reason, result.detail) == (Reason.PROTOCOL_ERROR, "the answer is to another question")


@pytest.mark.parametrize(
    "damage",
    [
        lambda said: said[:2],
        lambda said: said[:20],
        lambda said: said[:12] + b"\xc0\x0c" + said[14:],  # a name that points to itself
        lambda said: said[:6] + b"\xff\xff" + said[8:],  # 65,535 records announced
        lambda said: said[:2] + bytes(1400),
    ],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_damaged_answers_are_a_bounded_reason(transport: str, damage: Callable[[bytes], bytes]) -> None:
    over = over_udp if transport == "udp" else over_tcp
    async with over(lambda question: damage(reply(question))) as port:
        result = await probe(port, transport=transport)
    assert result.reason is Reason.PROTOCOL_ERROR
    assert result.detail in {"the answer is no DNS message", "the answer is to another question"}


async def test_half_an_answer_over_tcp_is_named() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(b"\x01\x00half")

    async with serving(serve) as port:
        result = await probe(port, transport="tcp")
    assert result.reason is Reason.PROTOCOL_ERROR


async def test_no_random_damage_is_an_exception() -> None:
    chance = random.Random(6)
    for _ in range(2000):
        question = client.question(
            client.name_of("portal.test"), chance.choice(list(ZONE)), recursion=True, validation=False
        )
        said = bytearray(reply(question))
        for _ in range(chance.randrange(1, 6)):
            said[chance.randrange(2, len(said))] = chance.randrange(256)
        with contextlib.suppress(Failed):
            client.records_of(await client._read(bytes(said), question), "TXT")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"query": "a..b"}, "must be a name of at most 63 letters between dots"),
        ({"answers_match": ["(a"]}, "must be a regular expression as RE2 takes them: missing )"),
        ({"ca_file": "ca.pem"}, "should match pattern"),
    ],
)
def test_settings_that_cannot_work_are_refused(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as error:
        DnsSettings.model_validate({"query": "portal.test", "server": "127.0.0.1", **told})
    assert words in str(error.value)


async def test_no_descriptor_is_left_whatever_happens() -> None:
    async with over_udp(reply) as port, over_udp(lambda _: None) as silent:
        await probe(port)
        before = descriptors()
        for _ in range(3):
            await probe(port)
            await probe(silent, timeout_s=0.05)
            await probe(port, transport="tcp")
        assert await descriptors_when(before) == before
