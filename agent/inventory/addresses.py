"""Whether addresses can be right: each has one owner, all lie where they may, and thresholds can be reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from agent.inventory.document import Place
from agent.inventory.references import Where
from agent.inventory.templates import Draft, Item, Problem, items
from probes.model import LATENCY_S, LOSS_RATIO, TIMING_PROFILES, Timings, prefix_network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Owned = tuple[Place, Address, str]
"""Where an address stands, and what may share it: one commune's link and router are one machine."""


def address_problems(draft: Draft, where: Where) -> Iterator[Problem]:
    """Addresses given twice or outside the declared networks, and prefixes that overlap."""
    data = draft.data
    networks = _networks(data)
    first: dict[tuple[Address, str], Place] = {}
    owners: dict[Address, tuple[str, Place]] = {}
    for place, address, sharing in _owned(draft):
        if networks and not any(address in network for network in networks):
            listed = ", ".join(str(network) for network in networks)
            yield place, f"{address} lies outside the declared networks ({listed}); correct it, or add its network"
        owner, before = owners.setdefault(address, (place_owner(place), place))
        if owner != place_owner(place) or (address, sharing) in first:
            yield place, f"{address} is given twice, first at {where(before)}; every link and device has its own"
        first.setdefault((address, sharing), place)
    yield from _overlaps(data, where)


def place_owner(place: Place) -> str:
    """Who an address at this place belongs to: a commune, or the trunk or reference itself."""
    return f"{place[0]}[{place[1]}]"


def _owned(draft: Draft) -> Iterator[Owned]:
    for place, text, sharing in _given(draft.data):
        if isinstance(text, str) and place not in draft.invented:
            try:
                yield place, ipaddress.ip_address(text), sharing
            except ValueError:
                continue  # the model says it


def _given(data: Mapping[str, Any]) -> Iterator[tuple[Place, object, str]]:
    for index, trunk in enumerate(items(data, "trunks")):
        yield ("trunks", index, "address"), trunk.get("address"), "ping"
    for index, commune in enumerate(items(data, "communes")):
        for number, link in enumerate(items(commune, "links")):
            yield ("communes", index, "links", number, "address"), link.get("address"), "ping"
        for number, device in enumerate(items(commune, "devices")):
            place: Place = ("communes", index, "devices", number, "address")
            yield place, device.get("address"), f"snmp {device.get('port', 161)}"


def _networks(data: Mapping[str, Any]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for text in data["networks"] if isinstance(data.get("networks"), list) else ():
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            return []  # the model says it; nothing can be judged by the others alone
    return found


def _overlaps(data: Mapping[str, Any], where: Where) -> Iterator[Problem]:
    """Communes one of which has its prefix inside another's."""
    given = []
    for index, commune in enumerate(items(data, "communes")):
        prefix = commune.get("prefix")
        try:
            if isinstance(prefix, str):
                network = prefix_network(prefix)
                span = (network.version, int(network.network_address), int(network.broadcast_address))
                given.append((span, index, prefix))
        except ValueError:
            continue
    reach: tuple[int, int, int, str] | None = None  # version, end, index, prefix of what reaches farthest
    for (version, start, end), index, prefix in sorted(given):
        if reach is not None and reach[0] == version and start <= reach[1]:
            later, earlier = (index, prefix), (reach[2], reach[3])
            if later[0] < earlier[0]:
                later, earlier = earlier, later
            place: Place = ("communes", earlier[0], "prefix")
            yield ("communes", later[0], "prefix"), f"{later[1]!r} overlaps {earlier[1]!r} at {where(place)}"
        if reach is None or reach[0] != version or end > reach[1]:
            reach = (version, end, index, prefix)


def threshold_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Thresholds that no measurement can ever reach: nothing would ever be called slow or lossy."""
    timings = data.get("timings")
    given = timings if isinstance(timings, dict) else {}
    profile = TIMING_PROFILES.get(str(given.get("profile")), {})
    wait_s = _positive({**profile, **given}.get("ping_timeout_s", Timings().ping_timeout_s))
    packets = _positive({**profile, **given}.get("link_packets", Timings().link_packets))
    for index, commune in enumerate(items(data, "communes")):
        for number, link in enumerate(items(commune, "links")):
            yield from _of_link(("communes", index, "links", number), link, wait_s, packets)


def _of_link(place: Place, link: Item, wait_s: float | None, packets: float | None) -> Iterator[Problem]:
    medium = link.get("medium", "fibre")
    thresholds = link.get("thresholds")
    own = thresholds if isinstance(thresholds, dict) else {}
    latency_s = _positive(
        own.get("latency_s", next((found for name, found in LATENCY_S.items() if name == medium), None))
    )
    loss = _positive(own.get("loss_ratio", LOSS_RATIO))
    if wait_s is not None and latency_s is not None and latency_s >= wait_s:
        where = (*place, "thresholds", "latency_s") if "latency_s" in own else (*place, "medium")
        yield (
            where,
            f"a latency of {latency_s:g} s can never be measured: replies count as lost after timings.ping_timeout_s "
            f"({wait_s:g} s); raise that, or lower this",
        )
    if packets is not None and loss is not None and loss > 1 - 1 / packets:
        yield (
            (*place, "thresholds", "loss_ratio"),
            f"a loss of {loss:g} can never be reached: of {packets:g} packets a beat, {packets - 1:g} lost are "
            f"{1 - 1 / packets:g}, and all lost is down; lower it",
        )


def slow_problems(service: Mapping[str, Any], place: Place, defaults: Mapping[str, Any]) -> Iterator[Problem]:
    """The same for what counts as slow in a service; `defaults` are those of its kind."""
    slow_s, timeout_s = (_positive(service.get(key, defaults.get(key))) for key in ("slow_s", "timeout_s"))
    if slow_s is not None and timeout_s is not None and slow_s >= timeout_s:
        key = "slow_s" if "slow_s" in service else "timeout_s"
        yield (
            (*place, key),
            f"slow_s ({slow_s:g}) can never be reached: the attempt ends after timeout_s ({timeout_s:g}); "
            "raise timeout_s, or lower slow_s",
        )


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
