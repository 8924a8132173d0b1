"""Host names in place of addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.inventory import load
from agent.plan import plan
from probes.ports import SnmpAgent
from tests.unit.inventories import problems

NAMED = """\
province: "04"
networks: [10.4.0.0/16]
references: [Hub.example, 10.0.0.1]
credentials: {devices: {community: {env: SNMP}}}
trunks: [{id: ring, address: ring-01.example.}]
communes:
  - {code: "01273", links: [{address: router}], devices: [{id: ups, role: ups, address: UPS.xa.example, credential: devices}]}
  - {code: "01279", links: [{address: router.xa-2.example}]}
services: [{id: portal, kind: icmp, address: cong.example}]
"""


def test_a_host_name_may_stand_wherever_an_address_may(tmp_path: Path) -> None:
    file = tmp_path / "04.yaml"
    file.write_text(NAMED, encoding="utf-8")
    province = load(file)
    assert province.references == ("hub.example", "10.0.0.1")
    assert province.trunks[0].address == "ring-01.example."
    assert [commune.links[0].address for commune in province.communes] == ["router", "router.xa-2.example"]
    assert province.communes[0].devices[0].address == "ups.xa.example"
    targets = {
        target.id: target.settings
        for target in plan(
            province, lambda device: SnmpAgent(device.address, device.port, "v2c", SecretStr("x"))
        ).targets
    }
    assert getattr(targets["service/portal"], "address", "") == "cong.example"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "router.xa-2.example",
            "ROUTER",
            "8: communes[1].links[0].address: router is given twice, first at line 7; "
            "every link and device has its own",
        ),
        ("10.0.0.1", "hub.Example", "3: references[1]: 'hub.example' is given twice, first at line 3; keep one"),
        (
            "router.xa-2.example",
            "-router.example",
            "8: communes[1].links[0].address: must be an IPv4 or IPv6 "
            "address such as 10.4.1.1, or a host name such as router.xa.example: letters a-z, digits and hyphens between dots",
        ),
        ("ring-01.example.", "10.4.240", "5: trunks[0].address: must be an IPv4 or IPv6 address such as 10.4.1.1"),
        ("cong.example", "10.4.1.999", "9: services[0].address: must be an IPv4 or IPv6 address such as 10.4.1.1"),
    ],
)
def test_what_is_wrong_with_a_host_name_is_said(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert problems(tmp_path, NAMED.replace(before, after)) == [f"cao-bang.yaml:{said}"]
