"""The lab process's end of the forwarder's commands."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

from deploy.lab.errors import LabError

_LONGEST_ANSWER = 16 * 1024 * 1024


class WanCommands:
    """Sends one command after the other, each acknowledged; `gone` is set when the forwarder is no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Made by `connect`."""
        self._reader = reader
        self._writer = writer
        self._order = asyncio.Lock()
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def connect(cls, commands: socket.socket) -> WanCommands:
        """Over our end of the socket pair that `wan.start` gave."""
        reader, writer = await asyncio.open_connection(sock=commands, limit=_LONGEST_ANSWER)
        return cls(reader, writer)

    async def close(self) -> None:
        """Let the forwarder end."""
        self._listening.cancel()
        self._writer.close()

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._answers.put_nowait(line)
        except OSError:
            pass  # reset: the same as its end
        self.gone.set()
        self._answers.put_nowait(b"")

    async def _ask(self, command: Mapping[str, object]) -> dict[str, Any]:
        async with self._order:
            if self.gone.is_set():
                raise LabError("the WAN forwarder has ended")
            self._writer.write(json.dumps(command).encode() + b"\n")
            answer = await self._answers.get()
            if not answer:
                raise LabError("the WAN forwarder has ended")
            found: dict[str, Any] = json.loads(answer)
            return found

    async def impair(self, name: str, changes: Mapping[str, float | bool]) -> None:
        """Change what is wrong with a segment, by the fields of `path.Impairment`."""
        await self._ask({"impair": name, "with": dict(changes)})

    async def clear(self, name: str | None) -> None:
        """Heal one segment, or all."""
        await self._ask({"clear": name})

    async def dark(self, name: str, is_dark: bool) -> None:
        """Take a site's power, or give it back."""
        await self._ask({"dark": name, "is": is_dark})

    async def stats(self) -> dict[str, Any]:
        """Packets per segment: `forwarded`, and dropped by reason; `carried` per direction; `latest_ms` behind time."""
        return await self._ask({"stats": None})
