"""What an inventory leaves out: a commune takes over what its class has, a service what its national system brings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from agent.inventory.document import Place, spelled
from agent.inventory.words import meant, meant_system
from probes.model import BUILT_IN_CLASSES, PREFIX, Service, prefix_network
from probes.systems import systems

Problem = tuple[Place, str]
Item = dict[str, Any]

PARTS = ("links", "devices", "services")
"""What a class gives to its communes."""
_INVENTED = ("192.0.2", "2001:db8")
"""Stand for a prefix that is missing or wrong, so that one mistake is one error (RFC 5737, RFC 3849)."""


@dataclass
class Draft:
    """An inventory with everything written out, before the models see it.

    `sources` maps a place to where the same thing was written; `problems` are what came up on the way; `invented` are
    the places of values that nobody wrote, so that one mistake is one error; `patterns` are the addresses that were
    made of a commune's prefix, as they were written.
    """

    data: dict[str, Any]
    sources: dict[Place, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    invented: set[Place] = field(default_factory=set)
    patterns: dict[Place, str] = field(default_factory=dict)

    def written(self, place: Place) -> Place:
        """Where what stands at a place of the draft was written."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.sources:
                return (*self.sources[place[:length]], *place[length:])
        return place

    def is_invented(self, place: Place) -> bool:
        """Whether nobody wrote what stands at a place, or what it is part of is told already."""
        return any(place[:length] in self.invented for length in range(len(place) + 1))


def expand(written: Mapping[str, Any]) -> Draft:
    """Write out every commune by its class, and every service by its national system. Leaves `written` as it is."""
    draft = Draft(dict(written))
    classes = written.get("site_classes")
    classes = classes if isinstance(classes, dict) else {}
    if classes:
        draft.data["site_classes"] = {
            name: _with_systems(draft, ("site_classes", name), site_class, asking=False)
            if isinstance(site_class, dict)
            else site_class
            for name, site_class in classes.items()
        }
    if isinstance(written.get("communes"), list):
        communes = [
            _Site(draft, index, item, classes).whole() if isinstance(item, dict) else item
            for index, item in enumerate(written["communes"])
        ]
        draft.data["communes"] = communes
    draft.data = _with_systems(draft, (), draft.data)
    draft.problems += [
        (("services", index, key), f"{PREFIX} stands for a commune's own; a service of the province has none")
        for index, service in enumerate(items(draft.data, "services"))
        for key, value in service.items()
        if isinstance(value, str) and PREFIX in value
    ]
    _gather_settings(draft)
    return draft


def of_unused_classes(written: Mapping[str, Any]) -> Draft:
    """What an imaginary commune of each class would be that no commune is of, so that they are checked as well."""
    classes = written.get("site_classes")
    used = {commune.get("site_class", "remote") for commune in items(written, "communes") if _is_named(commune)}
    unused = [name for name in classes if name not in used] if isinstance(classes, dict) else []
    communes = [{"code": "", "site_class": name, "prefix": ""} for name in unused]
    return expand({**written, "communes": communes})


def _is_named(commune: Item) -> bool:
    return isinstance(commune.get("site_class", ""), str)


