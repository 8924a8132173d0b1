"""The electricity company's announcements: what is understood, what is rejected and why, what stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calendar import Calendar, Cut
from agent.planned_cuts import MAX_BYTES, MAX_ROWS, Announced, Unreadable, announced, look, parse, readings
from agent.table import HOW_TO_SAVE
from probes.model import Province
from probes.model.windows import moment
from tests.unit.fakes import province

COMMUNES = ("01290", "01294")
HEAD = "mã xã,bắt đầu,kết thúc,lý do\n"
ROW = "01290,2026-11-22 06:00,2026-11-22 11:00,sửa đường dây\n"
NOW = 1_764_000_000.0


def expected(commune: str = "01290", reason: str = "sửa đường dây") -> Cut:
    return Cut(commune, moment("2026-11-22 06:00").timestamp(), moment("2026-11-22 11:00").timestamp(), reason)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param((HEAD + ROW).encode(), id="UTF-8"),
        pytest.param((HEAD + ROW).encode("utf-8-sig"), id="with a byte order mark"),
        pytest.param((HEAD + ROW).encode("utf-16"), id="UTF-16"),
        pytest.param((HEAD + ROW).replace("\n", "\r\n").encode(), id="Windows lines"),
        pytest.param((HEAD + ROW).replace("\n", "\r").encode(), id="old Macintosh lines"),
        pytest.param((HEAD + ROW).replace(",", ";").encode(), id="semicolons"),
        pytest.param((HEAD + ROW).replace(",", "\t").encode(), id="tabs"),
        pytest.param((HEAD.upper() + ROW).encode(), id="capital letters"),
        pytest.param(("Ma xa,Bat dau,Ket thuc,Ly do\n" + ROW).encode(), id="without diacritics"),
        pytest.param(("code,start,end,reason\n" + ROW).encode(), id="English"),
        pytest.param(("sep=,\n\n,LỊCH CẮT ĐIỆN,,\n" + HEAD + "\n" + ROW + ",,,\n").encode(), id="titles, empty rows"),
        pytest.param(
            "lí do;đến;STT;từ;mã\n sửa  đường dây ;22/11/2026 11:00;1;22/11/2026 6:00;01290".encode(),
            id="another order, days first",
        ),
        pytest.param(
            (HEAD + '"01290",06h00 ngày 22/11/2026,11:00 22/11/2026,"sửa đường dây"\n').encode(), id="time first"
        ),
        pytest.param(
            (HEAD + ROW.replace("06:00", "6:00:00").replace(" 11", "T11")).encode(), id="with seconds, with T"
        ),
        pytest.param((HEAD + ROW + ROW).encode(), id="announced twice"),
    ],
)
def test_what_is_announced_is_parse(data: bytes) -> None:
    assert parse(data, COMMUNES) == ((expected(),), (), ())


def test_a_day_may_end_at_24_00() -> None:
    ((cut,), rejected, _) = parse((HEAD + "01290,22/11/2026 20:00,22/11/2026 24:00\n").encode(), COMMUNES)
    assert (cut.end, cut.reason, rejected) == (moment("2026-11-23 00:00").timestamp(), "", ())


SPLIT = "Tên xã,Ngày,Từ,Đến,Lý do\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + ROW.replace("01290", "1290"), id="a code without its zero"),
        pytest.param(HEAD + ROW.replace("01290", "1290.0"), id="a code as a number"),
        pytest.param(HEAD + ROW.replace("01290", "Xã Bảo Lâm"), id="a name in the code's column"),
        pytest.param("Tên xã,từ,đến,lý do\n" + ROW.replace("01290", "BẢO LÂM"), id="a name in its own column"),
        pytest.param("mã xã,tên xã,từ,đến,lý do\n" + ROW.replace("01290", ",X. Bảo Lâm"), id="the code is empty"),
        pytest.param(HEAD + ROW.replace("2026-11-22", "22.11.2026"), id="points in dates"),
        pytest.param(HEAD + ROW.replace("2026-11-22", "22-11-2026"), id="hyphens, days first"),
        pytest.param(SPLIT + "Bảo Lâm,22/11/2026,06:00,11:00,sửa đường dây\n", id="the date apart"),
        pytest.param(SPLIT + "Bảo Lâm,22.11.2026,6h,11 giờ,sửa đường dây\n", id="the date apart, hours only"),
        pytest.param(SPLIT + "Bảo Lâm,ngày 22/11/2026,6 giờ 00,11h00,sửa đường dây\n", id="the date apart, in words"),
        pytest.param(SPLIT + "Bảo Lâm,2026-11-22,06:00:00,22/11/2026 11:00,sửa đường dây\n", id="one date in both"),
        pytest.param(
            "Mã,Ngày cắt điện,Từ (giờ),Đến (giờ),Lý do\n1290,22/11/2026,06h00,11h00,sửa đường dây\n",
            id="brackets in headers",
        ),
    ],
)
def test_what_electricity_companies_publish_is_parse(text: str) -> None:
    assert parse(text.encode(), COMMUNES) == ((expected(),), (), ())


def test_a_name_without_any_marks_is_taken_and_told() -> None:
    _, rejected, (note,) = parse((HEAD + ROW.replace("01290", "Xa Bao Lam")).encode(), COMMUNES)
    assert (rejected, note.line, note.text) == ((), 2, "'Xa Bao Lam' is read as Xã Bảo Lâm (01290); right?")


ISO = "write it as 2026-11-22 06:00 or 22/11/2026 06:00"


def test_a_cut_over_midnight_ends_on_the_next_day_where_the_date_is_told_once() -> None:
    cuts, rejected, _ = parse((SPLIT + "Bảo Lâm,22/11/2026,22:00,02:00").encode(), COMMUNES)
    assert (len(rejected), cuts[0].end - cuts[0].start) == (0, 4 * 3600)


def test_a_code_and_a_name_that_disagree_are_rejected_rather_than_guessed() -> None:
    _, rejected, _ = parse(
        "mã xã,tên xã,bắt đầu,kết thúc\n01290,Lý Bôn,2026-11-22 06:00,2026-11-22 11:00".encode(), COMMUNES
    )
    assert [wrong.reason for wrong in rejected] == [
        "the code '01290' is Xã Bảo Lâm, but the name 'Lý Bôn' is Xã Lý Bôn (01294); correct one"
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Bảo Lâm,Chủ nhật,06:00,11:00", "date 'Chủ nhật' is no date; write it as 2026-11-22 or 22/11/2026"),
        (
            "Bảo Lâm,,06:00,11:00",
            f"start '06:00' is no date with a time; {ISO}; end '11:00' is no date with a time; {ISO}",
        ),
        ("Bảo Lâm,30/02/2026,06:00,", "start '2026-02-30 06:00' does not exist: month 2 of 2026 has 28 days; no end"),
    ],
)
def test_a_wrong_date_in_its_own_column_is_told(row: str, reason: str) -> None:
    _, rejected, _ = parse((SPLIT + row).encode(), COMMUNES)
    assert [(wrong.line, wrong.reason) for wrong in rejected] == [(2, reason)]


NEITHER = (
    "no column mã xã (code) or tên xã (commune name), bắt đầu (start), kết thúc (end); one row must name the columns"
)
UNTOLD = f"line 1: the text is in no encoding that can be told from others; {HOW_TO_SAVE}"
UNKNOWN = "no commune has the code '01999'; codes have been new since July 2025"
GOOD = "2026-11-22 06:00,2026-11-22 11:00"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f",{GOOD}", "no commune"),
        (f"01999,{GOOD}", "no commune has the code '01999'; codes have been new since July 2025"),
        (f"01297,{GOOD}", "commune '01297' (Xã Nam Quang) is not in the inventory"),
        (
            f"1.29E+03,{GOOD}",
            "the code '1.29E+03' is no code any more: Excel has cut it short: format the column as text, type it "
            "again, and save",
        ),
        (f"129O,{GOOD}", "the code '129O' must be 5 digits, such as 01273"),
        (f"00004,{GOOD}", "the code '00004' is Phường Ba Đình of Thành phố Hà Nội, not of Tỉnh Cao Bằng"),
        (f"Nam Quang,{GOOD}", "commune '01297' (Xã Nam Quang) is not in the inventory"),
        (
            f"Xã Báo Lâm,{GOOD}",
            "'Xã Báo Lâm' is no commune of Tỉnh Cao Bằng, where Xã Bảo Lâm (01290) has other marks; correct it",
        ),
        (
            f"X? B?o Lâm,{GOOD}",
            "the name 'X? B?o Lâm' lost letters (?) when the file was saved; save the original as `CSV UTF-8`",
        ),
        (
            f"Thị trấn Bảo Lâm,{GOOD}",
            "'Thị trấn Bảo Lâm' is no commune of Tỉnh Cao Bằng: there is no thị trấn since July 2025; is Xã Bảo Lâm "
            "(01290) meant?",
        ),
        ("01290,,2026-11-22 11:00", "no start"),
        ("01290,2026-11-22 06:00", "no end"),
        ("01290", "no start; no end"),
        ("01290,2026-11-22,2026-11-22 11:00", f"start '2026-11-22' is no date with a time; {ISO}"),
        ("01290,sáng thứ hai,2026-11-22 11:00", f"start 'sáng thứ hai' is no date with a time; {ISO}"),
        (
            "01290,22/11/26 06:00,22/11/26 11:00",
            f"start '22/11/26 06:00' is no date with a time; {ISO}; end '22/11/26 11:00' is no date with a time; {ISO}",
        ),
        (
            "01290,30/02/2026 06:00,2026-11-22 11:00",
            "start '30/02/2026 06:00' does not exist: month 2 of 2026 has 28 days",
        ),
        (
            "01290,2026-11-31 06:00,2026-12-01 11:00",
            "start '2026-11-31 06:00' does not exist: month 11 of 2026 has 30 days",
        ),
        ("01290,11/22/2026 06:00,2026-11-22 11:00", "start '11/22/2026 06:00' does not exist: there is no month 22"),
        (
            "01290,2026-11-22 06:00,2026-11-22 25:00",
            "end '2026-11-22 25:00' does not exist: the hours of a day are 00 to 24:00",
        ),
        (
            "01290,2026-11-22 06:75,2026-11-22 11:00",
            "start '2026-11-22 06:75' does not exist: no such minute or second",
        ),
        (
            "01290,2206-11-22 06:00,2206-11-22 11:00",
            "start '2206-11-22 06:00': the year 2206 cannot be meant; "
            "end '2206-11-22 11:00': the year 2206 cannot be meant",
        ),
        (
            "01290,2026-11-22 11:00,2026-11-22 06:00",
            "end '2026-11-22 06:00' does not come after start '2026-11-22 11:00'",
        ),
        (
            "01290,2026-11-22 06:00,2026-11-22 06:00",
            "end '2026-11-22 06:00' does not come after start '2026-11-22 06:00'",
        ),
        (
            "01290,2026-11-22 06:00,2026-12-22 11:00",
            "lasts 30 days; one of more than 7 days is taken for a slip",
        ),
        (
            "01999,30/02/2026 06:00,",
            "no commune has the code '01999'; codes have been new since July 2025; "
            "start '30/02/2026 06:00' does not exist: month 2 of 2026 has 28 days; no end",
        ),
        (
            f'01290,{GOOD},"sửa đường dây',
            'a quotation mark (") is not closed or stands inside a word; keep each row on one line',
        ),
        (f"01290,{GOOD},{'x' * 4000}", "longer than 4000 characters"),
    ],
)
def test_a_wrong_row_is_rejected_with_its_line_and_reason_and_the_others_count(row: str, reason: str) -> None:
    cuts, rejected, _ = parse((HEAD + row + "\n" + ROW).encode(), COMMUNES)
    assert cuts == (expected(),)
    assert [(wrong.line, wrong.reason) for wrong in rejected] == [(2, reason)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", NEITHER),
        ("mã xã,từ\n".encode(), "line 1: no column kết thúc (end); one row must name the columns"),
        (ROW.encode(), NEITHER),
        (
            b"M? x?,B?t d?u,K?t th?c\n",
            "line 1: 'M? x?,B?t d?u,K?t th?c' lost letters (?) when the file was saved; save the original again: "
            + HOW_TO_SAVE,
        ),
        (
            HEAD.encode().decode("latin-1").encode(),
            "line 1: 'mÃ£' is no Vietnamese: UTF-8 text was opened in another encoding, and saved so; open the "
            "original again, in Excel with Data > From Text/CSV and the file origin 65001 (UTF-8), and save it: "
            + HOW_TO_SAVE,
        ),
        ("mã xã,code,từ,đến\n".encode(), "line 1: two columns would be 'mã xã'; rename one"),
        (b"PK\x03\x04...", f"is a workbook, not CSV text; {HOW_TO_SAVE}"),
        (
            (HEAD + ROW).encode("cp1252", "replace"),
            "line 1: 'mã xã,b?t ??u,k?t thúc,lý do' lost letters (?) when the file was saved; save the original again: "
            + HOW_TO_SAVE,
        ),
        ((HEAD + ROW).encode("utf-16")[:-1], UNTOLD.replace("line 1", "line 2")),
        (b"\n" * MAX_ROWS, f"more than {MAX_ROWS} lines; is it the list of planned cuts?"),
    ],
)
def test_a_file_that_is_no_list_of_cuts_is_refused_as_a_whole(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(data, COMMUNES)
    assert str(refused.value) == reason


SIGNS = st.sampled_from('01290,;\t"/-: hngày\n\r\0\ufeff \u2028\x1c24/11/2026 06:00')


@given(st.one_of(st.binary(), st.text(SIGNS).map(lambda text: (HEAD + text).encode()), st.text().map(str.encode)))
def test_no_bytes_whatever_end_in_anything_but_cuts_rejected_rows_or_a_refusal(data: bytes) -> None:
    try:
        cuts, rejected, _ = parse(data, COMMUNES)
    except Unreadable:
        return
    assert all(cut.commune in COMMUNES and cut.start < cut.end for cut in cuts)
    assert all(row.reason and row.line > 1 for row in rejected)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=3, max_size=5))
def test_no_cells_whatever_end_in_a_traceback(cells: list[str]) -> None:
    try:
        cuts, rejected, _ = parse((HEAD + ";".join(cells) + "\n" + ROW).encode(), COMMUNES)
    except Unreadable:  # a NUL, or letters that only another encoding has beside each other
        return
    assert expected() in cuts or rejected


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "planned-cuts.csv"
    path.write_text(HEAD + ROW, encoding="utf-8")
    return path


def inventory() -> Province:
    return province(planned_cuts={"file": "planned-cuts.csv"})


def page(known: Announced) -> dict[str, float]:
    return {
        ",".join((reading.family.name, *reading.labels)): reading.value
        for reading in readings(known, Calendar(inventory(), known.cuts))
    }


def test_an_inventory_without_announcements_reads_nothing_and_shows_nothing(tmp_path: Path) -> None:
    known = announced(province(), tmp_path, NOW)
    assert known == Announced()
    assert look(province(), tmp_path, NOW, known) is known
    assert page(known) == {}
    assert known.told() is None


def test_how_the_reading_went_is_told_in_series_and_in_the_status(file: Path) -> None:
    file.write_text(HEAD + ROW + "01999\n", encoding="utf-8")
    known = announced(inventory(), file.parent, NOW)
    calendar = Calendar(inventory(), known.cuts)
    calendar.at(moment("2026-11-22 08:00").timestamp(), 0)
    values = [(reading.family.name, reading.labels, reading.value) for reading in readings(known, calendar)]
    assert values == [
        ("lienxa_planned_cuts", ("ahead",), 0),
        ("lienxa_planned_cuts", ("active",), 1),
        ("lienxa_planned_cuts_rejected_rows", (), 1),
        ("lienxa_planned_cuts_last_read_successful", (), 1),
        ("lienxa_planned_cuts_last_read_success_timestamp_seconds", (), NOW),
    ]
    assert known.told() == {
        "file": str(file),
        "read_at": NOW,
        "error": None,
        "cuts": 1,
        "rejected": 1,
        "rejected_rows": [{"line": 3, "reason": f"{UNKNOWN}; no start; no end"}],
    }


def test_a_file_that_is_missing_at_the_start_is_told_and_read_once_it_is_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.unlink()
    known = announced(inventory(), file.parent, NOW)
    assert (known.error, known.cuts) == ("no such file", ())
    assert page(known)["lienxa_planned_cuts_last_read_successful"] == 0
    assert "lienxa_planned_cuts_last_read_success_timestamp_seconds" not in page(known)
    assert look(inventory(), file.parent, NOW, known) is known
    file.write_text(text, encoding="utf-8")
    known = look(inventory(), file.parent, NOW + 5, known)
    assert known.cuts == ()
    known = look(inventory(), file.parent, NOW + 10, known)
    assert (known.cuts, known.error, known.read_at) == ((expected(),), "", NOW + 10)


def test_a_changed_file_is_read_once_it_has_stayed_as_it_is_for_a_look(file: Path) -> None:
    known = announced(inventory(), file.parent, NOW)
    for number, text in enumerate((HEAD, HEAD + ROW, HEAD + ROW + ROW.replace("01290", "01294")), 1):
        file.write_text(text, encoding="utf-8")  # somebody is still writing
        known = look(inventory(), file.parent, NOW + number, known)
        assert known.cuts == (expected(),)
    known = look(inventory(), file.parent, NOW + 9, known)
    assert known.cuts == (expected(), expected("01294"))
    assert look(inventory(), file.parent, NOW + 12, known) is known


def test_a_file_exchanged_for_one_of_the_same_size_and_time_is_noticed(file: Path) -> None:
    known = announced(inventory(), file.parent, NOW)
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    other = file.with_suffix(".new")
    other.write_text(HEAD + ROW.replace("01290", "01294"), encoding="utf-8")
    os.utime(other, ns=times)
    other.replace(file)
    for _ in range(2):
        known = look(inventory(), file.parent, NOW + 5, known)
    assert known.cuts == (expected("01294"),)


@pytest.mark.parametrize("damage", ["gone", "no list", "too large", "a folder", "a pipe"])
def test_the_last_good_cuts_stay_when_the_file_is_lost(file: Path, damage: str) -> None:
    known = announced(inventory(), file.parent, NOW)
    if damage == "no list":
        file.write_bytes(b"\xff\xff")
    elif damage == "too large":
        file.write_bytes(b"0" * (MAX_BYTES + 1))
    else:
        file.unlink()
        if damage == "a folder":
            file.mkdir()
        elif damage == "a pipe":
            os.mkfifo(file)
    reasons = {
        "gone": "no such file",
        "no list": UNTOLD,
        "too large": "larger than 2 MB; is it the list of planned cuts?",
        "a folder": "is no file; name a CSV file",
        "a pipe": "is no file; name a CSV file",
    }
    for at in (NOW + 5, NOW + 10):
        known = look(inventory(), file.parent, at, known)
    assert (known.cuts, known.error, known.read_at) == ((expected(),), reasons[damage], NOW)
    assert look(inventory(), file.parent, NOW + 15, known) is known
    reloaded = announced(inventory(), file.parent, NOW + 20, known)
    assert reloaded.cuts == (expected(),)


def test_the_cuts_of_another_file_do_not_stay(file: Path) -> None:
    known = announced(inventory(), file.parent, NOW)
    elsewhere = province(planned_cuts={"file": "other.csv"})
    assert announced(elsewhere, file.parent, NOW, known).cuts == ()


def test_what_an_inventory_brings_anew_counts_at_a_reload(file: Path) -> None:
    file.write_text(HEAD + ROW + ROW.replace("01290", "01297"), encoding="utf-8")
    known = announced(inventory(), file.parent, NOW)
    assert len(known.cuts) == 1
    larger = province(planned_cuts={"file": "planned-cuts.csv"}, communes=[{"code": "01290"}, {"code": "01297"}])
    assert len(announced(larger, file.parent, NOW, known).cuts) == 2
