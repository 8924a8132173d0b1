"""A small SNMPv2c agent in the test's own loop, that can misbehave: pysnmp's codec over a datagram socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.api import v2c

Oid = tuple[int, ...]
Objects = Mapping[str, object]
"""Object identifier -> int (Integer32), bytes (OCTET STRING) or a value of `pysnmp.proto.api.v2c`."""

Counter32 = v2c.Counter32
Counter64 = v2c.Counter64
Gauge32 = v2c.Gauge32
TimeTicks = v2c.TimeTicks
ObjectIdentifier = v2c.ObjectIdentifier

TOO_BIG, GEN_ERR = 1, 5  # RFC 3416, error-status


class Device(asyncio.DatagramProtocol):
    """Answers GET, GETNEXT and GETBULK from a table; `requests` counts them."""

    def __init__(self, objects: Objects) -> None:
        self.objects = {tuple(map(int, oid.split("."))): _typed(value) for oid, value in objects.items()}
        self.requests = 0
        self.ignored = 0
        """How many of the next requests get no answer."""
        self.most: int | None = None
        """Objects in a GET above which the answer is tooBig."""
        self.broken_below: str | None = None
        """A subtree that is answered with genErr."""
        self.next_of: Callable[[Oid], Oid | None] = self._next
        self.extra: Oid | None = None
        """An object that is added to every GET though nobody asked."""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one request."""
        self.requests += 1
        if self.ignored:
            self.ignored -= 1
            return
        message, _ = decoder.decode(data, asn1Spec=v2c.Message())
        request = v2c.apiMessage.get_pdu(message)
        asked = [tuple(oid) for oid, _ in v2c.apiPDU.get_varbinds(request)]
        answer = v2c.apiMessage.get_response(message)
        response = v2c.apiMessage.get_pdu(answer)
        status, found = self._answer(request, asked)
        v2c.apiPDU.set_error_status(response, status)
        v2c.apiPDU.set_error_index(response, 0)
        v2c.apiPDU.set_varbinds(response, found)
        assert self._transport is not None
        self._transport.sendto(encoder.encode(answer), addr)

    def _answer(self, request: Any, asked: list[Oid]) -> tuple[int, list[tuple[Any, Any]]]:
        if self.broken_below is not None:
            broken = tuple(map(int, self.broken_below.split(".")))
            if any(oid[: len(broken)] == broken for oid in asked):
                return GEN_ERR, [(v2c.ObjectIdentifier(oid), v2c.null) for oid in asked]
        if request.isSameTypeWith(v2c.GetRequestPDU()):
            if self.most is not None and len(asked) > self.most:
                return TOO_BIG, []
            found = [(v2c.ObjectIdentifier(oid), self.objects.get(oid, v2c.NoSuchObject(""))) for oid in asked]
            if self.extra is not None:
                found.append((v2c.ObjectIdentifier(self.extra), v2c.Integer32(1)))
            return 0, found
        repeat = 1
        if request.isSameTypeWith(v2c.GetBulkRequestPDU()):
            repeat = int(v2c.apiBulkPDU.get_max_repetitions(request))
        rows: list[tuple[Any, Any]] = []
        at = asked[0]
        for _ in range(repeat):
            following = self.next_of(at)
            if following is None:
                rows.append((v2c.ObjectIdentifier(at), v2c.EndOfMibView("")))
                break
            rows.append((v2c.ObjectIdentifier(following), self.objects[following]))
            at = following
        return 0, rows

    def _next(self, oid: Oid) -> Oid | None:
        return min((other for other in self.objects if other > oid), default=None)


def _typed(value: object) -> Any:
    if isinstance(value, int):
        return v2c.Integer32(value)
    return v2c.OctetString(value) if isinstance(value, bytes) else value


@contextlib.asynccontextmanager
async def playing(objects: Objects) -> AsyncIterator[tuple[Device, int]]:
    """The device and its UDP port on 127.0.0.1."""
    transport, device = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Device(objects), local_addr=("127.0.0.1", 0)
    )
    try:
        yield device, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)
