"""The reference of every key of an inventory, as a page for people: made of the models, so that it is never behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from importlib import resources
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel

from agent.schema import SERVICE_KINDS, Schema, of_model, schema, summary
from agent.schema.texts import ADDRESS
from probes import model as models
from probes.kinds.tcp import TcpStep
from probes.systems import System, systems

_NONE = "–"
_UNITS: Mapping[str, str] = MappingProxyType(
    {"_per_s": "per second", "_s": "seconds", "_days": "days", "_ratio": "share of 1", "_bytes": "bytes"}
)
"""By the end of a key's name; the first that fits."""
_REQUIRED = "**required**"
_BROUGHT = ("id", "kind")
"""What a service needs only if no national system brings it."""
_PLACES: Mapping[str, str] = MappingProxyType(
    {
        "ClientCertificate": "[client certificate](#client-certificate)",
        "Commune": "[communes](#communes)",
        "CommuneService": "[services](#services)",
        "Contact": "[contact](#contact)",
        "Contacts": "[contacts](#contacts)",
        "Device": "[devices](#devices)",
        "DeviceTemplate": "[devices](#devices)",
        "FirmwareRule": "[firmware](#firmware)",
        "HttpBasic": "[password](#user-name-and-password)",
        "HttpBearer": "[token](#bearer-token)",
        "KnownIssue": "[known issues](#known_issues)",
        "Link": "[links](#links)",
        "LinkTemplate": "[links](#links)",
        "OAuth2Client": "[OAuth 2.0 client](#oauth-20-client)",
        "PlannedCuts": "[planned cuts](#planned_cuts)",
        "SecretSource": "[secret](#secret)",
        "Service": "[services](#services)",
        "ServiceTemplate": "[services](#services)",
        "SiteClass": "[site class](#site_classes)",
        "SnmpCommunity": "[SNMP v1, v2c](#snmp-v1-and-v2c)",
        "SnmpUser": "[SNMP v3](#snmp-v3)",
        "TcpStep": "[steps](#steps-of-kind-tcp)",
        "Thresholds": "[thresholds](#thresholds)",
        "Timings": "[timings](#timings)",
        "Traps": "[traps](#traps)",
        "Trunk": "[trunks](#trunks)",
        "Window": "[windows](#maintenance)",
        "national system": "[national system](#national-systems-by-id)",
    }
)
"""Where each part of an inventory is explained."""


def reference() -> str:
    """The page, in Markdown: the prose beside this module, with a table for each model, kind and national system."""
    whole = schema()
    parts = {**whole["$defs"], "Province": whole}
    prose = resources.files(__package__).joinpath("reference.md").read_text(encoding="utf-8")

    def filled(mark: re.Match[str]) -> str:
        name = mark[1]
        if name == "kinds":
            return "\n\n".join(_kind(kind) for kind in SERVICE_KINDS)
        return _systems() if name == "systems" else _explained(getattr(models, name), parts[name]["properties"])

    return re.sub(r"\{\{(\w+)\}\}", filled, prose)


def _kind(name: str) -> str:
    settings = SERVICE_KINDS[name].settings
    heading = f"#### Settings of `kind: {name}`"
    explained = f"{heading}\n\n{_explained(settings, of_model(settings)['properties'])}"
    if name != "tcp":
        return explained
    steps = _explained(TcpStep, of_model(TcpStep)["properties"])
    return f"{explained}\n\n##### Steps of `kind: tcp`\n\n{steps}"


def _explained(model: type[BaseModel], properties: Mapping[str, Schema]) -> str:
    """What a part of an inventory is, and its keys."""
    own = {key: what for key, what in properties.items() if key in model.model_fields or key == "profile"}
    return f"{summary(model)}\n\n{_keys(model, own)}"


def _keys(model: type[BaseModel], properties: Mapping[str, Schema]) -> str:
    rows = []
    for key, what in properties.items():
        rows.append(
            (
                f"`{key}`",
                _type(what),
                _default(model, key, what),
                next((unit for suffix, unit in _UNITS.items() if key.endswith(suffix)), _NONE),
                " ".join(what.get("description", _NONE).split()),
                ", ".join(_code(example) for example in what.get("examples", ())) or _NONE,
            )
        )
    return _table(("key", "type", "default", "unit", "what it means", "example"), rows)


