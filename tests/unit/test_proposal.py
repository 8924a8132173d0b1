"""What a sweep has found becomes lines for the inventory that it fits."""

from __future__ import annotations

import pytest
import yaml

from agent.proposal import Places, Seen, proposed
from probes.metrics import PREFIX
from probes.model import Province

PLACES = Places(
    Province.model_validate(
        {
            "province": "04",
            "references": ["10.4.0.1"],
            "credentials": {"devices": {"community": {"file": "x"}}},
            "trunks": [{"id": "ring", "address": "10.4.0.11"}],
            "communes": [
                {
                    "code": "01290",
                    "prefix": "10.4.4",
                    "links": [{"address": "10.4.4.1"}, {"role": "backup", "address": "172.16.4.1"}],
                    "devices": [{"id": "ups", "role": "ups", "address": "10.4.4.2", "credential": "devices"}],
                },
                {"code": "01294", "prefix": "10.4"},
                {"code": "01297", "prefix": "2001:db8:4"},
            ],
        }
    )
)


def device(address: str, **said: object) -> Seen:
    return Seen(address, credential="devices", **said)  # type: ignore[arg-type]  # one of its fields


@pytest.mark.parametrize(
    ("address", "known", "commune"),
    [
        ("10.4.4.2", "device/01290/ups", "01290"),
        ("10.4.4.1", "link/01290/primary", "01290"),
        ("172.16.4.1", "link/01290/backup", "01290"),
        ("10.4.4.77", "", "01290"),
        ("10.4.77.1", "", "01294"),
        ("10.4.0.1", "reference/10.4.0.1", "01294"),
        ("10.4.0.11", "trunk/ring", "01294"),
        ("2001:db8:4::7", "", "01297"),
        ("192.168.1.1", "", None),
    ],
)
def test_an_address_belongs_to_the_link_or_the_longest_prefix(address: str, known: str, commune: str | None) -> None:
    found = PLACES.commune(address)
    assert (PLACES.known(address), found.code if found else None) == (known, commune)


@pytest.mark.parametrize(
    ("families", "services", "role"),
    [
        (["ups_on_battery", "cell_rsrp_dbm"], 72, "ups"),
        (["radio_signal_dbm"], None, "radio"),
        (["cell_rsrp_dbm"], 78, "modem"),
        (["device_cpu_ratio"], 2, "switch"),
        (["device_cpu_ratio"], 6, "router"),
        ([], None, "router"),
    ],
)
def test_the_role_follows_from_what_the_device_says(families: list[str], services: int | None, role: str) -> None:
    assert device("10.4.4.7", families=frozenset(PREFIX + name for name in families), services=services).role == role


def test_lines_name_only_what_is_new_by_ids_that_are_free() -> None:
    ups = frozenset({f"{PREFIX}ups_on_battery"})
    found = [
        device("10.4.4.1", name="gw\n- x: {"),
        device("10.4.4.2", families=ups),
        device("10.4.4.3", families=ups, profile="apc", model="APC Smart-UPS"),
        device("10.4.0.11"),
        device("2001:db8:4::7"),
        device("192.168.1.1"),
        Seen("10.4.4.9", 0.01),
    ]
    text = proposed(found, PLACES)
    assert text == (
        "communes:\n"
        '  - code: "01290"  # Xã Bảo Lâm\n'
        "    devices:\n"
        "      - {id: router, role: router, address: 10.4.4.1, credential: devices}  # gw - x: {\n"
        "      - {id: ups-2, role: ups, address: 10.4.4.3, credential: devices}  # apc, APC Smart-UPS\n"
        '  - code: "01297"  # Xã Nam Quang\n'
        "    devices:\n"
        '      - {id: router, role: router, address: "2001:db8:4::7", credential: devices}\n'
        "# No commune of the inventory has these addresses; put them where they belong:\n"
        "#      - {id: router, role: router, address: 192.168.1.1, credential: devices}\n"
    )
    assert [commune["code"] for commune in yaml.safe_load(text)["communes"]] == ["01290", "01297"]


def test_nothing_new_is_no_line() -> None:
    assert proposed([device("10.4.4.2"), Seen("10.4.4.9", 0.01)], PLACES) == ""
