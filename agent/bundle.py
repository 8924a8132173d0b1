"""Everything that follows from an inventory, as files: dashboards, rules, Alertmanager, units, containers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import alerts
import dashboards
import deploy
from agent.errors import Unusable
from probes.model import Province

PARTS = ("dashboards", "alerts", "deploy")


def build(province: Province, parts: Iterable[str] = PARTS, languages: Iterable[str] | None = None) -> dict[str, str]:
    """All files of the chosen parts: relative path -> text; in the inventory's languages unless others are given."""
    languages = province.languages if languages is None else tuple(languages)
    files: dict[str, str] = {}
    if "dashboards" in (parts := tuple(parts)):
        files |= dashboards.build(province, languages)
    if "alerts" in parts:
        files |= alerts.build(province, languages)
    if "deploy" in parts:
        files |= deploy.build(province)
    return files


def write(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write the files below `folder`; raises `Unusable` where that cannot be done."""
    written = []
    try:
        for name, text in sorted(files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise Unusable(
            f"{error.filename}: cannot be written: {error.strerror}; choose another folder with -o"
        ) from None
    return written
