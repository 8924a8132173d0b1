"""The metric catalogue: nothing that is declared is left out of it, and nothing comes twice."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

from probes import metrics
from probes.metrics import Family, catalogue
from probes.metrics.family import declare


def families(module: ModuleType) -> dict[str, Family]:
    return {name: found for name, found in vars(module).items() if isinstance(found, Family)}


@pytest.mark.parametrize("subject", [module.name for module in pkgutil.iter_modules(metrics.__path__)])
def test_whatever_a_module_declares_is_in_the_catalogue_and_has_its_name_in_the_package(subject: str) -> None:
    declared = families(importlib.import_module(f"probes.metrics.{subject}"))
    assert declared or subject == "family"
    for name, family in declared.items():
        assert metrics.FAMILIES[family.name] is family
        assert getattr(metrics, name) is family


def test_no_name_stands_for_two_families() -> None:
    constants = [name for subject in metrics.SUBJECTS for name in families(subject)]
    assert len(constants) == len(set(constants)) == len(metrics.FAMILIES)


def test_a_family_that_is_declared_twice_is_an_error() -> None:
    one, other = ModuleType("one"), ModuleType("other")
    one.A = declare("a_total", "counter", "count", "First.")  # type: ignore[attr-defined]  # modules take any name
    other.B = declare("a_total", "counter", "count", "Second.")  # type: ignore[attr-defined]  # modules take any name
    with pytest.raises(ValueError, match="lienxa_a_total is declared twice"):
        catalogue([one, other])
