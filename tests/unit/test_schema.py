"""What editors are told of an inventory agrees with what the inventory's own check says."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agent.init import init
from agent.inventory import InventoryError, load
from agent.inventory.document import read
from agent.schema import schema
from deploy import lab

HEAD = 'province: "04"\n'
CLASS = 'site_classes: {remote: {links: [{address: "{prefix}.1"}]}}\n'
DEVICES = "credentials: {devices: {community: {file: a}}}\n"


@pytest.fixture(scope="module")
def editor() -> Draft202012Validator:
    return Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def complaints(editor: Draft202012Validator, file: Path) -> list[str]:
    """What an editor says of a file, as lienxa reads it."""
    return [f"{list(error.absolute_path)}: {error.message}" for error in editor.iter_errors(read(file).data)]


def written(folder: Path, text: str, name: str = "cao-bang.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_schema_itself_is_valid() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_shipped_inventory_is_valid(editor: Draft202012Validator) -> None:
    assert complaints(editor, lab.CAO_BANG) == []


@pytest.mark.parametrize("province", ["01", "04", "48", "79", "96"])
def test_a_fresh_inventory_is_valid(editor: Draft202012Validator, tmp_path: Path, province: str) -> None:
    assert complaints(editor, init(province, tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        # the province
        HEAD + "languages: [en]\nreferences: [10.4.0.1, fe80::1%eth0]",
        HEAD + 'networks: [10.4.0.0/16, 10.5.0.0/255.255.0.0, 10.9.0.1, "2001:db8::/32"]',
        HEAD + "timings: {profile: fast, link_beat_s: 2}",
        HEAD + "trunks: [{id: a, name: Vành đai}, {id: b, parent: a, address: 10.4.0.1}]",
        HEAD + "trunks: [{id: a, address: null}]\nplanned_cuts: null\nsite_classes: {}",
        HEAD + 'hops: {10.20.0.1: Viettel ring 2, "2001:db8::1": Nút Trà Lĩnh}',
        # credentials
        HEAD + "credentials: {a: {version: v1, community: {env: A}}, b: {community: {file: null, credential: b}}}",
        HEAD + "credentials: {a: {version: v3, user: u}}",
        HEAD + "credentials: {a: {version: v3, user: u, auth_protocol: sha256, auth_key: {file: k}}}",
        HEAD + "credentials: {a: {version: v3, user: u, auth_protocol: md5, auth_key: {file: k}, "
        "privacy_protocol: aes128, privacy_key: {env: P}}}",
        HEAD + "credentials: {a: {version: v3, user: u, auth_protocol: null, auth_key: null}}",
        HEAD + "credentials: {a: {user: u, password: {file: p}}, b: {token: {env: T}}}",
        HEAD + "credentials: {a: {certificate: a.crt, key: {credential: k}}}",
        # classes and communes
        HEAD + CLASS + 'communes: [{code: "01290", prefix: 10.4.4}]',
        HEAD + CLASS + 'communes: [{code: "01290", prefix: 10.4.4, links: [{medium: lte}]}]',
        HEAD + CLASS + 'communes: [{code: "01290", prefix: 10.4.4, links: [{role: backup, address: "{prefix}.7"}]}]',
        HEAD + CLASS + 'communes: [{code: "01290", prefix: 10.4.4, without: [primary]}]',
        HEAD + "site_classes: {remote: {links: [{address: '{prefix}::1'}], thresholds: {latency_s: 0.5}}}\n"
        'communes: [{code: "01290", prefix: "2001:db8:4"}]',
        HEAD + 'communes: [{code: "01290", prefix: "10.4", links: [{address: "{prefix}.4.1"}]}]',
        HEAD + 'communes: [{code: "01290", site_class: hq, links: [{}, {role: backup, address: null}]}]',
        HEAD + DEVICES + "site_classes: {remote: {devices: [{id: ups, role: ups, address: '{prefix}.2', "
        'credential: devices}]}}\ncommunes: [{code: "01290", prefix: 10.4.4, devices: [{id: ups, address: 10.4.4.9}]}]',
        HEAD + 'communes: [{code: "01290", contact: {name: A, email: a@b}, identification_code: H1}]',
        # services
        HEAD + "services: [{id: a, kind: tcp, host: 10.0.0.1, port: 443}, {id: b, kind: icmp, address: 10.0.0.2}]",
        HEAD + "services: [{id: a, kind: tcp, host: cổng.vn, port: 443}]",
        HEAD + "services: [{id: a, kind: http, url: 'HTTPS://cổng.vn:8443/a?b#c', status: [200, 401], contains: x}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://[2001:db8::1]/', via: internet, layer: network}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', credential: null, beat_s: 30, expected_by: null}]",
        HEAD + "services: [{id: a, kind: http, connected: false, expected_by: 2026-12-31}]",
        HEAD + "services: [{use: national-portal}, {use: civil-status, id: births, slow_s: 5, beat_s: 300}]",
        HEAD + "services: [{use: national-portal, kind: http, contains: Đăng nhập}]",
        HEAD + "services: [{use: national-portal, kind: tcp, host: a.example, port: 443}]",
        HEAD + "services: [{use: meeting-server, host: 10.4.9.9}, {use: budget-codes, url: 'https://a.example/'}]",
        HEAD + "services: [{use: land-database, connected: false}]",
        HEAD + "site_classes: {remote: {services: [{id: lan, kind: http}]}}\n"
        'communes: [{code: "01290", services: [{id: lan, url: "http://10.4.4.9/"}]}]',
        HEAD
        + "site_classes: {remote: {services: [{id: a, kind: tcp, host: '{prefix}.9', port: 80}, "
        "{id: b, kind: http, url: 'http://{prefix}.9/'}, {id: c, kind: icmp, address: '{prefix}.9'}, "
        'meeting]}}\ncommunes: [{code: "01290", prefix: 10.4.4}]'.replace(
            "meeting", "{use: meeting-server, host: '{prefix}.8'}"
        ),
        HEAD + 'communes: [{code: "01290", prefix: 10.4.4, services: [{id: a, kind: icmp, address: "{prefix}.9"}]}]',
        # contacts, windows, issues
        HEAD + 'contacts: {webhook_url: "http://127.0.0.1:9099/", on_call: {name: A, phone: "0206 3852 111"}}',
        HEAD + "maintenance: [{start: 2026-11-22 22:00, end: 2026-11-23 02:00, repeat: weekly}]",
        HEAD + 'maintenance: [{start: 2026-11-29, end: "2026-11-30T02:00:00+07:00", repeat: FREQ=MONTHLY;BYDAY=-1SU}]',
        HEAD + "maintenance: [{start: 20261122T2200, end: 2026-11-23 02, repeat: null, reason: sửa}]",
        HEAD + "planned_cuts: {file: cuts.csv, tolerance_s: 600}",
        HEAD + "known_issues: [{id: a, title: b, owner: c, services: [vneid], state: resolved, since: 2026-08-26}]",
    ],
)
def test_both_take_what_is_right(editor: Draft202012Validator, text: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    load(file)
    assert complaints(editor, file) == []


@pytest.mark.parametrize(
    "text",
    [
        # the province
        'province: "4"',
        'province: "05"',
        "province: 01",
        HEAD + "comunes: []",
        HEAD + "communes:",
        HEAD + "languages: []",
        HEAD + "languages: [vi, vi]",
        HEAD + "languages: [de]",
        HEAD + "references: 10.4.0.1",
        HEAD + "references: [10.4.0.1, 10.4.0.1]",
        HEAD + "references: [10.4.0.256]",
        HEAD + "references: [224.0.0.1]",
        HEAD + "references: [010.4.0.1]",
        HEAD + "references: [portal_example]",
        HEAD + 'references: ["{prefix}.1"]',
        HEAD + "networks: [10.4.0]",
        HEAD + "hops: {ring: Viettel ring 2}",
        HEAD + "hops: {10.20.0.1: ''}",
        HEAD + "hops: {10.20.0.1: 2}",
        HEAD + "timings: {profile: quick}",
        HEAD + "timings: {link_beat_s: 0}",
        HEAD + "timings: {fall: 2.5}",
        HEAD + "timings: {ping_timeout_s: true}",
        HEAD + "trunks: [{name: ring}]",
        HEAD + "trunks: [{id: Ring}]",
        # credentials
        HEAD + "credentials: {Lab: {community: {file: a}}}",
        HEAD + "credentials: {lab: {}}",
        HEAD + "credentials: {lab: {community: public}}",
        HEAD + "credentials: {lab: {community: {file: a, env: B}}}",
        HEAD + "credentials: {lab: {community: {file: null}}}",
        HEAD + "credentials: {lab: {version: v2, community: {file: a}}}",
        HEAD + "credentials: {lab: {version: v3, community: {file: a}}}",
        HEAD + "credentials: {lab: {version: v3, user: u, auth_protocol: sha256}}",
        HEAD + "credentials: {lab: {version: v3, user: u, auth_key: {file: a}}}",
        HEAD + "credentials: {lab: {version: v3, user: u, privacy_protocol: aes128, privacy_key: {file: a}}}",
        HEAD + "credentials: {lab: {user: u, password: secret}}",
        HEAD + "credentials: {lab: {token: {env: T}, user: u}}",
        HEAD + "credentials: {lab: {certificate: a.crt}}",
        # classes and communes
        HEAD + "site_classes: {remote: {links: [{address: '{prefix}.256'}]}}",
        HEAD + "site_classes: {remote: {links: [{address: '{pre}.1'}]}}",
        HEAD + "site_classes: {remote: {devices: [{id: ups, role: ups}]}}",
        HEAD + "site_classes: {remote: {devices: [{id: ups, role: fridge, address: 10.0.0.1, credential: a}]}}",
        HEAD + "site_classes: {remote: {services: [{id: a}]}}",
        HEAD + "site_classes: {remote: {thresholds: {loss_ratio: 20}}}",
        HEAD + "site_classes: {remote: {communes: []}}",
        HEAD + 'communes: [{code: "1290"}]',
        HEAD + "communes: [{code: 11290}]",
        HEAD + 'communes: ["01290"]',
        HEAD + 'communes: [{code: "01290", links: [{medium: 4g}]}]',
        HEAD + 'communes: [{code: "01290", links: [{adress: 10.4.4.1}]}]',
        HEAD + 'communes: [{code: "01290", links: [{address: 10.4.4}]}]',
        HEAD + 'communes: [{code: "01290", prefix: 10.4.4, links: [{address: "{prefix}.300"}]}]',
        HEAD + 'communes: [{code: "01290", prefix: 10.4}]',
        HEAD + 'communes: [{code: "01290", prefix: 10.4.4.1}]',
        HEAD + 'communes: [{code: "01290", prefix: 10.4.4.}]',
        HEAD + 'communes: [{code: "01290", devices: [{role: ups, address: 10.4.4.2, credential: a}]}]',
        HEAD + 'communes: [{code: "01290", devices: [{id: a, port: 70000}]}]',
        HEAD + 'communes: [{code: "01290", without: ups}]',
        HEAD + 'communes: [{code: "01290", contact: {name: A}}]',
        HEAD + 'communes: [{code: "01290", services: [{kind: tcp, host: a, port: 1}]}]',
        HEAD + 'communes: [{code: "01290", services: [{use: meeting-server}]}]',
        # services
        HEAD + "services: [{id: a}]",
        HEAD + "services: [{kind: http, url: 'http://a/'}]",
        HEAD + "services: [{id: a, kind: htpp, url: 'http://a/'}]",
        HEAD + "services: [{id: a, kind: snmp}]",
        HEAD + "services: [{id: a, kind: http}]",
        HEAD + "services: [{id: a, kind: tcp, host: a}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', host: a}]",
        HEAD + "services: [{id: a, kind: http, settings: {url: 'http://a/'}}]",
        HEAD + "services: [{id: a, kind: http, url: a.example}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://me:secret@a/'}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/b c'}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', timeout_s: 61}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', status: []}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', via: vpn}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', beat_s: 0}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', expected_by: soon}]",
        HEAD + "services: [{id: a, kind: tcp, host: 'a b', port: 1}]",
        HEAD + "services: [{id: a, kind: icmp, address: 10.4.1.l}]",
        HEAD + "services: [{use: national-prtal}]",
        HEAD + "services: [{id: a, kind: http, url: 'http://a/', use: null}]",
        HEAD + "services: [{use: national-portal, host: a}]",
        HEAD + "services: [{use: national-portal, kind: tcp, host: a}]",
        HEAD + "services: [{use: national-portal, kind: tcp, host: a, port: 1, url: 'http://a/'}]",
        HEAD + "services: [{use: national-portal, timeout_s: long}]",
        HEAD + "services: [{use: meeting-server}]",
        HEAD + "services: [{use: budget-codes, connected: true}]",
        # contacts, windows, issues
        HEAD + "contacts: {webhook_url: chat.example}",
        HEAD + "contacts: {police: {name: A, phone: '113'}}",
        HEAD + "contacts: {on_call: {name: A, phone: 113}}",
        HEAD + "contacts: {on_call: {name: A, phone: '0206'}}",
        HEAD + "contacts: {on_call: {name: A, email: a.example}}",
        HEAD + "maintenance: [{start: 2026-11-22 22:00}]",
        HEAD + "maintenance: [{start: 22:00, end: 23:00}]",
        HEAD + "maintenance: [{start: 22/11/2026, end: 23/11/2026}]",
        HEAD + "maintenance: [{start: 2026-11-22 22:00, end: 2026-11-23 02:00, repeat: often}]",
        HEAD + "maintenance: [{start: 2026-11-22 22:00, end: 2026-11-23 02:00, communes: [1290]}]",
        HEAD + "planned_cuts: cuts.csv",
        HEAD + "planned_cuts: {file: cuts.csv, tolerance_s: -1}",
        HEAD + "known_issues: [{id: a, title: b}]",
        HEAD + "known_issues: [{id: a, title: b, owner: c, state: closed}]",
        HEAD + "known_issues: [{id: a, title: b, owner: c, since: 26/8/2026}]",
    ],
)
def test_both_refuse_what_is_wrong(editor: Draft202012Validator, text: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(InventoryError):
        load(file)
    assert complaints(editor, file) != []


@pytest.mark.parametrize(
    "text",
    [
        "communes: []",  # a folder's file may leave the province to another one
        HEAD + 'communes: [{code: "01291"}]',
        HEAD + 'communes: [{code: "01290", trunk: ring}]',
        HEAD + 'communes: [{code: "01290", devices: [{id: ups}]}]',  # the class may say the rest
        HEAD + 'communes: [{code: "01290", services: [{id: lan, url: "http://a/"}]}]',
        HEAD + 'communes: [{code: "01290", links: [{address: "{prefix}.1"}]}]',
        HEAD + "site_classes: {remote: {services: [{id: lan, kind: http}]}}\n"
        'communes: [{code: "01290"}]',  # the commune may say the rest
        HEAD + "networks: [10.4.0.1/16]",
        HEAD + "timings: {link_beat_s: 1, link_packets: 1000}",
        HEAD + "maintenance: [{start: 2026-11-23 22:00, end: 2026-11-22 02:00}]",
        HEAD + "maintenance: [{start: 2026-02-30, end: 2026-03-01}]",
    ],
)
def test_what_only_the_whole_inventory_can_tell_is_left_to_validate(
    editor: Draft202012Validator, text: str, tmp_path: Path
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(InventoryError):
        load(file)
    assert complaints(editor, file) == []


def test_every_file_of_a_folder_is_valid_by_itself(editor: Draft202012Validator, tmp_path: Path) -> None:
    files = [
        written(tmp_path, HEAD + 'communes: [{code: "01290"}]\n', "0-province.yaml"),
        written(tmp_path, CLASS + 'communes: [{code: "01290", prefix: 10.4.4, trunk: ring}]\n', "communes.yaml"),
        written(tmp_path, "trunks: [{id: ring}]\n", "trunks.yml"),
        written(tmp_path, "services: [{id: portal, kind: http}]\n", "services.yaml"),
        written(tmp_path, "services: [{id: portal, url: 'http://a/'}, {use: civil-status}]\n", "urls.yaml"),
    ]
    load(tmp_path)
    assert [complaints(editor, file) for file in files] == [[]] * len(files)


def test_an_editor_names_provinces_and_national_systems(editor: Draft202012Validator) -> None:
    told = editor.schema
    assert isinstance(told, dict)
    province, use = told["properties"]["province"], told["$defs"]["Service"]["properties"]["use"]
    assert dict(zip(province["enum"], province["enumDescriptions"], strict=True))["04"] == "Tỉnh Cao Bằng"
    described = dict(zip(use["enum"], use["enumDescriptions"], strict=True))
    assert described["vneid"].startswith("Định danh và xác thực điện tử VNeID / VNeID")
