"""How good a cell's signal is: one scale for every vendor's modem; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from probes import metrics
from probes.metrics import Family
from probes.results import Reading

Band = Literal["good", "weak", "none"]
BANDS: tuple[Band, ...] = ("good", "weak", "none")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a measure is weak, and where it leaves weak again; below `none` there is no signal to speak of."""

    family: Family
    weak: float
    clear: float
    none: float | None = None


# Real sessions live at -112 dBm (TS 36.133 9.1.4 goes to -140): makers' "no signal below -100" is too strict.
RSRP = Scale(metrics.CELL_RSRP, weak=-105, clear=-102, none=-124)
RSRQ = Scale(metrics.CELL_RSRQ, weak=-15, clear=-12)
SINR = Scale(metrics.CELL_SINR, weak=3, clear=6)
RSSI = Scale(metrics.CELL_RSSI, weak=-95, clear=-92, none=-113)
"""Only where RSRP is missing. -113 dBm is the least that AT+CSQ can say (TS 27.007 8.5)."""

LTE = 4
_OF_LTE = frozenset(family.name for family in (metrics.CELL_RSRP, metrics.CELL_RSRQ, metrics.CELL_SINR))


def judged(readings: Sequence[Reading], before: Band | None) -> tuple[list[Reading], Band | None]:
    """A modem's readings, without what cannot be, with the band of quality; and the band, for the next time.

    A modem in a 3G or 2G cell goes on telling the LTE values it saw last. RSSI, over the whole channel, is never
    below RSRP, over one subcarrier.
    """
    found = {reading.family.name: reading.value for reading in readings if not reading.labels}
    generation, rsrp, rssi = (
        found.get(family.name) for family in (metrics.CELL_GENERATION, metrics.CELL_RSRP, metrics.CELL_RSSI)
    )
    wrong: set[str] = set()
    if generation is not None and generation < LTE:
        wrong |= _OF_LTE
    elif rsrp is not None and rssi is not None and rssi < rsrp:
        wrong.add(metrics.CELL_RSSI.name)
    kept = [reading for reading in readings if reading.family.name not in wrong]
    band = _band({name: value for name, value in found.items() if name not in wrong}, before)
    if band is not None:
        kept += [Reading(metrics.CELL_QUALITY, float(state == band), (state,)) for state in BANDS]
    return kept, band


def _band(found: Mapping[str, float], before: Band | None) -> Band | None:
    if found.get(metrics.CELL_REGISTERED.name) == 0 or found.get(metrics.CELL_CONNECTED.name) == 0:
        return "none"
    scales = [scale for scale in (RSRP, RSRQ, SINR) if scale.family.name in found]
    if RSRP.family.name not in found and RSSI.family.name in found:
        scales.append(RSSI)
    generation = found.get(metrics.CELL_GENERATION.name)
    fallen = generation is not None and generation < LTE
    if not scales:
        return "weak" if fallen else None
    if any(scale.none is not None and found[scale.family.name] < scale.none for scale in scales):
        return "none"
    held = before is not None and before != "good"
    return "weak" if fallen or any(_weak(scale, found[scale.family.name], held) for scale in scales) else "good"


def _weak(scale: Scale, value: float, held: bool) -> bool:
    return value < (scale.clear if held else scale.weak)
