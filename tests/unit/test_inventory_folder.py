"""A folder of files is one inventory, and every error still names the file and line where it was written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.init import init
from agent.inventory import folder_of, inventory_files, load
from agent.plan import plan
from agent.validate import validate
from probes import units
from probes.model import Province
from probes.ports import SnmpAgent
from tests.unit.inventories import problems_of

BASE = """\
province: "04"
references: [10.4.0.1]
trunks:
  - {id: ring, address: 10.4.240.1}
communes:
  - {code: "01273", trunk: ring}
  - {code: "01279"}
"""


def folder(tmp_path: Path, **files: str) -> Path:
    made = tmp_path / "04"
    made.mkdir()
    for name, text in files.items():
        (made / f"{name}.yaml").write_text(text, encoding="utf-8")
    return made


def loaded(tmp_path: Path, **files: str) -> Province:
    return load(folder(tmp_path, **files))


def refused(tmp_path: Path, **files: str) -> list[str]:
    return problems_of(folder(tmp_path, **files))


def test_lists_are_joined_in_the_order_of_the_files_names(tmp_path: Path) -> None:
    province = loaded(
        tmp_path,
        b='communes: [{code: "01290"}]\nreferences: [10.4.0.2]\ntrunks: [{id: hop, parent: ring}]\n',
        a=BASE,
        c='communes: [{code: "01288"}]\n',
    )
    assert [commune.code for commune in province.communes] == ["01273", "01279", "01290", "01288"]
    assert province.references == ("10.4.0.1", "10.4.0.2")
    assert [trunk.id for trunk in province.trunks] == ["ring", "hop"]


def test_a_commune_told_in_two_files_is_one(tmp_path: Path) -> None:
    links = 'communes: [{code: "01279", trunk: ring}, {code: "01273", links: [{address: 10.4.1.1}]}]\n'
    first, second = loaded(tmp_path, a=BASE, b=links).communes
    assert (first.code, first.trunk, [link.address for link in first.links]) == ("01273", "ring", ["10.4.1.1"])
    assert (second.code, second.trunk) == ("01279", "ring")


def test_what_is_no_list_is_merged_key_by_key(tmp_path: Path) -> None:
    province = loaded(
        tmp_path,
        a=BASE + "timings: {link_beat_s: 5}\ncontacts: {carrier: {name: A, phone: 0206 3852 001}}\n",
        b="timings: {fall: 4}\ncontacts: {electricity: {name: C, phone: 0206 3852 002}}\n",
    )
    assert (province.timings.link_beat_s, province.timings.fall) == (5, 4)
    assert province.contacts.carrier is not None
    assert province.contacts.electricity is not None


def test_a_service_told_in_two_files_is_one_by_its_id_or_its_system(tmp_path: Path) -> None:
    services = "services: [{use: national-portal}, {id: gateway, kind: tcp}]\n"
    more = "services: [{id: gateway, host: g.example, port: 443}, {use: national-portal, slow_s: 4}]\n"
    portal, gateway = loaded(tmp_path, a=BASE + services, b=more).services
    assert (portal.id, portal.settings["slow_s"]) == ("national-portal", 4)
    assert gateway.settings == {"host": "g.example", "port": 443}


# fmt: off
TWICE = [
    ('province: "04"\n', "04/b.yaml:1: province: given twice, first at 04/a.yaml:1; keep one"),
    ('communes: [{code: "01273", trunk: ring}]\n',
     "04/b.yaml:1: communes[0].trunk: given twice, first at 04/a.yaml:6; keep one"),
    ("\ntrunks:\n  - id: ring\n    address: 10.4.240.1\n",
     "04/b.yaml:4: trunks[0].address: given twice, first at 04/a.yaml:4; keep one"),
    ("references: 10.4.0.2\n", "04/b.yaml:1: references: given twice, first at 04/a.yaml:2; keep one"),
    ("references: [10.4.0.1]\n",
     "04/b.yaml:1: references[1]: '10.4.0.1' is given twice, first at 04/a.yaml:2; keep one"),
    ("\ntrunks: [{id: hop, address: 10.4.240.1}]\n",
     "04/b.yaml:2: trunks[1].address: 10.4.240.1 is given twice, first at 04/a.yaml:4; every link and device has its own"),
]
# fmt: on


@pytest.mark.parametrize(("text", "expected"), TWICE)
def test_what_is_said_in_two_files_names_both_places(tmp_path: Path, text: str, expected: str) -> None:
    assert refused(tmp_path, a=BASE, b=text) == [expected]


OF_CLASSES = """\
credentials: {lab: {community: {env: A}}}
site_classes:
  remote:
    links: [{address: "{prefix}.1"}]
    devices:
      - {id: router, role: router, address: "{prefix}.1", credential: lab}