def _default(model: type[BaseModel], key: str, what: Schema) -> str:
    field = model.model_fields.get(key)
    if field is None or not field.is_required():
        return _code(what.get("default"))
    return f"{_REQUIRED} without `use`" if model is models.Service and key in _BROUGHT else _REQUIRED


def _type(what: Schema) -> str:
    """A type in plain words."""
    if "anyOf" in what:
        return " or ".join(_type(variant) for variant in what["anyOf"] if variant.get("type") != "null")
    if "$ref" in what:
        return _PLACES[what["$ref"].rpartition("/")[2]]
    if "title" in what:
        return _PLACES.get(what["title"], str(what["title"]))
    if "enum" in what or "const" in what:
        values = what.get("enum") or [what["const"]]
        return f"{'one of ' if len(values) > 1 else ''}{', '.join(_code(value) for value in values)}"
    return _MANY[what["type"]](what) if what["type"] in _MANY else _plain(what)


def _list(what: Schema) -> str:
    inner = _type(what["items"])
    plural = "addresses" if inner == "address" else inner.removeprefix("one of ").replace("number", "numbers")
    return f"list of {plural}s" if inner in _COUNTED else f"list of {plural}"


def _mapping(what: Schema) -> str:
    if "patternProperties" not in what:
        inner = what.get("additionalProperties")
        return f"names, each with {_type(inner)}" if isinstance(inner, dict) else "a mapping"
    ((keys, inner),) = what["patternProperties"].items()
    named = "addresses" if keys == ADDRESS["pattern"] else "names"
    return f"{named}, each with a {'[credential](#credentials)' if 'oneOf' in inner else _type(inner)}"


_MANY: Mapping[str, Callable[[Schema], str]] = MappingProxyType({"array": _list, "object": _mapping})
_COUNTED = frozenset({"name", "code", "network"})


def _plain(what: Schema) -> str:
    if what["type"] in _SIMPLE:
        return _SIMPLE[what["type"]]
    number = "whole number" if what["type"] == "integer" else "number"
    low, above, high = (what.get(bound) for bound in ("minimum", "exclusiveMinimum", "maximum"))
    if low is not None and high is not None:
        return f"{number} {low:g}–{high:.12g}"
    bounds = [f"> {above:g}" if above is not None else "", f"≤ {high:g}" if high is not None else ""]
    return f"{number} {', '.join(bound for bound in bounds if bound)}".strip()


_SIMPLE: Mapping[str, str] = MappingProxyType({"boolean": "`true` or `false`", "string": "text"})


def _systems() -> str:
    rows = [
        (
            f"`{name}`",
            f"{system.names.vi} / {system.names.en}",
            system.owner.en,
            _probed(system),
            ", ".join(f"`{key}`" for key in system.required) or _NONE,
        )
        for name, system in systems().items()
    ]
    return _table(("id", "name (vi / en)", "owner", "what is probed", "to be given"), rows)


def _probed(system: System) -> str:
    told = system.settings
    place = told.get("url") or (f"{told['host']}:{told['port']}" if "host" in told else None)
    target = f"`{place}`" if place else f"the {' and '.join(f'`{key}`' for key in system.required)} that you give"
    network = ", network only" if system.layer == "network" else ""
    way = "internet" if system.via == "internet" else "dedicated network"
    return f"{target}, by {system.kind} over the {way}, every {system.beat_s:g} s{network}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without the columns that say nothing."""
    kept = [index for index in range(len(head)) if any(row[index] != _NONE for row in rows)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(_row(line[index] for index in kept) for line in lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(value: object) -> str:
    return _NONE if value is None else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """A value as people write it in an inventory, in one line."""
    if isinstance(value, bool | int | float):
        return f"{value:g}" if isinstance(value, float) else json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(_yaml(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(item)}' for key, item in value.items())}}}"
    if re.fullmatch(r"[0-9 +]+", value):
        return json.dumps(value)  # a telephone number or code, which YAML would take for a number sooner or later
    try:
        (read,) = yaml.safe_load(f"[{value}]")
    except (yaml.YAMLError, ValueError, TypeError):
        read = None
    return str(value) if read == value or isinstance(read, date) else json.dumps(value, ensure_ascii=False)
