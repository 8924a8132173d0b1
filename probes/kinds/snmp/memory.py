"""What one beat of a device leaves to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from probes.kinds.snmp.counters import Counters
from probes.kinds.snmp.sameness import Identity
from probes.profiles import Profile
from probes.profiles.age import Age
from probes.profiles.rows import Row
from probes.profiles.signal import Band
from probes.protocols.exposure import Exposure
from probes.results import Reading

Place = tuple[str, int]
"""A table: its group, and which of its tables it is."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """The rows of one table, what they are asked for, and the signs under which they were learnt."""

    rows: tuple[Row, ...]
    asks: tuple[tuple[str, ...], ...]
    signs: tuple[float | None, ...]
    beats: int


@dataclass(frozen=True, slots=True)
class Known:
    """What one beat leaves to the next."""

    object_id: str = ""
    answered: bool = False
    """Whether the device has ever said anything."""
    identity: Identity = field(default_factory=Identity)
    signs_due: float = 0.0
    """When (monotonic) its serial number and engine id are looked at again."""
    exposure: Exposure | None = None
    profile: Profile | None = None
    recognised: bool = False
    age: Age | None = None
    band: Band | None = None
    tables: Mapping[Place, Learnt] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    """Groups that have answered: from then on, they must."""
    absent: Mapping[str, int] = field(default_factory=dict)
    """Groups that the device lacks, and in how many beats they are looked for again."""
    counters: Counters = field(default_factory=dict)
    told: Mapping[str, tuple[float, tuple[Reading, ...]]] = field(default_factory=dict)
    """Until when (monotonic) the readings of a group are told again."""
