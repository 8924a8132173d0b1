"""A second opinion on an SNMP agent by pysnmp, which names what gufo-snmp hides; rarely, and beside the event loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE
from types import MappingProxyType

from probes.ports import SnmpAgent
from probes.protocols.snmp_header import ERRORS
from probes.protocols.snmp_pace import Tokens
from probes.results import Reason

RATE_PER_S = 0.5
BURST = 3.0
PER_DEVICE_S = 600.0
"""A device is asked again no sooner; what was found is repeated until then."""
REMEMBERED = 10_000
MOST_OBJECTS = 40
LONGEST_WAIT_S = 3.0
START_S = 10.0
"""What the process may need besides the wait, on a busy machine."""

INDICATIONS: Mapping[str, Reason] = MappingProxyType(
    {
        "UnknownUserName": Reason.UNKNOWN_USER,
        "WrongDigest": Reason.WRONG_DIGEST,
        "AuthenticationFailure": Reason.WRONG_DIGEST,
        "NotInTimeWindow": Reason.NOT_IN_TIME_WINDOW,
        "DecryptionError": Reason.DECRYPTION_ERROR,
        "UnknownEngineID": Reason.UNKNOWN_ENGINE,
        "EngineIDMismatch": Reason.UNKNOWN_ENGINE,
        "UnsupportedSecurityLevel": Reason.UNSUPPORTED_LEVEL,
        "TooBig": Reason.TOO_BIG,
        "ParseError": Reason.PROTOCOL_ERROR,
        "DeserializationError": Reason.PROTOCOL_ERROR,
    }
)
"""pysnmp.proto.errind, by class; others say nothing about the device."""
_OF_THE_QUESTION = frozenset({Reason.NO_SUCH_OBJECT, Reason.TOO_BIG, Reason.GEN_ERR, Reason.NO_ACCESS})
"""Reasons that hold for what was asked, not for the whole device."""
_COMMAND = (sys.executable, "-P", "-c", "from probes.protocols.snmp_second import main; main()")


@dataclass(frozen=True, slots=True)
class _Told:
    at: float
    oids: tuple[str, ...] = ()
    reason: Reason | None = None


class Opinions:
    """Asks again, within limits: one process at a time, with a bucket for all devices and a pause for each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self.asked = 0
        self._clock = clock
        self._tokens = Tokens(RATE_PER_S, BURST)
        self._told: OrderedDict[SnmpAgent, _Told] = OrderedDict()
        self._thread: ThreadPoolExecutor | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def close(self) -> None:
        """Ask no more; what is being asked is broken off."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def remembered(self, agent: SnmpAgent, oids: Sequence[str]) -> Reason | None:
        """What was found lately, if it holds for this question."""
        told = self._told.get(agent)
        if told is None or self._clock() - told.at >= PER_DEVICE_S:
            return None
        return None if told.reason in _OF_THE_QUESTION and told.oids != tuple(oids) else told.reason

    async def ask(self, agent: SnmpAgent, oids: Sequence[str], wait_s: float, *, walk: bool = False) -> Reason | None:
        """Why these objects are not to be had; none where nobody knows, or where it is too soon to ask."""
        asking = self._ask(agent, tuple(oids), wait_s, walk)
        return self.remembered(agent, oids) if asking is None else await asyncio.wrap_future(asking)

    def ask_later(self, agent: SnmpAgent, oids: Sequence[str], wait_s: float) -> Reason | None:
        """What is known by now; what is not known is asked without being waited for."""
        self._ask(agent, tuple(oids), wait_s, walk=False)
        return self.remembered(agent, oids)

    def _ask(self, agent: SnmpAgent, oids: tuple[str, ...], wait_s: float, walk: bool) -> Future[Reason | None] | None:
        now = self._clock()
        told = self._told.get(agent)
        too_soon = told is not None and now - told.at < PER_DEVICE_S
        if too_soon or self._closed or not self._tokens.take(now):
            return None
        self._told[agent] = _Told(now)
        self._told.move_to_end(agent)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        self.asked += 1
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "snmp-opinion")

        wait_s = min(wait_s, LONGEST_WAIT_S)
        question = json.dumps(question_of(agent, oids[:MOST_OBJECTS], wait_s, walk=walk)).encode()

        def told_by_pysnmp() -> Reason | None:
            reason = self._of_process(question, wait_s * 3 + START_S)  # v3 asks for the engine and its time first
            self._told[agent] = _Told(now, oids, reason)
            return reason

        return self._thread.submit(told_by_pysnmp)

    def _of_process(self, question: bytes, longest_s: float) -> Reason | None:
        """Runs in the thread; no opinion where an answer upset pysnmp.

        The descriptors are all close-on-exec; to close them one by one would hold up this whole process.
        """
        try:
            with subprocess.Popen(_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, close_fds=False) as self._process:
                if self._closed:
                    self._process.kill()
                try:
                    answer, _ = self._process.communicate(question, longest_s)
                finally:
                    self._process.kill()
            return reason_of_answer(json.loads(answer))
        except (OSError, subprocess.SubprocessError, ValueError):
            return None
        finally:
            self._process = None


def question_of(agent: SnmpAgent, oids: Sequence[str], wait_s: float, *, walk: bool) -> dict[str, object]:
    """For `snmp_second`; with secrets, so it travels by pipe, where nobody else reads."""
    return {
        "address": agent.address,
        "port": agent.port,
        "version": agent.version,
        "community": agent.community.get_secret_value(),
        "user": agent.user,
        "auth_protocol": agent.auth_protocol,
        "auth_key": agent.auth_key.get_secret_value(),
        "privacy_protocol": agent.privacy_protocol,
        "privacy_key": agent.privacy_key.get_secret_value(),
        "oids": oids,
        "walk": walk,
        "timeout_s": wait_s,
        "retries": 0,
    }


def reason_of_answer(answer: Mapping[str, object]) -> Reason | None:
    """What the process's answer means."""
    trouble, status = answer.get("trouble"), answer.get("status")
    if trouble is not None:
        if trouble == "RequestTimedOut" and answer.get("elsewhere"):
            return Reason.OTHER_ADDRESS
        return INDICATIONS.get(str(trouble))
    if isinstance(status, int) and status:
        return ERRORS.get(status, Reason.PROTOCOL_ERROR)
    return Reason.NO_SUCH_OBJECT if answer.get("missing") else None
