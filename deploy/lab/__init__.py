"""A simulated province on real packets: two network namespaces and a WAN between them."""

from __future__ import annotations

from pathlib import Path

from deploy.lab.errors import LabError, LabUnavailable

CAO_BANG = Path(__file__).parent / "cao-bang.yaml"
"""The shipped province's inventory."""

COMMUNITY = "LIENXA_LAB_COMMUNITY"
DEFAULT_COMMUNITY = "lab-community"
"""What the lab's devices answer to: the value of that environment variable, else this."""

__all__ = ["CAO_BANG", "COMMUNITY", "DEFAULT_COMMUNITY", "LabError", "LabUnavailable"]
