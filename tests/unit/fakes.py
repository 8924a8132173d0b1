"""Stand-ins for the true edges: a clock that a test moves, probes that answer what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from probes.model import Province, Settings
from probes.ports import Kind, Net
from probes.results import Beat, Result


@dataclass
class FakeClock:
    """Both clocks, moved by hand."""

    now: float = 1000.0
    realtime: float = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.realtime + self.now - 1000.0

    def go(self, seconds: float) -> None:
        self.now += seconds


class NoSettings(Settings):
    """A probe without settings."""


def fake_kind(name: str, answer: Callable[[Beat], Result]) -> Kind:
    """A kind whose probe answers at once."""

    async def check(_: Settings, __: Net, beat: Beat) -> Result:
        return answer(beat)

    return Kind(name, NoSettings, check)


NO_NET = cast(Net, object())
"""For probes that use nothing of it."""


def province(**parts: object) -> Province:
    """Two communes behind a trunk, a UPS, a service; `parts` replace what an inventory would say."""
    return Province.model_validate(
        {
            "province": "04",
            "timings": {"profile": "fast"},
            "references": ["10.4.0.1"],
            "credentials": {"lab": {"community": {"env": "COMMUNITY"}}},
            "trunks": [{"id": "ring", "address": "10.4.0.11"}, {"id": "spur", "parent": "ring"}],
            "communes": [
                {
                    "code": "01290",
                    "trunk": "spur",
                    "links": [{"address": "10.4.4.1"}, {"role": "backup", "medium": "lte"}],
                    "devices": [{"id": "ups", "role": "ups", "address": "10.4.4.2", "credential": "lab"}],
                },
                {"code": "01294", "trunk": "spur", "links": [{"medium": "vsat", "address": "10.4.5.1"}]},
            ],
            "services": [{"id": "gateway", "kind": "tcp", "settings": {"host": "10.4.250.1", "port": 443}}],
            **parts,
        }
    )
