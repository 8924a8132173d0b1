"""What editors are told of an inventory agrees with what the inventory's own check says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agent.init import init
from agent.inventory import InventoryError, load
from agent.schema import schema
from deploy import lab


@pytest.fixture(scope="module")
def editor() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def test_the_shipped_inventory_and_a_fresh_one_are_valid(editor: Draft202012Validator, tmp_path: Path) -> None:
    for path in (lab.CAO_BANG, init("04", tmp_path)):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert list(editor.iter_errors(data)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"province": "4"},
        {"province": "04", "comunes": []},
        {"province": "04", "timings": {"profile": "quick"}},
        {"province": "04", "timings": {"link_beat_s": 0}},
        {"province": "04", "communes": [{"code": "01290", "links": [{"medium": "4g"}]}]},
        {"province": "04", "communes": [{"code": "01290", "devices": [{"id": "ups", "role": "ups"}]}]},
        {"province": "04", "services": [{"id": "portal", "kind": "htpp", "url": "http://10.0.0.1/"}]},
        {"province": "04", "services": [{"id": "portal", "kind": "http"}]},
        {"province": "04", "services": [{"id": "portal", "kind": "http", "url": "http://10.0.0.1/", "host": "x"}]},
        {"province": "04", "credentials": {"lab": {"community": "public"}}},
    ],
)
def test_both_refuse_what_is_wrong(editor: Draft202012Validator, wrong: dict[str, Any], tmp_path: Path) -> None:
    assert not editor.is_valid(wrong)
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(wrong), encoding="utf-8")
    with pytest.raises(InventoryError):
        load(path)


@pytest.mark.parametrize(
    "right",
    [
        {"province": "04", "timings": {"profile": "fast", "link_beat_s": 2}},
        {"province": "04", "services": [{"id": "gw", "kind": "tcp", "host": "10.0.0.1", "port": 443}]},
        {"province": "04", "communes": [{"code": "01290", "links": [{}, {"role": "backup", "medium": "lte"}]}]},
    ],
)
def test_both_take_what_is_right(editor: Draft202012Validator, right: dict[str, Any], tmp_path: Path) -> None:
    assert list(editor.iter_errors(right)) == []
    path = tmp_path / "right.yaml"
    path.write_text(yaml.safe_dump(right), encoding="utf-8")
    load(path)
