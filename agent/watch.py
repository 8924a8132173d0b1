"""Tells when the files of an inventory have changed, and are whole again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.inventory import InventoryError, inventory_files

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""Path, time of change, size and inode of each file; not a folder's own time, which editors' hidden files change."""


def fingerprint(inventory: Path) -> Fingerprint:
    """Differs when a file of an inventory, or of the folder that it is, was changed, replaced, added or taken away."""
    try:
        files = inventory_files(inventory)
    except InventoryError:
        files = []  # a folder that cannot be read any more
    return tuple(_of_file(file) for file in files)


def _of_file(file: Path) -> tuple[str, int, int, int]:
    try:
        facts = file.stat()
    except (OSError, ValueError):
        return str(file), 0, 0, 0  # being replaced, or gone
    return str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino


@dataclass
class Watch:
    """What was read last, and what was seen last: a change counts once it is there at two looks in a row."""

    read: Fingerprint
    seen: Fingerprint

    @classmethod
    def of(cls, inventory: Path) -> Watch:
        """To be made before the inventory is read, so that no change in between is missed."""
        now = fingerprint(inventory)
        return cls(now, now)

    def look(self, now: Fingerprint) -> bool:
        """Whether the inventory should be read again: once for each change, whether it turns out well or not."""
        settled, self.seen = now == self.seen, now
        if not settled or now == self.read:
            return False
        self.read = now
        return True
