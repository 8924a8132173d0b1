"""The body of an answer: read, decompressed and made text within limits, whatever a server sends."""

from __future__ import annotations

import codecs
import unicodedata
import zlib
from collections.abc import Callable
from typing import Protocol

import re2

READ_BYTES = 1 << 16
"""What is read at once; what is decompressed of it is bounded by what is still wanted."""
_SPARE_BYTES = 1 << 16
"""How much longer than what it holds a compressed body may be."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
"""Window bits: a gzip member (RFC 1952), a zlib stream (RFC 1950), deflate alone (RFC 1951)."""

_NO_CHARSETS = frozenset({"idna", "punycode", "undefined"})
"""Python's codecs that are no character sets of the web; some take quadratic time."""
_MARKS = re2.compile(r"(\p{M}{30})\p{M}+")


class Damaged(Exception):
    """The body is not what its headers say; the message says why, in words of ours."""


class Content(Protocol):
    """Where a body is read from: `aiohttp.StreamReader`."""

    async def read(self, n: int = -1) -> bytes:
        """At most `n` bytes; none at the end."""
        ...


async def read(content: Content, coding: str, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the body, and whether that is all of it; raises `Damaged`.

    `coding` is its content coding (RFC 9110 8.4.1): none, gzip or deflate. However much a compressed body would
    become, no more than `limit` and one byte of it is ever made.
    """
    coding = coding.strip().lower()
    take: Callable[[bytes, int], bytes] = _plain
    inflating = None
    if coding in {"gzip", "x-gzip", "deflate"}:
        inflating = _Inflating(gzip=coding != "deflate")
        take = inflating.take
    elif coding not in {"", "identity"}:
        raise Damaged("the body is in a coding that was not asked for")
    body = bytearray()
    taken = 0
    while len(body) <= limit and taken <= limit + _SPARE_BYTES:
        chunk = await content.read(READ_BYTES if inflating else limit + 1 - len(body))
        if not chunk:
            if inflating and not inflating.ended:
                raise Damaged("the compressed body is cut off")
            return bytes(body), True
        taken += len(chunk)
        body += take(chunk, limit + 1 - len(body))
    return bytes(body[:limit]), False


def _plain(chunk: bytes, room: int) -> bytes:  # noqa: ARG001  # no more was read than there is room for
    return chunk


class _Inflating:
    """One compressed body; of gzip there may be several members, one after the other (RFC 1952 2.2)."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._stream: zlib._Decompress | None = None
        self.ended = True

    def take(self, chunk: bytes, room: int) -> bytes:
        """What becomes of these bytes, at most `room` of it."""
        made = bytearray()
        try:
            while chunk and len(made) < room:
                if self._stream is None:
                    self._stream, self.ended = zlib.decompressobj(self._window(chunk)), False
                made += self._stream.decompress(chunk, room - len(made))
                chunk = self._stream.unconsumed_tail
                if self._stream.eof:
                    chunk = self._stream.unused_data if self._gzip else b""
                    self._stream, self.ended = None, True
        except zlib.error:
            raise Damaged("the compressed body is damaged") from None
        return bytes(made)

    def _window(self, chunk: bytes) -> int:
        """How it is wrapped: by `deflate` the standard means zlib, some servers the stream alone."""
        if self._gzip:
            return _GZIP
        return _ZLIB if chunk[0] & 0x0F == 8 else _RAW


def text(body: bytes, charset: str | None) -> str:
    """The body as text, composed: Vietnamese is written in both forms (Unicode TR 15)."""
    try:
        known = codecs.lookup(charset or "utf-8").name not in _NO_CHARSETS
        decoded = body.decode(charset if charset and known else "utf-8", "replace")
        decoded.encode()  # some make halves of characters
    except (LookupError, ValueError):  # a charset that is none, or cannot be forgiving
        decoded = body.decode("utf-8", "replace")
    return composed(decoded)


def composed(decoded: str) -> str:
    """Normal form C. No character keeps more than 30 marks (TR 15 13): Python orders them in quadratic time."""
    if decoded.isascii():
        return decoded
    return unicodedata.normalize("NFC", _MARKS.sub(lambda found: str(found[1]), decoded))