"""
MORE_OF_THEM = """\
site_classes:
  remote:
    links:
      - {role: backup, medium: lte, address: "{prefix}.3"}
    devices:
      - {id: ups, role: ups, address: "{prefix}.2", credential: lab}
    services: [{id: camera, kind: tcp, host: "{prefix}.9", port: 554}]
"""
PREFIXES = 'communes: [{code: "01273", prefix: 10.4.1}, {code: "01279", prefix: 10.4.2}]\n'


def test_a_class_may_get_links_and_devices_from_several_files(tmp_path: Path) -> None:
    first, _ = loaded(tmp_path, a=BASE, b=OF_CLASSES, c=MORE_OF_THEM, d=PREFIXES).communes
    assert [link.address for link in first.links] == ["10.4.1.1", "10.4.1.3"]
    assert [device.id for device in first.devices] == ["router", "ups"]
    assert [service.id for service in first.services] == ["camera"]


def test_what_is_wrong_in_a_class_of_several_files_names_the_file_and_line_of_it(tmp_path: Path) -> None:
    more = MORE_OF_THEM.replace("role: ups", "role: upss")
    assert [line.partition(": must")[0] for line in refused(tmp_path, a=BASE, b=OF_CLASSES, c=more, d=PREFIXES)] == [
        "04/c.yaml:6: site_classes.remote.devices[1].role"
    ]


def test_a_class_cannot_have_the_same_device_or_link_from_two_files(tmp_path: Path) -> None:
    more = MORE_OF_THEM.replace("id: ups", "id: router").replace("role: backup, ", "")
    assert refused(tmp_path, a=BASE, b=OF_CLASSES, c=more, d=PREFIXES) == [
        "04/c.yaml:4: site_classes.remote.links[0]: 'primary' is given twice, first at 04/b.yaml:4; keep one",
        "04/c.yaml:6: site_classes.remote.devices[0]: 'router' is given twice, first at 04/b.yaml:6; keep one",
    ]


def test_a_copy_of_a_file_is_told_once(tmp_path: Path) -> None:
    whole = BASE + "".join(
        f'  - {{code: "{unit.code}", prefix: 10.4.{n}}}\n' for n, unit in enumerate(units.communes("04"), 3)
    )
    path = folder(tmp_path, a=whole, c='province: "04"\n')
    (path / "a - Copy.yaml").write_text(whole, encoding="utf-8")
    assert problems_of(path) == [
        "04/a - Copy.yaml: looks like a copy of 04/a.yaml: 58 things are given in both; take one out of the folder",
        "04/c.yaml:1: province: given twice, first at 04/a - Copy.yaml:1; keep one",
    ]


@pytest.mark.parametrize("name", ["b.YAML", "b.Yml", "B.yml"])
def test_files_are_read_however_their_ending_is_written(tmp_path: Path, name: str) -> None:
    path = folder(tmp_path, a=BASE)
    (path / name).write_text('communes: [{code: "01290"}]\n', encoding="utf-8")
    assert len(load(path).communes) == 3


@pytest.mark.parametrize(("name", "wanted"), [("b.yaml.txt", "b.yaml"), ("b.YML.TXT", "b.YML")])
def test_what_windows_has_given_another_ending_is_told_and_not_ignored(tmp_path: Path, name: str, wanted: str) -> None:
    path = folder(tmp_path, a=BASE, c="[")
    (path / name).write_text('communes: [{code: "01290"}]\n', encoding="utf-8")
    assert problems_of(path) == [
        f"04/{name}: not read: its name ends in {name[-4:]}; rename it to {wanted}",
        "04/c.yaml:2: not valid YAML: did not find expected node content",
    ]


def test_a_folder_of_misnamed_files_alone_says_so(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "province.yaml.txt").write_text(BASE, encoding="utf-8")
    assert problems_of(path) == ["04/province.yaml.txt: not read: its name ends in .txt; rename it to province.yaml"]


def test_letters_that_are_no_letters_are_told_in_the_file_that_has_them(tmp_path: Path) -> None:
    more = "trunks: [{id: hop, name: “Chặng”}]\ncontacts:\n  carrier: {name: A, phone: “0206 3852 000”}\n"
    assert refused(tmp_path, a=BASE, b=more) == [
        '04/b.yaml:1: trunks[1].name: use straight quotes " in place of “ ”',
        '04/b.yaml:3: contacts.carrier.phone: use straight quotes " in place of “ ”',
    ]


def test_errors_of_all_files_are_told_at_once_by_file_and_line(tmp_path: Path) -> None:
    assert refused(
        tmp_path,
        a=BASE.replace("10.4.240.1", "10.4.240.300"),
        b='\ncommunes:\n  - code: "01290"\n    trunk: rong\n  - {code: "01279", prefix: 10.4}\n',
    ) == [
        "04/a.yaml:4: trunks[0].address: must be an IPv4 or IPv6 address such as 10.4.1.1",
        "04/b.yaml:4: communes[2].trunk: unknown trunk 'rong'; did you mean 'ring'? (known: ring)",
        '04/b.yaml:5: communes[1].prefix: must be text in quotes: write "10.4"; '
        "without quotes YAML reads a number and drops zeros",
    ]


def test_what_is_wrong_in_a_class_names_the_classs_file_and_of_an_override_the_communes(tmp_path: Path) -> None:
    site_class = 'site_classes:\n  remote:\n    links:\n      - {address: "{prefix}.1", medium: 4g}\n'
    own = 'communes:\n  - code: "01273"\n    prefix: 10.4.1\n    links:\n      - {address: 10.4.1.400}\n'
    assert refused(tmp_path, a=BASE, b=site_class, c=own + '  - {code: "01279", prefix: 10.4.2}\n') == [
        "04/b.yaml:4: site_classes.remote.links[0].medium: must be one of 'fibre', 'lte', 'radio' or 'vsat', not '4g'; did you mean 'lte'?",
        "04/c.yaml:5: communes[0].links[0].address: must be an IPv4 or IPv6 address such as 10.4.1.1",
    ]


def test_files_that_are_no_yaml_are_all_told(tmp_path: Path) -> None:
    assert refused(tmp_path, a=BASE, b="[", c="- one\n", d=b"\xff".decode("latin-1"), e="") == [
        "04/b.yaml:2: not valid YAML: did not find expected node content",
        '04/c.yaml:1: must be a mapping that starts with `province: "04"`',
        '04/d.yaml:1: must be a mapping that starts with `province: "04"`',
        '04/e.yaml:1: the file is empty; start with `province: "04"`',
    ]


@pytest.mark.parametrize("item", ["{id: [1], address: 10.4.240.9}", "{id: {a: b}}", "[1]", "1", "{id: }"])
def test_items_without_a_usable_name_are_told_and_no_traceback(tmp_path: Path, item: str) -> None:
    told = refused(tmp_path, a=BASE, b=f"trunks: [{item}]\n", c=f"trunks: [{item}]\n")
    assert {line.split(":")[0] for line in told} >= {"04/b.yaml", "04/c.yaml"}


def test_only_the_yaml_files_directly_in_the_folder_count(tmp_path: Path) -> None:
    path = folder(tmp_path, a=BASE)
    for other in (".hidden.yaml", "notes.txt", "a.yaml~", "a.yaml.orig"):
        (path / other).write_text("[", encoding="utf-8")
    (path / "old").mkdir()
    (path / "old" / "x.yaml").write_text("[", encoding="utf-8")
    (path / "z.yml").write_text('communes: [{code: "01290"}]\n', encoding="utf-8")
    assert [file.name for file in inventory_files(path)] == ["a.yaml", "z.yml"]
    assert len(load(path).communes) == 3
    assert (folder_of(path), folder_of(path / "a.yaml")) == (path, path)


OVERLAY = """\
# Cao Bằng: addresses of all communes, over what `lienxa init --province 04` wrote
references: [10.200.0.254]
networks: [10.4.0.0/16]
credentials:
  devices: {version: v3, user: lienxa, auth_protocol: sha256, auth_key: {file: snmp-auth}}
