"""How a web service says that it is overloaded, or that it takes us for a robot."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

STATUS = frozenset({429, 502, 503, 504})
"""RFC 6585 4, RFC 9110 15.6.3 to 15.6.5."""

MARKERS = (
    "hệ thống đang bận",
    "hệ thống quá tải",
    "đang quá tải",
    "hệ thống đang bảo trì",
    "đang được bảo trì",
    "bảo trì hệ thống",
    "vui lòng thử lại",
    "vui lòng quay lại sau",
    "phòng chờ",
)
"""What Vietnamese waiting rooms and maintenance pages say."""
_PAGE_BYTES = 32 << 10
"""A waiting room or a challenge is a short page; in a long one the same words are news."""
_LONGEST_PAUSE_S = 600.0

_CHALLENGE_HEADERS: Mapping[str, re.Pattern[str]] = {
    "cf-mitigated": re.compile("challenge"),
    "x-amzn-waf-action": re.compile("challenge|captcha"),
    "x-datadome": re.compile("."),
    "x-sucuri-block": re.compile("."),
}
"""What firewalls call their challenges: Cloudflare, AWS WAF, DataDome, Sucuri."""
_CHALLENGE_WORDS = (
    "/cdn-cgi/challenge-platform/",  # Cloudflare
    "_incapsula_resource",  # Imperva
    "/tspd/",  # F5, its script
    "the requested url was rejected. please consult with your administrator",  # F5, its page
    "web page blocked",  # FortiWeb
    "awswafintegration",
)
_SETS_COOKIE = "document.cookie"
_COMES_AGAIN = re.compile(r"location\.(?:reload|replace)\(|location(?:\.href)?\s*=")


@dataclass(frozen=True, slots=True)
class Pause:
    """What a target remembers that was asked not to be asked again before a moment (monotonic)."""

    until_s: float


def waiting(body: bytes, text: str, markers: Iterable[str]) -> str | None:
    """The marker that a page holds and only a waiting room would; without regard to case, entities and line ends."""
    if len(body) > _PAGE_BYTES:
        return None
    page = _plain(text)
    return next((marker for marker in markers if _plain(marker) in page), None)


def challenged(headers: Mapping[str, str], body: bytes, text: str) -> bool:
    """Whether a firewall wants to see a browser or a person, in place of what was asked for."""
    if any(pattern.search(headers.get(name, "").lower()) for name, pattern in _CHALLENGE_HEADERS.items()):
        return True
    if len(body) > _PAGE_BYTES:
        return False
    page = text.lower()
    return any(word in page for word in _CHALLENGE_WORDS) or (
        _SETS_COOKIE in page and _COMES_AGAIN.search(page) is not None
    )


def pause_s(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Seconds after which to ask again (`Retry-After`, RFC 9110 10.2.3), ten minutes at most; none where not said."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        seconds = float(said[:9])
    else:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - wall_s
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return min(seconds, _LONGEST_PAUSE_S) if seconds > 0 else None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", html.unescape(text)).casefold().split())
