"""What is wrong with an inventory is told word for word: file, line, path, value and a way out; all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.findings import findings
from agent.inventory import InventoryError, load
from agent.runner import DEADLINE_S
from probes.registry import KINDS

GOOD = """\
province: "04"
timings: {profile: fast, link_beat_s: 2}
references: [10.4.0.1]
credentials:
  devices: {community: {env: SNMP_COMMUNITY}}
trunks:
  - {id: ring, address: 10.4.0.11}
  - {id: spur, parent: ring}
communes:
  - code: "01290"
    trunk: spur
    links:
      - {address: 10.4.4.1}
      - {role: backup, medium: lte}
    devices:
      - {id: ups, role: ups, address: 10.4.4.2, credential: devices}
services:
  - {id: portal, kind: http, url: "http://10.4.250.1/"}
"""


def problems(tmp_path: Path, text: str | bytes) -> list[str]:
    file = tmp_path / "cao-bang.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InventoryError) as caught:
        load(file)
    return [line.replace(f"{tmp_path}/", "") for line in caught.value.errors]


def test_a_good_inventory_becomes_a_province(tmp_path: Path) -> None:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(GOOD, encoding="utf-8")
    province = load(file)
    assert province.communes[0].links[1].id == "backup"
    assert province.communes[0].links[1].address is None
    assert (province.timings.link_beat_s, province.timings.device_beat_s) == (2, 2)
    assert province.services[0].settings == {"url": "http://10.4.250.1/"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('province: "04"', "province: 04", 'cao-bang.yaml:1: province: must be text in quotes, such as "04" or "01273": '
         "without them YAML reads a number and drops zeros"),
        ('province: "04"', 'province: "4"', "cao-bang.yaml:1: province: '4' must be a 2-digit province code in quotes, "
         'such as "04"'),
        ('province: "04"', 'province: "05"', "cao-bang.yaml:1: province: no province has the code '05'; `04` is Cao Bằng"),
        ('"01290"', "01273", 'cao-bang.yaml:10: communes[0].code: must be text in quotes, such as "04" or "01273": '
         "without them YAML reads a number and drops zeros"),
        ('"01290"', '"1290"', "cao-bang.yaml:10: communes[0].code: '1290' must be a 5-digit commune code in quotes, "
         'such as "01273"'),
        ('"01290"', '"01291"', "cao-bang.yaml:10: communes[0].code: no commune has the code '01291'; did you mean "
         "'01290' (Xã Bảo Lâm) or '01294' (Xã Lý Bôn) or '01297' (Xã Nam Quang)?"),
        ('"01290"', '"00004"', "cao-bang.yaml:10: communes[0].code: '00004' is Phường Ba Đình of province '01', "
         "not of '04'; take it out"),
        ("trunk: spur", "trunk: spurr", "cao-bang.yaml:11: communes[0].trunk: unknown trunk 'spurr'; did you mean 'spur'? "
         "(known: ring, spur)"),
        ("address: 10.4.4.1}", "adress: 10.4.4.1}", "cao-bang.yaml:13: communes[0].links[0].adress: unknown key; "
         "did you mean 'address'?"),
        ("10.4.4.1}", "10.4.4.256}", "cao-bang.yaml:13: communes[0].links[0].address: must be an IPv4 or IPv6 address "
         "such as 10.4.1.1"),
        ("10.4.4.1}", "224.0.0.1}", "cao-bang.yaml:13: communes[0].links[0].address: must be the address of one host, "
         "not multicast, broadcast or unspecified"),
        ("medium: lte", "medium: 4g", "cao-bang.yaml:14: communes[0].links[1].medium: must be one of 'fibre', 'lte', "
         "'radio' or 'vsat', not '4g'"),
        ("role: backup, ", "", "cao-bang.yaml:14: communes[0].links[1].id: 'primary' is given twice, first at line 13; "
         "keep one"),
        ("role: ups, ", "", "cao-bang.yaml:16: communes[0].devices[0].role: is required"),
        ("credential: devices", "credential: device", "cao-bang.yaml:16: communes[0].devices[0].credential: unknown "
         "credential 'device'; did you mean 'devices'? (known: devices)"),
        ("credential: devices}", "credential: devices, port: 70000}", "cao-bang.yaml:16: communes[0].devices[0].port: "
         "must be at most 65535"),
        ("parent: ring", "parent: spur", "cao-bang.yaml:8: trunks[1].parent: a trunk cannot lie behind itself: "
         "spur -> spur"),
        ("{env: SNMP_COMMUNITY}", "public", "cao-bang.yaml:5: credentials.devices.community: a secret never stands in an inventory; "
         "put it into a file that only lienxa may read, and write {file: NAME}, or {env: VARIABLE}, or {credential: NAME} for systemd's"),
        ("{env: SNMP_COMMUNITY}", "{env: A, file: b}", "cao-bang.yaml:5: credentials.devices.community: must name exactly "
         "one of file, env, credential"),
        ("community: {env: SNMP_COMMUNITY}", "version: v3", "cao-bang.yaml:5: credentials.devices.user: is required"),
        ("kind: http", "kind: htpp", "cao-bang.yaml:18: services[0].kind: unknown kind 'htpp'; did you mean 'http'? "
         "(known: http, icmp, tcp)"),
        ("link_beat_s: 2", "link_beat_s: 0", "cao-bang.yaml:2: timings.link_beat_s: must be more than 0"),
        ("link_beat_s: 2", "link_packets: 500", "cao-bang.yaml:2: timings: link_packets / link_beat_s must be at most 100 packets a second per link"),
        ("profile: fast", "profile: quick", "cao-bang.yaml:2: timings: profile must be one of default, fast"),
        ("link_beat_s: 2", "fall: 2.5", "cao-bang.yaml:2: timings.fall: must be a whole number, not 2.5"),
        ("references: [10.4.0.1]", "references: 10.4.0.1", "cao-bang.yaml:3: references: must be a list (lines that "
         "start with `- `)"),
        ("references: [10.4.0.1]", "references: [10.4.0.1]\nreferences: []", "cao-bang.yaml:4: references: given twice, "
         "first at line 3; keep one"),
        ("[10.4.0.1]", "[10.4.0.1, 10.4.0.2, 10.4.0.1]", "cao-bang.yaml:3: references[2]: '10.4.0.1' is given twice, first at "
         "line 3; keep one"),
        ("[10.4.0.1]", '["2001:db8::1", "2001:0db8:0::1"]', "cao-bang.yaml:3: references[1]: '2001:db8::1' is given twice, first at "
         "line 3; keep one"),
        ("profile: fast", "profile: [1]", "cao-bang.yaml:2: timings: profile must be one of default, fast"),
        ("references: [10.4.0.1]", "contacts: {webhook_url: chat.example}", "cao-bang.yaml:3: contacts.webhook_url: must be a URL such as https://portal.example/health"),
        ("references: [10.4.0.1]", 'contacts: {webhook_url: "ftp://chat.example/"}', "cao-bang.yaml:3: contacts.webhook_url: must be a URL such as https://portal.example/health"),
        ("references: [10.4.0.1]", 'contacts: {webhook_url: "https://me:pass@chat.example/"}', "cao-bang.yaml:3: contacts.webhook_url: must not hold a user name or password: "
         "an inventory holds no secrets"),
        ('.1/"}', '.1/", timeout_s: 61}', "cao-bang.yaml:18: services[0].timeout_s: must be at most 60"),
        ("link_beat_s: 2", 'fall: !!int ""', "cao-bang.yaml:2: timings.fall: '' has no meaning in YAML; write it in quotes"),
        ("link_beat_s: 2", 'fall: !!float ""', "cao-bang.yaml:2: timings.fall: '' has no meaning in YAML; write it in quotes"),
        ("link_beat_s: 2", "fall: !!bool foo", "cao-bang.yaml:2: timings.fall: 'foo' has no meaning in YAML; write it in quotes"),
        ("link_beat_s: 2", "fall: !!timestamp foo", "cao-bang.yaml:2: timings.fall: 'foo' has no meaning in YAML; write it in quotes"),
        ("medium: lte", f"medium: 0x{'f' * 5000}", f"cao-bang.yaml:14: communes[0].links[1].medium: '0x{'f' * 54}... has no meaning in YAML; "
         "write it in quotes"),
        ("link_beat_s: 2", '"two\\nlines": 2', "cao-bang.yaml:2: timings.'two\\nlines': unknown key"),
        ("    trunk: spur", "\ttrunk: spur", "cao-bang.yaml:11: not valid YAML: found character that cannot start any token"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) >= 1
    assert problems(tmp_path, GOOD.replace(old, new, 1)) == [expected]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("trunk: spur", "trunk: x").replace("medium: lte", "medium: 4g").replace('"04"', "04")
    told = problems(tmp_path, text)
    assert [line.split(":")[1] for line in told] == ["1", "11", "14"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "cao-bang.yaml:1: the file is empty; start with `province: \"04\"`"),
        ("- one\n", "cao-bang.yaml:1: must be a mapping that starts with `province: \"04\"`"),
        (b"province: \xff\xfe\n", "cao-bang.yaml:1: not UTF-8 text; save the file as UTF-8"),
        ("province: [\n", "cao-bang.yaml:2: not valid YAML: did not find expected node content"),
        ("a: é\nb: \x01\n", "cao-bang.yaml:2: not valid YAML: the character U+0001 is not allowed"),
        ("a: &x {<<: *x}\n", "cao-bang.yaml:1: a: merge keys (`<<`) are not understood; write the keys out"),
        ("a:\n  - &x [*x]\n", "cao-bang.yaml:2: more than 50 lists and mappings inside each other; is it an inventory?"),
        ("a:\n  " + "[" * 50_000, "cao-bang.yaml:2: more than 50 lists and mappings inside each other; is it an inventory?"),
        ("{" * 5000, "cao-bang.yaml:1: more than 50 lists and mappings inside each other; is it an inventory?"),
        ("- " * 5000, "cao-bang.yaml:1: more than 50 lists and mappings inside each other; is it an inventory?"),
        ("a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
            f"{chr(99 + n)}: &{chr(99 + n)} [{','.join(['*' + chr(98 + n)] * 9)}]\n" for n in range(8)), None),
    ],
)  # fmt: skip
def test_what_is_no_inventory_at_all_is_refused_in_words(
    tmp_path: Path, text: str | bytes, expected: str | None
) -> None:
    told = problems(tmp_path, text)
    assert told
    if expected is not None:
        assert told == [expected]


def test_an_inventory_without_references_is_valid_and_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "cao-bang.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert findings(load(file)) == []
    for few in ("references: []", ""):
        file.write_text(GOOD.replace("references: [10.4.0.1]", few), encoding="utf-8")
        assert findings(load(file)) == [
            "no references: the agent can tell its own blindness only when every link and trunk is silent; name one or two addresses close to it"
        ]
    file.write_text('province: "04"\n', encoding="utf-8")
    assert findings(load(file)) == []


def test_no_kind_may_wait_longer_than_the_runner_does() -> None:
    bounds = {
        kind.name: [fact.le for fact in field.metadata if hasattr(fact, "le")]
        for kind in KINDS.values()
        if (field := kind.settings.model_fields.get("timeout_s"))
    }
    assert bounds == {"http": [DEADLINE_S], "snmp": [DEADLINE_S], "tcp": [DEADLINE_S]}


def test_a_file_that_is_not_there_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(InventoryError, match="no .yaml file lies in this folder"):
        load(tmp_path)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
keys = st.sampled_from(["province", "communes", "trunks", "services", "code", "id", "links", "kind", "timings", "x"])
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(keys, trees, max_size=8))
def test_no_yaml_whatever_gives_a_traceback(tmp_path: Path, data: object) -> None:
    import yaml

    refused(tmp_path / "any.yaml", yaml.safe_dump(data, allow_unicode=True))


tags = st.sampled_from(["int", "float", "bool", "timestamp", "binary", "null", "str", "set", "map", "seq", "omap", "x"])
tagged = st.builds(
    "province: !!{} {}".format, tags, st.text() | st.sampled_from(['""', "_", "-", "[]", "{a: b}", "1:2"])
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | tagged | st.text(alphabet="[]{}:,-?&*!|>'\"%@` \n\tab1.<#"))
def test_no_text_whatever_gives_a_traceback(tmp_path: Path, text: str) -> None:
    refused(tmp_path / "any.yaml", text)


def refused(file: Path, text: str) -> None:
    """Every error is one line that begins with the file's name."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        load(file)
    assert all(line.startswith(str(file)) and line.isprintable() for line in caught.value.errors)
