"""What people write, in Vietnamese or in haste, and the key or value that they mean by it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from agent.table import folded
from probes import units
from probes.systems import systems

_MEANT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # values
        "cap quang": ("fibre",),
        "quang": ("fibre",),
        "fiber": ("fibre",),
        "ftth": ("fibre",),
        "4g": ("lte",),
        "5g": ("lte",),
        "3g": ("lte",),
        "di dong": ("lte",),
        "sim": ("lte",),
        "viba": ("radio",),
        "vi ba": ("radio",),
        "vo tuyen": ("radio",),
        "microwave": ("radio",),
        "ve tinh": ("vsat",),
        "satellite": ("vsat",),
        "chinh": ("primary",),
        "main": ("primary",),
        "du phong": ("backup",),
        "phu": ("backup",),
        "secondary": ("backup",),
        "luu dien": ("ups",),
        "bo luu dien": ("ups",),
        "dinh tuyen": ("router",),
        "bo dinh tuyen": ("router",),
        "chuyen mach": ("switch",),
        "tieng viet": ("vi",),
        "vn": ("vi",),
        "hang ngay": ("daily",),
        "hang tuan": ("weekly",),
        "hang thang": ("monthly",),
        "co": ("true",),
        "dung": ("true",),
        "khong": ("false",),
        "sai": ("false",),
        # keys
        "tinh": ("province",),
        "tuyen": ("trunk", "trunks"),
        "truc": ("trunk", "trunks"),
        "ma": ("code", "id"),
        "ma xa": ("code",),
        "xa": ("communes", "code"),
        "cac xa": ("communes",),
        "phuong": ("communes", "code"),
        "ten": ("name",),
        "thiet bi": ("devices",),
        "dich vu": ("services",),
        "he thong": ("use", "services"),
        "lien he": ("contact", "contacts"),
        "dau moi": ("contact", "contacts"),
        "dia chi": ("address", "host"),
        "ip": ("address", "host"),
        "dien thoai": ("phone",),
        "so dien thoai": ("phone",),
        "sdt": ("phone",),
        "thu dien tu": ("email",),
        "duong truyen": ("links", "medium"),
        "ket noi": ("links", "connected"),
        "lien ket": ("links",),
        "vai tro": ("role",),
        "loai": ("medium", "role", "kind"),
        "cong": ("port",),
        "bao tri": ("maintenance",),
        "ngon ngu": ("languages",),
        "nha mang": ("carrier",),
        "vien thong": ("carrier",),
        "dien luc": ("electricity",),
        "truc ban": ("on_call",),
        "bat dau": ("start",),
        "ket thuc": ("end",),
        "ly do": ("reason",),
        "tieu de": ("title",),
    }
)
"""Folded, and what may be meant, the likeliest first: the first that can stand in the place is offered."""
_TYPE_WORD = re.compile("^(?:tinh|thanh pho|tp) ")


def meant(word: str, known: Iterable[str]) -> str:
    """A suggestion for a word that nobody knows; empty if none is close."""
    names = list(known)
    bare = folded(word)
    same = [name for name in names if folded(name) == bare]
    told = [name for name in _MEANT.get(bare, ()) if name in names]
    near = same or told or difflib.get_close_matches(word, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def meant_system(word: str) -> str:
    """The same for a national system, which people know by its name."""
    found = _named_systems().get(folded(word))
    return f"; did you mean {found!r}?" if found else meant(word, systems())


def province_of(name: str) -> str | None:
    """The code of a province that is told by its name."""
    return _provinces().get(_TYPE_WORD.sub("", folded(name)))


def slug(text: str) -> str:
    """A text as an identifier; empty where nothing of it can stay."""
    return "-".join(folded(text).split())[:63].strip("-")


@cache
def _named_systems() -> Mapping[str, str]:
    return {
        folded(name): system.id
        for system in systems().values()
        for name in (system.names.vi, system.names.en, system.names.fr)
    }


@cache
def _provinces() -> Mapping[str, str]:
    found = [unit for unit in units.by_code().values() if unit.type == "province"]
    return {_TYPE_WORD.sub("", folded(unit.name)): unit.code for unit in found}
