"""A table of addresses becomes a valid inventory; what was understood, and what was not, is told word for word."""

# ruff: noqa: E501  # messages are compared whole

from __future__ import annotations

import contextlib
import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.cli import main
from agent.errors import Unusable
from agent.init import from_csv
from agent.init.columns import header_of
from agent.init.flow import scalar
from agent.init.sites import take
from agent.init.table import MAX_BYTES, MAX_ROWS, read_table
from agent.inventory import load
from agent.table import HOW_TO_SAVE
from probes import units
from probes.model import Commune, Province

CAO_BANG = units.communes("04")


def told(tmp_path: Path, text: str | bytes, province: str = "04") -> tuple[Province | None, str, str]:
    """The province that the inventory is loaded as, its text, and the preview."""
    table = tmp_path / "addresses.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    name, written, preview = from_csv(province, table, tmp_path / "new")
    if not written:
        return None, "", preview
    path = tmp_path / name
    path.write_text(written, encoding="utf-8")
    return load(path), written, preview


def filled(tmp_path: Path, text: str | bytes, province: str = "04") -> dict[str, Commune]:
    """The communes that a table fills in, by code."""
    found, _, preview = told(tmp_path, text, province)
    assert found is not None, preview
    return {commune.code: commune for commune in found.communes if commune.model_fields_set > {"code"}}


def rejected(tmp_path: Path, text: str, province: str = "04") -> list[str]:
    _, _, preview = told(tmp_path, text, province)
    return [line.strip() for line in preview.splitlines() if line.startswith("  line ")]


