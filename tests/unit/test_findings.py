"""What an inventory costs is told in one line for each finding: how many, the first few by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from agent.findings import Finding, findings, readings
from probes import metrics, units
from probes.model import VIETNAM, Province
from tests.unit.fakes import province

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=VIETNAM).timestamp()
CONTACT = {"name": "Trực", "phone": "0206 3852 000"}
CODES = [unit.code for unit in units.communes("04")]


def found(whole: Province, now_s: float = NOW, **told: Any) -> dict[Finding, str]:
    return {item.finding: item.text for item in findings(whole, now_s, **told)}


def commune(code: str, number: int, **parts: object) -> dict[str, object]:
    """A commune of which there is nothing to say; `parts` replace what an inventory would say."""
    links = [{"address": f"10.4.{number}.1"}, {"role": "backup", "address": f"10.4.{number}.3"}]
    return {"code": code, "links": links, "contact": CONTACT, "identification_code": f"H14.{number}", **parts}


def whole(**parts: object) -> Province:
    """A province of which there is nothing to say."""
    everything = {
        "communes": [commune(code, number) for number, code in enumerate(CODES, 1)],
        "contacts": {"webhook_url": "http://127.0.0.1:9099/", "electricity": CONTACT, "carrier": CONTACT},
        "credentials": {},
        "trunks": [],
        "services": [],
    }
    return province(**{**everything, **parts})


def some(number: int, **parts: object) -> list[dict[str, object]]:
    """All communes, the first few of them with these parts."""
    return [commune(code, at, **(parts if at <= number else {})) for at, code in enumerate(CODES, 1)]


def test_of_an_inventory_that_lacks_nothing_nothing_is_said() -> None:
    assert findings(whole(), NOW) == []


def test_the_findings_come_in_one_order_and_each_once() -> None:
    order = [item.finding for item in findings(province(), NOW)]
    assert order == sorted(set(order), key=list(Finding).index)


@pytest.mark.parametrize(
    ("parts", "finding", "text"),
    [
        (
            {"references": []},
            Finding.NO_REFERENCES,
            "no references: the agent can tell its own blindness only when every link and trunk is silent; "
            "name one or two addresses close to it",
        ),
        (
            {"contacts": {"electricity": CONTACT, "carrier": CONTACT}},
            Finding.NO_WEBHOOK,
            "no contacts.webhook_url: alerts are shown, and sent to nobody",
        ),
        (
            {"contacts": {"webhook_url": "http://127.0.0.1:9099/", "carrier": CONTACT}},
            Finding.NO_ELECTRICITY_CONTACT,
            "no contacts.electricity: an alert about a power cut names nobody to call",
        ),
        (
            {"contacts": {"webhook_url": "http://127.0.0.1:9099/", "electricity": CONTACT}},
            Finding.NO_CARRIER_CONTACT,
            "no contacts.carrier: an alert about a dead link or trunk names nobody to call",
        ),
        (
            {"communes": some(0)[5:]},
            Finding.MISSING_COMMUNE,
            "5 of 56 communes of Tỉnh Cao Bằng are missing, nobody watches them: 01273 Phường Thục Phán, "
            "01279 Phường Nùng Trí Cao, 01288 Phường Tân Giang and 2 more",
        ),
        (
            {"communes": some(1, links=[{}, {"role": "backup"}])},
            Finding.NO_OBSERVED_LINK,
            "1 of 56 communes has no link with an address, so that nothing can be said of it: 01273 Phường Thục Phán",
        ),
        (
            {"communes": some(12, links=[{"address": "10.4.1.1"}])},
            Finding.ONE_LINK,
            "12 of 56 communes have one link only: 01273 Phường Thục Phán, 01279 Phường Nùng Trí Cao, "
            "01288 Phường Tân Giang and 9 more",
        ),
        (
            {"communes": some(2, identification_code=None)},
            Finding.NO_IDENTIFICATION_CODE,
            "2 of 56 communes have no identification_code, which electronic documents are addressed with: "
            "01273 Phường Thục Phán, 01279 Phường Nùng Trí Cao",
        ),
        (
            {"communes": some(56, contact=None)},
            Finding.NO_COMMUNE_CONTACT,
            "56 of 56 communes have no contact, so that nobody on site can be asked to look: 01273 Phường Thục Phán, "
            "01279 Phường Nùng Trí Cao, 01288 Phường Tân Giang and 53 more",
        ),
        (
            {"trunks": [{"id": "ring"}, {"id": "spur", "parent": "ring"}], "communes": some(1, trunk="ring")},
            Finding.TRUNK_WITHOUT_COMMUNES,
            "1 of 2 trunks has no commune behind it: spur",
        ),
        (
            {"site_classes": {"hq": {}, "far": {}}},
            Finding.UNUSED_SITE_CLASS,
            "2 site classes have no commune: hq, far",
        ),
        (
            {"credentials": {"old": {"community": {"env": "COMMUNITY"}}}},
            Finding.UNUSED_CREDENTIAL,
            "1 credential is used by no device or service: old",
        ),
        (
            {
                "services": [
                    {"id": "land", "kind": "http", "connected": False, "expected_by": "2026-11-21"},
                    {"id": "budget", "kind": "http", "connected": False, "expected_by": "2026-11-22"},
                    {"id": "live", "kind": "tcp", "expected_by": "2026-01-01"},
                ]
            },
            Finding.EXPECTED_BY_PASSED,
            "1 service should have been connected by now: land (2026-11-21)",
        ),
    ],
)
def test_a_finding_says_how_many_and_names_the_first(parts: dict[str, object], finding: Finding, text: str) -> None:
    assert found(whole(**parts)) == {finding: text}


def test_without_communes_all_of_them_are_missing_and_nothing_else_is_said() -> None:
    empty = found(Province.model_validate({"province": "04"}))
    assert list(empty) == [Finding.MISSING_COMMUNE]
    assert empty[Finding.MISSING_COMMUNE].startswith("56 of 56 communes of Tỉnh Cao Bằng are missing")


# B7: security of the network

V2C = {"community": {"env": "A"}}
V3 = {"version": "v3", "user": "lienxa", "auth_protocol": "sha256", "auth_key": {"env": "B"}}
PRIVATE = {**V3, "privacy_protocol": "aes128", "privacy_key": {"env": "C"}}


def with_devices(**credentials: object) -> Province:
    """The first communes have a UPS each, asked with these credentials in turn."""
    communes = some(0)
    for number, name in enumerate(credentials):
        communes[number]["devices"] = [
            {"id": "ups", "role": "ups", "address": f"10.4.{number + 1}.2", "credential": name}
        ]
    return whole(communes=communes, credentials=credentials)


def test_devices_that_are_asked_in_the_clear_are_counted_by_how() -> None:
    assert found(with_devices(plain=V2C, old={"version": "v1", **V2C}, signed=V3, whole=PRIVATE)) == {
        Finding.SNMP_COMMUNITY: "2 of 4 devices are asked over SNMP v1 or v2c, which anybody on the way can read "
        "(credentials old, plain); use version: v3",
        Finding.SNMP_WITHOUT_PRIVACY: "1 of 4 devices is asked over SNMP v3 without privacy, which anybody on the way "
        "can read (credential signed); add privacy_protocol and privacy_key",
    }
    assert found(with_devices(whole=PRIVATE)) == {}


def test_a_default_community_is_told_by_the_name_of_its_credential() -> None:
    told = found(with_devices(plain=V2C), default_communities=["plain"])
    assert told[Finding.DEFAULT_COMMUNITY] == (
        "1 credential has a default community, which everybody tries first: plain; change it in the devices"
    )


def test_files_that_others_can_read_are_told() -> None:
    assert found(whole(), exposed=["/etc/lienxa/b (mode 0644)", "/etc/lienxa/a (mode 0640)"]) == {
        Finding.SECRET_EXPOSED: "2 secret files can be read by others: /etc/lienxa/a (mode 0640), "
        "/etc/lienxa/b (mode 0644); chmod 600 them"
    }


@pytest.mark.parametrize(
    ("credential", "settings", "told"),
    [
        ({"token": {"env": "A"}}, {"url": "http://portal.example/"}, True),
        ({"user": "a", "password": {"env": "A"}}, {"url": "https://portal.example/", "verify_tls": False}, True),
        ({"token": {"env": "A"}}, {"url": "HTTPS://portal.example/"}, False),
        (
            {"token_url": "http://a.example/", "client_id": "a", "client_secret": {"env": "A"}},
            {"url": "https://portal.example/"},
            True,
        ),
        (
            {"token_url": "https://a.example/", "client_id": "a", "client_secret": {"env": "A"}},
            {"url": "https://portal.example/"},
            False,
        ),
        ({"certificate": "a.crt", "key": {"env": "A"}}, {"url": "https://portal.example/", "verify_tls": False}, False),
    ],
)
def test_a_password_or_token_that_others_can_read_is_told(
    credential: dict[str, object], settings: dict[str, object], told: bool
) -> None:
    service = {"id": "portal", "kind": "http", "credential": "it", "settings": settings}
    text = found(whole(credentials={"it": credential}, services=[service])).get(Finding.CREDENTIAL_UNPROTECTED)
    expected = (
        "1 service is sent a password or token that others can read, over http:// or with verify_tls: false: portal"
    )
    assert text == (expected if told else None)


# Maintenance windows

JANUARY = {"start": "2026-01-04 22:00", "end": "2026-01-05 02:00"}


@pytest.mark.parametrize(
    ("window", "over"),
    [
        ({"start": "2026-11-21 22:00", "end": "2026-11-22 11:59"}, True),
        ({"start": "2026-11-22 11:00", "end": "2026-11-22 12:01"}, False),
        ({"start": "2026-11-22 01:00", "end": "2026-11-22 02:00", "repeat": "daily"}, False),
        ({**JANUARY, "repeat": "FREQ=WEEKLY;COUNT=3"}, True),
        ({"start": "2026-11-20 10:00", "end": "2026-11-20 14:00", "repeat": "FREQ=DAILY;COUNT=3"}, False),
        ({"start": "2026-11-20 10:00", "end": "2026-11-20 11:00", "repeat": "FREQ=DAILY;COUNT=3"}, True),
        ({**JANUARY, "repeat": "FREQ=DAILY;UNTIL=20261001T000000Z"}, True),
        ({**JANUARY, "repeat": "FREQ=DAILY;UNTIL=20270101T000000Z"}, False),
        ({**JANUARY, "repeat": "FREQ=DAILY;COUNT=9999999"}, False),
    ],
)  # fmt: skip
def test_a_window_is_over_when_nothing_of_it_is_to_come(window: dict[str, object], over: bool) -> None:
    assert (Finding.WINDOW_OVER in found(whole(maintenance=[window]))) is over


def test_a_window_of_more_than_two_weeks_is_told_as_nobody_is_paged_meanwhile() -> None:
    windows = [{"start": "2026-11-28 22:00", "end": "2026-12-29 01:00"}]
    assert found(whole(maintenance=windows))[Finding.WINDOW_LONG] == (
        "1 of 1 maintenance window lasts longer than 14 days: 2026-11-28 22:00; nobody is paged meanwhile"
    )


def test_windows_that_are_over_are_named_by_their_beginning_and_reason() -> None:
    windows = [
        {"start": "2026-11-01 22:00", "end": "2026-11-02 02:00", "reason": "thay bộ định tuyến"},
        {"start": "2026-12-01 22:00", "end": "2026-12-02 02:00"},
    ]
    assert found(whole(maintenance=windows))[Finding.WINDOW_OVER] == (
        "1 of 2 maintenance windows is over: 2026-11-01 22:00 (thay bộ định tuyến); take it out"
    )


def test_every_finding_has_a_count_on_the_page_also_when_it_is_none() -> None:
    counts = {
        reading.labels: reading.value for reading in readings(findings(whole(communes=some(3, contact=None)), NOW))
    }
    assert counts == {(finding,): 3 if finding is Finding.NO_COMMUNE_CONTACT else 0 for finding in Finding}
    assert metrics.INVENTORY_FINDINGS.own == ("reason",)