site_classes:
  remote:
    links:
      - {address: "{prefix}.1"}
      - {role: backup, medium: lte, address: "{prefix}.3"}
    devices:
      - {id: router, role: router, address: "{prefix}.1", credential: devices}
      - {id: ups, role: ups, address: "{prefix}.2", credential: devices}
trunks:
  - {id: west, name: Vành đai phía tây, address: 10.4.240.1}
  - {id: north, name: Chặng viba phía bắc, parent: west, address: 10.4.240.2}
  - {id: east, name: Cáp quang Thạch An}
services:
  - {use: national-portal}
  - {id: provincial-portal, kind: http, url: "https://dichvucong.caobang.example/"}
contacts:
  on_call: {name: Trực hạ tầng số, phone: "0206 3852 111"}
communes: [
"""


def cao_bang() -> str:
    """Three communes a line, as an editor's columns give them."""
    told = [
        f'{{code: "{unit.code}", prefix: 10.4.{number}, trunk: {("west", "north", "east")[number % 3]}}}'
        for number, unit in enumerate(units.communes("04"), 1)
    ]
    lines = [f"  {', '.join(told[at : at + 3])},\n" for at in range(0, len(told), 3)]
    return f"{OVERLAY}{''.join(lines)}]\n"


def test_56_communes_with_two_links_and_two_devices_take_one_command_and_sixty_lines(tmp_path: Path) -> None:
    init("04", tmp_path / "04")
    overlay = cao_bang()
    assert len(overlay.splitlines()) <= 60
    assert max(len(line) for line in overlay.splitlines()) <= 160
    (tmp_path / "04" / "overlay.yaml").write_text(overlay, encoding="utf-8")
    key = tmp_path / "04" / "snmp-auth"
    key.write_text("not-a-real-key\n", encoding="utf-8")
    key.chmod(0o600)
    assert validate(tmp_path / "04", 0.0).errors == []
    province = load(tmp_path / "04")
    made = plan(province, lambda device: SnmpAgent(device.address, device.port, "v2c", SecretStr("x")))
    assert len(province.communes) == 56
    assert Counter(target.id.split("/")[0] for target in made.targets) == {
        "link": 112, "device": 112, "trunk": 2, "service": 2, "reference": 1,
    }  # fmt: skip


def test_slips_in_the_overlay_are_told_on_their_lines(tmp_path: Path) -> None:
    init("04", tmp_path / "04")
    slips = cao_bang().replace("prefix: 10.4.30,", "prefix: 10.4.300,").replace("10.4.31,", "10.4.3,")
    (tmp_path / "04" / "overlay.yaml").write_text(slips, encoding="utf-8")
    assert problems_of(tmp_path / "04") == [
        "04/overlay.yaml:33: communes[29].prefix: must be the first part of the commune's addresses, "
        "such as 10.4.1 or 2001:db8:4",
        "04/overlay.yaml:34: communes[30].prefix: '10.4.3' overlaps '10.4.3' at 04/overlay.yaml:24",
    ]
