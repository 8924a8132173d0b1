"""The process that decodes traps and informs with pysnmp: a line of JSON in, a line of JSON out, until its input ends.

A process, not a thread: pysnmp holds the interpreter for 5 to 40 ms a message, and what a hostile message does to it
ends with it. Nothing of ours is imported here: the process is started while traps are waiting.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
"""snmpTrapOID.0: which trap a message is (RFC 3416, 4.2.6); pysnmp derives it for version 1 (RFC 3584, 3.1)."""
PRIVATE = "1.3.6.1.6.3.18.1."
"""SNMP-COMMUNITY-MIB: how pysnmp hands on the community and the sender's own idea of its address."""
MOST_ENGINES = 256
"""Senders' engines that a receiver has keys for, until it begins anew."""
COUNTERS = {
    "wrong_community": ("__SNMPv2-MIB", "snmpInBadCommunityNames"),
    "unknown_user": ("__SNMP-USER-BASED-SM-MIB", "usmStatsUnknownUserNames"),
    "wrong_digest": ("__SNMP-USER-BASED-SM-MIB", "usmStatsWrongDigests"),
    "unsupported_level": ("__SNMP-USER-BASED-SM-MIB", "usmStatsUnsupportedSecLevels"),
    "not_in_time_window": ("__SNMP-USER-BASED-SM-MIB", "usmStatsNotInTimeWindows"),
    "decryption_error": ("__SNMP-USER-BASED-SM-MIB", "usmStatsDecryptionErrors"),
    "unknown_engine": ("__SNMP-USER-BASED-SM-MIB", "usmStatsUnknownEngineIDs"),
}
"""What pysnmp counts when it refuses a message."""


def main() -> None:
    """Decode what comes; each answer has `oid`, `objects`, `problem` and `replies` (see `_Receiver.decode`)."""
    os.nice(10)
    warnings.simplefilter("ignore")
    receivers: dict[str, _Receiver] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        who = json.dumps(asked["user"], sort_keys=True)
        if who not in receivers or len(receivers[who].engines) > MOST_ENGINES:
            receivers[who] = _Receiver(asked["user"], bytes.fromhex(asked["engine_id"]), asked["boots"])
        decoded = receivers[who].decode(bytes.fromhex(asked["message"]), bytes.fromhex(asked["sender"]))
        print(json.dumps(decoded), flush=True)  # noqa: T201  # a pipe


