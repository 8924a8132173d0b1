"""One socket to one SNMP agent: sends, waits, sends again, and lets through only what that agent itself can have sent.

gufo-snmp 0.13 reads the network itself: it tells neither errors nor ids, believes unsigned answers, and gives a request
that is sent again another id, so that a late answer is lost. Therefore the network is ours and gufo-snmp is the codec:
its descriptor is one end of a local pair, through which each request is fetched and each answer is handed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gufo.snmp import SnmpAuthError
from gufo.snmp import SnmpError as GufoError
from gufo.snmp._fast import SnmpV1ClientSocket, SnmpV2cClientSocket, SnmpV3ClientSocket

from probes.ports import SnmpAgent, SnmpError
from probes.protocols.snmp_header import Header, Malformed, read
from probes.protocols.tcp import meaning, reason_of
from probes.results import Reason

Fast = SnmpV1ClientSocket | SnmpV2cClientSocket | SnmpV3ClientSocket
Accepts = Callable[[bytes, Header], bool]

LARGEST = 4080
"""Octets that gufo-snmp reads of a datagram; what it cuts off makes the rest unreadable."""
MOST_AT_ONCE = 32
"""Datagrams that are looked at before the event loop gets its turn."""
UNREADABLE = "an answer that cannot be read"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought; `error` as the agent tells it where that is not `encrypted`."""

    value: Any = None
    error: Reason | None = None
    index: int = 0
    """error-index: which of the objects asked for, from 1."""
    encrypted: bool = False


class Codec:
    """The local pair; all wires share it, as each use of it is over before the next one begins."""

    def __init__(self) -> None:
        os.environ["RUST_BACKTRACE"] = (
            "0"  # gufo-snmp panics on some answers: to find the names of its frames takes 1 s
        )
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def close(self) -> None:
        """No wire can be used any more."""
        self._ours.close()
        self._theirs.close()

    __del__ = close

    def adopt(self, fast: Fast) -> None:
        """Take the place of the socket that gufo-snmp has opened."""
        os.dup2(self._theirs.fileno(), fast.get_fd(), inheritable=False)

    def request(self, send: Callable[[], None]) -> bytes:
        """What `send` makes gufo-snmp send; raises `SnmpError` where it cannot be encoded."""
        try:
            send()
        except (GufoError, ValueError, RuntimeError, OSError):
            raise SnmpError(Reason.PROTOCOL_ERROR, "not an object identifier, or too many of them") from None
        return self._ours.recv(LARGEST)

    def decoded(self, receive: Callable[[], object], data: bytes) -> object:
        """What gufo-snmp makes of an answer; raises what it raises."""
        self._ours.send(data)
        try:
            return receive()
        except BaseException:  # nothing may be left, whatever happened
            with contextlib.suppress(BlockingIOError):
                self._theirs.recv(1)
            raise


