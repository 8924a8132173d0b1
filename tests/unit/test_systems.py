"""The national systems: each file is whole, in three languages, polite, and enough for its probe kind."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from pydantic import ValidationError

from probes import systems as package
from probes.language import LANGUAGES
from probes.registry import KINDS
from probes.systems import System, Translated, read, systems
from tests.unit.inventories import REQUIRED as SAMPLES

FOLDER = Path(package.__file__).parent
FILES = sorted(FOLDER.glob("*.yaml"))
ALL = pytest.mark.parametrize("system", systems().values(), ids=systems().keys())

NEEDED = {
    *("national-portal", "provincial-procedures", "one-stop-shop", "population-database", "vneid", "civil-status"),
    *("business-registration", "online-payment", "tax-software", "budget-codes", "national-single-window"),
    *("health-licensing", "meritorious-persons", "meritorious-persons-network", "interconnected-services"),
    *("land-database", "frequency-licences", "data-sharing-platform", "national-data-axis", "meeting-server"),
    *("digital-signature-timestamp", "digital-signature-ocsp", "traceability", "document-exchange"),
    *("document-archive", "citizen-feedback"),
}
"""Ids that inventories may already use: add, never rename."""


def texts(system: System) -> Iterator[tuple[str, Translated]]:
    yield from (("names", system.names), ("owner", system.owner), ("action", system.action))


def test_every_file_is_one_system_named_as_the_file() -> None:
    assert list(systems()) == [file.stem for file in FILES]
    assert [key for key, system in systems().items() if system.id != key] == []


def test_no_system_that_inventories_may_name_has_gone() -> None:
    assert NEEDED - set(systems()) == set()


def test_the_languages_are_those_of_the_product() -> None:
    assert tuple(Translated.model_fields) == LANGUAGES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_key_is_written_twice(file: Path) -> None:
    pending = [yaml.compose(file.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            pending += [value for _, value in node.value]


@ALL
def test_every_text_is_composed_and_each_language_has_its_own(system: System) -> None:
    for field, text in texts(system):
        words = list(text.model_dump().values())
        assert all(unicodedata.is_normalized("NFC", word) for word in words), field
        assert len(set(words)) == len(LANGUAGES), field


@ALL
def test_vietnamese_carries_its_diacritics_and_english_has_none(system: System) -> None:
    for field, text in texts(system):
        assert not text.vi.isascii(), field
        assert text.en.isascii(), field


@ALL
def test_what_to_do_is_said_in_at_most_three_sentences_and_names_whom_to_call(system: System) -> None:
    for word, text in zip(("gọi", "call", "appelez"), system.action.model_dump().values(), strict=True):
        assert 1 <= len(re.findall(r"\.(?= |$)", text)) <= 3, text
        assert word in text


@ALL
def test_no_two_systems_share_a_name(system: System) -> None:
    others = [other for other in systems().values() if other is not system]
    assert [
        other.id for other in others if set(other.names.model_dump().values()) & set(system.names.model_dump().values())
    ] == []


@ALL
def test_given_and_required_settings_together_are_enough_for_the_kind(system: System) -> None:
    filled = {**system.settings, **{name: SAMPLES[name] for name in system.required}}
    KINDS[system.kind].settings.model_validate(filled)


@ALL
def test_every_required_setting_is_really_missing(system: System) -> None:
    filled: dict[str, Any] = {**system.settings, **{name: SAMPLES[name] for name in system.required}}
    for name in system.required:
        with pytest.raises(ValidationError) as caught:
            KINDS[system.kind].settings.model_validate({key: filled[key] for key in filled if key != name})
        assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [("missing", (name,))]


@ALL
def test_a_connection_alone_claims_nothing_about_the_application(system: System) -> None:
    assert (system.kind == "tcp") == (system.layer == "network")


@ALL
def test_an_attempt_ends_before_the_next_and_slow_lies_below_its_end(system: System) -> None:
    assert 0 < system.settings["slow_s"] < system.settings["timeout_s"] < system.beat_s


@ALL
def test_a_default_address_is_a_public_one_of_the_government(system: System) -> None:
    host = system.settings.get("host") or urlsplit(system.settings.get("url", "")).hostname
    assert host is None or str(host).endswith(".gov.vn")
    assert host is not None or system.required


GOOD = """\
id: portal
names: {vi: Cổng, en: Portal, fr: Portail}
owner: {vi: Bộ, en: Ministry, fr: Ministère}
layer: application
via: internet
kind: http
settings: {slow_s: 3}
required: [url]
beat_s: 60
action: {vi: Gọi Bộ., en: Call the ministry., fr: Appelez le ministère.}
source: public pages
"""


def test_a_whole_file_is_read() -> None:
    system = read("portal.yaml", GOOD)
    assert (system.id, system.names.vi, system.required, system.beat_s) == ("portal", "Cổng", ("url",), 60)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("via: internet", "via: internet\ncolour: red", "colour: Extra inputs are not permitted"),
        (", fr: Portail", "", "names.fr: Field required"),
        (", fr: Portail", ", fr: ' '", "names.fr: String should have at least 1 character"),
        (", fr: Portail", ", fr: Portail, de: Portal", "names.de: Extra inputs are not permitted"),
        ("layer: application", "layer: cable", "layer: Input should be 'network' or 'application'"),
        ("via: internet", "via: post", "via: Input should be 'dedicated' or 'internet'"),
        ("beat_s: 60", "beat_s: 59", "beat_s: Input should be greater than or equal to 60"),
        ("beat_s: 60", "beat_s: '60'", "beat_s: Input should be a valid number"),
        ("source: public pages\n", "", "source: Field required"),
        ("required: [url]", "required: [slow_s]", "required names what settings already give: slow_s"),
        ("id: portal", "id: door", "id: 'door' belongs into door.yaml"),
        ("id: portal", "id: Cổng", "id: String should match pattern '^[a-z0-9][a-z0-9-]{0,62}$'"),
        ("id: portal", "\tid: portal", "line 1: found character that cannot start any token"),
        (GOOD, "", "Input should be a valid dictionary or instance of System"),
        (GOOD, "- id: portal", "Input should be a valid dictionary or instance of System"),
    ],
)
def test_a_wrong_file_is_told_by_file_and_path(right: str, wrong: str, message: str) -> None:
    assert right in GOOD
    with pytest.raises(ValueError, match=r"^portal\.yaml: ") as caught:
        read("portal.yaml", GOOD.replace(right, wrong))
    assert str(caught.value) == f"portal.yaml: {message}"


def test_all_errors_of_a_file_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="portal") as caught:
        read("portal.yaml", GOOD.replace(", fr: Portail", "").replace("layer: application", "layer: cable"))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["names.fr", "layer"]


def test_a_system_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        systems()["national-portal"].beat_s = 1  # type: ignore[misc]  # that is the point


def test_nothing_is_read_on_import() -> None:
    program = "from probes.systems import systems; assert systems.cache_info().currsize == 0"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_the_wheel_ships_every_file() -> None:
    root = Path(__file__).parents[2]
    shipped = {included.distribution_path for included in WheelBuilder(str(root)).recurse_included_files()}
    assert {f"probes/systems/{file.name}" for file in FILES} - shipped == set()
