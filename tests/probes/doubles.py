"""What the doubles of services have in common in tests: each manner that a service may have, and how it is told."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from deploy.lab.doubles import Manner, Mood
from deploy.lab.doubles.keys import authority, pem
from probes.results import Reason

MANNERS = pytest.mark.parametrize(
    ("manner", "reason"),
    [
        (Manner(), None),
        (Manner(Mood.SLOW, 0.6), Reason.SLOW),
        (Manner(Mood.OVERLOADED), Reason.OVERLOADED),
        (Manner(Mood.RESET), Reason.PROTOCOL_ERROR),
        (Manner(Mood.SILENT), Reason.TIMEOUT),
    ],
    ids=[mood.value for mood in Mood],
)
"""How a double behaves, and what a probe with `slow_s` 0.5 and `timeout_s` 3 says of it."""


def nobodys_tls(folder: Path) -> ssl.SSLContext:
    """A server's certificate that no authority vouches for."""
    own = authority("nobody")
    (folder / "own.pem").write_text(own.text + pem(own.key).decode("ascii"), encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context
