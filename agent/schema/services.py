"""A service as it is written: its own keys, the settings of its probe kind, what its national system leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from agent.schema.texts import FILLED, HOST, OWN_ADDRESS, Schema, of_model, summary
from probes.model import PREFIX, Service
from probes.ports import Kind
from probes.registry import KINDS
from probes.systems import System, systems

SERVICE_KINDS: Mapping[str, Kind] = MappingProxyType({name: kind for name, kind in KINDS.items() if name != "snmp"})
"""Kinds that a service can be of; SNMP asks devices."""


def given(key: str) -> Schema:
    """A key that is there and not null."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _one_of(key: str, values: Iterable[str]) -> Schema:
    return {"required": [key], "properties": {key: {"enum": list(values)}}}


_LIVE: Schema = {"not": {"required": ["connected"], "properties": {"connected": {"const": False}}}}
_OWN: Schema = {"not": given("use")}
"""Not a national system."""


class Services:
    """A service where it can stand: its own keys, beside them the settings of its probe kind."""

    def __init__(self, parts: dict[str, Schema]) -> None:
        own = of_model(Service)["properties"]
        names = [_both(system) for system in systems().values()]
        known = {"title": "national system", "enum": list(systems()), "enumDescriptions": names}
        own["use"] = {**known, **{key: own["use"][key] for key in ("description", "examples")}}
        own["kind"] |= {
            "enum": list(SERVICE_KINDS),
            "enumDescriptions": [summary(kind.settings) for kind in SERVICE_KINDS.values()],
        }
        self._own = own
        self._settings: dict[str, Schema] = {}
        self._required: dict[str, list[str]] = {}
        self._national: dict[str, list[str]] = {}
        for name, kind in SERVICE_KINDS.items():
            made = of_model(kind.settings)
            parts |= made.get("$defs", {})
            self._settings[name] = made["properties"]
            self._required[name] = made.get("required", [])
            self._national[name] = [use for use, system in systems().items() if system.kind == name]

    def made(self, description: str, *rules: Schema, filled: bool = False) -> Schema:
        """A service; `filled` where `{prefix}` may stand in its settings."""
        settings = _filled(self._settings) if filled else self._settings
        keys = dict.fromkeys(key for of_kind in settings.values() for key in of_kind)
        every = {key: _any(of_kind[key] for of_kind in settings.values() if key in of_kind) for key in keys}
        return {
            "description": description,
            "type": "object",
            "additionalProperties": False,
            "properties": {**self._own, **every},
            "allOf": [*rules, *(self._of_kind(kind, settings[kind], every) for kind in settings)],
        }

    def named(self) -> list[Schema]:
        """One of the province's own has a name and a kind."""
        return [{"if": _OWN, "then": {"required": ["id", "kind"]}}]

    def complete(self) -> list[Schema]:
        """One of the province's own has what its kind needs, as soon as it is live."""
        return [
            {
                "if": {"allOf": [_one_of("kind", [kind]), _LIVE, {"not": _one_of("use", self._national[kind])}]},
                "then": {"required": required},
            }
            for kind, required in self._required.items()
        ]

    def national(self) -> list[Schema]:
        """What the inventory has to give for a national system that is probed as it should be and live."""
        by_required: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for name, system in systems().items():
            by_required.setdefault((system.kind, system.required), []).append(name)
        return [
            {
                "if": {"allOf": [_one_of("use", names), _LIVE, {"properties": {"kind": {"const": kind}}}]},
                "then": {"required": list(required)},
            }
            for (kind, required), names in by_required.items()
            if required
        ]

    def _of_kind(self, kind: str, settings: Schema, every: Schema) -> Schema:
        """Of one kind, said here or brought by a national system: its settings, and no other's."""
        brought = {"not": given("kind"), **_one_of("use", self._national[kind])}
        foreign = dict.fromkeys((key for key in every if key not in settings), False)
        return {
            "if": {"anyOf": [_one_of("kind", [kind]), brought]},
            "then": {"properties": {**settings, **foreign}},
        }


def _both(system: System) -> str:
    return f"{system.names.vi} / {system.names.en}"


def _any(variants: Iterable[Schema]) -> Schema:
    """A setting that several kinds have, when it is not known yet which of them it is."""
    distinct: list[Schema] = []
    for variant in variants:
        plain = {key: what for key, what in variant.items() if key != "default"}
        if plain not in distinct:
            distinct.append(plain)
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _filled(what: Any) -> Any:
    """The same where `{prefix}` may stand in a text."""
    if isinstance(what, list):
        return [_filled(item) for item in what]
    if not isinstance(what, dict):
        return what
    if what.get("pattern") == HOST["pattern"]:
        return {**what, **OWN_ADDRESS}
    if "pattern" in what and PREFIX not in what.get("title", ""):
        told = {key: what[key] for key in ("description", "examples") if key in what}
        return {**told, "anyOf": [what, {"type": "string", "pattern": FILLED}]}
    return {key: _filled(value) for key, value in what.items()}
