"""Inventories as large as they come: every province with its real communes, 9 targets in each."""

from __future__ import annotations

from collections.abc import Collection

from probes import units

PER_COMMUNE = 9
"""2 links, 4 devices, 3 services."""

HEAD = """\
province: "{code}"
networks: [{network}.0.0.0/8]
references: [{network}.255.0.1]
credentials:
  devices: {{version: v3, user: lienxa, auth_protocol: sha256, auth_key: {{env: LIENXA_AUTH}}}}
trunks:
  - {{id: ring, address: {network}.255.0.2}}
  - {{id: hop, parent: ring, address: {network}.255.0.3}}
"""
SITE_CLASS = """\
site_classes:
  remote:
    links:
      - {address: "{prefix}.1"}
      - {role: backup, medium: lte, address: "{prefix}.3"}
    devices:
      - {id: router, role: router, address: "{prefix}.1", credential: devices}
      - {id: switch, role: switch, address: "{prefix}.4", credential: devices}
      - {id: ups, role: ups, address: "{prefix}.2", credential: devices}
      - {id: modem, role: modem, address: "{prefix}.3", credential: devices}
    services:
      - {id: meeting, kind: tcp, host: "{prefix}.9", port: 5060}
      - {id: desk, kind: http, url: "http://{prefix}.10/"}
      - {id: resolver, kind: tcp, host: "{prefix}.11", port: 53}
    thresholds: {loss_ratio: 0.1}
"""
WRITTEN_OUT = """\
  - code: "{code}"
    trunk: {trunk}
    links:
      - {{address: {prefix}.1}}
      - {{role: backup, medium: lte, address: {prefix}.3}}
    devices:
      - {{id: router, role: router, address: {prefix}.1, credential: devices}}
      - {{id: switch, role: switch, address: {prefix}.4, credential: devices}}
      - {{id: ups, role: ups, address: {prefix}.2, credential: devices}}
      - {{id: modem, role: modem, address: {prefix}.3, credential: devices}}
    services:
      - {{id: meeting, kind: tcp, host: {prefix}.9, port: 5060}}
      - {{id: desk, kind: http, url: "http://{prefix}.10/"}}
      - {{id: resolver, kind: tcp, host: {prefix}.11, port: 53}}
"""


def provinces() -> list[str]:
    """Every province's code."""
    return [unit.code for unit in units.by_code().values() if unit.type == "province"]


def by_class(province: str) -> str:
    """A province whose communes take one line each."""
    lines = (
        f'  - {{code: "{code}", prefix: {prefix}, trunk: {trunk}}}\n' for code, prefix, trunk in _communes(province)
    )
    return HEAD.format(code=province, network=10) + SITE_CLASS + "communes:\n" + "".join(lines)


def written_out(province: str, moved: Collection[str] = (), network: int = 10) -> str:
    """The same targets without a class, below the first number of `network`; some communes have moved within it."""
    parts = (
        WRITTEN_OUT.format(code=code, prefix=prefix, trunk=trunk)
        for code, prefix, trunk in _communes(province, moved, network)
    )
    return HEAD.format(code=province, network=network) + "communes:\n" + "".join(parts)


def _communes(province: str, moved: Collection[str] = (), network: int = 10) -> list[tuple[str, str, str]]:
    """Code, prefix and trunk of each."""
    return [
        (
            unit.code,
            f"{network}.{number // 250 + 100 * (unit.code in moved)}.{number % 250}",
            ("ring", "hop")[number % 2],
        )
        for number, unit in enumerate(units.communes(province))
    ]
