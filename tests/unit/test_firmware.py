"""Which firmware is older, in the spellings of real makers; and whom a rule of the inventory concerns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from probes.model import FirmwareRule
from probes.profiles.firmware import outdated, version_of


@pytest.mark.parametrize(
    "rising",
    [
        ("6.45.7", "6.49.10 (long-term)", "7.9", "7.12beta3", "7.12rc1", "7.12 (stable)", "7.12.1", "7.20.4"),
        ("RUT9XX_R_00.06.00.4", "RUT_R_00.07.06.1", "RUTX_R_00.07.06.2", "RUT9_R_00.07.06.18", "RUT2M_R_00.07.10"),
        ("V100R001C00SPC602", "Version 5.160 V200R007C00SPC500", "V200R009C00SPC500", "V200R010C00", "V300R001"),
        ("12.4(25b)", "15.2(4)E9", "15.2(4)E10", "15.8(3)M4"),
        ("V2.8.23.A.19.P02", "V2.8.23.A.20"),
        ("XC.qca955x.v8.5.1.37185.180307.0931", "XC.v8.7.4"),
        ("173619", "173620"),
        ("0.9.1", "1.0"),
    ],
)
def test_makers_versions_are_put_in_order(rising: tuple[str, ...]) -> None:
    versions = [version_of(text) for text in rising]
    assert all(older is not None and newer is not None and older < newer for older, newer in pairwise(versions))


@pytest.mark.parametrize(
    ("one", "same"), [("7.12", "7.12.0"), ("7.6.1", "RUT_R_00.07.06.1"), ("V7.12", "7.12 (stable)")]
)
def test_other_spellings_are_the_same_version(one: str, same: str) -> None:
    assert version_of(one) == version_of(same) is not None


@pytest.mark.parametrize("text", ["", "n/a", "unknown", "stable (testing)"])
def test_a_text_without_a_number_is_no_version(text: str) -> None:
    assert version_of(text) is None


@given(st.text(max_size=120), st.text(max_size=120))
def test_any_two_texts_can_be_compared(one: str, other: str) -> None:
    versions = [version for version in (version_of(one), version_of(other)) if version is not None]
    assert sorted(versions)[-1:] == ([max(versions)] if versions else [])


RULES = (
    FirmwareRule(profile="mikrotik", minimum="7.12"),
    FirmwareRule(profile="mikrotik", model="RBLHGR*", minimum="7.20"),
    FirmwareRule(manufacturer="teltonika", minimum="RUT_R_00.07.06.1"),
)


@pytest.mark.parametrize(
    ("profile", "manufacturer", "model", "firmware", "expected"),
    [
        ("mikrotik", "MikroTik", "RB750Gr3", "6.49.10", True),
        ("mikrotik", "MikroTik", "RB750Gr3", "7.12", False),
        ("mikrotik", "MikroTik", "RBLHGR", "7.12", True),
        ("mikrotik", "MikroTik", "RBLHGR", "", None),
        ("teltonika", "Teltonika", "RUT240", "RUT2_R_00.07.06.21", False),
        ("teltonika-old", "Teltonika", "RUT240", "RUT2XX_R_00.01.07.1", True),
        ("cisco", "Cisco Systems, Inc", "IR809G", "15.8(3)M4", None),
    ],
)
def test_a_rule_concerns_what_fits_all_that_it_says(
    profile: str, manufacturer: str, model: str, firmware: str, expected: bool | None
) -> None:
    assert outdated(RULES, profile, manufacturer, model, firmware) is expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"minimum": "7.12"}, "needs profile, manufacturer or model: versions of different makers cannot be compared"),
        ({"profile": "mikrotik", "minimum": "newest"}, "must be a version as the device tells it, such as 7.12"),
    ],
)
def test_a_rule_that_says_too_little_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as told:
        FirmwareRule.model_validate(wrong)
    assert message in str(told.value)
