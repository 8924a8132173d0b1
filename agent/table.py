"""Tables as spreadsheets save them: their encoding, their signs, and headers for comparison."""

from __future__ import annotations

import codecs
import re
import unicodedata

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
HEADER_WITHIN = 30
"""Rows among which the header is looked for: sheets begin with titles."""
HOW_TO_SAVE = (
    "in Excel choose File > Save As > `CSV UTF-8 (Comma delimited)`, in LibreOffice Save As > Text CSV with the "
    "character set Unicode (UTF-8)"
)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .ods (ZIP), and .xls (OLE), begin."""
_MISREAD = re.compile(
    "ï»¿|á[º»][\x80-\x9f\xa1-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|"
    "[ÃĂ][€‚ƒˆ‰ŠŒ™š¡¢£¨©ª¬\xad²³´µ¹º½\x81\x8d\x9d]|Ä[‘ƒ‚\x90]|Æ[°¡]"
)
"""Vietnamese letters in UTF-8 as Windows-1252, or 1258, shows them: what no language of ours has beside each other."""
_LATIN = {bytes([byte]).decode("cp1252", "ignore") or chr(byte): byte for byte in range(256)}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'"))  # what word processors put
_LOST = re.compile(r"[^\W\d_][?\ufffd][^\W\d_]|(?<!\S)[?\ufffd][^\W\d_]|[^\W\d_][?\ufffd].*[^\W\d_][?\ufffd]")


class Spoilt(Exception):
    """A file's bytes are no text that can be read; the message says why and what to do."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        """`line` is where it shows, if it shows at one."""
        super().__init__(reason)
        self.line = line


def decoded(data: bytes) -> tuple[str, str]:
    """Encoding and text of a CSV file, with composed letters; raises `Spoilt`."""
    if data.startswith(_WORKBOOKS):
        raise Spoilt(f"is a workbook, not CSV text; {HOW_TO_SAVE}")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        if not wide and (lost := lost_letters(data.decode("latin-1").split("\n")[line - 1])):
            raise Spoilt(lost, line) from None
        raise Spoilt(f"the text is in no encoding that can be told from others; {HOW_TO_SAVE}", line) from None
    if "\0" in text:
        raise Spoilt(f"is not text; {HOW_TO_SAVE}")
    misread = _MISREAD.search(text)
    if misread is not None:
        raise Spoilt(
            f"{_word(text, misread)!r} is no Vietnamese: UTF-8 text was opened in another encoding, and saved so; open "
            "the original again, in Excel with Data > From Text/CSV and the file origin 65001 (UTF-8), and save it: "
            f"{HOW_TO_SAVE}",
            text.count("\n", 0, misread.start()) + 1,
        )
    return "UTF-16" if wide else "UTF-8", unicodedata.normalize("NFC", text)


def _word(text: str, found: re.Match[str]) -> str:
    """What stands around a find, as far as the next space or sign that divides cells."""
    before = re.split(r'[\s,;"]', text[max(0, found.start() - 20) : found.start()])[-1]
    return before + re.split(r'[\s,;"]', text[found.start() : found.start() + 20])[0]


def clean(cell: str) -> str:
    """One line with straight quotes and without signs that cannot be seen: no-break spaces, zero-width marks."""
    seen = "".join(sign for sign in cell if sign.isspace() or sign.isprintable())
    return " ".join(seen.translate(_QUOTES).split())


def misread(cell: str) -> str:
    """What a cell was before its UTF-8 was read as Windows-1252; empty if it never was."""
    if cell.isascii() or any(sign not in _LATIN for sign in cell):
        return ""
    try:
        return bytes(_LATIN[sign] for sign in cell).decode("utf-8")
    except UnicodeDecodeError:
        return ""


def folded(text: str) -> str:
    """Text for comparison: small letters and digits without diacritics, one space between words."""
    plain = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[a-z0-9]+", letters))


def unbracketed(cell: str) -> str:
    """A header without what stands in brackets: `Địa chỉ IP (WAN)`."""
    return re.sub(r"\(.*?\)|\[.*?\]", " ", cell)


def lost_letters(cell: str) -> str:
    """What to say of a cell in which `?` stands for letters; empty where none does."""
    if not _LOST.search(cell):
        return ""
    return f"{cell[:40]!r} lost letters (?) when the file was saved; save the original again: {HOW_TO_SAVE}"
