"""What a metric family is; the labels and buckets that several families share; selectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["gauge", "counter", "histogram"]
Unit = Literal[
    "seconds",
    "ratio",
    "bytes",
    "count",
    "volts",
    "timestamp",
    "flag",
    "state",
    "bytes_per_second",
    "info",
    "celsius",
    "dbm",
    "db",
    "amperes",
    "watts",
    "rpm",
]

PREFIX = "lienxa_"

TARGET = ("commune", "trunk", "link", "medium", "device", "service", "path", "target", "kind")
"""Identity of any target; a target leaves out the labels that do not apply to it."""
LINK = ("commune", "trunk", "link", "medium", "service", "target")
DEVICE = ("commune", "device")
SERVICE = ("commune", "service", "path", "target")

RTT_BUCKETS_S = (0.005, 0.010, 0.020, 0.040, 0.080, 0.150, 0.300, 0.600, 1.2, 2.0)
"""One set for all links: fibre in the delta to satellite."""
LATENESS_BUCKETS_S = (0.001, 0.005, 0.010, 0.050, 0.100, 0.500, 1.0)
SEND_DELAY_BUCKETS_S = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.01, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family; each is declared once, so that it is compared and hashed as an object, not by its fields.

    `subject` are identity labels (taken from the target, left out where it has none), `own` the labels that tell
    apart several readings of one subject. `province` comes first on every series.
    """

    name: str
    type: Type
    unit: Unit
    help: str
    subject: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that a series of this family may carry."""
        return ("province", *self.subject, *self.own)


def declare(
    name: str,
    type: Type,  # noqa: A002  # Prometheus's own word
    unit: Unit,
    help: str,  # noqa: A002  # Prometheus's own word
    subject: tuple[str, ...] = (),
    own: tuple[str, ...] = (),
    buckets: tuple[float, ...] = (),
) -> Family:
    """A family of the catalogue; `name` is without `PREFIX`."""
    return Family(PREFIX + name, type, unit, help, subject, own, buckets)


def selector(family: Family, **matchers: str) -> str:
    """A PromQL selector; a value that starts with `~` matches as a pattern. An undeclared label is an error."""
    unknown = sorted(set(matchers) - set(family.labels))
    if unknown:
        raise ValueError(f"{family.name} has no label {', '.join(unknown)}; it has {', '.join(family.labels)}")
    parts = [
        f'{name}=~"{value[1:]}"' if value.startswith("~") else f'{name}="{value}"' for name, value in matchers.items()
    ]
    return family.name + ("{" + ", ".join(parts) + "}" if parts else "")
