"""Runs Prometheus's own rule tester over the generated rule file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

NEEDED = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")


@dataclass(frozen=True)
class RuleBench:
    """A rule file and a folder to test it in. Times are Prometheus's (`5m`), samples one per 15 s (`1x20 stale`)."""

    rules: str
    folder: Path

    def expect(self, series: Mapping[str, str], at: str, name: str, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Fail with promtool's own words unless exactly `alerts` (labels and annotations) fire at that time."""
        (self.folder / "rules.yml").write_text(self.rules, encoding="utf-8")
        test = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": "15s",
            "tests": [
                {
                    "interval": "15s",
                    "input_series": [{"series": key, "values": value} for key, value in series.items()],
                    "alert_rule_test": [
                        {
                            "eval_time": at,
                            "alertname": name,
                            "exp_alerts": [
                                {"exp_labels": dict(alert["labels"]), "exp_annotations": dict(alert["annotations"])}
                                for alert in alerts
                            ],
                        }
                    ],
                }
            ],
        }
        (self.folder / "test.yml").write_text(yaml.safe_dump(test, allow_unicode=True), encoding="utf-8")
        done = subprocess.run(
            ["promtool", "test", "rules", "test.yml"], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def parse_errors(expressions: Sequence[str], folder: Path) -> str:
    """What Prometheus's parser says of PromQL expressions; empty if it takes them all."""
    rules = [{"record": f"expression_{index}", "expr": text} for index, text in enumerate(expressions)]
    file = folder / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def expect_samples(
    series: Mapping[str, str], at: str, expected: Mapping[str, Mapping[str, float]], folder: Path
) -> None:
    """Fail unless each expression yields exactly its samples (labels in PromQL's own notation -> value)."""
    test = {
        "rule_files": [],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": key, "values": value} for key, value in series.items()],
                "promql_expr_test": [
                    {
                        "expr": expression,
                        "eval_time": at,
                        "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
                    }
                    for expression, samples in expected.items()
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test, allow_unicode=True), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
