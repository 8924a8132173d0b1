"""`lienxa schema`: the inventory's JSON Schema (draft 2020-12), so that editors complete and check while one types."""

from __future__ import annotations

from typing import Any

from probes.model import TIMING_PROFILES, Province, Service
from probes.registry import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{model}"


def schema() -> dict[str, Any]:
    """The schema, made from the models that an inventory is checked with.

    A service's settings are those of its probe kind, beside its own keys. What no schema can say (codes that exist,
    references from one part to another) is said by `lienxa validate`.
    """
    made = Province.model_json_schema(ref_template=_REF)
    definitions = made["$defs"]
    definitions["Timings"]["properties"]["profile"] = {
        "enum": list(TIMING_PROFILES),
        "description": "A set of timings to begin with; keys beside it override it.",
    }
    link = definitions["Link"]["properties"]["id"]
    link.update(description="The role's name, where none is given.")
    link.pop("default", None)
    definitions["Service"] = {"oneOf": [_service(kind, definitions) for kind in KINDS if kind != "snmp"]}
    return {"$schema": DIALECT, **made, "title": "lienxa inventory"}


def _service(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A service of one kind: its own keys and those of the kind."""
    service = Service.model_json_schema(ref_template=_REF)
    settings = KINDS[kind].settings.model_json_schema(ref_template=_REF)
    definitions.update(settings.pop("$defs", {}))
    own = {name: what for name, what in service["properties"].items() if name not in {"kind", "settings"}}
    required = [name for name in service["required"] if name != "settings"]
    return {
        "title": f"service of kind {kind}",
        "description": settings.get("description", ""),
        "type": "object",
        "additionalProperties": False,
        "properties": {**own, "kind": {"const": kind}, **settings["properties"]},
        "required": [*required, *settings.get("required", ())],
    }
