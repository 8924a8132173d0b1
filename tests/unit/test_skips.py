"""Continuous integration accepts a skip for few reasons."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPING = """
import pytest

def test_that_lacks_a_program():
    pytest.skip("no such program")

@pytest.mark.skipif(True, reason="needs root to become somebody else")
def test_that_needs_root():
    pass

@pytest.fixture
def lab():
    pytest.skip("no lab on this machine: unshare(CLONE_NEWUSER) was refused")

def test_that_needs_a_lab(lab):
    pass

@pytest.mark.xfail(reason="not yet")
def test_that_is_known_to_fail():
    assert False
"""


@pytest.mark.parametrize(
    ("ci", "summary"), [("true", "1 failed, 1 skipped, 1 xfailed, 1 error"), ("", "3 skipped, 1 xfailed")]
)
def test_an_unexpected_skip_fails_in_continuous_integration_and_only_there(
    tmp_path: Path, ci: str, summary: str
) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull, "--rootdir", str(tmp_path)]
    outcome = subprocess.run(
        [*argv, "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert re.findall(r"=+ (.*) in [\d.]+s =+", outcome.stdout) == [summary]
    told = set(re.findall(r"^skipped in continuous integration: (.*)$", outcome.stdout, re.MULTILINE))
    assert told == ({"no such program", "no lab on this machine: unshare(CLONE_NEWUSER) was refused"} if ci else set())
