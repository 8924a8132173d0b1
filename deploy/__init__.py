"""Per-province bundles: units, containers, scrape configuration; and the lab."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template

from deploy import monitoring
from probes import units
from probes.model import Province, sources_of
from probes.names import AGENT_PORT

__all__ = ["build"]


def build(
    province: Province,
    *,
    agent: str = f"127.0.0.1:{AGENT_PORT}",
    prometheus: str = "127.0.0.1:9090",
    alertmanager: str = "127.0.0.1:9093",
) -> Mapping[str, str]:
    """What runs the agent and its monitoring on one machine: relative path -> text.

    `agent`, `prometheus` and `alertmanager` are `host:port`, where each listens and where the others find it.
    """
    values = {
        "name": units.name(province.province),
        "code": province.province,
        "agent": agent,
        "prometheus": prometheus,
        "alertmanager": alertmanager,
        "credentials": "\n".join(_load_credentials(province)),
    }
    header = _filled("header.yaml", values)
    return {
        "containers/Containerfile": _filled("Containerfile", values),
        "containers/compose.yaml": _filled("compose.yaml", values),
        "grafana/provisioning/dashboards/lienxa.yaml": header + monitoring.dashboard_provider(),
        "grafana/provisioning/datasources/lienxa.yaml": header + monitoring.datasource(province, prometheus),
        "prometheus/prometheus.yml": header + monitoring.scraping(province, agent, alertmanager),
        "systemd/lienxa.service": _filled("lienxa.service", values),
        "systemd/lienxa-traps.socket": _filled("lienxa-traps.socket", values),
        "sysusers.d/lienxa.conf": _filled("lienxa.conf", values),
    }


def _load_credentials(province: Province) -> list[str]:
    """What systemd hands over of the inventory's secrets; an example where it hands over none."""
    names = sorted(
        {
            source.credential
            for credential in province.credentials.values()
            for _, source in sources_of(credential)
            if source.credential is not None
        }
    )
    lines = [f"LoadCredential={name}:/etc/lienxa/secrets/{name}" for name in names]
    return lines or ["#LoadCredential=snmp-community:/etc/lienxa/secrets/snmp-community"]


def _filled(name: str, values: Mapping[str, str]) -> str:
    template = resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
    return Template(template).substitute(values)
