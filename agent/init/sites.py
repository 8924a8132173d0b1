"""The rows of a table become communes with their addresses; whatever cannot be taken is told with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, get_args

from agent.communes import Unnamed, by_code_and_name
from agent.init.cells import (
    Network,
    Refused,
    address_of,
    email_flaw,
    identifier_of,
    is_address,
    is_nothing,
    medium_of,
    network_of,
    phone_flaw,
)
from agent.init.columns import MEANINGS, says_address
from agent.init.table import Row, Table
from agent.table import folded, lost_letters, misread
from probes.model import Medium, prefix_network
from probes.units import Unit

DeviceName = Literal["router", "switch", "ups"]
DEVICES: tuple[DeviceName, ...] = get_args(DeviceName)
LONGEST_TEXT = 200
_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("hq", "tru so", "trung tam", "trung tam tinh", "tinh ly", "headquarters"), "hq"),
        **dict.fromkeys(("remote", "standard", "thuong", "binh thuong", "vung xa", "vung sau vung xa", "khac"), ""),
    }
)
_SUM = re.compile(r"(tong cong|tong so|tong|cong|total)( [0-9]+)*( (xa|phuong|xa phuong|don vi))?( [0-9]+)*")
"""What a row of sums says of itself, folded."""
_TEXTS = ("trunk", "site_class", "contact")
"""Columns of words, in which `?` stands for lost letters."""


@dataclass(frozen=True)
class LinkOf:
    """One link as the row tells it."""

    medium: Medium
    address: str | None


@dataclass(frozen=True)
class Site:
    """One commune as its row tells it."""

    unit: Unit
    line: int
    site_class: str = ""
    """Empty for one of no special class."""
    prefix: str = ""
    prefix_given: bool = True
    """False where it was read off the addresses."""
    trunk: str = ""
    primary: LinkOf | None = None
    backup: LinkOf | None = None
    devices: Mapping[DeviceName, str] = field(default_factory=dict)
    contact: Mapping[str, str] = field(default_factory=dict)
    identification_code: str = ""
    borrowed: bool = False
    """Whether the primary link's address is the router's, for want of its own."""

    @property
    def watched(self) -> bool:
        """Whether a link has an address, so that it can be asked."""
        return any(link and link.address for link in (self.primary, self.backup))

    def addresses(self) -> list[str]:
        """All of them; a link and a device may have the same one."""
        links = [link.address for link in (self.primary, self.backup) if link and link.address]
        return [*links, *self.devices.values()]


@dataclass
class Taken:
    """What a table gives: communes by code, trunks' names by id, rejected rows, and remarks in groups of a kind."""

    table: Table
    sites: dict[str, Site] = field(default_factory=dict)
    trunks: dict[str, str] = field(default_factory=dict)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    needless: list[tuple[int, str]] = field(default_factory=list)
    """Rows of sums: line, and what they say."""
    remarks: dict[str, list[str]] = field(default_factory=dict)
    unproven: dict[str, str] = field(default_factory=dict)
    """Headers of columns that seemed to hold addresses and hold none, with an example of what they hold."""

    def remark(self, kind: str, text: str) -> None:
        """Something that was taken, and that somebody should look at."""
        self.remarks.setdefault(kind, []).append(text)


def take(table: Table, province: str) -> Taken:
    """Every row of the table, in its order: the first one that speaks of a commune or an address has it."""
    taken = Taken(table)
    columns = _proven(table, taken)
    reader = _Reader(taken, province, columns)
    for row in table.rows:
        if said := _sum(row, columns):
            taken.needless.append((row[0], said))
            continue
        try:
            site = reader.site(row)
        except Refused as refused:
            taken.rejected.append((row[0], str(refused)))
        else:
            taken.sites[site.unit.code] = site
            reader.tell()
    if "address" not in columns and any(site.borrowed for site in taken.sites.values()):
        taken.remark("far ends", "no column gives the links' addresses: the routers' are taken as the far ends; right?")
    if "backup_medium" not in columns and any(site.backup for site in taken.sites.values()):
        taken.remark("media", "no column gives the backup links' medium: lte (4G) is taken; right?")
    if "prefix" not in columns:
        _read_off_prefixes(taken.sites)
    return taken


