"""Good inventories for tests to spoil, and what is then said about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.inventory import InventoryError, load
from deploy.lab.doubles.keys import authority

_CA = authority()
REQUIRED = {
    "url": "https://service.example/health",
    "host": "service.example",
    "issuer": "https://login.example",
    "certificate": _CA.issue("official").text,
    "ca": _CA.text,
}
"""What a province might give for the settings that national systems require."""

SMALL = """\
province: "04"
timings: {profile: fast, link_beat_s: 2}
references: [10.4.0.1]
credentials:
  devices: {community: {env: SNMP_COMMUNITY}}
trunks:
  - {id: ring, address: 10.4.0.11}
  - {id: spur, parent: ring}
communes:
  - code: "01290"
    trunk: spur
    links:
      - {address: 10.4.4.1}
      - {role: backup, medium: lte}
    devices:
      - {id: ups, role: ups, address: 10.4.4.2, credential: devices}
services:
  - {id: portal, kind: http, url: "http://10.4.250.1/"}
"""

WHOLE = """\
province: "04"
languages: [vi, en]
timings: {profile: fast}
references: [10.4.0.1]
networks: [10.4.0.0/16]
credentials:
  devices: {community: {env: SNMP_COMMUNITY}}
  admins: {version: v3, user: lienxa}
  portal: {user: lienxa, password: {file: portal-password}}
site_classes:
  remote:
    links:
      - {address: "{prefix}.1"}
      - {role: backup, medium: lte, address: "{prefix}.3"}
    devices:
      - {id: router, role: router, address: "{prefix}.1", credential: devices}
      - {id: ups, role: ups, address: "{prefix}.2", credential: devices}
    services:
      - {id: meeting, kind: tcp, host: "{prefix}.9", port: 5060}
    thresholds: {latency_s: 0.3}
trunks:
  - {id: ring, address: 10.4.240.1}
  - {id: spur, parent: ring}
communes:
  - {code: "01273", prefix: 10.4.1, trunk: ring}
  - {code: "01279", prefix: 10.4.2, trunk: spur, without: [ups]}
  - {code: "01288", prefix: 10.4.3, contact: {name: Nông Văn A, phone: "0206 3852 000"}}
services:
  - {use: national-portal}
  - {id: portal, kind: http, url: "https://portal.example/", slow_s: 2, timeout_s: 5, credential: portal}
contacts:
  on_call: {name: Trực hạ tầng số, phone: "0206 3852 111"}
maintenance:
  - {start: 2026-11-22 22:00, end: 2026-11-23 02:00, repeat: weekly, trunks: [ring]}
planned_cuts: {file: cuts.csv}
known_issues:
  - {id: finance-3, title: Mã số, owner: Bộ Tài chính, services: [portal]}
hops: {10.20.0.1: Nút Trà Lĩnh}
traps: {port: 1162}
firmware: [{profile: mikrotik, minimum: 7.12.1}]
snmp_v3_required: true
security_checks: true
"""
"""Every key of the top level, most of those below."""


def problems(tmp_path: Path, text: str | bytes) -> list[str]:
    """What is said of a file `cao-bang.yaml`, without its folder."""
    file = tmp_path / "cao-bang.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return problems_of(file)


def problems_of(path: Path) -> list[str]:
    """What is said of a file or folder, without the folder that it lies in."""
    with pytest.raises(InventoryError) as caught:
        load(path)
    return [line.replace(f"{path.parent}/", "") for line in caught.value.errors]


def spoiled(text: str, old: str, new: str) -> str:
    """A text with the first occurrence of something replaced."""
    assert old in text
    return text.replace(old, new, 1)
