"""A province as paths: which segments and hops lie between the agent and each of its addresses."""

from __future__ import annotations

import difflib
import ipaddress
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping

from deploy.lab.errors import LabError
from deploy.lab.path import Hop, Path, Segment
from probes.model import Province, Service, Trunk, is_address

AGENT = ("10.200.0.1", "fd00:200::1")
GATEWAY = ("10.200.0.254", "fd00:200::fe")
"""The agent's and the hub gateway's addresses, of either family."""
HUB = "hub"
"""The segment between the agent and everything else; cut, it leaves the agent blind."""

# Routers' addresses that no inventory gives: the trunk's number is added
_ENTRIES = ("10.201.0.0", "fd00:201::")
_NODES = ("10.202.0.0", "fd00:202::")

Items = tuple[Segment | Hop, ...]


def _packed(address: str) -> bytes:
    if not is_address(address):
        raise LabError(f"the lab resolves no names: give {address} an IP address")
    return ipaddress.ip_address(address).packed


def _made(base: str, number: int) -> bytes:
    return (ipaddress.ip_address(base) + number).packed


def service_endpoint(service: Service) -> tuple[str, int] | None:
    """The address and port where a service of kind http or tcp is reached; None if it names no address."""
    host, port = service.settings.get("host"), service.settings.get("port")
    url = service.settings.get("url")
    if isinstance(url, str):
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    try:
        return str(ipaddress.ip_address(str(host))), int(str(port))
    except ValueError:
        return None


class Topology:
    """All segments of a province by name, and the path to each address; the province comes checked (no loops).

    Names are `hub`, the trunks' and services' ids, the communes' codes, `CODE/LINK`, and, made when first named, any
    address or network. An address that no inventory object has is delivered behind the hub.
    """

    def __init__(self, province: Province) -> None:
        """Lay out the paths; raises LabError where two of the province's objects would share a name."""
        self._segments: dict[str, Segment] = {}
        self._places: dict[bytes, Items] = {}
        self._behind: dict[str | None, Items] = {}
        self._networks: dict[str, ipaddress.IPv4Network | ipaddress.IPv6Network] = {}
        self._paths: dict[bytes, Path] = {}
        self._last_at: dict[bytes, list[float]] = {}  # by address; outlives its path, so that packets keep their order
        self._behind[None] = self._reach((self._segment(HUB),), Hop("hub-gateway", *map(_packed, GATEWAY)))
        trunks = {trunk.id: (number, trunk) for number, trunk in enumerate(province.trunks, start=1)}
        for trunk in trunks:
            self._segment(trunk)
        for trunk in trunks:
            self._behind_trunk(trunk, trunks)
        for commune in province.communes:
            site = (*self._behind[commune.trunk], self._segment(commune.code))
            for device in commune.devices:
                self._places.setdefault(_packed(device.address), site)
            for link in commune.links:
                segment = self._segment(f"{commune.code}/{link.id}")
                if link.address is not None:
                    self._places[_packed(link.address)] = (*site, segment)
        for service in province.services:
            segment = self._segment(service.id)
            endpoint = service_endpoint(service)
            if endpoint is not None:
                self._places.setdefault(_packed(endpoint[0]), (*self._behind[None], segment))

    def _behind_trunk(self, name: str | None, trunks: Mapping[str, tuple[int, Trunk]]) -> Items:
        """The path to what lies behind a trunk: its parents, the router before it, itself, the node at its end."""
        if name not in self._behind:
            number, trunk = trunks[name or ""]
            parent = self._behind_trunk(trunk.parent, trunks)
            entry = Hop(f"{trunk.id}-entry", _made(_ENTRIES[0], number), _made(_ENTRIES[1], number))
            items = (*self._reach(parent, entry), self._segments[trunk.id])
            if trunk.address is not None:
                own = _packed(trunk.address)
                v4, v6 = _made(_NODES[0], number), _made(_NODES[1], number)
                items = self._reach(items, Hop(f"{trunk.id}-node", *((own, v6) if len(own) == 4 else (v4, own))))
            self._behind[name] = items
        return self._behind[name]

    def _reach(self, items: Items, hop: Hop) -> Items:
        """Put a router at the end of a path, reachable itself."""
        self._places[hop.v4] = self._places[hop.v6] = items
        return (*items, hop)

    def _segment(self, name: str) -> Segment:
        if name in self._segments:
            raise LabError(f"two objects of the province are called {name!r}: the lab needs one name for one thing")
        return self._segments.setdefault(name, Segment(name))

    def names(self) -> Iterable[str]:
        """Every segment's name."""
        return self._segments.keys()

    def __iter__(self) -> Iterator[Segment]:
        """Every segment."""
        return iter(self._segments.values())

    def problem(self, name: str) -> str | None:
        """What is wrong with a segment's name, and what would be right; None if it is one."""
        if name in self._segments or _network(name) is not None:
            return None
        close = difflib.get_close_matches(name, self._segments, n=3)
        meant = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        return (
            f"unknown segment {name!r}{meant} "
            "(known: hub, trunk and service ids, commune codes, CODE/LINK, any address or network)"
        )

    def segment(self, name: str) -> Segment:
        """The segment of that name; one for an address or network is made. Raises LabError with what would be right."""
        if name in self._segments:
            return self._segments[name]
        network = _network(name)
        if network is None:
            raise LabError(self.problem(name) or name)
        self._networks[name] = network
        return self._segment(name)

    def path(self, address: bytes) -> Path:
        """The path to an address of 4 or 16 bytes."""
        path = self._paths.get(address)
        if path is None:
            items = self._places.get(address, self._behind[None])
            host = ipaddress.ip_address(address)
            own = (self._segments[name] for name, network in self._networks.items() if host in network)
            path = self._paths[address] = Path((*items, *own), self._last_at.setdefault(address, [0.0, 0.0]))
        return path

    def changed(self) -> None:
        """Forget resolved paths, after a segment was made or impaired."""
        self._paths.clear()

    def clear(self) -> None:
        """Take every impairment away; what is dark stays dark. New packets do not wait for those still on their way."""
        for segment in self:
            segment.heal()
        self._last_at.clear()
        self.changed()


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None