def unusable(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(Unusable) as caught:
        told(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def as_csv(*rows: tuple[str, ...], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


WHOLE = as_csv(
    ("DANH SÁCH ĐỊA CHỈ IP CÁC XÃ, PHƯỜNG",),
    ("Cập nhật tháng 10/2026",),
    ("STT", "Mã xã", "Tên xã/phường", "Dải địa chỉ", "Địa chỉ IP (WAN)", "Loại đường truyền", "IP dự phòng",
     "Loại dự phòng", "Tuyến", "IP router", "IP UPS", "Đầu mối", "Số điện thoại", "Mã định danh", "Dia chi IP rooter",
     "Băng thông"),
    ("1", "1273", "Thục Phán", "10.4.1.0/24", "10.4.1.1", "Cáp quang Viettel", "10.4.1.3", "4G", "Vòng Bảo Lạc",
     "10.4.1.1", "10.4.1.2", "Nông Văn A: trực #1", "0206 3852 001", "H14.1", "", "100 Mbps"),
    ("2", "01279", "phuong nung tri cao", "10.4.2", "10.4.2.1", "cáp quang", "-", "", "vòng bảo lạc", "10.4.2.1", "không",
     "", "912345678", "", "", ""),
    ("3", "01288", "", "10.4.3.0/24", "10.4.3.254", "viba", "10.4.3.3", "LTE", "", "10.4.3.1", "10.4.3.2", "Bế Thị B", "",
     "", "", ""),
    ("4", "01290", "Xã Lý Bôn", "10.4.4.0/24", "", "", "", "", "", "", "", "", "", "", "", ""),
    ("Tổng cộng", "", "", "", "", "", "", "", "", "", "", "", "", "", "", ""),
)  # fmt: skip
PREVIEW = """\
addresses.csv: UTF-8, columns divided by commas, header at line 3

Columns:
  Mã xã              commune code            '1273'
  Tên xã/phường      commune name            'Thục Phán'
  Dải địa chỉ        prefix                  '10.4.1.0/24'
  Địa chỉ IP (WAN)   link address            '10.4.1.1'
  Loại đường truyền  link medium             'Cáp quang Viettel'
  IP dự phòng        backup link address     '10.4.1.3'
  Loại dự phòng      backup link medium      '4G'
  Tuyến              trunk                   'Vòng Bảo Lạc'
  IP router          router address          '10.4.1.1'
  IP UPS             UPS address             '10.4.1.2'
  Đầu mối            contact name            'Nông Văn A: trực #1'
  Số điện thoại      contact phone           '0206 3852 001'
  Mã định danh       identification code     'H14.1'
  Dia chi IP rooter  NOT UNDERSTOOD, left out; did you mean 'địa chỉ ip router' (router address)?
  Băng thông         NOT UNDERSTOOD, left out
  STT                not needed

Rows: 3 taken, 1 rejected, 1 not needed
  line 7: the code '01290' is Xã Bảo Lâm, but the name 'Xã Lý Bôn' is Xã Lý Bôn (01294); correct one
  line 8: 'Tổng cộng': not needed
Communes of Tỉnh Cao Bằng without a row, which stay bare codes: 53: Xã Bảo Lâm (01290), Xã Lý Bôn (01294), \
Xã Nam Quang (01297), Xã Quảng Lâm (01304), Xã Yên Thổ (01318), and 48 more

Look at these:
  line 4: the code '1273' is read as '01273': Excel drops zeros
  line 5: has the phone '912345678' lost its first zero? Taken as it is
  line 6: the contact 'Bế Thị B' is left out: no phone, no email

What most communes have alike is told once, as their class:
site_classes:
  standard:
    links:
      - {address: "{prefix}.1"}
      - {role: backup, medium: lte, address: "{prefix}.3"}
    devices:
      - {id: router, role: router, address: "{prefix}.1", credential: devices}
      - {id: ups, role: ups, address: "{prefix}.2", credential: devices}

The communes, as they stand in the inventory:
  - {code: "01273", site_class: standard, prefix: 10.4.1, trunk: vong-bao-lac,  # Phường Thục Phán
     contact: {name: "Nông Văn A: trực #1", phone: "0206 3852 001"}, identification_code: "H14.1"}
  - {code: "01279", site_class: standard, prefix: 10.4.2, trunk: vong-bao-lac,  # Phường Nùng Trí Cao
     without: [backup, ups], contact: {name: "Phường Nùng Trí Cao", phone: "912345678"}}
  - {code: "01288", site_class: standard, prefix: 10.4.3,  # Phường Tân Giang
     links: [{medium: radio, address: 10.4.3.254}]}

Devices are asked over SNMP v2c. Make the file with their community, which nobody else may read:
  touch new/snmp-community && chmod 600 new/snmp-community && nano new/snmp-community
"""


def test_the_preview_says_all_that_was_understood_and_all_that_was_not(tmp_path: Path) -> None:
    _, _, preview = told(tmp_path, WHOLE)
    assert preview.replace(f"{tmp_path}/", "") == PREVIEW


def test_what_the_rows_say_is_what_the_inventory_says(tmp_path: Path) -> None:
    communes = filled(tmp_path, WHOLE)
    assert list(communes) == ["01273", "01279", "01288"]
    one, two, three = communes.values()
    assert [(link.id, link.medium, link.address) for link in one.links] == [
        ("primary", "fibre", "10.4.1.1"),
        ("backup", "lte", "10.4.1.3"),
    ]
    assert [(device.id, device.address) for device in one.devices] == [("router", "10.4.1.1"), ("ups", "10.4.1.2")]
    assert one.contact is not None
    assert (one.contact.name, one.contact.phone) == ("Nông Văn A: trực #1", "0206 3852 001")
    assert (one.trunk, one.identification_code) == ("vong-bao-lac", "H14.1")
    assert [(link.id, link.address) for link in two.links] == [("primary", "10.4.2.1")]
    assert [device.id for device in two.devices] == ["router"]
    assert [(link.medium, link.address) for link in three.links] == [("radio", "10.4.3.254"), ("lte", "10.4.3.3")]
    assert three.contact is None


def test_the_trunks_keep_their_names_and_the_credential_names_a_file(tmp_path: Path) -> None:
    province, _, _ = told(tmp_path, WHOLE)
    assert province is not None
    assert [(trunk.id, trunk.name) for trunk in province.trunks] == [("vong-bao-lac", "Vòng Bảo Lạc")]
    assert province.credentials["devices"].model_dump()["community"]["file"] == "snmp-community"


CODE = "mã xã,địa chỉ ip,ip dự phòng,ip ups,dải địa chỉ,loại đường truyền,tuyến,đầu mối\n"
NAME = "tên xã,địa chỉ ip\n"


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        (CODE, "01273,10.4.1.256", "line 2: link address '10.4.1.256': must be an IPv4 or IPv6 address such as 10.4.1.1"),
        (CODE, "01273,224.0.0.5", "line 2: link address '224.0.0.5': must be the address of one host, not multicast, "
         "broadcast or unspecified"),
        (CODE, "01273,10.4.1.0/24", "line 2: link address '10.4.1.0/24': must be the address of one host, not a whole "
         "network"),
        (CODE, "01273,10.4.1.1/x", "line 2: link address '10.4.1.1/x': must be an IPv4 or IPv6 address such as 10.4.1.1"),
        (CODE, "01273,10.4.1.1 10.4.1.2", "line 2: link address '10.4.1.1 10.4.1.2': must be one address; others have "
         "columns of their own"),
        (CODE, "01273,fe80::1%eth0", "line 2: link address 'fe80::1%eth0': must be an address without a zone (%)"),
        (CODE, "01273,,,010.4.1.2", "line 2: UPS address '010.4.1.2': must be an IPv4 or IPv6 address such as 10.4.1.1"),
        (CODE, "01273,10.4.1.1,10.4.1.1", "line 2: 10.4.1.1 is given twice in this row; every link and device has its own"),
        (CODE, "01273,10.4.1.1\n01279,10.4.1.1", "line 3: 10.4.1.1 is given twice, first at line 2 for Phường Thục Phán; "
         "every link and device has its own"),
        (CODE, "01273,10.4.1.1\n01279,,,10.4.1.1/24", "line 3: 10.4.1.1 is given twice, first at line 2 for Phường Thục "
         "Phán; every link and device has its own"),
        (CODE, "01273,10.4.1.1\n01279,10.4.2.1\n01273,10.4.3.1", "line 4: Phường Thục Phán (01273) stands at line 2 "
         "already; keep one row for each"),
        (CODE, "00004,10.4.1.1", "line 2: the code '00004' is Phường Ba Đình of Thành phố Hà Nội, not of Tỉnh Cao Bằng"),
        (CODE, "01274,10.4.1.1", "line 2: no commune has the code '01274'; codes have been new since July 2025"),
        (CODE, "CB-12,10.4.1.1", "line 2: the code 'CB-12' must be 5 digits, such as 01273"),
        (CODE, "012730,10.4.1.1", "line 2: the code '012730' must be 5 digits, such as 01273"),
        (CODE, ",10.4.1.1", "line 2: names no commune: both code and name are empty"),
        (CODE, "01273,,,,10.4.1.300/24", "line 2: prefix '10.4.1.300/24': must be a network such as 10.4.1.0/24, or its "
         "first part, 10.4.1"),
        (CODE, "01273,,,,239.1.1.0/24", "line 2: prefix '239.1.1.0/24': must be a network of hosts, not multicast"),
        (CODE, "01273,,,,10.4.0.0/16\n01279,,,,10.4.2.0/24", "line 3: the prefix 10.4.2 overlaps 10.4 at line 2 (Phường "
         "Thục Phán); every commune has its own"),
        (CODE, "01273,,,,,cáp quang + 4G", "line 2: the medium 'cáp quang + 4G' names fibre and lte; the backup link has "
         "a column of its own"),
        (CODE, "01273,,,,,cáp đồng", "line 2: the medium 'cáp đồng' is not known; write cáp quang (fibre), 4G (lte), viba "
         "(radio) or vệ tinh (vsat)"),
        (CODE, "01273,,,,,,環", "line 2: the trunk '環' needs a name of 1 to 63 Latin letters or digits"),
        (CODE, f"01273,,,,,,,{'a' * 201}", "line 2: contact name 'aaaaaaaaaaaaaaaaaaaa…': longer than 200 characters"),
        (NAME, "Thục Phan Mới,10.4.1.1", "line 2: 'Thục Phan Mới' is no commune of Tỉnh Cao Bằng; did you mean Phường "
         "Thục Phán (01273)?"),
        (NAME, "Ba Đình,10.4.1.1", "line 2: 'Ba Đình' is no commune of Tỉnh Cao Bằng; one of that name lies in Thành phố "
         "Hà Nội, Tỉnh Thanh Hóa, Tỉnh Quảng Ngãi"),
        (NAME, "Tổng cộng: 56,10.4.1.1", "line 2: 'Tổng cộng: 56' is no commune of Tỉnh Cao Bằng; names have been new "
         "since July 2025"),
        (NAME, "Thúc Phán,10.4.1.1", "line 2: 'Thúc Phán' is no commune of Tỉnh Cao Bằng, where Phường Thục Phán (01273) "
         "has other marks; correct it"),
        (NAME, "Thuc Phán,10.4.1.1", "line 2: 'Thuc Phán' is no commune of Tỉnh Cao Bằng, where Phường Thục Phán (01273) "
         "has other marks; correct it"),
        (NAME, "Th?c Phán,10.4.1.1", "line 2: the name 'Th?c Phán' lost letters (?) when the file was saved; save the "
         "original as `CSV UTF-8`"),
        (NAME, "TT. Thục Phán,10.4.1.1", "line 2: 'TT. Thục Phán' is no commune of Tỉnh Cao Bằng: there is no thị trấn since July "
         "2025; is Phường Thục Phán (01273) meant?"),
        (NAME, "Thị trấn Nước Hai,10.4.1.1", "line 2: 'Thị trấn Nước Hai' is no commune of Tỉnh Cao Bằng: there is no thị "
         "trấn since July 2025; name the commune that it belongs to now"),
        (CODE, "1;10.4.1.1".replace("1;", '"1,27E+03",'), "line 2: the code '1,27E+03' is no code any more: Excel has cut "
         "it short: format the column as text, type it again, and save"),
        ("code,mã định danh\n", "01273,Â¡", "line 2: identification code 'Â¡' was '¡' before the file was opened in "
         "another encoding"),
        (CODE, "01273,,,,,,Vòng B?o L?c", "line 2: trunk 'Vòng B?o L?c' lost letters (?) when the file was saved; save the "
         f"original again: {HOW_TO_SAVE}"),
        ("code,commune\n", "01273,Bảo Lâm", "line 2: the code '01273' is Phường Thục Phán, but the name 'Bảo Lâm' is Xã "
         "Bảo Lâm (01290); correct one"),
        ("code,commune\n", "01273,Nà Sác", "line 2: the code '01273' is Phường Thục Phán, but the name 'Nà Sác' is no "
         "commune of this province; correct one"),
        ("code,commune\n", "01270,Bảo Lâm", "line 2: no commune has the code '01270'; codes have been new since July "
         "2025, and Xã Bảo Lâm is 01290"),
        ("code,loại điểm\n", "01273,分", "line 2: the site class '分' needs a name of 1 to 63 Latin letters or digits"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_taken_is_told_with_its_line(
    header: str, rows: str, expected: str, tmp_path: Path
) -> None:
    assert rejected(tmp_path, header + rows) == [expected]


def test_an_ambiguous_name_is_rejected_with_the_candidates_and_diacritics_decide(tmp_path: Path) -> None:
    lines = rejected(tmp_path, "xã,ip\nVan Lang,10.19.1.1\nXã Văn Lăng,10.19.2.1\n", "19")
    assert lines == [
        "line 2: the name 'Van Lang' may be Xã Văn Lang (02143) or Xã Văn Lăng (05665); write it with diacritics, "
        "or give the code"
    ]


@pytest.mark.parametrize(
    "header",
    [
        "Mã xã;Dải địa chỉ;Địa chỉ IP;Loại đường truyền;IP dự phòng;Loại đường truyền dự phòng;Tuyến;IP UPS;Điện thoại",
        "MA DVHC;subnet;ip;Phương thức truyền dẫn;Địa chỉ IP dự phòng;loai du phong;VÒNG RING;Địa chỉ UPS;SĐT",
        "code;prefix;link address;medium;backup address;backup medium;trunk;ups address;phone",
        "Commune code;Network;IP address;Link type;Backup IP;Backup link type;Ring;UPS;Telephone",
    ],
)
def test_headers_are_understood_in_both_languages_whatever_their_case_and_diacritics(
    header: str, tmp_path: Path
) -> None:
    row = "01273;10.4.1.0/24;10.4.1.1;cáp quang;10.4.9.1;4G;Ring 1;10.4.1.2;0206 3852 001"
    commune = filled(tmp_path, f"{header}\n{row}\n")["01273"]
    assert [(link.medium, link.address) for link in commune.links] == [("fibre", "10.4.1.1"), ("lte", "10.4.9.1")]
    assert (commune.prefix, commune.trunk, commune.devices[0].id) == ("10.4.1", "ring-1", "ups")
    assert commune.contact is not None
    assert (commune.contact.name, commune.contact.phone) == ("Phường Thục Phán", "0206 3852 001")


@pytest.mark.parametrize("header", ["tên xã", "Xã/Phường", "TEN XA", "commune", "Commune name", "Xã, phường, đặc khu"])
@pytest.mark.parametrize(
    "name", ["Thục Phán", "thuc phan", "PHƯỜNG THỤC PHÁN", "P. Thục Phán", "UBND phường Thục Phán"]
)
def test_communes_are_found_by_their_names(header: str, name: str, tmp_path: Path) -> None:
    assert list(filled(tmp_path, f'"{header}";ip\n{name};10.4.1.1\n')) == ["01273"]


@pytest.mark.parametrize("code", ["01273", "1273", "'01273", "1273.0", " 01273 ", "\u200b01273\u00a0"])
def test_codes_are_read_as_spreadsheets_write_them(code: str, tmp_path: Path) -> None:
    assert list(filled(tmp_path, f"code,ip\n{code},10.4.1.1\n")) == ["01273"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_way_in_which_spreadsheets_save_is_read(encoding: str, delimiter: str, end: str, tmp_path: Path) -> None:
    text = as_csv(("Mã xã", "Đầu mối", "SĐT"), ("01273", 'A, "B"; C', "0900 000 001"), delimiter=delimiter)
    commune = filled(tmp_path, text.replace("\r\n", end).encode(encoding))["01273"]
    assert commune.contact is not None
    assert commune.contact.name == 'A, "B"; C'


@pytest.mark.parametrize(
    ("written", "prefix"),
    [
        ("10.4.1.0/24", "10.4.1"),
        ("10.4.1.1/24", "10.4.1"),
        ("10.4.1.0/255.255.255.0", "10.4.1"),
        ("10.4.1.0", "10.4.1"),
        ("10.4.1.x", "10.4.1"),
        ("10.4.1.", "10.4.1"),
        ("10.4.0.0/16", "10.4"),
        ("10.0.0.0/8", "10"),
        ("2001:DB8:4::/48", "2001:db8:4"),
        ("2001:db8:0:0::/64", "2001:db8:0:0"),
        ("10.4.1.0/26", None),
        ("2001::/16", None),
    ],
)
def test_a_prefix_is_read_as_people_write_networks(written: str, prefix: str | None, tmp_path: Path) -> None:
    commune = filled(tmp_path, f"code,prefix,trunk\n01273,{written},ring\n")["01273"]
    assert commune.prefix == prefix


def test_a_network_that_no_prefix_can_say_is_told_and_its_addresses_stand_as_they_are(tmp_path: Path) -> None:
    _, text, preview = told(tmp_path, "code,subnet,ip\n01273,10.4.1.0/26,10.4.1.1\n01279,10.4.1.64/26,10.4.1.65\n")
    assert "line 2: 10.4.1.0/26 is no /8, /16 or /24: left out, the addresses stand as they are\n" in preview
    assert '  - {code: "01279", links: [{address: 10.4.1.65}]}  # Phường Nùng Trí Cao\n' in text


@pytest.mark.parametrize(
    ("written", "medium"),
    [
        ("Cáp quang", "fibre"), ("FTTH VNPT", "fibre"), ("FTTx", "fibre"), ("GPON", "fibre"), ("fibre", "fibre"), ("4G", "lte"), ("4G/LTE", "lte"),
        ("Sim 4G Viettel", "lte"), ("Vi ba", "radio"), ("vô tuyến", "radio"), ("Vệ tinh VSAT", "vsat"), ("Starlink", "vsat"),
    ],
)  # fmt: skip
def test_media_are_read_in_both_languages(written: str, medium: str, tmp_path: Path) -> None:
    assert filled(tmp_path, f"code,ip,medium\n01273,10.4.1.1,{written}\n")["01273"].links[0].medium == medium


def test_a_column_that_only_seems_to_hold_addresses_is_left_out(tmp_path: Path) -> None:
    _, text, preview = told(tmp_path, "Mã xã,IP,UPS\n01273,10.4.1.1,Có\n01279,10.4.2.1,Không\n")
    assert "  UPS    left out: no cell below is an address ('Có')\n" in preview
    assert "role: ups, address: 10" not in text


def test_without_a_prefix_column_it_is_read_off_addresses_that_follow_one_pattern(tmp_path: Path) -> None:
    rows = "".join(f"{unit.code},10.4.{n}.1,10.4.{n}.2\n" for n, unit in enumerate(CAO_BANG[:10], 1))
    _, text, _ = told(tmp_path, f"code,ip,ip ups\n{rows}")
    assert '  - {code: "01273", site_class: standard, prefix: 10.4.1}  # Phường Thục Phán\n' in text


def test_links_out_of_one_shared_network_keep_their_own_addresses(tmp_path: Path) -> None:
    rows = "".join(f"{unit.code},10.255.0.{n}\n" for n, unit in enumerate(CAO_BANG[:10], 1))
    _, text, _ = told(tmp_path, f"code,ip\n{rows}")
    assert '  - {code: "01273", links: [{address: 10.255.0.1}]}  # Phường Thục Phán\n' in text
    assert "\n#site_classes:" in text


def test_where_every_commune_has_a_row_the_class_is_the_one_that_needs_no_name(tmp_path: Path) -> None:
    rows = "".join(f"{unit.code},10.4.{n}.1,10.4.{n}.2,4G\n" for n, unit in enumerate(CAO_BANG, 1))
    province, text, _ = told(tmp_path, f"code,ip,ip ups,loại dự phòng\n{rows}")
    assert province is not None
    assert '  - {code: "01822", prefix: 10.4.56}  # Xã Đức Long\n' in text
    assert [(link.medium, link.address) for link in province.communes[-1].links] == [
        ("fibre", "10.4.56.1"),
        ("lte", None),
    ]


def test_classes_of_the_table_are_declared_and_have_patterns_of_their_own(tmp_path: Path) -> None:
    rows = "01273,10.4.1.1,Trung tâm\n01279,10.4.2.1,Trung tâm\n01288,10.4.3.9,Vùng cao\n01290,10.4.4.1,thường\n"
    province, text, _ = told(tmp_path, f"code,ip,loại điểm\n{rows}")
    assert province is not None
    assert list(province.site_classes) == ["hq", "vung-cao"]
    assert [commune.site_class for commune in province.communes[:5]] == ["hq", "hq", "vung-cao", "remote", "remote"]
    assert '  - {code: "01290", links: [{address: 10.4.4.1}]}  # Xã Bảo Lâm\n' in text


def test_a_table_of_prefixes_alone_is_taken_and_the_missing_addresses_are_told(tmp_path: Path) -> None:
    _, _, preview = told(tmp_path, "Commune,Subnet\nThuc Phan,10.4.1.0/24\n")
    expected = (
        "NOT WATCHED, as no address of a link is known: 1 of 1 communes: Phường Thục Phán (line 2); add a column "
        "`địa chỉ ip` (ip) or `ip router`, or give `links` in the inventory"
    )
    assert f"\nRows: 1 taken, 0 rejected\n{expected}\n" in preview
    assert '  - {code: "01273", prefix: 10.4.1}  # Phường Thục Phán\n' in preview


def test_two_spellings_of_one_trunk_are_told(tmp_path: Path) -> None:
    lines = rejected(tmp_path, "code,ring\n01273,Vòng Hà\n01279,vòng hà\n01288,Vòng Hạ\n")
    assert lines == ["line 4: the trunk 'Vòng Hạ' is taken as 'Vòng Hà'; are they the same?"]


@pytest.mark.parametrize(
    "text", ["no", "12", "1e3", "null", "a: b", "a #b", '"', "'", "0206", "10.4", "- a", "{x}", "\\"]
)
def test_texts_that_yaml_would_take_for_something_else_stay_texts(text: str, tmp_path: Path) -> None:
    table = as_csv(("code", "ring", "contact", "phone", "mã định danh"), ("01273", f"r {text}", text, text, text))
    commune = filled(tmp_path, table)["01273"]
    bare = not any(sign.isalnum() for sign in text) or text in {"no", "null"}
    assert commune.identification_code == (None if bare else text)


def test_a_scalar_is_plain_only_where_yaml_reads_the_same() -> None:
    texts = ["ring-1", "no", "10.4.1.1", "10.4.1", "10.4", "10", "2001:db8::1", "{prefix}.1", "a:b", "on"]
    assert [scalar(text) for text in texts] == [
        "ring-1", '"no"', "10.4.1.1", "10.4.1", '"10.4"', '"10"', '"2001:db8::1"', '"{prefix}.1"', '"a:b"', '"on"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "addresses.csv: the file is empty"),
        ("Tỉnh,Cao Bằng\n1,2\n", "addresses.csv: no row names the columns: line 1 says 'Tỉnh', 'Cao Bằng'; one row must, "
         "with `mã xã` (code) or `tên xã` (commune) among them, and for example `dải địa chỉ` (prefix), `địa chỉ ip` "
         "(ip), `ip dự phòng` (backup ip), `tuyến` (trunk)"),
        ("code\nXã".encode("latin-1"), f"addresses.csv:2: the text is in no encoding that can be told from others; "
         f"{HOW_TO_SAVE}"),
        (b"M? x?,T?n x?\n1,2\n", "addresses.csv:1: 'M? x?' lost letters (?) when the file was saved; save the original again: "
         f"{HOW_TO_SAVE}"),
        ("code,tên xã\n01273,Thục Phán\n".encode().decode("cp1252").encode(), "addresses.csv:1: 'tÃªn' is no Vietnamese: UTF-8 "
         "text was opened in another encoding, and saved so; open the original again, in Excel with Data > From Text/CSV "
         f"and the file origin 65001 (UTF-8), and save it: {HOW_TO_SAVE}"),
        ("code,name\n01290,Bảo Lâm\n".encode().decode("cp1252").encode(), "addresses.csv:2: 'Báº£o' is no Vietnamese: UTF-8 "
         "text was opened in another encoding, and saved so; open the original again, in Excel with Data > From Text/CSV "
         f"and the file origin 65001 (UTF-8), and save it: {HOW_TO_SAVE}"),
        (b"PK\x03\x04rest", f"addresses.csv: is a workbook, not CSV text; {HOW_TO_SAVE}"),
        (b"\xd0\xcf\x11\xe0rest", f"addresses.csv: is a workbook, not CSV text; {HOW_TO_SAVE}"),
        (b"code,ip\n\0\0", f"addresses.csv: is not text; {HOW_TO_SAVE}"),
        (b"\xff\xfea", f"addresses.csv:1: the text is in no encoding that can be told from others; {HOW_TO_SAVE}"),
        ('code,ip\n01273,"10.4.1.1\n', 'addresses.csv:2: a quotation mark (") in this row is not closed, or stands '
         f"inside a word; correct it, or save the table again: {HOW_TO_SAVE}"),
        ("code,IP,Địa chỉ IP\n", "addresses.csv:1: the columns 'IP' and 'Địa chỉ IP' (2 and 3) would both be the link "
         "address; rename or delete one of them"),
        ("code,ip\n" + "01273,\n" * (MAX_ROWS + 1), f"addresses.csv: more than {MAX_ROWS} rows; is it the list of the "
         "communes' addresses?"),
        (b"a" * (MAX_BYTES + 1), "addresses.csv: larger than 2 MB; is it the list of the communes' addresses?"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_of_communes_is_told_with_a_way_out(
    text: str | bytes, expected: str, tmp_path: Path
) -> None:
    assert unusable(tmp_path, text) == expected


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path, expected in ((tmp_path / "none.csv", "no such file"), (tmp_path, "cannot be read: Is a directory")):
        with pytest.raises(Unusable) as caught:
            from_csv("04", path, tmp_path)
        assert str(caught.value) == f"{path}: {expected}"


def test_the_command_writes_the_inventory_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, folder = tmp_path / "addresses.csv", tmp_path / "new"
    table.write_text("code,ip\n01273,10.4.1.1\n", encoding="utf-8")
    command = ["init", "--province", "04", "--csv", str(table), "-o", str(folder)]
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith(f"Nothing is written (--dry-run); without it: {folder}/cao-bang.yaml\n")
    assert not folder.exists()
    assert main(command) == 0
    path = folder / "cao-bang.yaml"
    assert capsys.readouterr().out.endswith(f"Written: {path}\nNext: lienxa validate {path}\n")
    assert load(path).communes[0].links[0].address == "10.4.1.1"
    assert main(command) == 3
    assert (
        capsys.readouterr().err
        == f"lienxa: {path} exists and is left as it is; name another folder with -o, and copy the lines that are new from there\n"
    )


def test_a_table_without_a_single_good_row_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "addresses.csv"
    table.write_text("code,ip\n01273,x\n", encoding="utf-8")
    assert main(["init", "--province", "04", "--csv", str(table), "-o", str(tmp_path / "new")]) == 3
    out, err = capsys.readouterr()
    assert "  line 2: link address 'x': must be an IPv4 or IPv6 address such as 10.4.1.1\n" in out
    assert err == f"lienxa: {table}: no row could be taken, and nothing is written; the reasons stand above\n"
    assert not (tmp_path / "new").exists()


def test_a_dry_run_needs_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--province", "04", "--dry-run", "-o", str(tmp_path / "new")]) == 3
    expected = "lienxa: --dry-run shows what is understood of a table; name one with --csv\n"
    assert capsys.readouterr().err == expected


def test_no_usual_header_means_two_things() -> None:
    cells = ["Mã xã", "Mã định danh", "Mã đơn vị hành chính", "Tên đơn vị", "Đường truyền", "IP đường truyền"]
    assert [list(header_of([cell]).columns) for cell in cells] == [
        ["code"], ["identification_code"], ["code"], ["name"], ["medium"], ["address"],
    ]  # fmt: skip


LANG_SON = "20"


def looked_at(preview: str) -> list[str]:
    """What stands under `Look at these`."""
    _, _, below = preview.partition("\nLook at these:\n")
    return [line.strip() for line in below.partition("\n\n")[0].splitlines()]


def test_names_with_other_marks_are_rejected_and_names_without_any_are_taken_and_told(tmp_path: Path) -> None:
    table = "tên xã,ip\nTân Thanh,10.20.1.1\nHoa Tham,10.20.2.1\nthất khê,10.20.3.1\n"
    province, _, preview = told(tmp_path, table, LANG_SON)
    assert rejected(tmp_path, table, LANG_SON)[0] == (
        "line 2: 'Tân Thanh' is no commune of Tỉnh Lạng Sơn, where Xã Tân Thành (06445) has other marks; correct it"
    )
    assert looked_at(preview) == ["line 3: 'Hoa Tham' is read as Xã Hoa Thám (06073); right?"]
    assert province is not None
    assert sum(bool(commune.links) for commune in province.communes) == 2


def test_typographic_quotes_become_straight_ones(tmp_path: Path) -> None:
    province, _, _ = told(tmp_path, "code,ring\n01273,“Vòng A”\n")
    assert province is not None
    assert province.trunks[0].name == '"Vòng A"'


def test_a_tone_mark_on_the_other_vowel_is_the_same_name(tmp_path: Path) -> None:
    province, _, preview = told(tmp_path, "tên xã,ip\nĐàm Thuỷ,10.4.1.1\n")
    assert province is not None
    assert looked_at(preview) == []


def test_a_name_with_other_marks_than_its_code_is_told(tmp_path: Path) -> None:
    _, _, preview = told(tmp_path, "mã xã,tên xã,ip\n01273,Thúc Phán,10.4.1.1\n")
    assert looked_at(preview) == ["line 2: 'Thúc Phán' is read as Phường Thục Phán (01273), as the code says; right?"]


def test_a_former_town_is_taken_by_its_code(tmp_path: Path) -> None:
    _, _, preview = told(tmp_path, "mã xã,tên xã,ip\n01273,Thị trấn Thục Phán,10.4.1.1\n")
    assert "Rows: 1 taken, 0 rejected" in preview


def test_without_link_addresses_the_routers_are_the_far_ends_and_it_is_told(tmp_path: Path) -> None:
    province, _, preview = told(
        tmp_path, "mã xã,dải địa chỉ,loại đường truyền,ip router\n01273,10.4.1,quang,10.4.1.1\n"
    )
    assert province is not None
    assert [link.address for link in province.communes[0].links] == ["10.4.1.1"]
    assert looked_at(preview) == [
        "no column gives the links' addresses: the routers' are taken as the far ends; right?"
    ]


def test_a_row_without_a_link_address_takes_its_routers(tmp_path: Path) -> None:
    _, _, preview = told(tmp_path, "mã xã,ip,ip router\n01273,10.4.1.1,10.4.1.2\n01279,,10.4.2.2\n")
    assert looked_at(preview) == [
        "line 3: has no link address: the router's, 10.4.2.2, is taken as the far end; right?"
    ]


def test_links_that_nothing_is_asked_of_are_told_loudly(tmp_path: Path) -> None:
    rows = "".join(f"{unit.code},quang,\n" for unit in CAO_BANG[:6])
    _, _, preview = told(tmp_path, f"mã xã,loại đường truyền,ip\n{rows}")
    assert (
        "\nNOT WATCHED, as no address of a link is known: 6 of 6 communes: Phường Thục Phán (line 2), "
        "Phường Nùng Trí Cao (line 3), Phường Tân Giang (line 4), Xã Bảo Lâm (line 5), Xã Lý Bôn (line 6), and 1 more; "
        "add a column `địa chỉ ip` (ip) or `ip router`, or give `links` in the inventory\n"
    ) in preview
    _, _, preview = told(tmp_path, "mã xã,ip,loại dự phòng\n01273,10.4.1.1,4G\n")
    assert "\nBACKUP LINKS NOT WATCHED, for want of an address: 1; add a column `ip dự phòng`\n" in preview


def test_a_backup_link_of_no_medium_is_lte_and_it_is_told(tmp_path: Path) -> None:
    province, _, preview = told(tmp_path, "mã xã,ip,ip dự phòng\n01273,10.4.1.1,10.4.1.3\n")
    assert province is not None
    assert [link.medium for link in province.communes[0].links] == ["fibre", "lte"]
    assert looked_at(preview) == ["no column gives the backup links' medium: lte (4G) is taken; right?"]
    rows = "01273,10.4.1.1,10.4.1.3,vsat\n01279,10.4.2.1,10.4.2.3,\n"
    _, _, preview = told(tmp_path, f"mã xã,ip,ip dự phòng,loại dự phòng\n{rows}")
    assert looked_at(preview) == ["line 3: the backup link has no medium: lte (4G) is taken; right?"]


@pytest.mark.parametrize("said", ["Tổng cộng", "TỔNG", "Cộng", "Tổng cộng: 1 xã", "Total"])
def test_a_row_of_sums_is_not_needed(said: str, tmp_path: Path) -> None:
    _, _, preview = told(tmp_path, f"tên xã,ip,ghi chú\nThục Phán,10.4.1.1,\n{said},,1\n")
    assert f"Rows: 1 taken, 0 rejected, 1 not needed\n  line 3: {said!r}: not needed\n" in preview


def test_what_reaches_nobody_is_left_out_and_told(tmp_path: Path) -> None:
    rows = "01273,A,chưa có số,abc\n01279,B,9.12E+08,b@x.example\n01288,C,0206 3852 001,\n"
    communes = filled(tmp_path, f"mã xã,đầu mối,sđt,email\n{rows}")
    found = [commune.contact.model_dump(exclude_none=True) for commune in communes.values() if commune.contact]
    assert found == [{"name": "B", "email": "b@x.example"}, {"name": "C", "phone": "0206 3852 001"}]
    _, _, preview = told(tmp_path, f"mã xã,đầu mối,sđt,email\n{rows}")
    assert looked_at(preview) == [
        "line 2: contact phone 'chưa có số' is left out: is no telephone number",
        "line 2: contact email 'abc' is left out: is no email address",
        "line 3: contact phone '9.12E+08' is left out: Excel has cut it short: format the column as text, type it again, and save",
        "line 2: the contact 'A' is left out: no phone, no email",
    ]


def test_the_comments_speak_of_the_classes_and_trunks_that_were_written(tmp_path: Path) -> None:
    rows = "".join(f"{unit.code},10.4.{n}.1,Vòng A\n" for n, unit in enumerate(CAO_BANG, 1))
    _, text, _ = told(tmp_path, f"code,ip,tuyến\n{rows}")
    assert "standard" not in text
    assert "# 1. Fill in `references`, and look over the communes' addresses at the end of this file.\n" in text
    assert "A commune that names no class is of the class `remote`; its devices need `credentials`, above.\n" in text
    assert '# - {code: "01273", prefix: 10.4.1, trunk: vong-a}\n' in text
    rows = "01273,10.4.1.1,Trung tâm\n01279,10.4.2.1,Trung tâm\n"
    _, text, _ = told(tmp_path, f"code,ip,loại điểm\n{rows}")
    assert "A commune takes it with `site_class: hq`; its devices" in text


def test_every_commune_of_the_country_is_found_by_its_full_name(tmp_path: Path) -> None:
    for province in ("19", "79", "04"):
        table = "".join(f"{unit.name}\n" for unit in units.communes(province))
        assert rejected(tmp_path, f"xã,ip\n{table}", province) == []


DEFAULTS = {"remote", "standard"}
TEXTS = st.text(st.characters(exclude_characters="\0ïáÃĂÄÆ", exclude_categories=["Cs"]), max_size=12)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ADDRESSES = st.sampled_from(
    ["", "10.4.1.1", "10.4.1.2", "10.4.2.1", "10.4.3.1", "10.4.3.2/24", "2001:db8:4::1", "2001:db8:4:1::2", "0.0.0.1",
     "::ffff:10.4.1.1", "10.4.300.1", "x"]
)  # fmt: skip
PREFIXES = st.sampled_from(
    ["", "10.4.1", "10.4.2.0/24", "10.4.3", "10.4.0.0/16", "2001:db8:4::/48", "2001:db8:4:1::/64", "::/32", "0::", "10"]
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["01273", "1279", "1288", "01290", "1294", "x", ""]),
        PREFIXES,
        ADDRESSES,
        st.sampled_from(["", "cáp quang", "4G", "viba"]),
        ADDRESSES,
        st.sampled_from(["", "4G", "vsat"]),
        ADDRESSES,
        ADDRESSES,
        st.sampled_from(["", "hq", "no", "12", "vùng cao"]),
        st.one_of(st.just(""), st.sampled_from(["on", "1e3", "Ring"]), TEXTS),
        TEXTS,
        TEXTS,
        TEXTS,
    ),
    max_size=8,
)
COLUMNS = ("code", "prefix", "ip", "medium", "backup ip", "backup medium", "router ip", "ups ip", "class", "trunk",
           "contact", "phone", "identification code")  # fmt: skip


@FUZZ
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: f"code,ip\n{text}".encode())))
def test_no_bytes_whatever_give_a_traceback(data: bytes, tmp_path: Path) -> None:
    with contextlib.suppress(Unusable):
        told(tmp_path, data)


@FUZZ
@given(rows=ROWS, with_prefix=st.booleans())
def test_whatever_is_taken_is_valid_and_says_what_the_rows_say(
    rows: list[tuple[str, ...]], with_prefix: bool, tmp_path: Path
) -> None:
    table = [tuple(cell for index, cell in enumerate(row) if with_prefix or index != 1) for row in (COLUMNS, *rows)]
    province, _, _ = told(tmp_path, as_csv(*table))
    sites = take(read_table(tmp_path / "addresses.csv"), "04").sites
    assert (province is None) == (not sites)
    for commune in province.communes if province else ():
        site = sites.get(commune.code)
        if site is None:
            assert commune.model_fields_set == {"code"}
            continue
        links = {"primary": site.primary, "backup": site.backup}
        assert {link.id: (link.medium, link.address) for link in commune.links} == {
            name: (link.medium, link.address) for name, link in links.items() if link
        }
        assert {device.id: device.address for device in commune.devices} == site.devices
        assert (commune.trunk or "", commune.identification_code or "") == (site.trunk, site.identification_code)
        assert (commune.contact.model_dump(exclude_none=True) if commune.contact else {}) == site.contact
        assert commune.prefix in {site.prefix or None, None if not site.prefix_given else site.prefix}
        assert commune.site_class == site.site_class or (not site.site_class and commune.site_class in DEFAULTS)
