"""The inventory's own text (skeleton.yaml): what each part is for, with an example that is valid without its `#`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from string import Template

from probes import units
from probes.units import Unit

CREDENTIALS = """\
credentials:
  devices: {version: v2c, community: {file: snmp-community}}
"""
"""What devices from a CSV are asked with."""
IMPLIED = "remote"
"""The class of a commune that names none."""


def inventory(
    province: Unit,
    file: str,
    communes: Iterable[str],
    live: Mapping[str, str] | None = None,
    source: str = "",
    usual: str = "standard",
    trunk: str = "ring-west",
) -> str:
    """The whole text. `live` are parts that are filled in, in place of their examples; `source` is a file's name.

    `usual` is the class that most communes are of, and `trunk` one of the trunks, for what the comments say of them.
    """
    known = units.communes(province.code)
    live = live or {}
    empty = "`references`" if "trunks" in live else "`references` and `trunks`"
    addresses = "look over the communes' addresses" if source else "the communes' addresses"
    text = Template(resources.files(__package__).joinpath("skeleton.yaml").read_text(encoding="utf-8")).substitute(
        province=province.name,
        code=province.code,
        count=len(known),
        file=file,
        source=f"\n# Filled in from {source!r}." if source else "",
        net=int(province.code),
        example=known[0].code,
        begin=f"Fill in {empty}, and {addresses} at the end of this file.",
        takes=(
            f"A commune that names no class is of the class `{IMPLIED}`"
            if usual == IMPLIED
            else f"A commune takes it with `site_class: {usual}`"
        ),
        site_class="" if usual == IMPLIED else f"site_class: {usual}, ",
        trunk=trunk,
    )
    for key, part in live.items():
        text = re.sub(rf"^#{key}:.*\n(#.*\n)*", part.replace("\\", r"\\"), text, count=1, flags=re.MULTILINE)
    return text + "".join(communes)


def slug(name: str) -> str:
    """A province's name as a file name: `cao-bang`."""
    return units.folded(name.removeprefix("Tỉnh ").removeprefix("Thành phố ")).replace(" ", "-")
