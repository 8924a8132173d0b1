"""The ways through the simulated WAN: segments that packets cross and hops that they pass, without any I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

from deploy.lab import packets

QUEUE_S = 0.5
"""What waits for a slow segment is dropped beyond this many seconds' worth of its rate."""
_ONE_PACKET = 1500


class Fate(StrEnum):
    """Why a packet went no further."""

    CUT = "cut"
    DARK = "dark"
    UNREACHABLE = "unreachable"
    LOST = "lost"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Impairment:
    """What is wrong with a segment, for each packet, each way.

    `delay_ms` and `jitter_ms` (up to so much more, evenly spread) are milliseconds, `loss` a chance from 0 to 1,
    `rate_kbps` kilobits per second, shared by all that crosses (0: unlimited). `cut` drops in silence,
    `unreachable` has the router before it answer so.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    rate_kbps: float = 0.0
    cut: bool = False
    unreachable: bool = False


UNIMPAIRED = Impairment()


@dataclass(frozen=True, slots=True)
class Hop:
    """A router that counts hops down and answers for itself, by its address of either family."""

    name: str
    v4: bytes
    v6: bytes


@dataclass(slots=True)
class Segment:
    """A stretch between routers; `dark` (a site without power) is kept apart from what else is wrong with it."""

    name: str
    impairment: Impairment = UNIMPAIRED
    dark: bool = False
    forwarded: int = 0
    dropped: dict[Fate, int] = field(default_factory=dict)
    _free_at: list[float] = field(default_factory=lambda: [0.0, 0.0])  # per direction, for `rate_kbps`

    def cross(self, at: float, size: int, back: bool, chance: Random) -> float | Fate:
        """When a packet that comes at `at` (seconds) leaves on the other side, or why it does not."""
        fate = self._cross(at, size, back, chance)
        if isinstance(fate, Fate):
            self.dropped[fate] = self.dropped.get(fate, 0) + 1
        else:
            self.forwarded += 1
        return fate

    def _cross(self, at: float, size: int, back: bool, chance: Random) -> float | Fate:
        wrong = self.impairment
        if self.dark:
            return Fate.DARK
        if wrong is UNIMPAIRED:
            return at
        if wrong.cut or wrong.unreachable:
            return Fate.CUT if wrong.cut else Fate.UNREACHABLE
        if wrong.loss and chance.random() < wrong.loss:
            return Fate.LOST
        if wrong.rate_kbps:
            bytes_per_s = wrong.rate_kbps * 125
            starts = max(at, self._free_at[back])
            if (starts - at) * bytes_per_s > max(QUEUE_S * bytes_per_s, _ONE_PACKET):
                return Fate.QUEUE
            at = self._free_at[back] = starts + size / bytes_per_s
        return at + (wrong.delay_ms + chance.random() * wrong.jitter_ms) / 1000

    def impair(self, changes: dict[str, float | bool]) -> None:
        """Change some of what is wrong, by the fields of `Impairment`."""
        changed = replace(self.impairment, **changes)  # type: ignore[arg-type]  # fields by name, checked by the caller
        self.impairment = UNIMPAIRED if changed == UNIMPAIRED else changed

    def heal(self) -> None:
        """Take every impairment away; what is dark stays dark."""
        self.impairment = UNIMPAIRED


@dataclass(slots=True)
class Path:
    """What lies between the agent and one address, nearest first; packets of one path keep their order."""

    items: tuple[Segment | Hop, ...]
    last_at: list[float] = field(default_factory=lambda: [0.0, 0.0])  # per direction


@dataclass(slots=True)
class Trip:
    """A packet on its way: at `path.items[index]` at the time `at`; at its end once `index` lies outside."""

    packet: bytes
    path: Path
    back: bool
    at: float
    index: int

    @classmethod
    def begin(cls, packet: bytes, path: Path, back: bool, at: float) -> Trip:
        """From the agent, or `back` from the far end."""
        return cls(packet, path, back, at, len(path.items) - 1 if back else 0)

    @property
    def ended(self) -> bool:
        """Whether the packet only waits to be handed over at `at`."""
        return not 0 <= self.index < len(self.path.items)


def travel(trip: Trip, now: float, chance: Random) -> Trip | None:
    """Move a packet as far as can be told at `now`: to its end, or to a queue that it will reach later.

    Gives the trip to go on with at its `at`, which may be that of an ICMP error in the other direction; None if the
    packet is gone.
    """
    items, step, passed = trip.path.items, -1 if trip.back else 1, 0
    hops_left = packets.ttl(trip.packet)
    while not trip.ended:
        item = items[trip.index]
        if isinstance(item, Hop):
            if hops_left - passed <= 1:
                arrived = packets.after_hops(trip.packet, passed)
                return _turn(trip, packets.time_exceeded(arrived, item.v4, item.v6), now, chance)
            passed += 1
        else:
            if item.impairment.rate_kbps and trip.at > now:
                trip.packet = packets.after_hops(trip.packet, passed)
                return trip
            fate = item.cross(trip.at, len(trip.packet), trip.back, chance)
            if fate is Fate.UNREACHABLE and not trip.back:
                hop = _hop_before(trip)
                arrived = packets.after_hops(trip.packet, passed)
                return _turn(trip, packets.host_unreachable(arrived, hop.v4, hop.v6) if hop else None, now, chance)
            if isinstance(fate, Fate):
                return None
            trip.at = fate
        trip.index += step
    trip.packet = packets.after_hops(trip.packet, passed)
    trip.at = trip.path.last_at[trip.back] = max(trip.at, trip.path.last_at[trip.back])
    return trip


def _hop_before(trip: Trip) -> Hop | None:
    for item in reversed(trip.path.items[: trip.index]):
        if isinstance(item, Hop):
            return item
    return None


def _turn(trip: Trip, error: bytes | None, now: float, chance: Random) -> Trip | None:
    """Send an ICMP error back the way that the packet came."""
    if error is None:
        return None
    return travel(Trip(error, trip.path, not trip.back, trip.at, trip.index + (1 if trip.back else -1)), now, chance)
