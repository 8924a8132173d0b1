"""Whether services say what their probe kinds need: the settings are the kinds' own models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from agent.inventory.addresses import slow_problems
from agent.inventory.document import Place
from agent.inventory.messages import Complaint, complaints_of
from agent.inventory.templates import Problem, items, service_lists
from agent.inventory.words import meant
from probes.model import Service
from probes.registry import KINDS
from probes.systems import POLITE_S, systems

_KINDS = tuple(name for name in KINDS if name != "snmp")
"""Kinds that services are probed by; devices are asked over SNMP."""


def setting_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Kinds that do not exist, and thresholds that cannot be reached."""
    for place, service in _services(data):
        kind = service.get("kind")
        if not isinstance(kind, str):
            continue  # the model says what is wrong with it
        if kind not in _KINDS:
            yield (*place, "kind"), f"unknown kind {kind!r}{meant(kind, _KINDS)} (known: {', '.join(_KINDS)})"
            continue
        yield from _impolite(service, place)
        defaults = {name: field.default for name, field in KINDS[kind].settings.model_fields.items()}
        yield from slow_problems(service.get("settings", {}), place, defaults)


def _impolite(service: Mapping[str, Any], place: Place) -> Iterator[Problem]:
    """A national system that is asked too often."""
    beat_s, name = service.get("beat_s"), service.get("use")
    known = isinstance(name, str) and name in systems()
    if known and isinstance(beat_s, int | float) and not isinstance(beat_s, bool) and 1 <= beat_s < POLITE_S:
        why = "34 provinces ask the same machine"
        yield (*place, "beat_s"), f"must be at least {POLITE_S} for a national system: {why}"


def setting_complaints(data: Mapping[str, Any]) -> Iterator[Complaint]:
    """What the kinds' models say of the settings."""
    for place, service in _services(data):
        kind = service.get("kind")
        if not isinstance(kind, str) or kind not in _KINDS:
            continue
        model = KINDS[kind].settings
        try:
            model.model_validate(service.get("settings", {}))
        except ValidationError as error:
            for complaint in complaints_of(error, model, place, also=Service.model_fields):
                if complaint.details["type"] != "missing" or not _may_miss(service, complaint.place[-1]):
                    yield complaint


def _services(data: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    for around, part in service_lists(data):
        for index, service in enumerate(items(part, "services")):
            yield (*around, "services", index), service


def _may_miss(service: Mapping[str, Any], key: object) -> bool:
    """Whether a setting is not there yet, or was asked for already, together with whom to ask."""
    name = service.get("use")
    system = systems().get(name) if isinstance(name, str) else None
    return service.get("connected", True) is not True or (
        system is not None and system.kind == service.get("kind") and key in system.required
    )
