"""The forms of single values, as patterns that editors understand, and each model as people write it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from probes import units
from probes.model import (
    AddressPattern,
    AddressPrefix,
    CommuneCode,
    Date,
    Host,
    Identifier,
    IpAddress,
    Moment,
    Network,
    ProvinceCode,
    WebUrl,
)

Schema = dict[str, Any]

_REF = "#/$defs/{model}"

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?!22[4-9]\.|23[0-9]\.|0\.0\.0\.0$|255\.255\.255\.255$){_OCTET}(?:\.{_OCTET}){{3}}"
_IPV6 = r"(?!::$|[Ff]{2}[0-9A-Fa-f]{2}:)(?=[^%]*:)[0-9A-Fa-f:.]+(?:%[^%]+)?"
FILLED = r"\{prefix\}"
_FILLED_IPV6 = rf"[0-9A-Fa-f:]*{FILLED}[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[^%]+)?"


def _text(title: str, pattern: str, message: str) -> Schema:
    """Text of one form. `patternErrorMessage` is what VS Code says of another."""
    return {"type": "string", "title": title, "pattern": f"^(?:{pattern})$", "patternErrorMessage": message}


_LABEL = "[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_MISTYPED = r"(?:.*\.)?[0-9]+\.?$|(?:[0-9]+\.){2,}[^.]*\.?$"
"""An address that is none, not a name: 10.4.1.300, 10.4.1.l."""
_NAME = rf"(?!{_MISTYPED})(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?"
ADDRESS = _text("address", f"{_IPV4}|{_IPV6}", "must be an IPv4 or IPv6 address such as 10.4.1.1")
HOST = _text(
    "address or host name",
    f"{_IPV4}|{_IPV6}|{_NAME}",
    "must be an IPv4 or IPv6 address such as 10.4.1.1, or a host name such as router.xa.example",
)
OWN_ADDRESS = _text(
    "address or host name, may begin with `{prefix}`",
    rf"{_IPV4}|{_IPV6}|{_NAME}|{FILLED}(?:\.{_OCTET}){{1,3}}|{_FILLED_IPV6}",
    "must be an address such as 10.4.1.1, one such as {prefix}.1, or a host name",
)
_DATE = "[0-9]{4}(?:-?[0-9]{2}-?[0-9]{2}|-?W[0-9]{2}(?:-?[1-7])?)"


def _added(alias: object) -> object:
    """What a type of the models adds to plain text: its check, or its pattern."""
    extra = get_args(alias)[1]
    return getattr(extra, "func", None) or extra.pattern


_TEXTS: Mapping[object, Schema] = MappingProxyType(
    {
        # No `format`: date-time wants an offset, uri no diacritics; editors would refuse what lienxa takes.
        _added(IpAddress): ADDRESS,
        _added(Host): HOST,
        _added(AddressPattern): _text(
            "address or host name, may begin with `{prefix}`",
            rf"{_IPV4}|{_IPV6}|{_NAME}|{FILLED}\.{_OCTET}|{_FILLED_IPV6}",
            "must be an address such as {prefix}.1, or an address or host name without {prefix}",
        ),
        _added(AddressPrefix): _text(
            "first part of addresses",
            rf"{_OCTET}(?:\.{_OCTET}){{0,2}}|(?=.*:)[0-9A-Fa-f]{{1,4}}(?::[0-9A-Fa-f]{{1,4}}){{0,6}}:*",
            "must be the first part of the commune's addresses, such as 10.4.1 or 2001:db8:4",
        ),
        _added(Network): _text(
            "network",
            rf"{_OCTET}(?:\.{_OCTET}){{3}}(?:/[0-9.]+)?|(?=.*:)[0-9A-Fa-f:.]+(?:/[0-9]+)?",
            "must be a network such as 10.4.0.0/16",
        ),
        _added(WebUrl): _text(
            "web address",
            r"[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#@:][^\s/?#@]*(?:[/?#]\S*)?",
            "must be a URL such as https://portal.example/health, without user name and password",
        ),
        _added(Moment): _text(
            "date and time, Vietnam's time", rf"\s*{_DATE}(?:.[0-9].*)?\s*", "write it as 2026-11-22 22:00"
        ),
        _added(Date): _text("date", _DATE, "write year-month-day, such as 2026-12-31"),
        _added(Identifier): _text(
            "name", "[a-z0-9][a-z0-9-]{0,62}", "must be lower-case letters, digits and hyphens, at most 63 of them"
        ),
        _added(CommuneCode): _text("code", "[0-9]{5}", 'must be a 5-digit commune code in quotes, such as "01273"'),
    }
)


class _Generator(GenerateJsonSchema):
    """What people write, in words that they know."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: made of the key, it would only say it once more."""
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """As the models have it: an example reads as somebody would write it."""
        return value

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        return self._known(schema) or super().function_after_schema(schema)

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        return self._known(schema) or super().function_before_schema(schema)

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        made = super().str_schema(schema)
        pattern = made.get("pattern", "")
        if pattern == _added(ProvinceCode):
            provinces = [unit for unit in units.by_code().values() if unit.type == "province"]
            codes, names = [unit.code for unit in provinces], [unit.name for unit in provinces]
            return {"type": "string", "title": "code", "enum": codes, "enumDescriptions": names}
        if r"\w" in pattern:  # editors' letters are ASCII, ours are not
            made["pattern"] = pattern.replace(r"\w", r"0-9A-Z_a-z\u0080-\uffff")
        return dict(_TEXTS.get(pattern, made))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without defaults that say nothing: editors would write them out."""
        made = super().default_schema(schema)
        if made.get("default") in (None, "", []) or isinstance(made.get("default"), dict):
            made.pop("default", None)
        return made

    def _known(
        self, schema: core_schema.AfterValidatorFunctionSchema | core_schema.BeforeValidatorFunctionSchema
    ) -> Schema:
        return dict(_TEXTS.get(schema["function"]["function"], {}))


def of_model(model: type[BaseModel]) -> Schema:
    """One model as it is written; what it is made of stands in `$defs`."""
    made = model.model_json_schema(ref_template=_REF, schema_generator=_Generator)
    for name, field in model.model_fields.items():
        if field.exclude:  # filled in by lienxa itself
            made["properties"].pop(name, None)
    for what in made["properties"].values():
        if what.get("type") == "array" and "minLength" in what:  # what pydantic makes of `Several` with a bound
            what["minItems"] = what.pop("minLength")
    return made


def summary(model: type[BaseModel]) -> str:
    """What a model is, in a sentence or two."""
    return " ".join((model.__doc__ or "").split())
