"""Host names as addresses: kept for their time to live, and longer while no resolver answers."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiodns
import pycares

from probes.model import is_address

SHORTEST_S, LONGEST_S = 5.0, 3600.0
"""Bounds of what a time to live may ask for; what /etc/hosts says has none, and is read again after the shortest."""
RETRY_S, LONGEST_RETRY_S = 5.0, 300.0
"""After a failure; twice as long after each one that follows."""
STALE_S = 86_400.0
"""How long an address is used that nobody confirms any more (RFC 8767, 5: one to three days)."""
PATIENCE_S = 1.8
"""How long an answer is waited for where the last known address would do (RFC 8767, 5)."""
ATTEMPT_S, ATTEMPTS = 1.5, 2
"""Each server's time for the first attempt (twice for the second), and how many."""
TIMEOUT_S = 6.0


@dataclass(slots=True)
class _Known:
    """What is known of one name; times are monotonic seconds."""

    address: str = ""
    asked: float = -math.inf
    """When somebody last asked for it."""
    due: float = -math.inf
    """When it is to be looked up again."""
    confirmed: float = -math.inf
    """Until when the last answer held."""
    failures: int = 0
    """In a row."""
    why: str = ""
    asking: asyncio.Task[None] | None = None


class HostNames:
    """Implements `probes.ports.Names` over c-ares, which obeys /etc/resolv.conf, /etc/nsswitch.conf and /etc/hosts.

    Nothing runs before the first name is asked for; `close()` ends it.
    """

    def __init__(self, servers: Sequence[str] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`servers` (`address:port`) stand in for those of /etc/resolv.conf."""
        self.lookups = 0
        self.failures = 0
        """Look-ups that brought no address."""
        self._servers = servers
        self._clock = clock
        self._resolver: aiodns.DNSResolver | None = None
        self._names: dict[str, _Known] = {}

    @property
    def stale(self) -> int:
        """Names whose address is in use, asked for within `LONGEST_S`, though the last look-ups have failed."""
        lately = self._clock() - LONGEST_S
        return sum(1 for known in self._names.values() if known.failures and known.address and known.asked > lately)

    async def address(self, host: str) -> str:
        """See `probes.ports.Names`."""
        if is_address(host):
            return host
        now = self._clock()
        known = self._names.get(host)
        if known is None:
            self._names = {name: other for name, other in self._names.items() if other.asked > now - STALE_S}
            known = self._names[host] = _Known()
        known.asked = now
        if known.asking is None and now >= known.due:
            self.lookups += 1
            known.asking = asyncio.create_task(self._look_up(host, known), name=f"name/{host}")
        asking = known.asking
        if asking is not None and not (known.address and known.failures):
            # not cancelled with whoever waits: others may, and the answer is kept
            await asyncio.wait((asking,), timeout=PATIENCE_S if known.address else None)
            if asking.done() and not asking.cancelled():
                asking.result()  # raises what nobody expected
        if not known.address:
            raise socket.gaierror(socket.EAI_AGAIN, f"{host}: {known.why or 'the resolver is closed'}")
        return known.address

    async def close(self) -> None:
        """End what is being looked up."""
        asking = [known.asking for known in self._names.values() if known.asking is not None]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        if self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    async def _look_up(self, host: str, known: _Known) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await self._open().getaddrinfo(host, socket.AF_UNSPEC, type=socket.SOCK_DGRAM)
        except (aiodns.error.DNSError, pycares.AresError) as error:  # the latter where no socket or thread is left
            self._failed(known, str(error.args[-1]))
        except TimeoutError:
            self._failed(known, "no resolver answers")
        else:
            lives_s = {node.addr[0].decode(): node.ttl for node in found.nodes}
            if known.address not in lives_s:  # else it stays: servers turn the order of their answers
                known.address = next(iter(lives_s))
            known.failures = 0
            known.due = known.confirmed = self._clock() + min(max(SHORTEST_S, lives_s[known.address]), LONGEST_S)
        finally:
            known.asking = None

    def _failed(self, known: _Known, why: str) -> None:
        self.failures += 1
        known.failures += 1
        known.why = why
        now = self._clock()
        # a float's power overflows only after years of failures: the exponent is bounded all the same
        known.due = now + min(RETRY_S * 2 ** min(known.failures - 1, 10), LONGEST_RETRY_S)
        if now > known.confirmed + STALE_S:
            known.address = ""

    def _open(self) -> aiodns.DNSResolver:
        if self._resolver is None:
            self._resolver = aiodns.DNSResolver(self._servers, timeout=ATTEMPT_S, tries=ATTEMPTS)
        return self._resolver
