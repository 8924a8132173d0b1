"""What is allowed in an inventory and costs something: findings, not errors."""

from __future__ import annotations

from probes.model import Province


def findings(province: Province) -> list[str]:
    """One line for each, which says what it costs."""
    if province.communes and not province.references:
        return [
            "no references: the agent can tell its own blindness only when every link and trunk is silent; "
            "name one or two addresses close to it"
        ]
    return []
