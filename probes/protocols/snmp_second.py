"""The process that asks an SNMP agent with pysnmp: one question on standard input, one answer on standard output.

A process, not a thread: pysnmp's start and each of its questions hold the interpreter for 40 to 70 ms at a time, and
what a hostile answer does to it ends with it. Nothing of ours is imported here: it would cost more than the question.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import warnings
from typing import Any


def main() -> None:
    """Ask; the answer has `trouble` (a class of pysnmp.proto.errind), `status`, `missing` or `elsewhere`."""
    os.nice(10)
    warnings.simplefilter("ignore")
    json.dump(asyncio.run(_ask(json.load(sys.stdin))), sys.stdout)


async def _ask(question: dict[str, Any]) -> dict[str, object]:
    from pysnmp.hlapi.v3arch import asyncio as pysnmp  # noqa: PLC0415  # only the process needs it, not who starts it

    elsewhere: list[str] = []
    engine = pysnmp.SnmpEngine()
    device = await target(pysnmp, question, elsewhere)
    objects = [pysnmp.ObjectType(pysnmp.ObjectIdentity(oid)) for oid in question["oids"]]
    command = pysnmp.next_cmd if question["walk"] else pysnmp.get_cmd
    trouble, status, _, found = await command(
        engine, user(pysnmp, question), device, pysnmp.ContextData(), *objects, lookupMib=False
    )
    engine.close_dispatcher()
    missing = {"NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null"}
    return {
        "trouble": None if trouble is None else type(trouble).__name__,
        "status": int(status),
        "missing": all(type(value).__name__ in missing for _, value in found),
        "elsewhere": bool(elsewhere),
    }


async def target(pysnmp: Any, question: dict[str, Any], elsewhere: list[str]) -> Any:
    """The device, by a socket that hears everyone: what comes from another address is noted and not believed."""
    from pysnmp.carrier.asyncio.dgram.udp import UdpAsyncioTransport  # noqa: PLC0415  # see above
    from pysnmp.carrier.asyncio.dgram.udp6 import Udp6AsyncioTransport  # noqa: PLC0415  # see above

    address: str = question["address"]
    six = ":" in address
    community: bytes = question["community"].encode()
    base: Any = pysnmp.Udp6TransportTarget if six else pysnmp.UdpTransportTarget

    transport: Any = Udp6AsyncioTransport if six else UdpAsyncioTransport

    class Listening(transport):  # type: ignore[misc]  # pysnmp is not typed
        def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:  # noqa: N803  # pysnmp's name
            if transportAddress[0] == address:
                super().datagram_received(datagram, transportAddress)
            elif datagram[:1] == b"\x30" and community in datagram:
                elsewhere.append(transportAddress[0])

    class Target(base):  # type: ignore[misc]  # pysnmp is not typed
        PROTO_TRANSPORT = Listening

    return await Target.create((address, question["port"]), timeout=question["timeout_s"], retries=question["retries"])


def user(pysnmp: Any, question: dict[str, Any]) -> Any:
    """Who asks."""
    if question["version"] != "v3":
        return pysnmp.CommunityData(question["community"], mpModel=0 if question["version"] == "v1" else 1)
    auth = {
        None: pysnmp.usmNoAuthProtocol,
        "md5": pysnmp.usmHMACMD5AuthProtocol,
        "sha1": pysnmp.usmHMACSHAAuthProtocol,
        "sha224": pysnmp.usmHMAC128SHA224AuthProtocol,
        "sha256": pysnmp.usmHMAC192SHA256AuthProtocol,
        "sha384": pysnmp.usmHMAC256SHA384AuthProtocol,
        "sha512": pysnmp.usmHMAC384SHA512AuthProtocol,
    }
    privacy = {
        None: pysnmp.usmNoPrivProtocol,
        "des": pysnmp.usmDESPrivProtocol,
        "aes128": pysnmp.usmAesCfb128Protocol,
        "aes192": pysnmp.usmAesBlumenthalCfb192Protocol,
        "aes256": pysnmp.usmAesBlumenthalCfb256Protocol,
    }
    return pysnmp.UsmUserData(
        question["user"],
        question["auth_key"] or None,
        question["privacy_key"] or None,
        authProtocol=auth[question["auth_protocol"]],
        privProtocol=privacy[question["privacy_protocol"]],
    )
