"""`lienxa validate` tells all errors and warnings at once, and never a secret."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

import pytest

from agent import validate as module
from agent.bundle import build
from agent.cli import main
from agent.inventory import load
from agent.validate import validate
from deploy import lab
from probes.model import VIETNAM, Province

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=VIETNAM).timestamp()
SECRETS = ("hidden-community", "hidden-password", "hidden-token")
TEXT = """\
province: "04"
languages: [vi]
references: [10.4.0.1]
contacts:
  webhook_url: http://127.0.0.1:9099/
  electricity: {name: Điện lực, phone: "1900 6769"}
  carrier: {name: Mạng, phone: "1800 1166"}
credentials:
  devices: {community: {file: community}}
  portal: {user: lienxa, password: {file: password}}
  api: {token: {env: LIENXA_TEST_TOKEN}}
trunks: [{id: ring}]
communes:
  - code: "01290"
    trunk: ring
    links: [{address: 10.4.4.1}]
    devices: [{id: ups, role: ups, address: 10.4.4.2, credential: devices}]
    services: [{id: meeting, kind: tcp, host: 10.4.4.9, port: 1720}]
services:
  - {id: portal, kind: http, url: "https://10.4.250.1/", credential: portal}
  - {id: api, kind: http, url: "https://10.4.250.2/", credential: api}
maintenance: [{start: "2026-12-22 22:00", end: "2026-12-23 02:00"}]
known_issues: [{id: slow, title: Chậm, owner: Bộ Tài chính}]
"""
CONTENTS = (
    "province 04, 1 commune, 1 link, 1 device, 3 services (0 national systems), 1 trunk, 1 maintenance window, "
    "1 known issue"
)
ALWAYS = [
    "55 of 56 communes of Tỉnh Cao Bằng are missing, nobody watches them: 01273 Phường Thục Phán, "
    "01279 Phường Nùng Trí Cao, 01288 Phường Tân Giang and 52 more",
    "1 of 1 commune has one link only: 01290 Xã Bảo Lâm",
    "1 of 1 commune has no identification_code, which electronic documents are addressed with: 01290 Xã Bảo Lâm",
    "1 of 1 commune has no contact, so that nobody on site can be asked to look: 01290 Xã Bảo Lâm",
]
PLAIN = (
    "1 of 1 device is asked over SNMP v1 or v2c, which anybody on the way can read (credential devices); "
    "use version: v3"
)


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With all of its secrets."""
    for name, text in (("cao-bang.yaml", TEXT), ("community", SECRETS[0]), ("password", SECRETS[1])):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("LIENXA_TEST_TOKEN", SECRETS[2])
    return tmp_path / "cao-bang.yaml"


def told(path: Path) -> tuple[list[str], list[str], str]:
    """Errors, warnings and the summary, without the folder's name."""
    report = validate(path, NOW)
    folder = path if path.is_dir() else path.parent
    text = "\n".join([*report.errors, *report.warnings, report.summary])
    assert not [secret for secret in SECRETS if secret in text]

    def short(line: str) -> str:
        return line.replace(f"{folder}/", "")

    warnings = [short(line).removeprefix("cao-bang.yaml: warning: ") for line in report.warnings]
    return [short(line) for line in report.errors], warnings, short(report.summary)


def test_what_is_no_error_is_a_warning_and_all_is_counted(inventory: Path) -> None:
    assert told(inventory) == ([], [*ALWAYS, PLAIN], f"cao-bang.yaml: {CONTENTS}: no errors, 5 warnings")


def test_secrets_that_cannot_be_read_are_errors_by_file_and_line(inventory: Path) -> None:
    (inventory.parent / "community").unlink()
    (inventory.parent / "password").write_text("hidden-password\nhidden-password", encoding="utf-8")
    errors, warnings, summary = told(inventory)
    assert errors == [
        "cao-bang.yaml:9: credentials.devices.community: the secret file community cannot be read: "
        "No such file or directory; `touch community && chmod 600 community`, then write the secret into it",
        "cao-bang.yaml:10: credentials.portal.password: the secret file password holds 2 lines; a secret is one line",
    ]
    assert warnings == [*ALWAYS, PLAIN]
    assert summary == f"cao-bang.yaml: {CONTENTS}: 2 errors, 5 warnings"


