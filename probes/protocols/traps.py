"""Receives traps and informs: reads, filters, decodes at most 20 a second, drops what comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from probes.protocols.icmp.edge import Drops
from probes.protocols.snmp_header import V3, Header
from probes.protocols.trap_decoder import Decoded, Decoder, DecoderFailed
from probes.protocols.trap_filter import Dropped, Filter, Sender
from probes.protocols.trap_socket import plain_address

PER_S = 20.0
"""Messages decoded in a second: 2 to 30 ms of a processor each, so at most half of one."""
WAITING = 256
BATCH, PAUSE_S = 64, 0.02
"""Datagrams read at a time, and the pause after a full batch: a flood costs us so much and no more, the rest fills the
socket's buffer and is dropped and counted by the kernel."""
LARGEST = 65_536
AGAIN_S, SAME_S = 60.0, 5.0
"""How long one and the same message is a repetition, and how long a message with the same contents is."""
WINDOW_S = 150
"""RFC 3414, 2.2.3."""
REMEMBERED = 1024
IDLE_S = 600.0
"""After which the decoding process, 40 MB of it, is ended."""
UPTIME = "1.3.6.1.2.1.1.3.0"


@dataclass(frozen=True, slots=True)
class Told:
    """A trap or inform that is believed: which device, which trap, what it carries, when it came (monotonic)."""

    target: str
    oid: str
    objects: Mapping[str, int | str]
    at: float


@dataclass(slots=True)
class _Message:
    device: Sender
    header: Header
    data: bytes
    source: Any
    at: float
    key: bytes
    """The same for one and the same message from one address."""


@dataclass(slots=True)
class _Seen:
    at: float
    replies: tuple[bytes, ...] = field(default=())


class TrapReceiver:
    """One socket; `take` is called in the loop for every trap that is believed, and must not block."""

    def __init__(
        self, sock: socket.socket, decoder: Decoder, take: Callable[[Told], None], clock: Callable[[], float]
    ) -> None:
        """`clock` gives monotonic seconds. The socket is non-blocking; whoever opened it closes it."""
        self.filter = Filter()
        self.decoded = 0
        self._sock = sock
        self._decoder = decoder
        self._take = take
        self._clock = clock
        self._dropped: Counter[Dropped] = Counter()
        self._drops = Drops(sock)
        self._queue: asyncio.Queue[_Message] = asyncio.Queue(WAITING)
        self._buffer = bytearray(LARGEST)
        self._messages: OrderedDict[bytes, _Seen] = OrderedDict()
        self._contents: OrderedDict[bytes, tuple[float, object]] = OrderedDict()
        self._engines: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    @property
    def dropped(self) -> Mapping[Dropped, int]:
        """Datagrams that were not believed so far, by reason."""
        self._dropped[Dropped.SOCKET_BUFFER] = self._drops.count()
        return self._dropped

    async def run(self) -> None:
        """Receive until cancelled."""
        loop = asyncio.get_running_loop()
        resume: asyncio.TimerHandle | None = None

        def listen() -> None:
            loop.add_reader(self._sock.fileno(), readable)

        def readable() -> None:
            nonlocal resume
            if self._read():
                loop.remove_reader(self._sock.fileno())
                resume = loop.call_later(PAUSE_S, listen)

        listen()
        try:
            await self._decode_all()
        finally:
            if resume is not None:
                resume.cancel()
            loop.remove_reader(self._sock.fileno())
            await self._decoder.close()

    def _read(self) -> bool:
        """Read a batch; whether there may be more."""
        now = self._clock()
        view = memoryview(self._buffer)
        for _ in range(BATCH):
            try:
                size, source = self._sock.recvfrom_into(self._buffer)
            except OSError:  # nothing more, or an ICMP error about a reply of ours
                return False
            self._receive(view[:size], source, now)
        return True

    def _receive(self, data: memoryview, source: Any, now: float) -> None:
        address = plain_address(source[0])
        judged = self.filter.admit(address, data, now)
        if isinstance(judged, Dropped):
            self._dropped[judged] += 1
            return
        message = bytes(data)
        key = hashlib.blake2b(message, key=address.encode()).digest()
        seen = self._messages.get(key)
        if seen is not None and now - seen.at < AGAIN_S:
            self._dropped[Dropped.DUPLICATE] += 1
            self._send(seen.replies, source)
            return
        if self._queue.full():
            self._dropped[Dropped.OVERLOAD] += 1
            return
        device, header = judged
        self._queue.put_nowait(_Message(device, header, message, source, now, key))
        _remember(self._messages, key, _Seen(now))

    async def _decode_all(self) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    message = await self._queue.get()
            except TimeoutError:
                await self._decoder.close()
                continue
            started = self._clock()
            await self._decode(message)
            await asyncio.sleep(max(0.0, started + 1 / PER_S - self._clock()))

    async def _decode(self, message: _Message) -> None:
        self.decoded += 1
        try:
            decoded = await self._decoder.decode(message.device.agent, message.header.engine_id, message.data)
        except DecoderFailed:
            self._dropped[Dropped.DECODER] += 1
            self._messages.pop(message.key, None)
            return
        self._send(decoded.replies, message.source)
        if decoded.oid is None:
            self._messages.pop(message.key, None)
            if not decoded.replies:  # with one, it was told our engine or time, and sends again
                self._dropped[_refused(decoded.problem)] += 1
            return
        if message.key in self._messages:
            self._messages[message.key].replies = decoded.replies
        if (why := self._old_or_known(message, decoded)) is not None:
            self._dropped[why] += 1
            return
        self._take(Told(message.device.target, decoded.oid, decoded.objects, message.at))

    def _old_or_known(self, message: _Message, decoded: Decoded) -> Dropped | None:
        """Whether this is a recording, or the same trap again. Its signature is right, so that its time is its own.

        pysnmp takes over a sender's time before it compares it, so that nothing is ever too old for it.
        """
        header = message.header
        if header.version == V3 and header.authenticated and header.engine_id != self._decoder.engine_id:
            boots, time = self._engines.get(header.engine_id, (0, 0))
            if (header.boots, header.time + WINDOW_S) < (boots, time):
                return Dropped.NOT_IN_TIME_WINDOW
            _remember(self._engines, header.engine_id, max((boots, time), (header.boots, header.time)))
        rest = sorted((name, value) for name, value in decoded.objects.items() if name != UPTIME)
        contents = hashlib.blake2b(repr((message.device.target, decoded.oid, rest)).encode()).digest()
        uptime = decoded.objects.get(UPTIME)
        at, before = self._contents.get(contents, (-math.inf, None))
        _remember(self._contents, contents, (message.at, uptime))
        again_s = AGAIN_S if uptime == before else SAME_S
        return Dropped.DUPLICATE if message.at - at < again_s else None

    def _send(self, replies: tuple[bytes, ...], to: Any) -> None:
        for reply in replies:
            with contextlib.suppress(OSError):  # who does not get it asks again
                self._sock.sendto(reply, to)


def _refused(problem: str | None) -> Dropped:
    return Dropped(problem) if problem in set(Dropped) else Dropped.UNREADABLE


def _remember(where: OrderedDict[Any, Any], key: object, what: object) -> None:
    where[key] = what
    where.move_to_end(key)
    if len(where) > REMEMBERED:
        where.popitem(last=False)
