"""`lienxa init`: a commented inventory of all communes of a province, empty or filled in from a CSV of addresses."""

from __future__ import annotations

import difflib
from pathlib import Path

from agent.errors import Unusable
from agent.init.classes import templates
from agent.init.entries import entry, trunk_section
from agent.init.preview import preview
from agent.init.sites import take
from agent.init.skeleton import CREDENTIALS, inventory, slug
from agent.init.table import read_table
from probes import units
from probes.units import Unit

__all__ = ["from_csv", "init", "inventory_of", "write"]


def inventory_of(province: str) -> tuple[str, str]:
    """File name and text of a province's inventory, by its official code; raises `Unusable` for an unknown one."""
    unit = _province(province)
    lines = [entry(commune) for commune in units.communes(province)]
    return _file(unit), inventory(unit, _file(unit), lines)


def from_csv(province: str, path: Path, folder: Path) -> tuple[str, str, str]:
    """File name, text, and a preview of what was understood, of an inventory filled in from a CSV of addresses.

    `folder` is where it will be written, for the preview. The text is empty where no row could be taken. Raises
    `Unusable` for an unknown province and for a file that is no table of communes.
    """
    unit = _province(province)
    taken = take(read_table(path), province)
    file = _file(unit)
    if not taken.sites:
        return file, "", preview(path, unit, taken, "", [], folder)
    communes = units.communes(province)
    complete = all(commune.code in taken.sites for commune in communes)
    classes = templates(taken.sites.values(), everything="remote" if complete else "standard")
    live = {
        key: text for key, text in (("site_classes", classes.text), ("trunks", trunk_section(taken.trunks))) if text
    }
    if any(site.devices for site in taken.sites.values()):
        live["credentials"] = CREDENTIALS
    lines = {commune.code: entry(commune, taken.sites.get(commune.code), classes) for commune in communes}
    shown = [line for code, line in lines.items() if code in taken.sites]
    text = inventory(
        unit,
        file,
        lines.values(),
        live,
        source=path.name,
        usual=classes.usual,
        trunk=min(taken.trunks, default="ring-west"),
    )
    return file, text, preview(path, unit, taken, classes.text, shown, folder)


def init(province: str, folder: Path) -> Path:
    """Write the inventory into `folder`, which is made if need be; never overwrites a file."""
    return write(*inventory_of(province), folder)


def write(name: str, text: str, folder: Path) -> Path:
    """Write a new file into a folder, which is made if need be; raises `Unusable` if the file is there."""
    path = folder / name
    if folder.exists() and not folder.is_dir():
        raise Unusable(f"{folder} is a file; name a folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Unusable(
            f"{path} exists and is left as it is; name another folder with -o, and "
            "copy the lines that are new from there"
        ) from None
    except OSError as error:
        raise Unusable(f"{path}: cannot be written: {error.strerror}; name another folder with -o") from None
    return path


def _province(code: str) -> Unit:
    unit = units.by_code().get(code)
    if unit is None or unit.type != "province":
        raise Unusable(_unknown(code))
    return unit


def _file(unit: Unit) -> str:
    return f"{slug(unit.name)}.yaml"


def _unknown(province: str) -> str:
    known = [unit for unit in units.by_code().values() if unit.type == "province"]
    padded = f"0{province}"
    if any(unit.code == padded for unit in known):
        return f"no province has the code {province!r}; did you mean {padded!r} ({units.name(padded)})?"
    slugs = {slug(unit.name): unit for unit in known}
    near = difflib.get_close_matches(slug(province), list(slugs), n=3)
    if near:
        meant = " or ".join(f"{slugs[name].code!r} ({slugs[name].name})" for name in near)
        return f"--province takes the official code; did you mean {meant}?"
    listed = ", ".join(f"{unit.code} {unit.name}" for unit in known)
    return f"no province has the code {province!r}; there are: {listed}"
