"""`lienxa init`: a commented inventory of all communes of a province, valid as it is and ready to fill in."""

from __future__ import annotations

import difflib
from pathlib import Path

from agent.errors import Unusable
from probes import units

_HEAD = """\
# {province} ({code}): {count} communes, wards and special zones.
# Fill in addresses, then:   lienxa validate {file}
# Every error is told with its line, and what would be right. Codes stay in quotes: they start with zeros.
province: "{code}"

# One or two addresses close to the agent, such as its own gateway. When they fall silent, the agent knows that it is
# blind itself, and blames nobody.
#references: [10.0.0.1]

# Who receives notifications (Alertmanager's webhook).
#contacts: {{webhook_url: "http://127.0.0.1:9099/"}}

# How devices are asked over SNMP. The secret itself never stands here: it is read from a file beside this one, from an
# environment variable (env: NAME) or from systemd (credential: NAME).
#credentials:
#  devices: {{version: v2c, community: {{file: snmp-community}}}}

# What several communes share on the way here; when it fails, they are one incident. Trunks may lie behind each other.
#trunks:
#  - {{id: ring-west, name: "…", address: 10.0.0.11}}
#  - {{id: hop-north, name: "…", parent: ring-west}}

# Portals and platforms that the communes depend on.
#services:
#  - {{id: provincial-portal, name: "…", kind: http, url: "https://portal.example/health"}}
#  - {{id: gateway, name: "…", kind: tcp, host: gateway.example, port: 443}}

# A commune that is filled in looks like this:
#  - code: "{example}"
#    trunk: ring-west
#    links: [{{address: 10.4.1.1}}, {{role: backup, medium: lte, address: 10.4.1.3}}]
#    devices:
#      - {{id: router, role: router, address: 10.4.1.1, credential: devices}}
#      - {{id: ups, role: ups, address: 10.4.1.2, credential: devices}}
communes:
"""
_COMMUNE = """\
  - code: "{code}"  # {name}
    #links: [{{address: }}]
"""


def inventory_of(province: str) -> tuple[str, str]:
    """File name and text of a province's inventory, by its official code; raises `Unusable` for an unknown one."""
    unit = units.by_code().get(province)
    if unit is None or unit.type != "province":
        raise Unusable(_unknown(province))
    communes = units.communes(province)
    file = f"{_slug(unit.name)}.yaml"
    head = _HEAD.format(province=unit.name, code=province, count=len(communes), file=file, example=communes[0].code)
    return file, head + "".join(_COMMUNE.format(code=commune.code, name=commune.name) for commune in communes)


def init(province: str, folder: Path) -> Path:
    """Write the inventory into `folder`, which is made if need be; never overwrites a file."""
    name, text = inventory_of(province)
    path = folder / name
    if folder.exists() and not folder.is_dir():
        raise Unusable(f"{folder} is a file; name a folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Unusable(f"{path} exists and is left as it is; name another folder with -o") from None
    except OSError as error:
        raise Unusable(f"{path}: cannot be written: {error.strerror}; name another folder with -o") from None
    return path


def _unknown(province: str) -> str:
    known = [unit for unit in units.by_code().values() if unit.type == "province"]
    padded = f"0{province}"
    if any(unit.code == padded for unit in known):
        return f"no province has the code {province!r}; did you mean {padded!r} ({units.name(padded)})?"
    slugs = {_slug(unit.name): unit for unit in known}
    near = difflib.get_close_matches(_slug(province), list(slugs), n=3)
    if near:
        meant = " or ".join(f"{slugs[name].code!r} ({slugs[name].name})" for name in near)
        return f"--province takes the official code; did you mean {meant}?"
    listed = ", ".join(f"{unit.code} {unit.name}" for unit in known)
    return f"no province has the code {province!r}; there are: {listed}"


def _slug(name: str) -> str:
    """A province's name as a file name: `cao-bang`."""
    return units.folded(name.removeprefix("Tỉnh ").removeprefix("Thành phố ")).replace(" ", "-")
