"""The translations: complete, with the same placeholders, and nothing left over."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from probes import names
from probes.language import DOMAIN, LANGUAGES, LOCALE, translator
from probes.results import NOT_CONNECTED, Cause, CommuneState, Reason, RootKind

ROOT = LOCALE.parent.parent
PACKAGES = ("probes", "agent", "dashboards", "alerts", "deploy")
OTHERS = [language for language in LANGUAGES if language != "en"]


@cache
def _extracted() -> frozenset[str]:
    keywords = {"translate": None, "message": None}
    found = (
        entry[2]
        for package in PACKAGES
        for entry in extract_from_dir(Path(ROOT, package), [("**.py", "python")], keywords=keywords)
    )
    return frozenset(message for message in found if isinstance(message, str) and message)


@cache
def _catalogue(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, locale=language)


def _placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_and_none_is_left_over(language: str) -> None:
    translated = {entry.id: entry.string for entry in _catalogue(language) if entry.id}
    assert set(translated) == _extracted()
    assert [key for key, text in translated.items() if not text] == []
    assert not _catalogue(language).obsolete


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_their_placeholders_and_are_not_guesses(language: str) -> None:
    for entry in _catalogue(language):
        if entry.id:
            assert _placeholders(str(entry.string)) == _placeholders(str(entry.id))
            assert not entry.fuzzy, entry.id


@pytest.mark.parametrize("language", OTHERS)
def test_the_compiled_catalogue_is_the_written_one(language: str) -> None:
    translate = translator(language)
    stale = [entry.id for entry in _catalogue(language) if entry.id and translate(str(entry.id)) != entry.string]
    assert stale == [], "compile again: pybabel compile -D lienxa -d probes/locale"


@pytest.mark.parametrize("language", OTHERS)
def test_a_moment_keeps_the_numbers_of_gos_layout(language: str) -> None:
    layout = translator(language)("15:04 on 2 Jan 2006")
    assert layout.startswith("15:04 ")
    assert layout.endswith("02/01/2006")


def test_every_label_value_that_people_read_has_a_word() -> None:
    assert set(names.STATES) == {*CommuneState, NOT_CONNECTED}
    assert set(names.CAUSES) == set(Cause)
    assert set(names.ROOT_KINDS) == set(RootKind)
    assert set(names.REASONS) == set(Reason)
