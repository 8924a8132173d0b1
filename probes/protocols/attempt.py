"""One attempt over a socket: its phases timed, its time bounded, expected trouble as a reason and words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from probes import metrics
from probes.ports import Clock
from probes.protocols import tcp
from probes.results import Reading, Reason

Value = TypeVar("Value")


class Stream(Protocol):
    """Bytes to and from a server, in the clear or over TLS."""

    async def receive(self, limit: int) -> bytes:
        """At most `limit` bytes, as soon as there are any; empty at the end."""
        ...

    async def send(self, data: bytes) -> None:
        """All of it."""
        ...


class Failed(Exception):
    """Why an attempt did not pass; the message repeats nothing of what a server sent but what it says itself."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """`reason` in the vocabulary's words, `detail` for people."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class OutOfTime(Failed):
    """The time for the whole attempt is over."""


class Attempt:
    """The phases of one attempt, in seconds; `phase` is the last one that was begun."""

    def __init__(self, clock: Clock) -> None:
        """Nothing has begun yet."""
        self._clock = clock
        self._durations: dict[str, float] = {}
        self.phase = ""

    @contextlib.contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """What is done within the block belongs to this phase; it counts once it has come to its end."""
        self.phase, began = phase, self._clock.monotonic()
        yield
        self._durations[phase] = self._durations.get(phase, 0.0) + self._clock.monotonic() - began

    @property
    def took_s(self) -> float:
        """All phases together."""
        return sum(self._durations.values())

    def readings(self) -> list[Reading]:
        """The phases that came to their end."""
        return [Reading(metrics.PROBE_DURATION, seconds, (phase,)) for phase, seconds in self._durations.items()]

    async def within(self, timeout_s: float, work: Coroutine[Any, Any, Value]) -> Value | Failed:
        """What `work` gives, or why it gives nothing."""
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except TimeoutError:
            return OutOfTime(Reason.TIMEOUT, f"no end of {self.phase} within {timeout_s:g} s")
        except OSError as error:
            return Failed(tcp.reason_of(error), f"{self.phase}: {tcp.meaning(error)}")
        except Failed as failed:
            return failed


async def exactly(stream: Stream, size: int) -> bytes:
    """So many bytes; raises `Failed` where the stream ends before."""
    received = bytearray()
    while len(received) < size:
        chunk = await stream.receive(size - len(received))
        if not chunk:
            raise Failed(Reason.PROTOCOL_ERROR, "the server closed the connection before its answer was whole")
        received += chunk
    return bytes(received)
