"""`lienxa schema`: the inventory's JSON Schema (draft 2020-12), so that editors complete and check while one types."""

from __future__ import annotations

from collections.abc import Mapping

from agent.schema.services import SERVICE_KINDS, Services, given
from agent.schema.texts import OWN_ADDRESS, Schema, of_model, summary
from probes.model import TIMING_PROFILES, Contact, Province, SecretSource, Service, SnmpUser
from probes.model.windows import SHORT_RULES

__all__ = ["SERVICE_KINDS", "Schema", "of_model", "schema", "summary"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """The schema, made from the models that an inventory is checked with.

    It describes what people write, before classes and national systems fill in the rest, and takes a file that is
    only a part of a folder: nothing at the top is required, and only a file with `province` must tell its services
    and known issues whole. What no schema can say (codes that exist, references, what a class leaves to its communes)
    is said by `lienxa validate`.
    """
    whole = of_model(Province)
    parts = whole["$defs"]
    del whole["required"], parts["Service"], parts["ServiceTemplate"]
    whole["properties"]["references"]["uniqueItems"] = whole["properties"]["networks"]["uniqueItems"] = True
    whole["properties"]["languages"] |= {"minItems": 1, "uniqueItems": True}
    for key in ("credentials", "hops", "site_classes"):
        whole["properties"][key]["additionalProperties"] = False
    profile = {
        "enum": list(TIMING_PROFILES),
        "default": "default",
        "description": "A set of timings to begin with; keys beside it override it. `fast` is for demonstrations.",
    }
    parts["Timings"]["properties"] = {"profile": profile, **parts["Timings"]["properties"]}
    parts["Window"]["properties"]["repeat"]["anyOf"] = [
        {"enum": list(SHORT_RULES)},
        {"type": "string", "title": "rule of RFC 5545", "pattern": "[Ff][Rr][Ee][Qq]="},
        {"type": "null"},
    ]
    _constrain(parts)
    parts["Link"]["properties"]["address"]["anyOf"][0] = OWN_ADDRESS
    parts["Device"]["properties"]["address"] |= OWN_ADDRESS
    parts["Device"]["required"] = ["id"]  # the rest may stand in the class
    services = Services(parts)
    identified = {"anyOf": [{"required": ["id"]}, {"required": ["use"]}]}
    national = services.national()
    parts["Service"] = services.made(summary(Service), identified)
    parts["CommuneService"] = services.made("A service inside the commune.", identified, *national, filled=True)
    parts["ServiceTemplate"] = services.made(
        "A service that every commune of a class has.", *services.named(), *national, filled=True
    )
    parts["Commune"]["properties"]["services"]["items"] = {"$ref": "#/$defs/CommuneService"}
    issues = parts["KnownIssue"].pop("required")
    parts["KnownIssue"]["required"] = ["id"]
    of_whole_file = {
        "services": {"items": {"allOf": [*services.named(), *national, *services.complete()]}},
        "known_issues": {"items": {"required": issues}},
    }
    return {
        "$schema": DIALECT,
        **whole,
        "title": "lienxa inventory",
        "if": {"required": ["province"]},
        "then": {"properties": of_whole_file},
    }


def _constrain(parts: Mapping[str, Schema]) -> None:
    """What the models' own validators say of several keys together."""
    parts[SecretSource.__name__] |= {
        "oneOf": [{"type": "object", **given(source)} for source in SecretSource.model_fields],
        "errorMessage": "a secret never stands here: write {file: NAME}, or {env: VARIABLE}, or {credential: NAME}",
    }
    parts[Contact.__name__]["anyOf"] = [given("phone"), given("email")]
    together = [("auth_protocol", "auth_key"), ("privacy_protocol", "privacy_key")]
    pairs = [*together, *((key, protocol) for protocol, key in together), ("privacy_key", "auth_key")]
    parts[SnmpUser.__name__]["allOf"] = [{"if": given(one), "then": given(other)} for one, other in pairs]