def items(data: Mapping[str, Any], key: str) -> list[Item]:
    """The list under a key, as mappings; what is none counts as an empty one, the models say so."""
    value = data.get(key)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def service_lists(data: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every part of a draft that can have services, with its place."""
    yield (), data
    for index, commune in enumerate(items(data, "communes")):
        yield ("communes", index), commune


def identity(part: str, item: Mapping[str, Any]) -> object:
    """By what an item of a part is the same as one of the class."""
    if part == "links":
        return item.get("id", item.get("role", "primary"))
    return item.get("id", item.get("use"))


class _Site:
    """One commune and its class."""

    def __init__(self, draft: Draft, index: int, commune: Item, classes: Mapping[str, Any]) -> None:
        self._draft = draft
        self._place: Place = ("communes", index)
        self._commune = commune
        self._class_name = commune.get("site_class", "remote")
        site_class = classes.get(self._class_name) if isinstance(self._class_name, str) else None
        self._class: Item = site_class if isinstance(site_class, dict) else {}
        self._known = isinstance(self._class_name, str) and self._class_name in {*classes, *BUILT_IN_CLASSES}
        if isinstance(self._class_name, str) and not self._known:
            known = sorted({*classes, *BUILT_IN_CLASSES})
            hint = f"{meant(self._class_name, known)} (known: {', '.join(known)})"
            draft.problems.append(((*self._place, "site_class"), f"unknown site class {self._class_name!r}{hint}"))
        self._prefix = _usable(commune.get("prefix"))
        self._told = commune.get("prefix") is not None and self._prefix is None  # the model says what is wrong with it

    def whole(self) -> Item:
        """The commune with everything that its class gives it."""
        commune = dict(self._commune)
        without = commune.get("without")
        left_out = {name for name in without if isinstance(name, str)} if isinstance(without, list) else set()
        offered: set[str] = set()
        for part in PARTS:
            theirs = self._class.get(part)
            offered |= {str(identity(part, item)) for item in items(self._class, part)}
            if part in commune and not isinstance(commune[part], list):
                continue  # the model says what is wrong with it
            if isinstance(theirs, list) or part in commune:
                commune[part] = self._merged(part, commune, left_out)
        for index, name in enumerate(without if isinstance(without, list) and self._known else ()):
            if isinstance(name, str) and name not in offered:
                problem = (
                    f"its class {self._class_name!r} has no {name!r}{meant(name, sorted(offered)) or '; take it out'}"
                )
                self._draft.problems.append(((*self._place, "without", index), problem))
        return commune

    def _merged(self, part: str, commune: Item, left_out: set[str]) -> list[Any]:
        merged: list[Any] = []
        own = commune.get(part, [])
        taken: set[int] = set()
        for number, theirs in enumerate(items(self._class, part)):
            name = identity(part, theirs)
            if isinstance(name, str) and name in left_out:
                continue
            place: Place = (*self._place, part, len(merged))
            self._draft.sources[place] = ("site_classes", self._class_name, part, number)
            item = dict(theirs)
            for index, mine in enumerate(own):
                if isinstance(mine, dict) and index not in taken and identity(part, mine) == name:
                    item |= mine
                    taken.add(index)
                    for key in mine:
                        self._draft.sources[*place, key] = (*self._place, part, index, key)
                    break
            merged.append(self._filled(part, place, item))
        for index, mine in enumerate(own):
            if index not in taken:
                place = (*self._place, part, len(merged))
                self._draft.sources[place] = (*self._place, part, index)
                merged.append(self._filled(part, place, mine) if isinstance(mine, dict) else mine)
        return merged

    def _filled(self, part: str, place: Place, item: Item) -> Item:
        """An item with what its national system brings, the commune's prefix in its texts, its class's thresholds."""
        if part == "services":
            item = _with_system(self._draft, place, item)
        filled = {key: self._fill((*place, key), value) for key, value in item.items()}
        thresholds = self._class.get("thresholds")
        if part == "links" and isinstance(thresholds, dict):
            own = filled.get("thresholds", {})
            if isinstance(own, dict):
                filled["thresholds"] = {**thresholds, **own}
                for key in thresholds.keys() - own.keys():
                    self._draft.sources[*place, "thresholds", key] = (
                        "site_classes",
                        self._class_name,
                        "thresholds",
                        key,
                    )
        return filled

    def _fill(self, place: Place, value: Any) -> Any:
        if isinstance(value, list):
            return [self._fill((*place, index), inner) for index, inner in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._fill((*place, key), inner) for key, inner in value.items()}
        return self._fill_text(place, value) if isinstance(value, str) and PREFIX in value else value

    def _fill_text(self, place: Place, value: str) -> str:
        if self._prefix is None:
            self._complain(place, f"is required: {{}} is {value!r}")
            self._draft.invented.add(place)
            return value.replace(PREFIX, _INVENTED[":" in value])
        filled = value.replace(PREFIX, self._prefix)
        if place[-1] == "address":
            self._draft.patterns[place] = value
        if _is_host(filled) or self._draft.written(place)[0] == self._place[0]:
            return filled
        fitting = [sample for sample in (value.replace(PREFIX, prefix) for prefix in _INVENTED) if _is_host(sample)]
        if fitting:
            self._complain(place, f"{self._prefix!r} does not fit {{}}: {value!r} becomes {filled!r}")
        elif place[-1] != "address":
            return filled  # some other text
        self._draft.invented.add(place)  # and where the pattern itself is wrong, its class's model says so
        return fitting[0] if fitting else f"{_INVENTED[0]}.1"

    def _complain(self, place: Place, message: str) -> None:
        """Say once what is wrong with the commune's prefix; `{}` is where the pattern was written."""
        if not self._told:
            self._told = True
            where = spelled(self._draft.written(place))
            self._draft.problems.append(((*self._place, "prefix"), message.replace("{}", where, 1)))


def _is_host(text: str) -> bool:
    """Whether a text that was made of a prefix is an address, or a URL of one."""
    try:
        ipaddress.ip_address((urlsplit(text).hostname or "") if "://" in text else text)
    except ValueError:
        return False
    return True


def _usable(prefix: object) -> str | None:
    try:
        if isinstance(prefix, str):
            prefix_network(prefix)
            return prefix
    except ValueError:
        pass
    return None


def _with_systems(draft: Draft, place: Place, part: Mapping[str, Any], *, asking: bool = True) -> Item:
    """A part of the inventory whose services say themselves what their national systems bring.

    `asking` is whether what a system needs must stand here: what a class leaves out, its communes may still give.
    """
    whole = dict(part)
    if isinstance(part.get("services"), list):
        whole["services"] = [
            _with_system(draft, (*place, "services", index), item, asking=asking) if isinstance(item, dict) else item
            for index, item in enumerate(part["services"])
        ]
    return whole


def _with_system(draft: Draft, place: Place, service: Item, *, asking: bool = True) -> Item:
    if "use" not in service:
        return dict(service)
    name = service["use"]
    system = systems().get(name) if isinstance(name, str) else None
    if system is None:
        if name is None:
            draft.problems.append(((*place, "use"), "is empty; name a national system, or take it out"))
        elif isinstance(name, str):
            known = ", ".join(sorted(systems()))
            problem = f"unknown national system {name!r}{meant_system(name) or f' (known: {known})'}"
            draft.problems.append(((*place, "use"), problem))
        draft.invented |= {(*place, key) for key in ("id", "kind") if key not in service}
        return {"id": name, "kind": None, "connected": False, **service}
    languages = draft.data.get("languages")
    language = languages[0] if isinstance(languages, list) and languages and languages[0] in ("en", "fr") else "vi"
    same_kind = service.get("kind", system.kind) == system.kind
    brought = {
        "id": system.id,
        "kind": system.kind,
        "name": getattr(system.names, language),
        "via": system.via,
        "layer": system.layer,
        "beat_s": system.beat_s,
        **(system.settings if same_kind else {}),
    }
    if asking and same_kind and service.get("connected", True) is True:
        draft.problems += [
            ((*place, key), f"is required: no public source names it for {name!r}; ask {system.owner.vi}")
            for key in system.required
            if key not in service
        ]
    return {**brought, **service}


def _gather_settings(draft: Draft) -> None:
    """Put what belongs to the probe kind into each service's `settings`, so that the model stays strict."""
    classes = draft.data.get("site_classes")
    of_classes = [
        (("site_classes", name), site_class)
        for name, site_class in (classes.items() if isinstance(classes, dict) else ())
        if isinstance(site_class, dict)
    ]
    for place, part in (*service_lists(draft.data), *of_classes):
        for index, service in enumerate(items(part, "services")):
            if "settings" in service:
                draft.problems.append(
                    ((*place, "services", index, "settings"), "unknown key; write the probe's settings beside `kind`")
                )
            own = {key: service.pop(key) for key in list(service) if key not in Service.model_fields}
            service["settings"] = own
