"""A double of a time-stamping service: OpenSSL's own (`openssl ts`) behind HTTP, real stamps with real keys."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives import serialization

from deploy.lab.doubles import Double
from deploy.lab.doubles.keys import Holder, pem

_CONFIG = """\
[tsa]
default_tsa = double
[double]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
certs = {folder}/chain.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = {ess}
"""

STATUS = {"rejection": 2, "waiting": 3}
FAILURE = {"bad_alg": 0, "bad_request": 2, "bad_data_format": 5, "time_not_available": 14,
           "unaccepted_policy": 15, "system_failure": 25}  # fmt: skip
"""Bits of PKIFailureInfo (RFC 3161 2.4.2)."""


class Authority(Double):
    """Stamps whatever it is asked to; `folder` is where its keys and its counter lie."""

    def __init__(self, signer: Holder, folder: Path, chain: list[Holder] | None = None, ess: str = "sha256") -> None:
        """Writes the keys and the configuration; `chain` is sent along with the signer's certificate."""
        super().__init__()
        if shutil.which("openssl") is None:
            raise OSError("no openssl (Debian package openssl)")
        self._folder = folder
        self._turn = asyncio.Lock()
        self.instead: bytes | None = None
        """A reply to give in place of a stamp."""
        encoding = serialization.Encoding.PEM
        certificates = [signer.certificate, *(one.certificate for one in chain or [])]
        (folder / "signer.pem").write_bytes(signer.certificate.public_bytes(encoding))
        (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(encoding) for one in certificates))
        (folder / "signer.key").write_bytes(pem(signer.key))
        (folder / "serial").write_text("01\n", encoding="ascii")
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder, ess=ess), encoding="ascii")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One stamp, or what is to be given in its place."""
        if request.method != "POST" or request.content_type != "application/timestamp-query":
            return web.Response(status=403 if request.method == "GET" else 400)
        reply = self.instead
        if reply is None:
            async with self._turn:  # they share a counter
                reply = await self.stamp(await request.read())
        return web.Response(body=reply, content_type="application/timestamp-reply")

    async def stamp(self, query: bytes) -> bytes:
        """OpenSSL's reply to a query."""
        words = f"openssl ts -reply -config {self._folder}/tsa.cnf -queryfile /dev/stdin"
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*words.split(), stdin=pipe, stdout=pipe, stderr=nowhere)
        reply, _ = await process.communicate(query)
        return reply


def refusal(status: str, failure: str | None = None) -> bytes:
    """A reply without a stamp, by hand: asn1crypto does not write what has no token."""
    info = b"\x02\x01" + bytes([STATUS[status]])
    if failure is not None:
        bit = FAILURE[failure]
        octets = bytearray(bit // 8 + 1)
        octets[-1] = 0x80 >> bit % 8
        unused = 7 - bit % 8
        info += b"\x03" + bytes([len(octets) + 1, unused]) + bytes(octets)
    inner = b"\x30" + bytes([len(info)]) + info
    return b"\x30" + bytes([len(inner)]) + inner
