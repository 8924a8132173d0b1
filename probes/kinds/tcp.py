"""Whether a TCP port accepts a connection."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field, StringConstraints

from probes import metrics
from probes.model import Port, Seconds, Settings, Timeout
from probes.ports import Kind, Net
from probes.protocols import tcp
from probes.results import Beat, Reading, Reason, Result


class TcpSettings(Settings):
    """A TCP port: a connection is opened and closed again, nothing is sent."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[\w.:%-]+$")] = Field(
        examples=["gateway.example"]
    )
    """Host name or address."""
    port: Port = Field(examples=[443])
    """Where the connection goes."""
    timeout_s: Timeout = 5
    """How long an attempt may take; after that the service counts as not answering."""
    slow_s: Seconds = 3
    """A connection that took longer counts as slow."""


async def check(settings: TcpSettings, net: Net, beat: Beat) -> Result:  # noqa: ARG001  # every kind takes a beat
    """Resolve, connect, close; the time-out is for both steps together."""
    durations: dict[str, float] = {}
    reason: Reason | None = None
    detail = ""
    phase = "resolve"
    started = began = net.clock.monotonic()
    try:
        async with asyncio.timeout(settings.timeout_s):
            endpoints = await tcp.resolve(settings.host, settings.port)
            durations[phase] = net.clock.monotonic() - began
            phase, began = "connect", net.clock.monotonic()
            connection = await tcp.connect(endpoints)
            durations[phase] = net.clock.monotonic() - began
            connection.close()
    except TimeoutError:
        reason, detail = Reason.TIMEOUT, f"no end of {phase} within {settings.timeout_s:g} s"
    except OSError as error:
        reason, detail = tcp.reason_of(error), f"{phase}: {tcp.meaning(error)}"
    else:
        total = net.clock.monotonic() - started
        if total > settings.slow_s:
            reason, detail = Reason.SLOW, f"took {total:.1f} s"
    readings = tuple(Reading(metrics.PROBE_DURATION, seconds, (name,)) for name, seconds in durations.items())
    return Result(reason=reason, readings=readings, detail=detail)


KIND = Kind("tcp", TcpSettings, check)
