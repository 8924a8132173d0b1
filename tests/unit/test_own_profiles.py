"""A deployer's own device profiles, in a folder beside the inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.inventory import InventoryError
from agent.plan import plan
from agent.profiles import library_of
from probes.profiles import shipped
from tests.unit.fakes import province
from tests.unit.test_plan import ask

OWN = """\
id: example-modem
title: Example LTE modem
source: EXAMPLE-MODEM-MIB
match: {object_id: [1.3.6.1.4.1.99999.1]}
groups:
  - name: cell
    scalars: [{family: cell_rsrp_dbm, object: exRsrp, oid: 1.3.6.1.4.1.99999.2.1.0, range: [-140, -44]}]
"""


def modem(profile: str) -> dict[str, object]:
    device = {"id": "modem", "role": "modem", "address": "10.4.4.3", "credential": "lab", "profile": profile}
    return {"code": "01290", "devices": [device]}


def test_without_a_folder_the_shipped_ones_are_all(tmp_path: Path) -> None:
    assert library_of(province(), tmp_path) == shipped()


def test_a_profile_beside_the_inventory_can_be_named_by_a_device(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "example-modem.yaml").write_text(OWN, encoding="utf-8")
    inventory = province(communes=[modem("example-modem")], trunks=[])
    made = plan(inventory, ask, library=library_of(inventory, tmp_path))
    (target,) = (target for target in made.targets if target.kind == "snmp")
    assert getattr(target.settings, "profiles") == ("example-modem",)  # noqa: B009  # the kinds' models are not this package's


def test_what_is_wrong_with_profiles_is_told_with_file_and_name(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as unknown:
        library_of(province(communes=[modem("mikrotek")], trunks=[]), tmp_path)
    assert unknown.value.errors[0].startswith("device modem of 01290: unknown profile 'mikrotek' (known: ")
    with pytest.raises(InventoryError) as rule:
        library_of(province(firmware=[{"profile": "mikrotek", "minimum": "7.12"}]), tmp_path)
    assert rule.value.errors[0].startswith("firmware[0]: unknown profile 'mikrotek' (known: ")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "example-modem.yaml").write_text(OWN.replace("cell_rsrp_dbm", "cell_rsrp"), "utf-8")
    with pytest.raises(InventoryError) as wrong:
        library_of(province(), tmp_path)
    assert wrong.value.errors[0].startswith(f"{tmp_path}/profiles/example-modem.yaml: ")
