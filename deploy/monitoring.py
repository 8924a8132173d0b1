"""Prometheus's scrape configuration and what Grafana is provisioned with."""

from __future__ import annotations

import yaml

from probes.model import Province
from probes.names import DATASOURCE_UID, SCRAPE_JOB, duration

LONGEST_SCRAPE_S = 10.0


def scraping(province: Province, agent: str, alertmanager: str) -> str:
    """`prometheus.yml`; the rule file lies beside it in `rules/`."""
    timings = province.timings
    return _yaml(
        {
            "global": {
                "scrape_interval": duration(timings.scrape_s),
                "scrape_timeout": duration(min(timings.scrape_s, LONGEST_SCRAPE_S)),
                "evaluation_interval": duration(timings.evaluation_s),
            },
            "rule_files": ["rules/*.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [{"job_name": SCRAPE_JOB, "static_configs": [{"targets": [agent]}]}],
        }
    )


def datasource(province: Province, prometheus: str) -> str:
    """Grafana's data source: the province's own Prometheus."""
    return _yaml(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": DATASOURCE_UID,
                    "uid": DATASOURCE_UID,
                    "type": "prometheus",
                    "access": "proxy",
                    "url": f"http://{prometheus}",
                    "isDefault": True,
                    "editable": False,
                    "jsonData": {
                        "httpMethod": "POST",
                        "prometheusType": "Prometheus",
                        "timeInterval": duration(province.timings.scrape_s),
                    },
                }
            ],
        }
    )


def dashboard_provider() -> str:
    """Where Grafana finds the dashboards; each language becomes a folder."""
    return _yaml(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": "lienxa",
                    "type": "file",
                    "allowUiUpdates": False,
                    "disableDeletion": True,
                    "updateIntervalSeconds": 60,
                    "options": {"path": "/etc/grafana/dashboards", "foldersFromFilesStructure": True},
                }
            ],
        }
    )


def _yaml(data: object) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
