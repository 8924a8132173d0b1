"""What the models cannot see: codes, references from one part to another, things given twice."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from agent.inventory.document import Place
from agent.inventory.templates import PARTS, Draft, Problem, identity, items, service_lists
from agent.inventory.words import meant
from probes import units
from probes.registry import KINDS
from probes.systems import systems

Where = Callable[[Place], str]
"""Tells people where a place was written."""

_HTTP_ONLY = ("password", "token", "client_secret", "client_id", "token_url", "certificate", "key")
_SNMP_ONLY = ("community", "version")
"""Keys that tell what a credential is for."""


def reference_problems(draft: Draft, where: Where) -> Iterator[Problem]:
    """Everything in a draft that speaks of something else which is not there, or not once."""
    data = draft.data
    province = data.get("province")
    known_communes = units.communes(province) if isinstance(province, str) else ()
    if isinstance(province, str) and len(province) == 2 and province.isdigit() and not known_communes:
        yield ("province",), f"no province has the code {province!r}; `04` is Cao Bằng"
    codes = {unit.code for unit in known_communes}
    trunks = _named(data, "trunks")
    for index, trunk in enumerate(items(data, "trunks")):
        yield from _dangling(("trunks", index, "parent"), trunk.get("parent"), trunks, "trunk")
    yield from _cycles(data)
    for index, commune in enumerate(items(data, "communes")):
        place: Place = ("communes", index)
        yield from _wrong_code((*place, "code"), commune.get("code"), codes, province)
        yield from _dangling((*place, "trunk"), commune.get("trunk"), trunks, "trunk")
        for part in PARTS:
            yield from _twice((*place, part), [identity(part, item) for item in items(commune, part)], where, "id")
        yield from _interfaces(commune, place, where)
        without = commune.get("without")
        yield from _twice((*place, "without"), without if isinstance(without, list) else (), where)
    yield from _credentials(draft)
    for part, key in (("trunks", "id"), ("communes", "code"), ("services", "id"), ("known_issues", "id")):
        yield from _twice((part,), [item.get(key) for item in items(data, part)], where, key)
    for part in ("references", "networks"):
        if isinstance(data.get(part), list):
            yield from _twice((part,), [_spelled_once(address) for address in data[part]], where)
    yield from _concerned(data)


def _interfaces(commune: Mapping[str, Any], place: Place, where: Where) -> Iterator[Problem]:
    """By which interface of which router each link leaves."""
    devices = ((device.get("id"), device.get("role")) for device in items(commune, "devices"))
    roles = {name: role for name, role in devices if isinstance(name, str)}
    routers = [name for name, role in roles.items() if role == "router"]
    first: dict[tuple[str, str], Place] = {}
    for number, link in enumerate(items(commune, "links")):
        here: Place = (*place, "links", number)
        device, interface = link.get("device"), link.get("interface")
        if device is not None and not isinstance(device, str):
            continue  # the model says it
        if device is not None:
            if roles.get(device) == "ups":
                yield (*here, "device"), f"{device!r} is a UPS; name the router that the link leaves by"
            else:
                others = [name for name, role in roles.items() if role != "ups"]
                yield from _dangling((*here, "device"), device, others, "device")
        if not isinstance(interface, str):
            if device is not None:
                yield (*here, "device"), "says nothing without `interface`: add that, or take it out"
            continue
        if device is None and len(routers) != 1:
            listed = ", ".join(routers)
            yield (
                (*here, "interface"),
                f"of which router? the commune has {listed}: name one as `device`"
                if routers
                else "of which router? add one to the commune's devices (role router), or name another as `device`",
            )
            continue
        before = first.setdefault((device or routers[0], interface), (*here, "interface"))
        if before != (*here, "interface"):
            yield (
                (*here, "interface"),
                f"{interface!r} is given twice, first at {where(before)}; each link leaves by one of its own",
            )


def _named(data: Mapping[str, Any], part: str) -> list[object]:
    return [item.get("id") for item in items(data, part)]


def _concerned(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What maintenance windows and known issues are about."""
    services = [service.get("id") for _, part in service_lists(data) for service in items(part, "services")]
    codes = [commune.get("code") for commune in items(data, "communes")]
    known: Mapping[str, list[object]] = {"trunks": _named(data, "trunks"), "communes": codes, "services": services}
    for index, window in enumerate(items(data, "maintenance")):
        for part, names in known.items():
            yield from _all_known(("maintenance", index, part), window.get(part), names, part.removesuffix("s"))
    for index, issue in enumerate(items(data, "known_issues")):
        place: Place = ("known_issues", index, "services")
        yield from _all_known(place, issue.get("services"), [*services, *systems()], "service")


def _all_known(place: Place, names: object, known: Iterable[object], what: str) -> Iterator[Problem]:
    for index, name in enumerate(names if isinstance(names, list) else ()):
        yield from _dangling((*place, index), name, known, what)


