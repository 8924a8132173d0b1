"""One question to one name server (RFC 1035) over UDP, TCP (RFC 7766) or TLS (RFC 7858).

dnspython makes and reads the messages: all record types, response codes and flags are needed, and a server of our
choice for each question, none of which c-ares tells (it keeps looking up the names of hosts, see `names.py`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename

from probes.protocols import certificates
from probes.protocols.attempt import Failed, Stream, exactly
from probes.protocols.tcp import Endpoint
from probes.results import Reason

UDP_BYTES = 1232
"""What fits any path without fragments (DNS flag day 2020)."""
_INLINE_BYTES = 4096
"""Larger messages are read in a thread: one of 64 KiB may take 100 ms."""
_FOREIGN = (dns.exception.DNSException, ValueError, IndexError, struct.error)
"""What dnspython raises for messages that are none."""


@dataclass(frozen=True, slots=True)
class Records:
    """An answer in the words of master files; texts are printable."""

    rcode: str
    """`NOERROR`, `NXDOMAIN` …, `RCODE3841` where it has no name."""
    authenticated: bool
    """Whether the resolver says that it has validated the answer (RFC 4035 3.2.3)."""
    data: tuple[str, ...]
    """Of the records of the type that was asked for, sorted: servers turn the order of their answers."""
    serial: int | None = None
    """Of the zone, where SOA was asked for."""


def name_of(text: str) -> dns.name.Name:
    """A name as people write it; an address stands for its name in the reverse tree. Raises ValueError."""
    try:
        return dns.reversename.from_address(text)
    except (dns.exception.SyntaxError, ValueError):
        pass
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise ValueError("must be a name of at most 63 letters between dots, such as portal.example") from None


def question(name: dns.name.Name, record: str, *, recursion: bool, validation: bool) -> dns.message.QueryMessage:
    """What is asked; with `validation` the resolver is asked to say whether it has validated (RFC 6840 5.7)."""
    asked = dns.message.make_query(name, record, use_edns=0, payload=UDP_BYTES)
    asked.flags = (dns.flags.RD if recursion else dns.flags.Flag(0)) | (
        dns.flags.AD if validation else dns.flags.Flag(0)
    )
    return asked


async def ask_udp(connection: socket.socket, asked: dns.message.QueryMessage) -> dns.message.Message:
    """The answer over a connected UDP socket; raises `Failed`, or OSError (refused: nothing listens there)."""
    loop = asyncio.get_running_loop()
    wire = asked.to_wire()
    await loop.sock_sendall(connection, wire)
    while True:
        received = await loop.sock_recv(connection, 1 << 16)
        if received[:2] == wire[:2]:  # else it answers another question, or somebody guesses (RFC 5452 9.1)
            return await _read(received, asked)


async def ask_stream(stream: Stream, asked: dns.message.QueryMessage) -> dns.message.Message:
    """The answer over TCP or TLS, each message with its length before it (RFC 1035 4.2.2); raises `Failed`, OSError."""
    wire = asked.to_wire()
    await stream.send(struct.pack("!H", len(wire)) + wire)
    (size,) = struct.unpack("!H", await exactly(stream, 2))
    return await _read(await exactly(stream, size), asked)


def truncated(answer: dns.message.Message) -> bool:
    """Whether the answer did not fit and is to be asked for over TCP."""
    return bool(answer.flags & dns.flags.TC)


def udp_socket(endpoint: Endpoint, source: str | None) -> socket.socket:
    """A socket that hears of this server only; the caller closes it."""
    connection = socket.socket(endpoint.family, socket.SOCK_DGRAM)
    try:
        connection.setblocking(False)
        if source is not None:
            connection.bind((source, 0))
        connection.connect(endpoint.address)  # sends nothing
    except BaseException:
        connection.close()
        raise
    return connection


def records_of(answer: dns.message.Message, record: str) -> Records:
    """What an answer says; raises `Failed` for records that cannot be written down."""
    try:
        data = tuple(sorted(_texts(answer, record)))
        code = answer.rcode()
        rcode = dns.rcode.to_text(code)
    except _FOREIGN:
        raise _malformed() from None
    serials = [item.serial for found in answer.answer for item in found if record == "SOA" and hasattr(item, "serial")]
    return Records(
        rcode if rcode.isalpha() else f"RCODE{int(code)}",
        bool(answer.flags & dns.flags.AD),
        data,
        serials[0] if serials else None,
    )


def _texts(answer: dns.message.Message, record: str) -> Iterator[str]:
    wanted = dns.rdatatype.from_text(record)
    for found in answer.answer:
        if found.rdtype == wanted:
            yield from (certificates.words(item.to_text()) for item in found)


async def _read(wire: bytes, asked: dns.message.QueryMessage) -> dns.message.Message:
    try:
        if len(wire) > _INLINE_BYTES:
            answer = await asyncio.to_thread(_parsed, wire)
        else:
            answer = _parsed(wire)
        fits = asked.is_response(answer)
    except _FOREIGN:
        raise _malformed() from None
    if not fits:
        raise Failed(Reason.PROTOCOL_ERROR, "the answer is to another question")
    return answer


def _parsed(wire: bytes) -> dns.message.Message:
    return dns.message.from_wire(wire, ignore_trailing=True)


def _malformed() -> Failed:
    return Failed(Reason.PROTOCOL_ERROR, "the answer is no DNS message")