def test_what_is_not_set_here_may_be_set_where_the_agent_runs(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIENXA_TEST_TOKEN")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    inventory.write_text(TEXT.replace("{file: password}", "{credential: portal}"), encoding="utf-8")
    errors, warnings, _ = told(inventory)
    assert errors == []
    assert warnings[:2] == [
        "credentials.portal.password: systemd's credential portal is not set here",
        "credentials.api.token: the environment variable LIENXA_TEST_TOKEN is not set here",
    ]


def test_a_default_community_and_a_file_for_everybody_are_warnings(inventory: Path) -> None:
    community = inventory.parent / "community"
    community.write_text("Public\n", encoding="utf-8")
    community.chmod(0o644)
    errors, warnings, _ = told(inventory)
    assert (errors, warnings) == (
        [],
        [
            *ALWAYS,
            "1 credential has a default community, which everybody tries first: devices; change it in the devices",
            PLAIN,
            "1 secret file can be read by others: community (mode 0644); chmod 600 it",
        ],
    )


def test_a_folder_is_told_by_its_name(inventory: Path) -> None:
    report = validate(inventory.parent, NOW)
    assert report.summary == f"{inventory.parent}/: {CONTENTS}: no errors, 5 warnings"
    assert report.warnings[0].startswith(f"{inventory.parent}/: warning: 55 of 56 communes")
    (inventory.parent / "community").unlink()
    assert validate(inventory.parent, NOW).errors == [
        f"{inventory}:9: credentials.devices.community: the secret file {inventory.parent}/community cannot be read: "
        f"No such file or directory; `touch {inventory.parent}/community && chmod 600 {inventory.parent}/community`, "
        "then write the secret into it"
    ]


def test_errors_of_the_inventory_itself_are_counted(inventory: Path) -> None:
    inventory.write_text(TEXT.replace("trunk: ring", "trunk: rang").replace("role: ups", "role: up"), encoding="utf-8")
    errors, warnings, summary = told(inventory)
    assert [line.split(" ")[0] for line in errors] == ["cao-bang.yaml:15:", "cao-bang.yaml:17:"]
    assert (warnings, summary) == ([], "cao-bang.yaml: 2 errors")


def test_a_part_that_cannot_be_generated_is_an_error_and_the_rest_is_told_too(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(province: Province, parts: list[str]) -> dict[str, str]:
        if parts == ["alerts"]:
            raise KeyError("no such thing")
        return build(province, parts)

    monkeypatch.setattr(module, "build", broken)
    errors, warnings, summary = told(inventory)
    assert errors == [
        "cao-bang.yaml: its alerts cannot be generated (KeyError: 'no such thing'); that is a fault of lienxa's, "
        "please report it with this inventory"
    ]
    assert len(warnings) == 5
    assert summary.endswith(": 1 error, 5 warnings")


def test_the_command_says_errors_and_warnings_on_one_side_and_how_it_went_on_the_other(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(inventory)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{inventory}: {CONTENTS}: no errors, 5 warnings\n"
    assert [line.startswith(f"{inventory}: warning: ") for line in err.splitlines()] == [True] * 5
    (inventory.parent / "password").unlink()
    assert main(["validate", str(inventory)]) == 3
    assert not [secret for secret in SECRETS if secret in "".join(capsys.readouterr())]


def test_the_shipped_inventory_has_no_errors() -> None:
    report = validate(lab.CAO_BANG, time.time())
    assert not report.errors
    assert "province 04, 56 communes" in report.summary


# Languages


def test_the_inventory_says_in_which_languages_is_generated(inventory: Path) -> None:
    inventory.write_text(TEXT.replace("languages: [vi]", "languages: [fr, vi]"), encoding="utf-8")
    files = build(load(inventory))
    assert {name.split("/")[2] for name in files if name.startswith("grafana/dashboards/")} == {"fr", "vi"}
    rules = files["prometheus/rules/lienxa.yml"]
    assert "/d/lienxa-province-fr?" in rules
    assert "lienxa-province-en" not in rules
    assert build(load(inventory), ["dashboards"], ["en"]).keys() == {"grafana/dashboards/en/lienxa-province-en.json"}


def test_the_command_takes_the_inventorys_languages_unless_it_is_told_others(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = inventory.parent / "out"
    for arguments, languages in (([], {"vi"}), (["--lang", "en,fr"], {"en", "fr"})):
        assert main(["generate", str(inventory), "-o", str(out), *arguments]) == 0
        assert {folder.name for folder in (out / "grafana" / "dashboards").iterdir()} == languages
        shutil.rmtree(out)
    assert not [secret for secret in SECRETS if secret in "".join(capsys.readouterr())]


def test_rows_of_planned_cuts_that_cannot_be_taken_are_warnings_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "cuts.csv").write_text(
        "mã xã,bắt đầu,kết thúc\n01290,2026-11-22 06:00,2026-11-22 11:00\n09999,2026-11-22 06:00,2026-11-22 11:00\n",
        encoding="utf-8",
    )
    file = tmp_path / "cao-bang.yaml"
    file.write_text('province: "04"\nplanned_cuts: {file: cuts.csv}\ncommunes: [{code: "01290"}]\n', encoding="utf-8")
    told = [line for line in validate(file, NOW).warnings if "cuts.csv" in line]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path}/cuts.csv:3: warning: ")
    assert "09999" in told[0]
