"""What a sweep has found, as lines for the inventory: whose commune an address is, what role a device has; pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from agent.terminal import plain
from probes import units
from probes.metrics import PREFIX
from probes.model import Commune, DeviceRole, Province, is_address, prefix_network
from probes.results import Reason

BRIDGE, ROUTES = 2, 4
"""sysServices: bits of layer 2 and 3 (RFC 3418)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One address that answered: pings, SNMP or both."""

    address: str
    rtt_s: float | None = None
    credential: str = ""
    """With which it answered SNMP; empty if with none."""
    reason: Reason | None = None
    """Why it answered SNMP with none of them, as far as it says."""
    name: str = ""
    description: str = ""
    profile: str = ""
    model: str = ""
    families: frozenset[str] = field(default=frozenset(), repr=False)
    """Names of the families that it feeds."""
    services: int | None = None
    """sysServices."""

    @property
    def role(self) -> DeviceRole:
        """What it is, by what it says; a router where it says nothing in particular."""
        for beginning, role in (("ups_", "ups"), ("radio_", "radio"), ("cell_", "modem")):
            if any(name.startswith(PREFIX + beginning) for name in self.families):
                return role  # type: ignore[return-value]  # one of the three
        if self.services is not None and self.services & BRIDGE and not self.services & ROUTES:
            return "switch"
        return "router"


class Places:
    """Whose an address is, as the inventory has it."""

    def __init__(self, province: Province) -> None:
        self._communes = {commune.code: commune for commune in province.communes}
        self._links: dict[str, str] = {}
        self._prefixes = [
            (prefix_network(commune.prefix), commune.code) for commune in province.communes if commune.prefix
        ]
        self._known: dict[str, str] = {}
        for address in province.references:
            self._known[_normal(address)] = f"reference/{address}"
        for trunk in province.trunks:
            if trunk.address is not None:
                self._known[_normal(trunk.address)] = f"trunk/{trunk.id}"
        for commune in province.communes:
            for link in commune.links:
                if link.address is not None:
                    self._links[_normal(link.address)] = f"link/{commune.code}/{link.id}"
            for device in commune.devices:
                self._known[_normal(device.address)] = f"device/{commune.code}/{device.id}"

    def known(self, address: str) -> str:
        """The target that has it, a device before a link; empty if none has."""
        return self._known.get(address) or self._links.get(address, "")

    def is_new(self, address: str) -> bool:
        """Whether a device with it may be added: a link's may be its router's as well."""
        return address not in self._known

    def commune(self, address: str) -> Commune | None:
        """The commune whose link or prefix has it; the longest prefix counts."""
        link = self._links.get(address)
        if link is not None:
            return self._communes[link.split("/")[1]]
        ip = ipaddress.ip_address(address)
        fitting = [(network.prefixlen, code) for network, code in self._prefixes if ip in network]
        return self._communes[max(fitting)[1]] if fitting else None


def _normal(address: str) -> str:
    return str(ipaddress.ip_address(address)) if is_address(address) else address


def proposed(seen: Iterable[Seen], places: Places) -> str:
    """YAML with a line for each device that the inventory does not know; empty if there is none.

    Devices of no commune of the inventory are comments: somebody has to say whose they are.
    """
    new = [item for item in seen if item.credential and places.is_new(item.address)]
    homes: dict[str, list[Seen]] = {}
    homeless = []
    for item in new:
        commune = places.commune(item.address)
        if commune is None:
            homeless.append(item)
        else:
            homes.setdefault(commune.code, []).append(item)
    lines = ["communes:"] if homes else []
    for code, items in sorted(homes.items()):
        commune = places.commune(items[0].address)
        taken = {device.id for device in commune.devices} if commune is not None else set()
        lines += [f'  - code: "{code}"  # {units.name(code)}', "    devices:"]
        lines += [f"      - {line}" for line in _lines(items, taken)]
    if homeless:
        lines.append("# No commune of the inventory has these addresses; put them where they belong:")
        lines += [f"#      - {line}" for line in _lines(homeless, set())]
    return "".join(f"{line}\n" for line in lines)


def _lines(items: Sequence[Seen], taken: set[str]) -> Iterator[str]:
    for item in items:
        number = 1
        while (name := item.role if number == 1 else f"{item.role}-{number}") in taken:
            number += 1
        taken.add(name)
        address = json.dumps(item.address) if ":" in item.address else item.address
        known = ", ".join(part for part in (item.profile, item.model, item.name) if part) or item.description
        said = f"  # {plain(known)}" if known else ""
        yield f"{{id: {name}, role: {item.role}, address: {address}, credential: {item.credential}}}{said}"
