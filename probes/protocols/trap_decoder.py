"""Decodes traps with pysnmp, in a process that is started when the first one comes and ended when none has for long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE

from probes.ports import SnmpAgent

LONGEST_S = 15.0
"""For one message; the first one of a credential starts the process and makes keys: seconds on a busy machine."""
LONGEST_LINE = 1 << 20
"""Octets of an answer: a datagram of 64 kB becomes under 300 kB of JSON, twice if it is acknowledged."""
EPOCH_S = 1_577_836_800
"""2020: engine boots are the seconds since, so that none is used twice and none goes back (RFC 3414, 2.2)."""
_COMMAND = (sys.executable, "-P", "-c", "from probes.protocols.trap_process import main; main()")


class DecoderFailed(Exception):
    """The process ended, said nothing in time, or nothing of sense; the next message starts another one."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one message is: a trap with its objects, or a problem, or neither; and what is to be sent back."""

    oid: str | None
    """In SMIv2's form (RFC 3584, 3.1); none if it is no trap, or not to be believed."""
    objects: dict[str, int | str]
    problem: str | None
    replies: tuple[bytes, ...]


class Decoder:
    """Asks the process, one message at a time."""

    def __init__(self, engine_id: bytes, wall: Callable[[], float]) -> None:
        """`engine_id` is ours, that informs are sent to; `wall` gives seconds since 1970."""
        self.engine_id = engine_id
        self.started = 0
        self._wall = wall
        self._process: asyncio.subprocess.Process | None = None
        self._boots = 0

    async def decode(self, agent: SnmpAgent, sender: bytes, message: bytes) -> Decoded:
        """Decode one message with the agent's credential; `sender` is its engine's id in v3. See `DecoderFailed`."""
        try:
            async with asyncio.timeout(LONGEST_S):
                process = self._process or await self._start()
                assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # both are pipes
                process.stdin.write(self._question(agent, sender, message))
                await process.stdin.drain()
                answer = json.loads(await process.stdout.readline())
                return Decoded(
                    answer["oid"],
                    dict(answer["objects"]),
                    answer["problem"],
                    tuple(bytes.fromhex(reply) for reply in answer["replies"]),
                )
        except (OSError, ValueError, TimeoutError) as error:  # readline tells a line that is too long as a ValueError
            await self.close()
            raise DecoderFailed(str(error)) from None
        except BaseException:  # cancelled: the answer that comes now would be taken for the next one's
            self._kill()
            raise

    async def close(self) -> None:
        """End the process, if there is one."""
        process = self._kill()
        if process is not None:
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        self._boots = max(self._boots + 1, int(self._wall()) - EPOCH_S)
        self._process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LONGEST_LINE
        )
        self.started += 1
        return self._process

    def _kill(self) -> asyncio.subprocess.Process | None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return process

    def _question(self, agent: SnmpAgent, sender: bytes, message: bytes) -> bytes:
        """For `trap_process`; with secrets, so it travels by pipe, where nobody else reads."""
        user = {
            "version": "v3" if agent.version == "v3" else "community",
            "community": agent.community.get_secret_value(),
            "user": agent.user,
            "auth_protocol": agent.auth_protocol,
            "auth_key": agent.auth_key.get_secret_value(),
            "privacy_protocol": agent.privacy_protocol,
            "privacy_key": agent.privacy_key.get_secret_value(),
        }
        question = {
            "user": user,
            "engine_id": self.engine_id.hex(),
            "boots": self._boots,
            "sender": sender.hex(),
            "message": message.hex(),
        }
        return json.dumps(question).encode() + b"\n"
