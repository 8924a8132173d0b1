"""An SNMP agent for the lab: versions 1 and 2c (RFC 1157, RFC 3416), read only, over a small table of objects."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type.base import Asn1Item
from pyasn1.type.univ import Integer, Null
from pysnmp.proto import api, error
from pysnmp.proto.rfc1902 import Counter64, ObjectIdentifier
from pysnmp.proto.rfc1905 import endOfMibView, noSuchInstance

Oid = tuple[int, ...]
Read = Callable[[], Asn1Item | None]
"""Gives an object's value at this moment; None while the object is not there."""

_GET, _GETNEXT, _RESPONSE, _SET, _GETBULK = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5
_SEQUENCE = 0x30
_NO_SUCH_NAME, _NOT_WRITABLE = 2, 17  # RFC 1157, 4.1.1; RFC 3416, 3
_ANSWER_BYTES = 1400  # a GETBULK answer stops here, short of fragmentation
_MOST_REPETITIONS = 100

_NOTHING_THERE = encoder.encode(noSuchInstance)
_END = encoder.encode(endOfMibView)
_NULL = encoder.encode(Null(""))


def oid(text: str) -> Oid:
    """An object identifier from its dotted form."""
    return tuple(int(arc) for arc in text.split("."))


@lru_cache(maxsize=65536)
def _name(which: Oid) -> bytes:
    return bytes(encoder.encode(ObjectIdentifier(which)))


def _tlv(tag: int, *parts: bytes) -> bytes:
    """One BER element (X.690) around encoded ones."""
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


class Table:
    """Objects in the order of their identifiers."""

    def __init__(self, objects: Mapping[Oid, Read]) -> None:
        """`objects` by the full identifier of each instance."""
        self._reads = dict(objects)
        self._oids = sorted(self._reads)

    def get(self, which: Oid) -> Asn1Item | None:
        """The value of one instance; None where there is none."""
        read = self._reads.get(which)
        return read() if read else None

    def after(self, which: Oid) -> tuple[Oid, Asn1Item] | None:
        """The next instance in order; None at the end."""
        for place in range(bisect.bisect_right(self._oids, which), len(self._oids)):
            value = self.get(self._oids[place])
            if value is not None:
                return self._oids[place], value
        return None


class SnmpAgent(asyncio.DatagramProtocol):
    """Answers one device's datagrams; silent to any community but its own, as real devices are."""

    def __init__(self, community: str, table: Table) -> None:
        """A device without a table's objects answers for none."""
        self._community = community.encode()
        self._table = table
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to answer by."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer a request, or stay silent."""
        answer = self.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def answer(self, datagram: bytes) -> bytes | None:
        """The response to a request of v1 or v2c; None to anything else."""
        try:
            version = api.decodeMessageVersion(datagram)
            protocol = api.PROTOCOL_MODULES[version]
            message, _ = decoder.decode(datagram, asn1Spec=protocol.Message())
            pdu = protocol.apiMessage.get_pdu(message)
            community = protocol.apiMessage.get_community(message).asOctets()
            kind = 0xA0 | pdu.tagSet.superTags[-1].tagId
            if community != self._community or kind not in (_GET, _GETNEXT, _SET, _GETBULK):
                return None
            request = encoder.encode(pdu[0])
            asked = [tuple(pair[0]) for pair in pdu[3]]
            v1 = version == api.SNMP_VERSION_1
            if kind == _GETBULK:
                status, index, found = 0, 0, self._bulk(asked, int(pdu[1]), int(pdu[2]))
            else:
                status, index, found = self._one_each(kind, asked, v1)
        except (PyAsn1Error, error.ProtocolError, KeyError, IndexError, ValueError):
            return None  # not SNMP, or no version that this agent speaks
        return _tlv(
            _SEQUENCE,
            encoder.encode(Integer(version)),
            encoder.encode(message[1]),
            _tlv(
                _RESPONSE,
                request,
                encoder.encode(Integer(status)),
                encoder.encode(Integer(index)),
                _tlv(_SEQUENCE, *found),
            ),
        )

    def _one_each(self, kind: int, asked: Sequence[Oid], v1: bool) -> tuple[int, int, list[bytes]]:
        """Error status, error index and variable bindings of a GET or GETNEXT; a SET is refused."""
        found = []
        for index, which in enumerate(asked, start=1):
            if kind == _GET:
                value = self._table.get(which)
                pair = None if value is None else (which, value)
            else:
                pair = self._following(which, v1) if kind == _GETNEXT else None
            if pair is None and (v1 or kind not in (_GET, _GETNEXT)):
                return _NO_SUCH_NAME if v1 else _NOT_WRITABLE, index, [_bound(each, _NULL) for each in asked]
            missing = _NOTHING_THERE if kind == _GET else _END
            found.append(_bound(which, missing) if pair is None else _bound(pair[0], encoder.encode(pair[1])))
        return 0, 0, found

    def _following(self, which: Oid, v1: bool) -> tuple[Oid, Asn1Item] | None:
        """The next object; Counter64 does not exist in version 1 (RFC 3584, 4.2.2.1)."""
        pair = self._table.after(which)
        while v1 and pair is not None and isinstance(pair[1], Counter64):
            pair = self._table.after(pair[0])
        return pair

    def _bulk(self, asked: Sequence[Oid], once: int, repetitions: int) -> list[bytes]:
        """Variable bindings of a GETBULK (RFC 3416, 4.2.3), as many as fit."""
        found = [self._bound_after(which)[1] for which in asked[: max(0, once)]]
        columns = list(asked[max(0, once) :])
        for _ in range(min(repetitions, _MOST_REPETITIONS)):
            before = list(columns)
            for place, which in enumerate(before):
                columns[place], bound = self._bound_after(which)
                found.append(bound)
            if columns == before or sum(map(len, found)) > _ANSWER_BYTES:
                break
        while len(found) > 1 and sum(map(len, found)) > _ANSWER_BYTES:
            found.pop()
        return found

    def _bound_after(self, which: Oid) -> tuple[Oid, bytes]:
        pair = self._table.after(which)
        return (which, _bound(which, _END)) if pair is None else (pair[0], _bound(pair[0], encoder.encode(pair[1])))


def _bound(which: Oid, value: bytes) -> bytes:
    return _tlv(_SEQUENCE, _name(which), value)
