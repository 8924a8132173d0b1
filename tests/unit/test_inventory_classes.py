"""What a commune takes over from its class and a service from its national system, and what it says itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.inventory import load
from probes.model import Commune, Province, Service
from probes.systems import systems
from tests.unit.inventories import REQUIRED, problems

HEAD = """\
province: "04"
timings: {profile: fast}
credentials:
  devices: {community: {env: SNMP_COMMUNITY}}
  strict: {version: v3, user: lienxa}
site_classes:
  remote:
    links:
      - {address: "{prefix}.1"}
      - {role: backup, medium: lte, address: "{prefix}.3"}
    devices:
      - {id: router, role: router, address: "{prefix}.1", credential: devices}
      - {id: ups, role: ups, address: "{prefix}.2", credential: devices}
    services:
      - {id: meeting, kind: tcp, host: "{prefix}.9", port: 5060}
      - {id: desk, kind: http, url: "http://{prefix}.10:8080/health", name: "Một cửa {prefix}"}
    thresholds: {latency_s: 0.4}
  hq:
    links: [{address: "{prefix}.254", thresholds: {latency_s: 0.1}}]
    thresholds: {latency_s: 0.2, loss_ratio: 0.05}
"""


def loaded(tmp_path: Path, communes: str, head: str = HEAD) -> Province:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(f"{head}communes:\n{communes}\n", encoding="utf-8")
    return load(file)


def commune(tmp_path: Path, keys: str, head: str = HEAD) -> Commune:
    (made,) = loaded(tmp_path, f'  - {{code: "01273", {keys}}}', head).communes
    return made


def by_id(parts: Any, key: str) -> dict[str, object]:
    return {part.id: getattr(part, key) for part in parts}


def test_a_commune_has_what_its_class_has_with_its_own_prefix(tmp_path: Path) -> None:
    made = commune(tmp_path, "prefix: 10.4.1")
    assert by_id(made.links, "address") == {"primary": "10.4.1.1", "backup": "10.4.1.3"}
    assert by_id(made.devices, "address") == {"router": "10.4.1.1", "ups": "10.4.1.2"}
    assert by_id(made.services, "settings") == {
        "meeting": {"host": "10.4.1.9", "port": 5060},
        "desk": {"url": "http://10.4.1.10:8080/health"},
    }
    assert by_id(made.services, "name")["desk"] == "Một cửa 10.4.1"


def test_a_commune_without_a_class_of_its_own_is_remote_and_another_is_what_it_says(tmp_path: Path) -> None:
    assert commune(tmp_path, "prefix: 10.4.1").site_class == "remote"
    assert by_id(commune(tmp_path, "site_class: hq, prefix: 10.4.1").links, "address") == {"primary": "10.4.1.254"}


def test_what_a_commune_says_itself_comes_before_its_class_key_by_key(tmp_path: Path) -> None:
    made = commune(
        tmp_path,
        "prefix: 10.4.1, links: [{role: backup, medium: vsat}], devices: [{id: ups, credential: strict, port: 1161}], "
        "services: [{id: meeting, port: 443}]",
    )
    assert by_id(made.links, "medium") == {"primary": "fibre", "backup": "vsat"}
    assert by_id(made.links, "address") == {"primary": "10.4.1.1", "backup": "10.4.1.3"}
    ups = made.devices[1]
    assert (ups.role, ups.address, ups.credential, ups.port) == ("ups", "10.4.1.2", "strict", 1161)
    assert made.services[0].settings == {"host": "10.4.1.9", "port": 443}


def test_a_link_is_the_classs_by_its_role_where_it_has_no_id(tmp_path: Path) -> None:
    assert by_id(commune(tmp_path, "prefix: 10.4.1, links: [{address: 10.4.1.77}]").links, "address") == {
        "primary": "10.4.1.77",
        "backup": "10.4.1.3",
    }


def test_what_the_class_does_not_know_comes_on_top(tmp_path: Path) -> None:
    made = commune(
        tmp_path,
        'prefix: 10.4.1, links: [{id: third, role: backup, medium: radio, address: "{prefix}.5"}], '
        "devices: [{id: modem, role: modem, address: 10.4.1.3, credential: devices}]",
    )
    assert by_id(made.links, "address") == {"primary": "10.4.1.1", "backup": "10.4.1.3", "third": "10.4.1.5"}
    assert list(by_id(made.devices, "address")) == ["router", "ups", "modem"]


def test_without_leaves_out_links_devices_and_services(tmp_path: Path) -> None:
    made = commune(tmp_path, "prefix: 10.4.1, without: [backup, ups, meeting]")
    left = [*by_id(made.links, "id"), *by_id(made.devices, "id"), *by_id(made.services, "id")]
    assert left == ["primary", "router", "desk"]


def test_a_commune_without_any_address_of_its_own_needs_no_prefix(tmp_path: Path) -> None:
    made = commune(tmp_path, "without: [primary, backup, router, ups, meeting, desk], links: [{address: 10.4.1.1}]")
    assert by_id(made.links, "address") == {"primary": "10.4.1.1"}


def test_thresholds_come_from_the_commune_then_its_class_then_the_medium(tmp_path: Path) -> None:
    plain = commune(tmp_path, "prefix: 10.4.1")
    assert [(link.limits.latency_s, link.limits.loss_ratio) for link in plain.links] == [(0.4, 0.01), (0.4, 0.02)]
    own = commune(tmp_path, "prefix: 10.4.1, links: [{role: backup, thresholds: {latency_s: 0.6}}]")
    assert [link.limits.latency_s for link in own.links] == [0.4, 0.6]
    (hq,) = commune(tmp_path, "prefix: 10.4.1, site_class: hq").links
    assert (hq.limits.latency_s, hq.limits.loss_ratio) == (0.1, 0.05)
    bare = commune(tmp_path, "links: [{address: 10.4.1.1}, {role: backup, medium: lte}]", 'province: "04"\n')
    assert [(link.limits.latency_s, link.limits.loss_ratio) for link in bare.links] == [(0.15, 0.01), (0.3, 0.02)]


IPV6 = """\
province: "04"
site_classes:
  remote:
    links: [{address: "{prefix}::1"}]
    services:
      - {id: meeting, kind: tcp, host: "{prefix}::9", port: 5060}
      - {id: desk, kind: http, url: "http://[{prefix}::10]/"}