def _credentials(draft: Draft) -> Iterator[Problem]:
    """Devices and services ask with credentials that exist, and are of their sort."""
    declared = draft.data.get("credentials")
    declared = declared if isinstance(declared, dict) else {}
    sorts = {name: _sort(credential) for name, credential in declared.items()}
    for name, sort in sorts.items():
        if sort == "unclear":
            draft.invented.add(("credentials", name))  # one line for it, whatever the models make of the rest
            yield (
                ("credentials", name),
                "for what? SNMP v1 and v2c have a `community`, v3 `version: v3` and a `user`; services have `user` and "
                "`password`, a `token`, `client_secret` and its like, or `certificate` and `key`",
            )
    for index, commune in enumerate(items(draft.data, "communes")):
        for number, device in enumerate(items(commune, "devices")):
            place: Place = ("communes", index, "devices", number, "credential")
            name = device.get("credential")
            yield from _dangling(place, name, declared, "credential")
            if isinstance(name, str) and sorts.get(name) == "http":
                yield (
                    place,
                    f"{name!r} is for services; a device is asked over SNMP: name one with a community or a user",
                )
    for around, part in service_lists(draft.data):
        for number, service in enumerate(items(part, "services")):
            place, kind = (*around, "services", number, "credential"), service.get("kind")
            name = service.get("credential")
            yield from _dangling(place, name, declared, "credential")
            if not isinstance(name, str) or name not in sorts:
                continue
            if sorts[name] == "snmp":
                yield place, f"{name!r} is for SNMP; a service needs one with a password, a token or a certificate"
            elif isinstance(kind, str) and kind in KINDS and kind != "http":
                yield place, f"a probe of kind {kind!r} sends no credential; take it out"


def _sort(credential: object) -> str:
    if not isinstance(credential, dict):
        return "none"  # the model says it
    if any(key in credential for key in _HTTP_ONLY):
        return "http"
    return "snmp" if any(key in credential for key in _SNMP_ONLY) else "unclear"


def _wrong_code(place: Place, code: object, known: set[str], province: object) -> Iterator[Problem]:
    if not isinstance(code, str) or len(code) != 5 or not code.isdigit() or code in known or not known:
        return  # the model says it, or the province itself is unknown
    unit = units.by_code().get(code)
    if unit is None:
        near = [f"{other!r} ({units.name(other)})" for other in sorted(known) if _one_slip(code, other)][:3]
        hint = f"did you mean {' or '.join(near)}?" if near else "codes have been new since July 2025"
        yield place, f"no commune has the code {code!r}; {hint}"
    else:
        yield place, f"{code!r} is {unit.name} of province {unit.province!r}, not of {province!r}; take it out"


def _one_slip(code: str, other: str) -> bool:
    """Whether two codes differ by one digit, or by two neighbours that changed places."""
    if len(code) != len(other):
        return False
    wrong = [index for index in range(len(code)) if code[index] != other[index]]
    swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and sorted(code) == sorted(other)
    return len(wrong) == 1 or swapped


def _cycles(data: Mapping[str, Any]) -> Iterator[Problem]:
    pairs = [
        (index, trunk["id"], trunk["parent"])
        for index, trunk in enumerate(items(data, "trunks"))
        if isinstance(trunk.get("id"), str) and isinstance(trunk.get("parent"), str)
    ]
    parents = {trunk: parent for _, trunk, parent in pairs}
    for index, trunk, parent in pairs:
        seen, at = [trunk], parent
        while at in parents and at not in seen:
            seen.append(at)
            at = parents[at]
        if at == trunk:
            yield ("trunks", index, "parent"), f"a trunk cannot lie behind itself: {' -> '.join([*seen, at])}"


def _dangling(place: Place, name: object, known: Iterable[object], what: str) -> Iterator[Problem]:
    names = list(dict.fromkeys(str(item) for item in known if item is not None))
    if isinstance(name, str) and name not in names:
        told = [known if known.isprintable() else repr(known) for known in names]
        listed = f" (known: {', '.join(told)})" if 0 < len(names) <= 12 else "" if names else f"; no {what} is declared"
        hint = _meant_code(name, names) if what == "commune" else meant(name, names)
        yield place, f"unknown {what} {name!r}{hint}{listed}"


def _meant_code(code: str, codes: list[str]) -> str:
    near = [other for other in codes if other == code.zfill(5) or _one_slip(code, other)][:1]
    return f"; did you mean {near[0]!r}?" if near else ""


def _twice(place: Place, values: Iterable[object], where: Where, *key: str) -> Iterator[Problem]:
    """What stands in a list more than once, under `key` of its items or as an item itself."""
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if not isinstance(value, str):
            continue
        if value in first:
            yield (*place, index, *key), f"{value!r} is given twice, first at {where((*place, first[value]))}; keep one"
        else:
            first[value] = index


def _spelled_once(address: object) -> object:
    """An address in its one canonical spelling (RFC 5952), a host name in small letters."""
    try:
        if not isinstance(address, str):
            return address
        return str(ipaddress.ip_network(address) if "/" in address else ipaddress.ip_address(address))
    except ValueError:
        return address.lower() if isinstance(address, str) else address
