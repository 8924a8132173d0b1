"""YAML as people write it: keys in our order, long texts as blocks."""

from __future__ import annotations

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes strings of several lines as literal blocks."""


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _string)


def dump(data: object) -> str:
    """The data as YAML."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
