"""The files for Prometheus and Alertmanager, checked by their own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import alerts
from probes.metrics import FAMILIES
from probes.model import Contacts, Province, Timings
from probes.systems import systems
from tests.generated import promtool

RULES = "prometheus/rules/lienxa.yml"
ALERTMANAGER = "alertmanager/alertmanager.yml"
needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed (Debian: prometheus-alertmanager)"
)


def _rules(province: Province, languages: tuple[str, ...] = ("vi", "en", "fr")) -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(alerts.build(province, languages)[RULES])["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _tool(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@promtool.NEEDED
@pytest.mark.parametrize("profile", ["default", "fast"])
def test_prometheus_finds_nothing_to_criticise_in_the_rules(profile: str, province: Province, tmp_path: Path) -> None:
    timings = Timings.model_validate({"profile": profile})
    text = alerts.build(province.model_copy(update={"timings": timings}), ("vi", "en", "fr"))[RULES]
    (tmp_path / "lienxa.yml").write_text(text, encoding="utf-8")
    _tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "lienxa.yml"))


@needs_amtool
@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8080/alerts"])
def test_alertmanager_accepts_its_configuration_with_and_without_a_webhook(
    url: str | None, province: Province, tmp_path: Path
) -> None:
    contacts = Contacts(webhook_url=url)
    text = alerts.build(province.model_copy(update={"contacts": contacts}), ("vi",))[ALERTMANAGER]
    (tmp_path / "alertmanager.yml").write_text(text, encoding="utf-8")
    _tool("amtool", "check-config", str(tmp_path / "alertmanager.yml"))
    assert ("webhook_configs" in text) == (url is not None)
    assert ("no contacts.webhook_url stands in the inventory" in text.lower()) == (url is None)


@needs_amtool
def test_every_alert_reaches_the_provinces_receiver(province: Province, tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(alerts.build(province, ("vi",))[ALERTMANAGER], encoding="utf-8")
    for rule in _rules(province):
        own = {"alertname": rule["alert"], "province": "04", **rule["labels"]}
        _tool(
            "amtool",
            "config",
            "routes",
            "test",
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            "--verify.receivers=province-04",
            *(f"{key}={value}" for key, value in own.items()),
        )


def test_one_notification_per_incident_with_the_inventorys_timings(province: Province) -> None:
    configuration = yaml.safe_load(alerts.build(province, ("vi",))[ALERTMANAGER])
    assert configuration["route"] == {
        "receiver": "province-04",
        "group_by": ["alertname", "province", "root"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "6h",
    }
    assert configuration["receivers"] == [
        {
            "name": "province-04",
            "webhook_configs": [{"url": "http://127.0.0.1:8080/alerts", "send_resolved": True}],
        }
    ]


def test_each_alert_says_who_how_bad_and_about_what(province: Province) -> None:
    assert [(rule["alert"], *rule["labels"].values()) for rule in _rules(province)] == [
        ("CommuneDown", "critical", "province", "trunk"),
        ("CommuneDown", "warning", "province", "commune"),
        ("ServiceDown", "critical", "apps", "service"),
        ("AgentVanished", "critical", "province", "agent"),
    ]
    assert {tuple(rule["labels"]) for rule in _rules(province)} == {("severity", "team", "layer")}


def test_texts_stand_in_english_and_in_the_chosen_languages(province: Province) -> None:
    for rule in _rules(province, ("fr",)):
        assert sorted(rule["annotations"]) == [
            "dashboard_url",
            "description",
            "description_fr",
            "summary",
            "summary_fr",
        ]


def test_the_fast_profile_reaches_the_rules(province: Province) -> None:
    fast = province.model_copy(update={"timings": Timings.model_validate({"profile": "fast"})})
    rules = _rules(fast)
    assert {rule["for"] for rule in rules} == {"2s"}
    assert rules[-1]["expr"].endswith("> 10\n")


def test_rules_and_texts_use_only_metrics_of_the_catalogue(province: Province) -> None:
    text = alerts.build(province, ("vi", "en", "fr"))[RULES]
    used = set(re.findall(r"\blienxa_\w+", text))
    assert used
    assert used <= set(FAMILIES)


def test_generating_again_gives_the_same_bytes(province: Province) -> None:
    assert alerts.build(province, ("vi", "fr")) == alerts.build(province, ("vi", "fr"))


def test_an_unknown_language_is_refused(province: Province) -> None:
    with pytest.raises(ValueError, match="unknown language 'de'"):
        alerts.build(province, ("de",))


def test_a_text_names_whom_to_call_and_what_a_national_system_wants_done() -> None:
    contact = {"name": "Điện lực {{ Cao Bằng }}", "phone": "1900 6769"}
    province = Province.model_validate(
        {
            "province": "04",
            "contacts": {"electricity": contact, "on_call": {"name": "Trực", "email": "truc@example.vn"}},
            "services": [{"id": "national-portal", "use": "national-portal", "kind": "http", "settings": {}}],
        }
    )
    told = {rule["labels"]["layer"]: rule["annotations"] for rule in _rules(province, ("vi",))}
    assert told["commune"]["description_vi"].endswith(
        "\nĐiện lực: Điện lực { { Cao Bằng }}, 1900 6769\nTrực: Trực, truc@example.vn"
    )
    assert "Carrier" not in told["trunk"]["description"]
    assert '{{ if eq $labels.root "national-portal" }}' in told["service"]["description_vi"]
    assert systems()["national-portal"].action.vi in told["service"]["description_vi"]
