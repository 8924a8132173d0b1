"""A conversation in lines, step by step as blackbox_exporter's `query_response`, and how protocols begin TLS in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from probes.model.patterns import compiled
from probes.protocols.attempt import Attempt, Failed, Stream, exactly
from probes.results import Reason

MOST_BYTES = 1 << 16
"""What a server may send within one step."""

StartTls = Literal["smtp", "imap", "pop3", "ldap"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is waited for, then sent, then whether TLS begins; each may be left out."""

    expect: str | None = None
    """RE2; lines are read until one matches."""
    send: str | None = None
    """Followed by a line feed; `${1}`, `${name}` are groups of the last match, `$$` is a dollar sign."""
    starttls: bool = False
    within_s: float | None = None


STARTTLS: Mapping[StartTls, Sequence[Step]] = MappingProxyType(
    {
        "smtp": (  # RFC 3207
            Step("^220 ", "EHLO lienxa.invalid\r"),
            Step("^250[ -]STARTTLS", "STARTTLS\r"),
            Step("^220 ", starttls=True),
        ),
        "imap": (Step("^[*] OK", "a1 STARTTLS\r"), Step("^a1 OK", starttls=True)),  # RFC 9051 6.2.1
        "pop3": (Step("^[+]OK", "STLS\r"), Step("^[+]OK", starttls=True)),  # RFC 2595 4
    }
)

_LDAP_STARTTLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""ExtendedRequest (RFC 4511 4.12, 4.14.1) as message 1."""
_PLACEHOLDER = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")

Begin = Callable[[], Awaitable[Stream]]
"""Begins TLS on the connection."""


class Dialog:
    """Talks over a stream, which `begin_tls` may exchange."""

    def __init__(self, stream: Stream, attempt: Attempt, begin_tls: Begin) -> None:
        """Nothing is said yet."""
        self._stream = stream
        self._attempt = attempt
        self._begin_tls = begin_tls
        self._rest = b""
        self.step = 0
        """The one that is going on, from 1."""
        self.heard = False
        """Whether the server has sent a line in this step, so that its silence is none."""

    async def run(self, steps: Sequence[Step]) -> None:
        """Every step; raises `Failed`, or OSError."""
        groups: Mapping[str, str] = {}
        for self.step, step in enumerate(steps, 1):
            self.heard = False
            with self._attempt.timed("request"):
                try:
                    async with asyncio.timeout(step.within_s):
                        if step.expect is not None:
                            groups = await self._expect(step.expect)
                        if step.send is not None:
                            await self._stream.send(filled(step.send, groups).encode() + b"\n")
                except TimeoutError:
                    raise self.late(f"{step.within_s:g} s") from None
            if step.starttls:
                await self.begin_tls()

    def late(self, time: str) -> Failed:
        """What it means that a step has not ended in time."""
        if self.heard:
            return Failed(Reason.WRONG_CONTENT, f"step {self.step}: no line was as expected within {time}")
        return Failed(Reason.TIMEOUT, f"step {self.step}: no line within {time}")

    async def start_ldap(self) -> None:
        """LDAP's own way to TLS."""
        with self._attempt.timed("request"):
            await self._stream.send(_LDAP_STARTTLS)
            tag, size = await exactly(self._stream, 2)
            if size >= 0x80:  # X.690 8.1.3.5: so many more octets tell the size
                size = int.from_bytes(await exactly(self._stream, min(size & 0x7F, 4)))
            answer = await exactly(self._stream, size) if tag == 0x30 and size <= MOST_BYTES else b""
        # message id 1, ExtendedResponse of any length, resultCode success
        if not re.match(rb"\x02\x01\x01\x78(?:[\x00-\x7f]|\x81.|\x82..|\x84....)\x0a\x01\x00", answer, re.DOTALL):
            raise Failed(Reason.PROTOCOL_ERROR, "the server does not begin TLS")
        await self.begin_tls()

    async def begin_tls(self) -> None:
        """Exchange the stream; what the server has sent ahead of it in the clear is not to be believed."""
        if self._rest:
            raise Failed(Reason.PROTOCOL_ERROR, f"step {self.step}: the server sent more before TLS began")
        self._stream = await self._begin_tls()

    async def _expect(self, pattern: str) -> Mapping[str, str]:
        wanted, read = compiled(pattern), 0
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if not found:
                chunk = await self._stream.receive(MOST_BYTES)
                read += len(chunk)
                self._rest += chunk
                if not chunk and not line:
                    raise self._ended()
                if chunk and read <= MOST_BYTES:
                    continue
                if chunk:
                    raise Failed(
                        Reason.WRONG_CONTENT, f"step {self.step}: nothing was as expected in {MOST_BYTES >> 10} KiB"
                    )
                rest = b""  # a last line without its end
            self._rest, self.heard = rest, True
            match = wanted.search(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if match is not None:
                numbered = {str(number): match.group(number) or "" for number in range(1 + len(match.groups()))}
                return {**numbered, **{name: text or "" for name, text in match.groupdict().items()}}

    def _ended(self) -> Failed:
        if self.heard:
            return Failed(Reason.WRONG_CONTENT, f"step {self.step}: the connection ended without the expected line")
        return Failed(Reason.PROTOCOL_ERROR, f"step {self.step}: the server closed the connection without a line")


def filled(text: str, groups: Mapping[str, str]) -> str:
    """The text with groups of a match in their places, as Go's `Regexp.Expand`; a group that is not there is empty."""
    return _PLACEHOLDER.sub(lambda mark: mark[1] or groups.get(mark[2] or mark[3], ""), text)
