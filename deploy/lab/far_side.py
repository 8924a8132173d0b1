"""The province's side: a UDP socket for each SNMP device, a listening socket for each portal."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
import urllib.parse
from collections.abc import Callable
from functools import partial

from deploy.lab import kernel
from deploy.lab.devices import Surroundings, table
from deploy.lab.errors import LabError, LabUnavailable
from deploy.lab.namespaces import inside
from deploy.lab.portals import Portal
from deploy.lab.snmp_agent import SnmpAgent
from deploy.lab.topology import service_endpoint
from probes.model import Commune, Device, Province, Service

_BACKLOG = 1024


def allow_descriptors() -> None:
    """Raise this process's limit of open descriptors as far as it may itself: a province has many devices."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bound(namespace: int, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A socket at an address that the far side answers for, without an interface having it; raises OSError."""
    v6 = ":" in address
    with inside(namespace):
        endpoint = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind)
    try:
        endpoint.setblocking(False)
        if v6:
            endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            endpoint.setsockopt(socket.IPPROTO_IPV6, kernel.IPV6_FREEBIND, 1)
        else:
            endpoint.setsockopt(socket.IPPROTO_IP, kernel.IP_FREEBIND, 1)
        if kind is socket.SOCK_STREAM:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        endpoint.bind((address, port))
        if kind is socket.SOCK_STREAM:
            endpoint.listen(_BACKLOG)
    except OSError:
        endpoint.close()
        raise
    return endpoint


def _notice(text: str) -> None:
    sys.stderr.write(f"lab: {text}\n")


async def answer_for_devices(
    province: Province, namespace: int, community: str, surroundings: Callable[[Commune], Surroundings]
) -> None:
    """Let every device of the inventory answer, at its address and port, from now on. Raises LabUnavailable."""
    loop = asyncio.get_running_loop()
    taken: set[tuple[str, int]] = set()
    for commune in province.communes:
        around = surroundings(commune)
        for device in commune.devices:
            place = (device.address, device.port)
            if place in taken:
                _notice(f"{commune.code} {device.id}: {place[0]} port {place[1]} has another device already: left out")
                continue
            taken.add(place)
            endpoint = _opened(partial(bound, namespace, socket.SOCK_DGRAM, *place), _device(commune, device))
            agent = partial(SnmpAgent, community, table(commune, device, around))
            await loop.create_datagram_endpoint(agent, sock=endpoint)


def _device(commune: Commune, device: Device) -> str:
    return f"{commune.code} {device.id} ({device.address} port {device.port})"


def _opened(make: Callable[[], socket.socket], what: str) -> socket.socket:
    try:
        return make()
    except OSError as error:
        raise LabUnavailable(
            f"no socket for {what}: {error.strerror}. If too many are open, raise `ulimit -n`"
        ) from None


async def open_portals(province: Province, namespace: int) -> dict[str, Portal]:
    """Serve every service of kind http or tcp that names an address; the portals by service id.

    Raises LabUnavailable. A service that the lab cannot serve is named on standard error, and left out.
    """
    places: dict[tuple[str, int], dict[str, Service]] = {}
    for service in province.services:
        endpoint = service_endpoint(service)
        url = urllib.parse.urlsplit(str(service.settings.get("url", "")))
        if endpoint is None or service.kind not in ("http", "tcp") or url.scheme == "https":
            _notice(f"service {service.id}: the lab serves plain http and tcp at IP addresses only: left out")
            continue
        places.setdefault(endpoint, {})[url.path or "/"] = service
    portals: dict[str, Portal] = {}
    for place, services in places.items():
        kinds = {service.kind for service in services.values()}
        if len(kinds) > 1:
            raise LabError(f"services {', '.join(s.id for s in services.values())} share an address but not a kind")
        portal = Portal(services, partial(bound, namespace, socket.SOCK_STREAM, *place))
        try:
            await portal.open()
        except OSError as error:
            raise LabUnavailable(f"no socket for {place[0]} port {place[1]}: {error.strerror}") from None
        portals |= {service.id: portal for service in services.values()}
    return portals