def _sum(row: Row, columns: Mapping[str, int]) -> str:
    """What a row of sums says; empty for any other."""
    _, cells = row
    code = columns.get("code")
    if code is not None and code < len(cells) and re.search("[0-9]", cells[code]):
        return ""
    said = next((cell for cell in cells if _SUM.fullmatch(folded(cell))), "")
    return "" if any(is_address(cell) for cell in cells) else said


def _proven(table: Table, taken: Taken) -> dict[str, int]:
    """The columns without those whose header only may mean addresses, and that hold none."""
    columns = dict(table.header.columns)
    for name in ("address", "backup", *DEVICES):
        index = columns.get(name)
        if index is None or says_address(table.header.cells[index]):
            continue
        cells = [cells[index] for _, cells in table.rows if index < len(cells) and not is_nothing(cells[index])]
        if cells and not any(is_address(cell) for cell in cells):
            taken.unproven[table.header.cells[index]] = cells[0]
            del columns[name]
    return columns


@dataclass
class _Reader:
    taken: Taken
    province: str
    columns: Mapping[str, int]
    owners: dict[str, Site] = field(default_factory=dict)
    networks: list[tuple[Network, Site]] = field(default_factory=list)
    _remarks: list[tuple[str, str]] = field(default_factory=list)
    """Of the last row, told once it is taken: a rejected row has its reason."""

    def tell(self) -> None:
        """Make the last row's remarks heard."""
        for kind, text in self._remarks:
            self.taken.remark(kind, text)

    def site(self, row: Row) -> Site:
        """One row; raises `Refused`."""
        line, cells = row
        self._remarks = []
        told = {
            name: cells[index]
            for name, index in self.columns.items()
            if index < len(cells) and not is_nothing(cells[index])
        }
        for name, text in told.items():
            if len(text) > LONGEST_TEXT:
                raise Refused(f"{MEANINGS[name]} {text[:20] + '…'!r}: longer than {LONGEST_TEXT} characters")
            if meant := misread(text):
                raise Refused(f"{MEANINGS[name]} {text!r} was {meant!r} before the file was opened in another encoding")
        for name in _TEXTS:
            if lost := lost_letters(told.get(name, "")):
                raise Refused(f"{MEANINGS[name]} {lost}")
        unit = self._unit(told, line)
        before = self.taken.sites.get(unit.code)
        if before is not None:
            raise Refused(f"{unit.name} ({unit.code}) stands at line {before.line} already; keep one row for each")
        devices: dict[DeviceName, str] = {name: address_of(name, told[name]) for name in DEVICES if name in told}
        primary, backup = self._primary(told, devices, line), self._backup(told, line)
        site = Site(
            unit=unit,
            line=line,
            site_class=self._site_class(told),
            prefix=self._prefix(told, line),
            trunk=identifier_of("trunk", told.get("trunk", "")),
            primary=primary,
            backup=backup,
            devices=devices,
            borrowed=primary is not None and primary.address is not None and "address" not in told,
            contact=self._contact(told, unit, line),
            identification_code=told.get("identification_code", ""),
        )
        self._claim(site)
        if site.trunk:
            self._trunk(site, told["trunk"])
        return site

    def _remark(self, kind: str, line: int, text: str) -> None:
        self._remarks.append((kind, f"line {line}: {text}"))

    def _unit(self, told: Mapping[str, str], line: int) -> Unit:
        try:
            meant = by_code_and_name(told.get("code", ""), told.get("name", ""), self.province)
        except Unnamed as error:
            raise Refused(str(error)) from None
        if meant.remark:
            self._remark(meant.kind, line, meant.remark)
        return meant.unit

    def _primary(self, told: Mapping[str, str], devices: Mapping[DeviceName, str], line: int) -> LinkOf | None:
        """Reason for borrowing: where the router answers, the link to it works; without an address nothing is asked."""
        router = devices.get("router")
        if "address" in told or router is None or ("medium" not in told and "backup" in told):
            return _link(told, "address", "medium", "fibre")
        if "address" in self.columns:
            self._remark(
                "far ends", line, f"has no link address: the router's, {router}, is taken as the far end; right?"
            )
        return LinkOf(medium_of(told["medium"]) if "medium" in told else "fibre", router)

    def _backup(self, told: Mapping[str, str], line: int) -> LinkOf | None:
        link = _link(told, "backup", "backup_medium", "lte")
        if link is not None and "backup_medium" in self.columns and "backup_medium" not in told:
            self._remark("media", line, "the backup link has no medium: lte (4G) is taken; right?")
        return link

    def _site_class(self, told: Mapping[str, str]) -> str:
        text = told.get("site_class", "")
        known = _CLASSES.get(folded(text))
        return known if known is not None else identifier_of("site class", text)

    def _prefix(self, told: Mapping[str, str], line: int) -> str:
        if "prefix" not in told:
            return ""
        network = network_of(told["prefix"])
        step = 8 if network.version == 4 else 16
        if network.is_multicast:
            raise Refused(f"prefix {told['prefix']!r}: must be a network of hosts, not multicast")
        if (
            network.prefixlen % step
            or not 8 <= network.prefixlen < network.max_prefixlen
            or network.prefixlen == 16 == step
        ):
            whole = "/8, /16 or /24" if network.version == 4 else "/32, /48 or /64"
            text = f"{told['prefix']} is no {whole}: left out, the addresses stand as they are"
            self._remark("prefixes", line, text)
            return ""
        kept = network.prefixlen // step
        if network.version == 4:
            return ".".join(str(network.network_address).split(".")[:kept])
        groups = network.network_address.exploded.split(":")[:kept]
        return ":".join(group.lstrip("0") or "0" for group in groups)

    def _contact(self, told: Mapping[str, str], unit: Unit, line: int) -> dict[str, str]:
        reach = {}
        for key, flaw in (("phone", phone_flaw), ("email", email_flaw)):
            if key in told and (wrong := flaw(told[key])):
                self._remark("reach", line, f"{MEANINGS[key]} {told[key]!r} is left out: {wrong}")
            elif key in told:
                reach[key] = told[key]
        if "contact" in told and not reach:
            self._remark("contacts", line, f"the contact {told['contact']!r} is left out: no phone, no email")
        phone = reach.get("phone", "")
        if re.fullmatch("[1-9][0-9]{8}", phone):
            self._remark("phones", line, f"has the phone {phone!r} lost its first zero? Taken as it is")
        return {"name": told.get("contact", unit.name), **reach} if reach else {}

    def _claim(self, site: Site) -> None:
        """Addresses and prefix become this commune's; raises `Refused`, and then claims none."""
        links = [link.address for link in (site.primary, site.backup) if link and link.address]
        for given in (links, list(site.devices.values())):
            for address in given:
                if given.count(address) > 1:
                    raise Refused(f"{address} is given twice in this row; every link and device has its own")
        for address in site.addresses():
            owner = self.owners.get(address)
            if owner is not None:
                raise Refused(
                    f"{address} is given twice, first at line {owner.line} for {owner.unit.name}; every link and "
                    "device has its own"
                )
        if site.prefix:
            network = prefix_network(site.prefix)
            for other, owner in self.networks:
                if other.version == network.version and other.overlaps(network):
                    raise Refused(
                        f"the prefix {site.prefix} overlaps {owner.prefix} at line {owner.line} ({owner.unit.name}); "
                        "every commune has its own"
                    )
            self.networks.append((network, site))
        self.owners.update(dict.fromkeys(site.addresses(), site))

    def _trunk(self, site: Site, text: str) -> None:
        name = self.taken.trunks.setdefault(site.trunk, text)
        if name.casefold() != text.casefold():
            self._remark("trunks", site.line, f"the trunk {text!r} is taken as {name!r}; are they the same?")


def _link(told: Mapping[str, str], address: str, medium: str, usual: Medium) -> LinkOf | None:
    if address not in told and medium not in told:
        return None
    return LinkOf(
        medium_of(told[medium]) if medium in told else usual,
        address_of(address, told[address]) if address in told else None,
    )


def _read_off_prefixes(sites: dict[str, Site]) -> None:
    """Give a prefix to every commune whose IPv4 addresses at home are in one /24 that is its own."""
    homes: dict[str, list[str]] = {}
    for code, site in sites.items():
        primary = [site.primary.address] if site.primary and site.primary.address else []
        parts = {address.rpartition(".")[0] for address in (*primary, *site.devices.values())}
        if len(parts) == 1 and not any(":" in part or not part for part in parts):
            homes.setdefault(parts.pop(), []).append(code)
    for part, codes in homes.items():
        if len(codes) == 1:
            sites[codes[0]] = replace(sites[codes[0]], prefix=part, prefix_given=False)
