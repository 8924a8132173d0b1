"""Which targets are meant, and what is said where nothing or too much is."""

from __future__ import annotations

import pytest

from agent.errors import Unusable
from agent.plan import plan
from agent.selection import select
from probes.model import Device, Province
from probes.ports import SnmpAgent
from tests.unit.fakes import province


def ask(device: Device) -> SnmpAgent:
    return SnmpAgent(device.address, device.port, "v2c")


PROVINCE = province()


def chosen(
    *,
    communes: tuple[str, ...] = (),
    patterns: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    of: Province = PROVINCE,
) -> list[str]:
    return [target.id for target in select(of, plan(of, ask).targets, communes, patterns, kinds)]


def refused(
    *,
    communes: tuple[str, ...] = (),
    patterns: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    of: Province = PROVINCE,
) -> str:
    with pytest.raises(Unusable) as caught:
        chosen(communes=communes, patterns=patterns, kinds=kinds, of=of)
    return str(caught.value)


def thai_nguyen(*codes: str) -> Province:
    communes = [{"code": code, "links": [{"address": "10.4.4.1"}]} for code in codes]
    return Province.model_validate({"province": "19", "communes": communes})


ALL = [
    "reference/10.4.0.1",
    "trunk/ring",
    "link/01290/primary",
    "device/01290/ups",
    "link/01294/primary",
    "service/gateway",
]


def test_without_filters_everything_is_meant() -> None:
    assert chosen() == ALL


def test_a_commune_is_its_links_and_devices_by_code_or_name() -> None:
    assert chosen(communes=("01290",)) == ["link/01290/primary", "device/01290/ups"]
    assert chosen(communes=("bao lam",)) == chosen(communes=("Xã Bảo Lâm",)) == chosen(communes=("01290",))


def test_values_of_one_filter_add_up_and_filters_narrow_each_other() -> None:
    assert chosen(communes=("01290", "ly bon"), kinds=("icmp",)) == ["link/01290/primary", "link/01294/primary"]
    assert chosen(patterns=("link/*", "service/gateway"), kinds=("tcp", "snmp")) == ["service/gateway"]


def test_a_target_is_meant_by_its_id_or_a_pattern() -> None:
    assert chosen(patterns=("trunk/ring",)) == ["trunk/ring"]
    assert chosen(patterns=("*/01290/*",)) == ["link/01290/primary", "device/01290/ups"]


def test_an_unknown_commune_names_close_ones() -> None:
    assert refused(communes=("bảo lan",)) == (
        "--commune: no commune of province 04 has the code or name 'bảo lan'; did you mean 01290 (Xã Bảo Lâm)?"
    )
    assert refused(communes=("1290",)) == (
        "--commune: no commune of province 04 has the code or name '1290'; did you mean 01290 (Xã Bảo Lâm)?"
    )
    assert refused(communes=("Paris",)) == "--commune: no commune of province 04 has the code or name 'Paris'"


def test_a_commune_outside_the_inventory_is_named() -> None:
    assert refused(communes=("thuc phan",)) == "--commune: 01273 (Phường Thục Phán) is not in the inventory"


def test_an_ambiguous_commune_names_the_candidates() -> None:
    assert refused(communes=("van lang",), of=thai_nguyen("02143", "05665")) == (
        "--commune: 'van lang' can be 02143 (Xã Văn Lang) or 05665 (Xã Văn Lăng); give the code"
    )
    assert chosen(communes=("Văn Lăng",), of=thai_nguyen("02143", "05665")) == ["link/05665/primary"]


def test_only_communes_of_the_inventory_make_a_name_ambiguous() -> None:
    assert chosen(communes=("van lang",), of=thai_nguyen("05665")) == ["link/05665/primary"]


def test_an_unknown_target_names_close_ones_or_what_ids_look_like() -> None:
    assert refused(patterns=("link/01290/primry",)) == (
        "--target: no target is 'link/01290/primry'; did you mean link/01290/primary or link/01294/primary?"
    )
    assert refused(patterns=("*/zz",)) == (
        "--target: no target is '*/zz'; ids look like "
        "service/gateway, link/01290/primary, device/01290/ups, trunk/ring or reference/10.4.0.1"
    )


def test_filters_that_leave_nothing_are_named() -> None:
    assert refused(communes=("01290",), kinds=("http",)) == ("nothing to check: no target passes --commune and --kind")


def test_an_inventory_without_targets_is_told() -> None:
    empty = Province.model_validate({"province": "04"})
    for patterns in ((), ("x",)):
        assert refused(patterns=patterns, of=empty) == (
            "nothing to check: the inventory names nothing that can be probed"
        )
