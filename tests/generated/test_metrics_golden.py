"""The names, types and labels of all metrics: dashboards, rules and recordings of others depend on them."""

from __future__ import annotations

from pathlib import Path

from probes.metrics import FAMILIES

GOLDEN = Path(__file__).with_name("metrics.golden")
AGAIN = "python -c 'from tests.generated.test_metrics_golden import GOLDEN, told; GOLDEN.write_text(told())'"


def told() -> str:
    """One line per family, sorted: name, type, labels."""
    return "".join(
        f"{family.name} {family.type} {','.join(family.labels)}\n"
        for family in sorted(FAMILIES.values(), key=lambda family: family.name)
    )


def test_no_metric_changes_by_accident() -> None:
    assert told() == GOLDEN.read_text(encoding="utf-8"), f"a rename breaks what others have built; if meant: {AGAIN}"