class _Receiver:
    """pysnmp's notification receiver for one credential, without any network of its own."""

    def __init__(self, user: Mapping[str, Any], engine_id: bytes, boots: int) -> None:
        from pysnmp.carrier.asyncio.dgram.udp import (  # noqa: PLC0415  # only the process needs it, not who starts it
            SNMP_UDP_DOMAIN,
            UdpTransportAddress,
        )
        from pysnmp.entity import config, engine  # noqa: PLC0415  # see above
        from pysnmp.entity.rfc3413 import ntfrcv  # noqa: PLC0415  # see above
        from pysnmp.proto.rfc1902 import OctetString  # noqa: PLC0415  # see above

        self.engines: set[bytes] = set()
        """Those that the user's keys are made for: our own for informs, the senders' for traps (RFC 3414, 1.5.1)."""
        self._engine = engine.SnmpEngine()
        self._symbols = self._engine.get_mib_builder().import_symbols
        framework = "__SNMP-FRAMEWORK-MIB"
        for name, value in (("snmpEngineID", engine_id), ("snmpEngineBoots", boots)):
            (scalar,) = self._symbols(framework, name)
            scalar.syntax = scalar.syntax.clone(value)
            if name == "snmpEngineID":
                self._engine.snmpEngineID = scalar.syntax
        self._replies: list[str] = []
        self._engine.transport_dispatcher = _Replies(self._replies)
        self._domain, self._address = SNMP_UDP_DOMAIN, UdpTransportAddress(("127.0.0.1", 162))
        self._is_v3 = user["version"] == "v3"
        if not self._is_v3:
            config.add_v1_system(self._engine, "sender", user["community"])
        self._user = _v3(config, user) if self._is_v3 else ()
        self._config, self._octets = config, OctetString
        self._know(engine_id)
        self._found: list[tuple[str, Any]] = []
        self._came = False
        ntfrcv.NotificationReceiver(self._engine, self._take)

    def _know(self, engine_id: bytes) -> None:
        """Make the user's keys for one engine; takes up to 40 ms."""
        if self._is_v3 and engine_id not in self.engines and 5 <= len(engine_id) <= 32:  # SnmpEngineID, RFC 3411
            self._config.add_v3_user(self._engine, *self._user, securityEngineId=self._octets(engine_id))
            self.engines.add(engine_id)

    def _take(self, _: Any, __: Any, ___: Any, ____: Any, objects: Any, _____: Any) -> None:
        self._came = True
        self._found = [(str(oid), value) for oid, value in objects]

    def decode(self, message: bytes, sender: bytes) -> dict[str, Any]:
        """Which trap it is and what it carries, or why not; and what to send back. `sender` is its engine's id."""
        self._came, self._found = False, []
        self._replies.clear()
        before = self._counts()
        problem = None
        try:
            self._know(sender)
            self._engine.message_dispatcher.receive_message(self._engine, self._domain, self._address, message)
        except Exception as error:  # whatever a message does to pysnmp, the next one is decoded
            problem = type(error).__name__
        after = self._counts()
        problem = next((name for name, count in after.items() if count > before[name]), problem)
        oid = next((value.prettyPrint() for name, value in self._found if name == TRAP_OID), None)
        return {
            "oid": oid if self._came else None,
            "objects": [[name, _plain(value)] for name, value in self._found if _told(name)],
            "problem": problem,
            "replies": list(self._replies),
        }

    def _counts(self) -> dict[str, int]:
        return {name: int(self._symbols(*where)[0].syntax) for name, where in COUNTERS.items()}


class _Replies:
    """In place of pysnmp's network: what it would send is handed out."""

    def __init__(self, to: list[str]) -> None:
        self._to = to

    def send_message(self, message: Any, _: Any, __: Any) -> None:
        """See pysnmp's AbstractTransportDispatcher."""
        self._to.append(bytes(message).hex())

    def get_timer_resolution(self) -> float:
        """See `send_message`."""
        return 0.5


def _told(name: str) -> bool:
    return name != TRAP_OID and not name.startswith(PRIVATE)


def _v3(config: Any, user: Mapping[str, Any]) -> tuple[Any, ...]:
    auth = {
        None: config.USM_AUTH_NONE,
        "md5": config.USM_AUTH_HMAC96_MD5,
        "sha1": config.USM_AUTH_HMAC96_SHA,
        "sha224": config.USM_AUTH_HMAC128_SHA224,
        "sha256": config.USM_AUTH_HMAC192_SHA256,
        "sha384": config.USM_AUTH_HMAC256_SHA384,
        "sha512": config.USM_AUTH_HMAC384_SHA512,
    }
    privacy = {
        None: config.USM_PRIV_NONE,
        "des": config.USM_PRIV_CBC56_DES,
        "aes128": config.USM_PRIV_CFB128_AES,
        "aes192": config.USM_PRIV_CFB192_AES_BLUMENTHAL,
        "aes256": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
    }
    return (
        user["user"],
        auth[user["auth_protocol"]],
        user["auth_key"] or None,
        privacy[user["privacy_protocol"]],
        user["privacy_key"] or None,
    )


def _plain(value: Any) -> int | str:
    """A number as a number, an object identifier in numbers, any other octets as Latin-1 text."""
    kind = type(value).__name__
    if kind in ("ObjectIdentifier", "ObjectIdentity"):
        return str(value.prettyPrint())
    try:
        return int(value)
    except (TypeError, ValueError):
        return bytes(value).decode("latin-1")
