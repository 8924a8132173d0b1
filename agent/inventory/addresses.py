"""Whether addresses can be right: each has one owner, all lie where they may, and thresholds can be reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.inventory.document import Place
from agent.inventory.references import Where
from agent.inventory.templates import Draft, Item, Problem, items
from probes.model import LATENCY_S, PREFIX, TIMING_PROFILES, Host, Timings, is_address, prefix_network
from probes.ports import PingOptions
from probes.protocols.icmp.budget import DAY_S, PACED_SHARE, pace, round_trip_bytes

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_HOST: TypeAdapter[str] = TypeAdapter(Host)
Owned = tuple[Place, Address | str, str]
"""Where an address or host name stands, and what may share it: one commune's link and router are one machine."""


def address_problems(draft: Draft, where: Where) -> Iterator[Problem]:
    """Addresses given twice or outside the declared networks, and prefixes that overlap."""
    data = draft.data
    networks = _networks(data)
    overlaps = list(_overlaps(draft, where))
    overlapping = {place for place, _ in overlaps}
    first: dict[tuple[Address | str, str], Place] = {}
    owners: dict[Address | str, tuple[str, Place]] = {}
    for place, address, sharing in _owned(draft):
        if not isinstance(address, str) and networks and place[0] != "references":  # where names lead is not known
            inside = any(address in network for network in networks)
            if not inside:
                yield _outside(draft, place, address, ", ".join(str(network) for network in networks))
        owner, before = owners.setdefault(address, (place_owner(place), place))
        if owner != place_owner(place):
            of_prefixes = place in draft.patterns and before in draft.patterns
            if not (of_prefixes and (*place[:2], "prefix") in overlapping):  # that is said already
                yield _twice(draft, place, before, address, where)
        elif (address, sharing) in first:
            yield _twice(draft, place, first[address, sharing], address, where)
        first.setdefault((address, sharing), place)
    yield from overlaps


def _outside(draft: Draft, place: Place, address: Address, listed: str) -> Problem:
    pattern = draft.patterns.get(place)
    if pattern is None:
        return place, f"{address} lies outside the declared networks ({listed}); correct it, or add its network"
    prefix = items(draft.data, "communes")[int(place[1])].get("prefix")  # one line for all that are made of it
    return (
        *place[:2],
        "prefix",
    ), f"{prefix!r} lies outside the declared networks ({listed}); correct it, or add its network"


def _twice(draft: Draft, place: Place, before: Place, address: Address | str, where: Where) -> Problem:
    """Blames what the commune itself says, if it is about that and something of its class."""
    here, there = draft.written(place), draft.written(before)
    if here == there:
        hint = f'write {PREFIX} for the first part, as in "{PREFIX}.1"'
        return place, f"{address} would be the address of every commune of this class; {hint}"
    if here[0] == "site_classes" and there[0] != "site_classes":
        place, before, here, there = before, place, there, here
    shown, of_whom = str(address), ""
    if here[0] == "site_classes":
        shown = draft.patterns.get(place, shown)  # once for the class, not for each of its communes
    elif there[0] == "site_classes" and place[:2] != before[:2]:
        of_whom = f" for {items(draft.data, 'communes')[int(before[1])].get('code')}"
    return place, f"{shown} is given twice, first at {where(before)}{of_whom}; every link and device has its own"


def place_owner(place: Place) -> str:
    """Who an address at this place belongs to: a commune, a trunk, or all references together."""
    return "references" if place[0] == "references" else f"{place[0]}[{place[1]}]"


def _owned(draft: Draft) -> Iterator[Owned]:
    for place, text, sharing in _given(draft.data):
        if isinstance(text, str) and place not in draft.invented:
            try:
                host = _HOST.validate_python(text)
            except ValidationError:
                continue  # the model says it
            yield place, ipaddress.ip_address(host) if is_address(host) else host, sharing


