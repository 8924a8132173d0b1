"""One attempt by hand at one target: the crash boundary of commands that probe once, as the runner is the agent's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent.terminal import plain
from probes.ports import DEADLINE_S, Net
from probes.results import Beat, Reason, Result

log = logging.getLogger(__name__)


async def attempt(
    check: Callable[[Any, Net, Beat], Awaitable[Result]],
    settings: object,
    net: Net,
    beat: Beat,
    deadline_s: float = DEADLINE_S,
) -> Result:
    """What `check` says, `Reason.INTERNAL` where it fails unexpectedly."""
    try:
        async with asyncio.timeout(deadline_s):
            return await check(settings, net, beat)
    except TimeoutError:
        return Result(Reason.TIMEOUT, detail=f"no end within {deadline_s:g} s")
    except Exception as error:  # the crash boundary: a bug in one probe must not end the others
        log.error(  # noqa: TRY400  # one line; a trace is of no use to whoever checks a province
            "the probe of %s failed in a way nobody expected; please report it: %s", beat.target, _told(error)
        )
        return Result(Reason.INTERNAL, detail="unexpected failure, see the log")


def _told(error: Exception) -> str:
    """An exception in one line, with the place where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return plain(f"{type(error).__name__}: {error}{place}")
