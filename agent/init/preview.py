"""What was understood of a CSV, for people to look over before they trust it."""

from __future__ import annotations

import shlex
from pathlib import Path

from agent.init.columns import MEANINGS, suggestion
from agent.init.sites import Taken
from probes import units
from probes.units import Unit

FIRST = 5
"""Communes that are shown as they will stand."""
WIDEST = 40
"""Letters of a header that are shown."""
ALIKE = 3
"""Remarks of one kind that are shown."""


def preview(path: Path, province: Unit, taken: Taken, classes: str, communes: list[str], folder: Path) -> str:
    """The whole text. `classes`, and `communes` with a row, are as they will stand in the inventory."""
    table = taken.table
    parts = [
        f"{path}: {table.encoding}, columns divided by {table.delimiter}, header at line {table.line}",
        *_columns(taken),
        *_rows(province, taken),
        *_remarks(taken),
    ]
    if classes:
        parts += ["", "What most communes have alike is told once, as their class:", *classes.splitlines()]
    if communes:
        count = f"The first {FIRST} of {len(communes)} communes" if communes[FIRST:] else "The communes"
        parts += ["", f"{count}, as they stand in the inventory:"]
        parts += [line for text in communes[:FIRST] for line in text.splitlines()]
    return "\n".join([*parts, *_credentials(taken, folder)]) + "\n"


def _columns(taken: Taken) -> list[str]:
    header = taken.table.header
    told = []
    for name, index in sorted(header.columns.items(), key=lambda pair: pair[1]):
        cell = header.cells[index]
        if cell in taken.unproven:
            told.append((cell, f"left out: no cell below is an address ({_shown(taken.unproven[cell])})"))
        else:
            told.append((cell, f"{MEANINGS[name]:<24}{_sample(taken, index)}".rstrip()))
    for cell in header.unknown:
        hint = suggestion(cell)
        told.append((cell, f"NOT UNDERSTOOD, left out; {hint}" if hint else "NOT UNDERSTOOD, left out"))
    told += [(cell, "not needed") for cell in header.needless]
    told = [(cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…", meaning) for cell, meaning in told]
    width = max(len(cell) for cell, _ in told)
    return ["", "Columns:", *(f"  {cell:<{width}}  {meaning}" for cell, meaning in told)]


def _sample(taken: Taken, index: int) -> str:
    """The first thing that stands in a column."""
    found = next((cells[index] for _, cells in taken.table.rows if index < len(cells) and cells[index]), "")
    return _shown(found) if found else "(empty)"


def _rows(province: Unit, taken: Taken) -> list[str]:
    bare = [commune for commune in units.communes(province.code) if commune.code not in taken.sites]
    counted = f"{len(taken.sites)} taken, {len(taken.rejected)} rejected"
    if taken.needless:
        counted += f", {len(taken.needless)} not needed"
    told = [*taken.rejected, *((line, f"{_shown(text)}: not needed") for line, text in taken.needless)]
    lines = ["", f"Rows: {counted}", *(f"  line {line}: {reason}" for line, reason in sorted(told))]
    lines += _unwatched(taken)
    if bare:
        named = ", ".join(f"{commune.name} ({commune.code})" for commune in bare[:FIRST])
        more = f", and {len(bare) - FIRST} more" if bare[FIRST:] else ""
        lines.append(f"Communes of {province.name} without a row, which stay bare codes: {len(bare)}: {named}{more}")
    return lines


def _unwatched(taken: Taken) -> list[str]:
    """Communes that would seem to be watched, and cannot be."""
    sites = [site for site in taken.sites.values() if not site.watched]
    lines = []
    if sites:
        named = ", ".join(f"{site.unit.name} (line {site.line})" for site in sites[:FIRST])
        more = f", and {len(sites) - FIRST} more" if sites[FIRST:] else ""
        lines.append(
            f"NOT WATCHED, as no address of a link is known: {len(sites)} of {len(taken.sites)} communes: {named}{more}"
            "; add a column `địa chỉ ip` (ip) or `ip router`, or give `links` in the inventory"
        )
    backups = [site for site in taken.sites.values() if site.watched and site.backup and not site.backup.address]
    if backups:
        lines.append(f"BACKUP LINKS NOT WATCHED, for want of an address: {len(backups)}; add a column `ip dự phòng`")
    return lines


def _remarks(taken: Taken) -> list[str]:
    lines = []
    for texts in taken.remarks.values():
        lines += [f"  {text}" for text in texts[:ALIKE]]
        if texts[ALIKE:]:
            lines.append(f"  … and {len(texts) - ALIKE} more like this")
    return ["", "Look at these:", *lines] if lines else []


def _credentials(taken: Taken, folder: Path) -> list[str]:
    if not any(site.devices for site in taken.sites.values()):
        return []
    file = shlex.quote(str(folder / "snmp-community"))
    return [
        "",
        "Devices are asked over SNMP v2c. Make the file with their community, which nobody else may read:",
        f"  touch {file} && chmod 600 {file} && nano {file}",
    ]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 30 else f"{text[:29]}…")
