"""Pings COUNT loopback hosts at RATE packets/s each for SECONDS; prints packets, CPU seconds and losses as JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import sys

import uvloop

from probes.protocols.icmp import IcmpEngine


def cpu_s() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def hosts(count: int) -> list[str]:
    """Distinct addresses that the loopback interface answers for."""
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


async def main(count: int, rate: float, seconds: float) -> None:
    """Start every stream, then measure from window to window."""
    engine = IcmpEngine()
    engine.open()
    try:

        async def windows() -> list[int]:
            closed = await asyncio.gather(*(engine.window(host, host, rate) for host in hosts(count)))
            return [sum(window.sent for window in closed), sum(window.received for window in closed)]

        await windows()
        before = cpu_s()
        await asyncio.sleep(seconds)
        sent, received = await windows()
        print(json.dumps({"packets": sent, "lost": sent - received, "cpu_s": cpu_s() - before}))
    finally:
        engine.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
