"""What an inventory leaves out: a commune takes over what its class has, a service what its national system brings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.inventory.document import Place, spelled
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
    the places of values that nobody wrote.
    """

    data: dict[str, Any]
    sources: dict[Place, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    invented: set[Place] = field(default_factory=set)

    def written(self, place: Place) -> Place:
        """Where what stands at a place of the draft was written."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.sources:
                return (*self.sources[place[:length]], *place[length:])
        return place


def expand(written: Mapping[str, Any]) -> Draft:
    """Write out every commune by its class, and every service by its national system. Leaves `written` as it is."""
    draft = Draft(dict(written))
    classes = {}
    if isinstance(written.get("site_classes"), dict):
        for name, site_class in written["site_classes"].items():
            place: Place = ("site_classes", name)
            classes[name] = _with_systems(draft, place, site_class) if isinstance(site_class, dict) else site_class
        draft.data["site_classes"] = classes
    if isinstance(written.get("communes"), list):
        communes = [
            _Site(draft, index, item, classes).whole() if isinstance(item, dict) else item
            for index, item in enumerate(written["communes"])
        ]
        draft.data["communes"] = communes
    draft.data = _with_systems(draft, (), draft.data)
    _gather_settings(draft)
    return draft


def items(data: Mapping[str, Any], key: str) -> list[Item]:
    """The list under a key, as mappings; what is none counts as an empty one, the models say so."""
    value = data.get(key)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def service_lists(data: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every part of a draft that can have services, with its place."""
    yield (), data
    for index, commune in enumerate(items(data, "communes")):
        yield ("communes", index), commune


def meant(word: str, known: Iterable[str]) -> str:
    """A suggestion for a word that nobody knows; empty if none is close."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


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
        if isinstance(self._class_name, str) and self._class_name not in {*classes, *BUILT_IN_CLASSES}:
            known = sorted({*classes, *BUILT_IN_CLASSES})
            hint = f"{meant(self._class_name, known)} (known: {', '.join(known)})"
            draft.problems.append(((*self._place, "site_class"), f"unknown site class {self._class_name!r}{hint}"))
        self._prefix = _usable(commune.get("prefix"))
        self._told = "prefix" in commune  # what is wrong with one that is there is said by the model

    def whole(self) -> Item:
        """The commune with everything that its class gives it."""
        commune = _with_systems(self._draft, self._place, self._commune)
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
        for name in sorted(left_out - offered):
            place = (*self._place, "without", without.index(name)) if isinstance(without, list) else self._place
            self._draft.problems.append((place, f"its class has no {name!r}{meant(name, offered)}"))
        return commune

    def _merged(self, part: str, commune: Item, left_out: set[str]) -> list[Any]:
        merged: list[Any] = []
        own = commune.get(part, [])
        taken: set[int] = set()
        for number, theirs in enumerate(items(self._class, part)):
            name = identity(part, theirs)
            if name in left_out:
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
        """An item with the commune's prefix in its texts, and its class's thresholds."""
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
        if not isinstance(value, str) or PREFIX not in value:
            return value
        if self._prefix is not None:
            return value.replace(PREFIX, self._prefix)
        if not self._told:
            self._told = True
            where = spelled(self._draft.written(place))
            self._draft.problems.append(((*self._place, "prefix"), f"is required: {where} is {value!r}"))
        self._draft.invented.add(place)
        return value.replace(PREFIX, _INVENTED[":" in value])


def _usable(prefix: object) -> str | None:
    try:
        if isinstance(prefix, str):
            prefix_network(prefix)
            return prefix
    except ValueError:
        pass
    return None


def _with_systems(draft: Draft, place: Place, part: Mapping[str, Any]) -> Item:
    """A part of the inventory whose services say themselves what their national systems bring."""
    whole = dict(part)
    if isinstance(part.get("services"), list):
        whole["services"] = [
            _with_system(draft, (*place, "services", index), item) if isinstance(item, dict) else item
            for index, item in enumerate(part["services"])
        ]
    return whole


def _with_system(draft: Draft, place: Place, service: Item) -> Item:
    name = service.get("use")
    if "use" not in service or not isinstance(name, str):
        return dict(service)
    system = systems().get(name)
    if system is None:
        known = ", ".join(sorted(systems()))
        draft.problems.append(
            ((*place, "use"), f"unknown national system {name!r}{meant(name, systems())} (known: {known})")
        )
        return {"id": name, "kind": "tcp", "connected": False, **service}
    languages = draft.data.get("languages")
    language = languages[0] if isinstance(languages, list) and languages and languages[0] in {"en", "fr"} else "vi"
    brought = {
        "id": system.id,
        "kind": system.kind,
        "name": getattr(system.names, language),
        "via": system.via,
        "layer": system.layer,
        "beat_s": system.beat_s,
        **system.settings,
    }
    if service.get("connected") is not False:
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
