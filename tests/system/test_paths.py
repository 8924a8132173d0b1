"""The path to a commune over the lab's routers: whole, cut, and told to whoever is on call."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from typing import Any
from urllib.parse import quote

import pytest

from agent.inventory import load
from deploy import lab
from deploy.lab.path import Hop
from deploy.lab.topology import Topology
from tests.system.conftest import Province

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

COMMUNE, TRUNK = "01290", "bao-lam-radio"
LINK = f"link/{COMMUNE}/primary"
MAST = "10.201.0.3 (Bảo Lâm radio mast)"
"""The router before that trunk."""


def lab_hops(address: str) -> list[str]:
    """The lab's own routers on the way to an address, and the address."""
    path = Topology(load(lab.CAO_BANG)).path(ipaddress.ip_address(address).packed)
    return [*(str(ipaddress.ip_address(item.v4)) for item in path.items if isinstance(item, Hop)), address]


def path_of(province: Province, code: str) -> dict[str, Any]:
    told: dict[str, Any] = province.status()["communes"][code]["path"]
    return told


def incident(province: Province) -> dict[str, Any]:
    told: list[dict[str, Any]] = [item for item in province.status()["incidents"] if item["root"] == TRUNK]
    return told[0]


def described(province: Province) -> str:
    """What Alertmanager says of its one alert."""
    (alert,) = province.stage.get("alertmanager", "/api/v2/alerts")
    return str(alert["annotations"]["description"])


def test_the_path_to_a_healthy_commune_lists_the_labs_routers(province: Province) -> None:
    province.wait(lambda: path_of(province, COMMUNE)["reached"], "a whole path")
    told = path_of(province, COMMUNE)
    assert [hop["address"] for hop in told["hops"]] == lab_hops("10.4.4.1")
    assert told["hops"][0]["name"] == "Hub gateway"
    assert all(0 < hop["rtt_s"] < 0.1 for hop in told["hops"])
    assert told["broken_after"] is None
    (hops,) = province.samples(f'lienxa_path_hops{{target="{LINK}"}}')
    assert hops[1] == len(told["hops"])


def test_a_path_is_traced_for_whoever_asks(province: Province) -> None:
    told = province.stage.get("agent", f"/api/v1/path?target={quote(f'trunk/{TRUNK}')}")
    assert [hop["address"] for hop in told["hops"]] == lab_hops("10.4.240.3")
    assert told["reached"]


IPV6 = """
import asyncio
from probes.protocols.path import trace
found = asyncio.run(trace("fd00:202::3"))
print(found.reached, *(hop.address for hop in found.hops))
"""


def test_ipv6_takes_the_same_way(province: Province) -> None:
    traced = province.stage.lab.popen([sys.executable, "-c", IPV6], stdout=subprocess.PIPE, text=True)
    told, _ = traced.communicate(timeout=20)
    assert told.split() == ["True", "fd00:200::fe", "fd00:201::2", "fd00:202::2", "fd00:201::3", "fd00:202::3"]


def test_after_a_trunk_is_cut_it_is_told_by_name_where_the_path_breaks(province: Province) -> None:
    province.act(cut=TRUNK)
    province.wait(lambda: bool(province.notified("firing")), "the notification of the trunk")
    province.wait(lambda: path_of(province, COMMUNE)["broken_after"] == MAST, "the path's end in the status")
    told = path_of(province, COMMUNE)
    province.wait(lambda: incident(province)["path"]["broken_after"] == MAST, "the path to the trunk's end")
    info = f'lienxa_path_info{{target="{LINK}", name="{MAST}", state="broken"}}'
    province.wait(lambda: bool(province.samples(info)), "the path's end in Prometheus")
    province.wait(lambda: f"The path ends after {MAST}." in described(province), "the path's end in the alert")
    province.act(restore=TRUNK)
    province.wait(lambda: path_of(province, COMMUNE)["reached"], "the path to be whole again")
    province.wait(province.quiet, "quiet after the recovery")

    before_the_cut = lab_hops("10.4.4.1")[:4]
    assert [hop["address"] for hop in told["hops"]] == before_the_cut
    assert province.samples(f'lienxa_path_changes_total{{target="{LINK}"}}')[0][1] == 0


def test_a_cut_behind_the_last_router_leaves_the_whole_way_there(province: Province) -> None:
    province.act(cut=COMMUNE)
    province.wait(lambda: path_of(province, COMMUNE)["broken_after"] is not None, "the path's end")
    assert path_of(province, COMMUNE)["broken_after"] == "10.4.240.3 (Bảo Lâm radio hop)"
    province.act(restore=COMMUNE)
    province.wait(province.quiet, "quiet after the recovery")