def _given(data: Mapping[str, Any]) -> Iterator[tuple[Place, object, str]]:
    references = data.get("references")
    for index, address in enumerate(references if isinstance(references, list) else ()):
        yield ("references", index), address, f"reference {index}"
    for index, trunk in enumerate(items(data, "trunks")):
        yield ("trunks", index, "address"), trunk.get("address"), "ping"
    for index, commune in enumerate(items(data, "communes")):
        for number, link in enumerate(items(commune, "links")):
            yield ("communes", index, "links", number, "address"), link.get("address"), f"ping {link.get('source', '')}"
        for number, device in enumerate(items(commune, "devices")):
            place: Place = ("communes", index, "devices", number, "address")
            yield place, device.get("address"), f"snmp {device.get('port', 161)}"


def _networks(data: Mapping[str, Any]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for text in data["networks"] if isinstance(data.get("networks"), list) else ():
        try:
            if not isinstance(text, str):
                return []
            found.append(ipaddress.ip_network(text))
        except ValueError:
            return []  # the model says it; nothing can be judged by the others alone
    return found


def _overlaps(draft: Draft, where: Where) -> Iterator[Problem]:
    """Communes one of which has its prefix inside another's."""
    given = []
    wrong = {place for place, _ in draft.problems}
    for index, commune in enumerate(items(draft.data, "communes")):
        prefix = commune.get("prefix")
        try:
            if isinstance(prefix, str) and ("communes", index, "prefix") not in wrong:
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
    """Thresholds and budgets that no measurement can meet: nothing would ever be called slow, or be measured."""
    timings = data.get("timings")
    given = timings if isinstance(timings, dict) else {}
    profile = TIMING_PROFILES.get(str(given.get("profile")), {})
    wait_s, beat_s = (
        _positive({**profile, **given}.get(key, getattr(Timings(), key))) for key in ("ping_timeout_s", "link_beat_s")
    )
    for index, commune in enumerate(items(data, "communes")):
        for number, link in enumerate(items(commune, "links")):
            place: Place = ("communes", index, "links", number)
            yield from _unreachable(place, link, wait_s)
            yield from _unsendable(place, link, beat_s)


def _unreachable(place: Place, link: Item, wait_s: float | None) -> Iterator[Problem]:
    medium = link.get("medium", "fibre")
    thresholds = link.get("thresholds")
    own = thresholds if isinstance(thresholds, dict) else {}
    by_default = {"latency_s": next((found for name, found in LATENCY_S.items() if name == medium), None)}
    for key, what in (("latency_s", "latency"), ("jitter_s", "jitter")):
        limit_s = _positive(own.get(key, by_default.get(key)))
        if wait_s is not None and limit_s is not None and limit_s >= wait_s:
            yield (
                (*place, "thresholds", key) if key in own else (*place, "medium"),
                f"a {what} of {limit_s:g} s can never be measured: replies count as lost after timings.ping_timeout_s "
                f"({wait_s:g} s); raise that, or lower this",
            )
    loss = _positive(own.get("loss_ratio"))
    if loss is not None and loss >= 1:
        yield (
            (*place, "thresholds", "loss_ratio"),
            "a loss of 1 can never be reached: where everything is lost, the link is down; lower it",
        )


def _unsendable(place: Place, link: Item, beat_s: float | None) -> Iterator[Problem]:
    """What a link's own keys forbid to send."""
    budget_mb, size = (
        _positive(link.get("budget_mb_per_day")),
        _positive(link.get("size_bytes", PingOptions().size_bytes)),
    )
    if budget_mb is not None and size is not None and beat_s is not None:
        bytes_each = round_trip_bytes(str(link.get("address")), int(size))
        if pace(1 / beat_s, bytes_each, budget_mb * 1e6) < 1 / beat_s:
            least_mb = DAY_S / beat_s * bytes_each / PACED_SHARE / 1e6
            yield (
                (*place, "budget_mb_per_day"),
                f"{budget_mb:g} MB are less than one ping in each beat of {beat_s:g} s costs ({least_mb:.2g} MB a "
                "day); raise it, or timings.link_beat_s",
            )
    source, address = _address(link.get("source")), _address(link.get("address"))
    if source is not None and address is not None and source.version != address.version:
        yield (*place, "source"), f"IPv{source.version} cannot reach an IPv{address.version} address; give both alike"


def _address(text: object) -> Address | None:
    try:
        return ipaddress.ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None  # the model says it


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
