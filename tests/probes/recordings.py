"""Recordings of real devices (`OID|type|value` lines, as snmpsim writes them) that answer as the `Snmp` port does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from probes.ports import NO_CONDITIONS, SnmpAgent, SnmpError, SnmpRows, SnmpValue
from probes.results import Conditions, Reason

FOLDER = Path(__file__).parents[3] / "shared" / "recordings"
"""Beside the repository; other people's test data (GPL-3.0), never copied into it."""

Arcs = tuple[int, ...]
Objects = Mapping[str, SnmpValue]

INTEGERS = {"2", "65", "66", "67", "70"}


def recording(name: str) -> dict[str, SnmpValue]:
    """What a device said, by object identifier; skips where the folder is absent."""
    path = FOLDER / f"{name}.snmprec"
    if not path.is_file():
        pytest.skip(f"no recordings of real devices in {FOLDER.parent.name}/{FOLDER.name}")
    return parsed(path.read_bytes().split(b"\n"))


def names() -> list[str]:
    """Every recording there is."""
    return sorted(path.stem for path in FOLDER.glob("*.snmprec"))


def parsed(lines: Iterable[bytes]) -> dict[str, SnmpValue]:
    """Of lines that come twice, the first; without those of type Null."""
    found: dict[str, SnmpValue] = {}
    for line in lines:
        oid, _, rest = line.decode("latin-1").partition("|")
        kind, _, value = rest.partition("|")
        if kind in INTEGERS:
            found.setdefault(oid, int(value))
        elif kind == "4x":
            found.setdefault(oid, bytes.fromhex(value))
        elif kind == "4":
            found.setdefault(oid, value.encode("latin-1"))
        elif kind in {"6", "64"}:
            found.setdefault(oid, value)
    return found


def arcs(oid: str) -> Arcs:
    """An object identifier as numbers, to be ordered."""
    return tuple(map(int, oid.split(".")))


class Played:
    """Implements `probes.ports.Snmp` for one device; `requests` counts what is asked, `objects` may be changed."""

    def __init__(self, objects: Objects) -> None:
        self.objects = dict(objects)
        self.requests: list[tuple[str, ...]] = []
        self.refused: dict[str, Reason] = {}
        """Beginnings of object identifiers that are answered with an error."""
        self._order: list[tuple[Arcs, str]] = []
        self._size = -1

    async def get(
        self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, *, conditions: Conditions = NO_CONDITIONS
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        self._ask(oids)
        found = SnmpRows({oid: self.objects[oid] for oid in oids if oid in self.objects})
        if not found:
            raise SnmpError(Reason.NO_SUCH_OBJECT, "none of the objects")
        return found

    async def walk(
        self,
        agent: SnmpAgent,
        oid: str,
        timeout_s: float,
        max_rows: int,
        *,
        conditions: Conditions = NO_CONDITIONS,
    ) -> SnmpRows:
        """See `probes.ports.Snmp`."""
        self._ask([oid])
        if self._size != len(self.objects):
            self._order = sorted((arcs(name), name) for name in self.objects)
            self._size = len(self.objects)
        prefix = arcs(oid)
        start = bisect_right(self._order, (prefix, "~"))
        rows = SnmpRows()
        for name, plain in self._order[start : start + max_rows]:
            if name[: len(prefix)] != prefix:
                break
            rows[plain] = self.objects[plain]
        return rows

    def _ask(self, oids: Sequence[str]) -> None:
        self.requests.append(tuple(oids))
        for beginning, reason in self.refused.items():
            if any(f"{oid}.".startswith(f"{beginning}.") for oid in oids):
                raise SnmpError(reason)
