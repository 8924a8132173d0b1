"""Which column of a table says what, by its header in Vietnamese or English."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from agent.table import folded, unbracketed

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "code": "commune code",
        "name": "commune name",
        "prefix": "prefix",
        "address": "link address",
        "medium": "link medium",
        "backup": "backup link address",
        "backup_medium": "backup link medium",
        "trunk": "trunk",
        "router": "router address",
        "switch": "switch address",
        "ups": "UPS address",
        "site_class": "site class",
        "contact": "contact name",
        "phone": "contact phone",
        "email": "contact email",
        "identification_code": "identification code",
    }
)
"""Every column that can be read, as people are told of it."""
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "code": (
            "mã xã|mã đvhc|mã phường xã|mã xã phường|mã đơn vị hành chính|mã hành chính|mã|code|"
            "commune code|ward code|mã đơn vị|đvhc"
        ),
        "name": (
            "tên xã|xã phường|xã|phường xã|tên xã phường|tên đơn vị|tên phường xã|đơn vị|tên đvhc|"
            "đơn vị hành chính|xã phường đặc khu|tên|commune|commune name|ward|name|"
            "tên đơn vị hành chính|tên xã phường đặc khu|địa phương"
        ),
        "prefix": (
            "dải địa chỉ|dải địa chỉ ip|dải ip|dải mạng|mạng|lớp mạng|dải|subnet|prefix|network|"
            "ip range|mạng lan|dải ip lan|dải địa chỉ lan|lan|address range|cidr|dải địa chỉ ip lan"
        ),
        "medium": (
            "loại đường truyền|loại kênh|loại kênh truyền|phương thức truyền dẫn|"
            "môi trường truyền dẫn|đường truyền|loại kết nối|medium|link type|link medium|"
            "loại đường truyền chính|công nghệ|kênh truyền|hình thức kết nối|media|"
            "đường truyền chính|loại kênh chính|loại truyền dẫn|primary medium"
        ),
        "backup_medium": (
            "loại đường truyền dự phòng|loại dự phòng|loại kênh dự phòng|đường truyền dự phòng|"
            "backup medium|kênh dự phòng|backup link type|phương thức dự phòng|backup type|"
            "đường dự phòng|backup link|công nghệ dự phòng"
        ),
        "trunk": (
            "tuyến|vòng ring|ring|vòng|tuyến truyền dẫn|tuyến cáp|trunk|tuyến trục|tên tuyến|"
            "mã tuyến|route|tuyến vòng|tuyến vòng ring|tuyến ring|vòng cáp"
        ),
        "site_class": "loại điểm|phân loại|class|site class|phân loại điểm|loại hình điểm|nhóm điểm|site type",
        "contact": (
            "người liên hệ|đầu mối|liên hệ|cán bộ đầu mối|người phụ trách|cán bộ phụ trách|"
            "đầu mối liên hệ|contact|họ tên|họ và tên|contact name|cán bộ|contact person|"
            "họ tên đầu mối|tên đầu mối|tên người liên hệ"
        ),
        "phone": (
            "điện thoại|số điện thoại|sđt|đt|di động|phone|telephone|mobile|phone number|tel|"
            "điện thoại liên hệ|sđt liên hệ|sđt đầu mối|điện thoại đầu mối|số đt|contact phone|"
            "số điện thoại liên hệ"
        ),
        "email": ("email|e mail|thư điện tử|địa chỉ email|hộp thư|mail|contact email|email liên hệ|email đầu mối"),
        "identification_code": (
            "mã định danh|mã định danh điện tử|identification code|mã định danh cấp 2|"
            "mã định danh đơn vị|mã định danh cơ quan"
        ),
    }
)
"""Each column's usual headers, with `|` between them."""
_THINGS: Mapping[str, str] = MappingProxyType(
    {
        "address": (
            "|link|wan|chính|đường truyền|đường truyền chính|kênh chính|kênh truyền|đường chính|"
            "primary|main|kết nối|primary link|link chính|đầu xa"
        ),
        "backup": (
            "dự phòng|đường dự phòng|kênh dự phòng|đường truyền dự phòng|backup|backup link|phụ|"
            "link dự phòng|secondary|wan dự phòng|kênh phụ|đường phụ|standby"
        ),
        "router": "router|bộ định tuyến|thiết bị định tuyến|định tuyến|gateway|cổng mặc định",
        "switch": "switch|bộ chuyển mạch|thiết bị chuyển mạch|chuyển mạch|sw",
        "ups": "ups|bộ lưu điện|lưu điện|thiết bị lưu điện",
    }
)
"""What an address can be of."""
_ADDRESS = "địa chỉ ip|địa chỉ|ip|address|ip address|addr"
"""How headers say that they give an address."""
_NEEDLESS = "stt|tt|số tt|số thứ tự|no|nr|ghi chú|note|notes|remark|remarks|huyện cũ|tỉnh|province"