"""


@pytest.mark.parametrize("prefix", ["2001:db8:4", "2001:db8:4:10"])
def test_a_prefix_may_be_ipv6(tmp_path: Path, prefix: str) -> None:
    made = commune(tmp_path, f'prefix: "{prefix}"', IPV6)
    assert made.links[0].address == f"{prefix}::1"
    assert made.services[0].settings["host"] == f"{prefix}::9"
    assert made.services[1].settings["url"] == f"http://[{prefix}::10]/"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ('links: [{address: "{prefix}.1"}]', "links[0].address: '{prefix}.1' becomes '10.4.1'"),
        (
            'services: [{id: desk, kind: tcp, host: "{prefix}.9", port: 80}]',
            "services[0].host: '{prefix}.9' becomes '10.4.9'",
        ),
        (
            'services: [{id: desk, kind: http, url: "http://{prefix}.9/"}]',
            "services[0].url: 'http://{prefix}.9/' becomes 'http://10.4.9/'",
        ),
    ],
)
def test_a_prefix_that_is_too_short_is_told_whatever_it_goes_into(tmp_path: Path, part: str, expected: str) -> None:
    """`10.4.9` is 10.4.0.9 to a resolver: it would be probed, and be somebody else."""
    text = f'province: "04"\nsite_classes: {{remote: {{{part}}}}}\ncommunes: [{{code: "01273", prefix: "10.4"}}]\n'
    assert problems(tmp_path, text) == [
        f"cao-bang.yaml:3: communes[0].prefix: '10.4' does not fit site_classes.remote.{expected}"
    ]


def test_one_address_may_be_a_communes_link_and_its_router_and_the_pair_is_no_mistake(tmp_path: Path) -> None:
    made = commune(tmp_path, "prefix: 10.4.1")
    assert made.links[0].address == made.devices[0].address


def service(tmp_path: Path, keys: str, head: str = 'province: "04"\n') -> Service:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(f"{head}services: [{{{keys}}}]\n", encoding="utf-8")
    return load(file).services[0]


def test_a_national_system_brings_all_that_it_knows(tmp_path: Path) -> None:
    system = systems()["national-portal"]
    made = service(tmp_path, "use: national-portal")
    assert (made.id, made.kind, made.name) == (system.id, system.kind, system.names.vi)
    assert (made.via, made.layer, made.beat_s) == (system.via, system.layer, system.beat_s)
    assert made.settings == system.settings


@pytest.mark.parametrize(("languages", "language"), [("[en, vi]", "en"), ("[fr]", "fr"), ("[vi, en]", "vi")])
def test_a_national_system_is_named_in_the_first_language(tmp_path: Path, languages: str, language: str) -> None:
    made = service(tmp_path, "use: national-portal", f'province: "04"\nlanguages: {languages}\n')
    assert made.name == getattr(systems()["national-portal"].names, language)


def test_every_key_beside_use_overrides_what_the_system_brings(tmp_path: Path) -> None:
    made = service(tmp_path, "use: national-portal, id: portal, name: Cổng, via: dedicated, beat_s: 300, slow_s: 5")
    assert (made.id, made.use, made.name, made.via, made.beat_s) == (
        "portal", "national-portal", "Cổng", "dedicated", 300,
    )  # fmt: skip
    assert made.settings == {**systems()["national-portal"].settings, "slow_s": 5}


def test_another_kind_of_probe_brings_settings_of_its_own(tmp_path: Path) -> None:
    made = service(tmp_path, "use: national-portal, kind: tcp, host: portal.example, port: 443")
    assert (made.kind, made.settings) == ("tcp", {"host": "portal.example", "port": 443})


def test_what_only_the_province_knows_is_required_once_it_is_connected(tmp_path: Path) -> None:
    made = service(tmp_path, "use: meeting-server, host: meeting.example")
    assert made.settings["host"] == "meeting.example"
    planned = service(tmp_path, "use: meeting-server, connected: false, expected_by: 2026-12-31")
    assert (planned.connected, "host" in planned.settings) == (False, False)


@pytest.mark.parametrize("name", systems())
def test_every_system_is_valid_once_what_it_requires_is_given(tmp_path: Path, name: str) -> None:
    required = systems()[name].required
    keys = "".join(f", {key}: {json.dumps(REQUIRED[key])}" for key in required)
    assert service(tmp_path, f"use: {name}{keys}").kind == systems()[name].kind
    if keys:
        told = problems(tmp_path, f'province: "04"\nservices: [{{use: {name}}}]\n')
        assert [line.partition(" is required: no public source names it")[1] != "" for line in told] == [True] * len(
            required
        )


def test_a_class_may_use_a_national_system_too(tmp_path: Path) -> None:
    head = 'province: "04"\nsite_classes: {remote: {services: [{use: meeting-server, host: "{prefix}.9"}]}}\n'
    made = commune(tmp_path, "prefix: 10.4.1", head)
    assert made.services[0].settings["host"] == "10.4.1.9"


MEETING = 'province: "04"\nsite_classes:\n  remote:\n    services: [{use: meeting-server%s}]\n'


def test_a_commune_overrides_what_its_class_has_of_a_national_system(tmp_path: Path) -> None:
    head = MEETING % ', host: "{prefix}.9", via: internet'
    made = commune(tmp_path, "prefix: 10.4.1, services: [{use: meeting-server, beat_s: 300}]", head)
    (meeting,) = made.services
    assert (meeting.settings["host"], meeting.via, meeting.beat_s) == ("10.4.1.9", "internet", 300)


def test_what_a_system_needs_may_be_left_to_the_communes_by_their_class(tmp_path: Path) -> None:
    made = commune(tmp_path, "services: [{use: meeting-server, host: 10.4.1.9}]", MEETING % "")
    assert made.services[0].settings["host"] == "10.4.1.9"
    told = problems(tmp_path, MEETING % "" + 'communes: [{code: "01273"}]\n')
    assert [line.split(": ")[:2] for line in told] == [["cao-bang.yaml:4", "site_classes.remote.services[0].host"]]


def test_a_class_that_no_commune_is_of_is_checked_as_well(tmp_path: Path) -> None:
    text = """\
province: "04"
site_classes:
  spare:
    services:
      - {id: desk, kind: htpp, url: "http://{prefix}.10/"}
      - {id: portal, kind: http, url: "http://{prefix}.10/", contians: x}
"""
    assert problems(tmp_path, text) == [
        "cao-bang.yaml:5: site_classes.spare.services[0].kind: unknown kind 'htpp'; did you mean 'http'? "
        "(known: dns, http, icmp, ocsp, oidc, tcp, tls, tsa)",
        "cao-bang.yaml:6: site_classes.spare.services[1].contians: unknown key; did you mean 'contains'?",
    ]


def test_a_service_of_the_province_has_no_prefix(tmp_path: Path) -> None:
    text = 'province: "04"\nservices: [{id: a, kind: http, url: "http://{prefix}.1/"}]\n'
    assert problems(tmp_path, text) == [
        "cao-bang.yaml:2: services[0].url: {prefix} stands for a commune's own; a service of the province has none"
    ]
