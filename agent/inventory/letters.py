"""Signs that word processors, phones and editors put in place of others; each is said, and read as it was meant."""

from __future__ import annotations

import re

BLANKS = "\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff"
"""White space that YAML takes for letters."""
DASHES = "‐‑‒–—―−"
"""What is no hyphen and looks like one."""
QUOTES = "“”„‟‘’‚‛«»"
CLOSING = "”’»"

_BLANK_ENDS = re.compile(rf"^[{BLANKS}]+|[{BLANKS}]+$")


def mended(text: str, *, plain: bool) -> tuple[str, str]:
    """A text as it was meant, and what is wrong with it, if anything; `plain` is whether it stands without quotes.

    The value itself is never repeated: it may be a secret that does not belong there.
    """
    if text.isascii():
        return text, ""
    inner = _BLANK_ENDS.sub("", text)
    if inner != text:
        sign = text[0] if text[0] != inner[:1] else text[-1]
        return inner, f"a strange space (U+{ord(sign):04X}) stands beside it; delete it and type ordinary spaces"
    outside, anywhere = sum(sign in QUOTES for sign in (text[0], text[-1])), sum(sign in QUOTES for sign in text)
    if outside == anywhere == 2 or (plain and outside == anywhere == 1):  # else they quote words within the text
        found = " ".join(dict.fromkeys(sign for sign in text if sign in QUOTES))
        return text.strip(f"{QUOTES}\"'"), f'use straight quotes " in place of {found}'
    if plain and text[0] in DASHES:
        return text, f"begins with the dash {text[0]}; a list is written with hyphens: - and a space"
    return text, ""
