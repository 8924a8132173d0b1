"""The metric catalogue: every family that the agent exports, declared once, as data, in the module of its subject.

Exposition, dashboards, rules and the metrics reference are built from it. Base units; a timestamp, never an age;
absent rather than -1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType

from probes.metrics import (
    agent,
    devices,
    dns,
    inventory,
    links,
    power,
    radio,
    sensors,
    services,
    targets,
    tls,
    trust,
    verdicts,
)
from probes.metrics.agent import *
from probes.metrics.devices import *
from probes.metrics.dns import *
from probes.metrics.family import *
from probes.metrics.family import Family as Family
from probes.metrics.inventory import *
from probes.metrics.links import *
from probes.metrics.power import *
from probes.metrics.radio import *
from probes.metrics.sensors import *
from probes.metrics.services import *
from probes.metrics.targets import *
from probes.metrics.tls import *
from probes.metrics.trust import *
from probes.metrics.verdicts import *

SUBJECTS = (targets, links, devices, power, radio, sensors, services, tls, dns, trust, verdicts, inventory, agent)
"""The modules of the catalogue, in the order of the page."""


def catalogue(subjects: Iterable[ModuleType]) -> Mapping[str, Family]:
    """Every family that these modules declare, by name, in their order; a name that comes twice is an error."""
    families: dict[str, Family] = {}
    for subject in subjects:
        for family in vars(subject).values():
            if isinstance(family, Family) and families.setdefault(family.name, family) is not family:
                raise ValueError(f"{family.name} is declared twice")
    return MappingProxyType(families)


FAMILIES = catalogue(SUBJECTS)
"""Every family by name, in the order of the page."""
