"""A route as it was found: its hops, where it ends, and whether two of them are one; pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from itertools import zip_longest

from probes.ports import PingErrorKind

SILENT = "*"
"""In place of the address of a hop that does not answer."""


@dataclass(frozen=True, slots=True)
class Hop:
    """What is at one distance: the first address that answered, others if any, and how. None of it if it is silent."""

    ttl: int
    addresses: tuple[str, ...] = ()
    rtt_s: float | None = None
    kind: PingErrorKind | None = None
    """What its answer said; None for an echo reply."""

    @property
    def address(self) -> str:
        """The first that answered, or `SILENT`."""
        return self.addresses[0] if self.addresses else SILENT


@dataclass(frozen=True, slots=True)
class Route:
    """The hops to a destination, nearest first, up to it or to the last that answers."""

    destination: str
    hops: tuple[Hop, ...] = ()
    reached: bool = False
    problem: str = ""
    """Why nothing could be sent."""

    @property
    def last(self) -> Hop | None:
        """The last hop that answers."""
        return self.hops[-1] if self.hops else None

    @property
    def hash(self) -> int:
        """32 bits over the addresses, the same on every machine."""
        return zlib.crc32(" ".join(hop.address for hop in self.hops).encode())

    def same_as(self, other: Route) -> bool:
        """Whether both are one route: a hop that answers in only one of them proves no other way."""
        return all(
            one is not None
            and two is not None
            and (one.address == two.address or not (one.addresses and two.addresses))
            for one, two in zip_longest(self.hops, other.hops)
        )

    def filled(self, before: Route) -> Route:
        """The same route, with the addresses that an earlier trace of it has heard of hops that are silent now."""
        known = (
            hop if hop.addresses else replace(old, rtt_s=None) for hop, old in zip(self.hops, before.hops, strict=True)
        )
        return replace(self, hops=tuple(known))


class Trail:
    """Gathers what comes back of one trace."""

    def __init__(self, destination: str) -> None:
        """`destination` in its usual spelling, as replies name it."""
        self._destination = destination
        self._hops: dict[int, Hop] = {}

    def answered(self, ttl: int, address: str, rtt_s: float | None, kind: PingErrorKind | None) -> None:
        """Something answered the request that was allowed `ttl` hops."""
        hop = self._hops.get(ttl)
        if hop is None or (address == self._destination != hop.address):
            others = hop.addresses if hop else ()
            self._hops[ttl] = Hop(ttl, (address, *others), rtt_s, kind)
        elif address not in hop.addresses:
            self._hops[ttl] = replace(hop, addresses=(*hop.addresses, address))

    @property
    def reached_at(self) -> int | None:
        """The shortest way to the destination that is known so far."""
        return min((ttl for ttl, hop in self._hops.items() if hop.address == self._destination), default=None)

    def silent(self, furthest: int) -> list[int]:
        """The distances, up to the destination's, from which nothing has come yet."""
        return [ttl for ttl in range(1, (self.reached_at or furthest + 1)) if ttl not in self._hops]

    def route(self) -> Route:
        """What is known so far.

        A refusal (unreachable, prohibited) ends a route only if nothing beyond it answers: a router may refuse UDP and
        let echoes pass. It is the word of the last hop, where that is who refuses, else of the hop behind it: routers
        refuse rarely (Linux once a second), so nobody knows which request was the first to be refused.
        """
        end = self.reached_at
        reached = end is not None
        if end is None:
            passed = [ttl for ttl, hop in self._hops.items() if hop.kind is PingErrorKind.TTL_EXCEEDED]
            end = max(passed, default=0)
        hops = tuple(self._hops.get(ttl) or Hop(ttl) for ttl in range(1, end + 1))
        refusal = None if reached else self._hops.get(min((ttl for ttl in self._hops if ttl > end), default=0))
        if refusal is not None and hops and refusal.address == hops[-1].address:
            hops = (*hops[:-1], replace(hops[-1], kind=refusal.kind))
        elif refusal is not None:
            hops = (*hops, replace(refusal, ttl=end + 1))
        return Route(self._destination, hops, reached)
