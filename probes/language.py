"""Translators as values: Vietnamese, English, French from the one gettext domain `lienxa`."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from pathlib import Path

Translate = Callable[[str], str]
"""Turns an English message into the reader's language."""

LANGUAGES = ("vi", "en", "fr")
DOMAIN = "lienxa"
LOCALE = Path(__file__).parent / "locale"


def translator(language: str) -> Translate:
    """The translator of one of `LANGUAGES`; English is the messages themselves."""
    if language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}; known: {', '.join(LANGUAGES)}")
    if language == "en":
        return gettext.NullTranslations().gettext
    return gettext.translation(DOMAIN, LOCALE, [language]).gettext