@dataclass(frozen=True)
class Header:
    """What a header's cells mean: index by column, what needs none, and what is not understood."""

    cells: tuple[str, ...]
    columns: Mapping[str, int]
    needless: tuple[str, ...]
    unknown: tuple[str, ...]
    twice: str
    """What is wrong where two columns would be the same; empty if none are."""

    @property
    def names_communes(self) -> bool:
        """Whether rows below can be told apart."""
        return "code" in self.columns or "name" in self.columns


def header_of(cells: Sequence[str]) -> Header:
    """Read a row as a header; every row can be, most of them mean nothing."""
    columns: dict[str, int] = {}
    needless, unknown, twice = [], [], ""
    for index, cell in enumerate(cells):
        column = column_of(cell)
        if column is None and folded(cell) in _needless():
            needless.append(cell)
        elif column is None:
            if cell:
                unknown.append(cell)
        elif column in columns:
            other = cells[columns[column]]
            twice = twice or (
                f"the columns {other!r} and {cell!r} ({columns[column] + 1} and {index + 1}) would both be the "
                f"{MEANINGS[column]}; rename or delete one of them"
            )
        else:
            columns[column] = index
    return Header(tuple(cells), columns, tuple(needless), tuple(unknown), twice)


def suggestion(cell: str) -> str:
    """A header that would be understood and is close; empty if none is."""
    near = difflib.get_close_matches(folded(cell[:60]), list(_folded_spellings()), n=1, cutoff=0.7)
    return f"did you mean {_folded_spellings()[near[0]]!r} ({MEANINGS[_known()[near[0]]]})?" if near else ""


def says_address(cell: str) -> bool:
    """Whether a header says in so many words that addresses stand below: `UPS` alone may as well be yes or no."""
    return bool({"ip", "dia", "address", "addr"} & set(folded(cell).split()))


def column_of(cell: str) -> str | None:
    """The column that a header means; what stands in brackets may be left out (`Địa chỉ IP (WAN)`)."""
    known = _known()
    return known.get(folded(cell)) or known.get(folded(unbracketed(cell)))


@cache
def _known() -> Mapping[str, str]:
    return {folded(text): column for text, column in _spellings()}


@cache
def _needless() -> frozenset[str]:
    return frozenset(folded(text) for text in _NEEDLESS.split("|"))


def _spellings() -> Iterator[tuple[str, str]]:
    for column, things in _THINGS.items():
        for thing in things.split("|"):
            for address in _ADDRESS.split("|"):
                if thing or address != "địa chỉ":  # alone it is where the house stands
                    yield f"{address} {thing}", column
                    yield f"{thing} {address}", column
            if column not in {"address", "backup"}:
                yield thing, column
    for column, texts in _HEADERS.items():
        for text in texts.split("|"):
            yield text, column


@cache
def _folded_spellings() -> Mapping[str, str]:
    return {folded(text): text.strip() for text, _ in _spellings() if text.strip()}