class Wire:
    """One socket; one request at a time. `listen` and `rest` frame its use, so that an idle one costs nothing."""

    def __init__(self, agent: SnmpAgent, codec: Codec, fast: Fast, accepts: Accepts, ignored: Counter[str]) -> None:
        """`accepts` judges a datagram by its header; what is dropped is counted in `ignored`. Raises `OSError`."""
        self.fast = fast
        self.accepts = accepts
        self._codec = codec
        self._ignored = ignored
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = socket.socket(socket.AF_INET6 if ":" in agent.address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect((agent.address, agent.port))
        except OSError:
            self._socket.close()
            raise
        codec.adopt(fast)
        self._waiter: asyncio.Future[bool] | None = None
        self._hint: tuple[Reason, str] | None = None
        self._request = b""

    def close(self) -> None:
        """Close the socket."""
        self.rest()
        self._socket.close()

    def __del__(self) -> None:
        """Sessions that nobody has closed leave nothing open."""
        if opened := getattr(self, "_socket", None):  # there may have been no descriptor for it
            opened.close()

    def listen(self) -> None:
        """Watch the socket."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._wake, True)

    def rest(self) -> None:
        """Stop watching."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        self._loop = None

    async def ask(
        self,
        send: Callable[[], None],
        receive: Callable[[], object],
        waits_s: Sequence[float],
        deadline: float,
    ) -> Answer:
        """Send until answered; `deadline` is in the loop's time. Raises `SnmpError`, `Reason.TIMEOUT` for silence."""
        loop = asyncio.get_running_loop()
        self._hint = None
        request = self._request = self._codec.request(send)
        for wait_s in waits_s:
            now = loop.time()
            if now >= deadline:
                break
            self._send(request)
            timer = loop.call_at(min(now + wait_s, deadline), self._wake, False)
            try:
                while True:
                    self._waiter = loop.create_future()
                    readable = await self._waiter
                    answer = self._take(receive)  # also at the end: a loop that was held up may see its timer first
                    if answer is not None:
                        return answer
                    if not readable:
                        break
            finally:
                timer.cancel()
                self._waiter = None
        raise self._silence()

    def _silence(self) -> SnmpError:
        return SnmpError(Reason.TIMEOUT) if self._hint is None else SnmpError(*self._hint)

    def _wake(self, readable: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(readable)

    def _send(self, request: bytes) -> None:
        try:
            self._socket.send(request)
        except BlockingIOError:  # our own buffer is full: as if it were lost on the way
            pass
        except OSError as error:  # also an ICMP error that came before, as the socket is connected
            raise SnmpError(reason_of(error), meaning(error)) from None

    def _take(self, receive: Callable[[], object]) -> Answer | None:
        """The first of the next datagrams that answers; the ones before it are dropped."""
        for _ in range(MOST_AT_ONCE):
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return None
            except OSError as error:
                raise SnmpError(reason_of(error), meaning(error)) from None
            try:
                header = read(data)
            except Malformed:
                self._ignored["malformed"] += 1
                self._hint = (Reason.PROTOCOL_ERROR, UNREADABLE)
                continue
            if not self.accepts(data, header):
                self._ignored["foreign"] += 1
                continue
            if header.report is not None and header.message_id != read(self._request).message_id:
                self._ignored["stale"] += 1  # a replayed one, as reports may come unsigned: RFC 3412, 7.2.11
                continue
            if len(data) > LARGEST:
                self._ignored["too_long"] += 1
                return Answer(error=Reason.TOO_BIG)
            answer = self._decode(receive, data, header)
            if answer is not None:
                return answer
        return None  # whoever floods us does not get the whole loop: there is a next turn

    def _decode(self, receive: Callable[[], object], data: bytes, header: Header) -> Answer | None:
        """None where gufo-snmp finds that it is no answer to this request."""
        try:
            value = self._codec.decoded(receive, data)
        except BlockingIOError:
            self._ignored["stale"] += 1
            if header.report is Reason.UNKNOWN_ENGINE:  # gufo-snmp minds the other engine id
                return Answer(error=Reason.UNKNOWN_ENGINE)
            if header.report is not None and self._hint is None:
                self._hint = (header.report, "")
            return None
        except StopAsyncIteration:  # the answer to a GETNEXT or GETBULK has no rows
            value = None
        except SnmpAuthError:
            return Answer(None, header.report or header.error or Reason.NO_ACCESS, header.index)
        except RuntimeError:  # it answers this request, with an impossible object identifier
            raise SnmpError(Reason.PROTOCOL_ERROR, UNREADABLE) from None
        except GufoError:
            self._undecodable()
            return None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # gufo-snmp 0.13 fails so on an empty element
                raise
            self._undecodable()
            return None
        return Answer(value, header.error, header.index, header.encrypted)

    def _undecodable(self) -> None:
        """Someone else may have sent it: the real answer is still waited for."""
        self._ignored["undecodable"] += 1
        self._hint = (Reason.PROTOCOL_ERROR, UNREADABLE)
