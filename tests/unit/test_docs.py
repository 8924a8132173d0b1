"""What the documents say is true of the tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from agent.inventory import load
from agent.stage import COMMAND

ROOT = Path(__file__).parents[2]
PLACES = r"`((?:agent|alerts|dashboards|deploy|probes|tests)/[\w./*-]*|\w+\.(?:toml|py|md))`"


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "README.vi.md"])
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#:]+)\)", text))
    named = {name for name in re.findall(PLACES, text) if "NAME" not in name}
    folders = [
        ROOT,
        *(ROOT / "agent" / room for room in ("diagnosis", "inventory")),
        ROOT / "probes",
        ROOT / "probes" / "protocols",
        ROOT / "probes" / "kinds" / "snmp",
        ROOT / "probes" / "protocols" / "icmp",
    ]
    missing = [name for name in linked | named if not any((folder / name).exists() for folder in folders)]
    assert missing == []


@pytest.mark.parametrize("readme", ["README.md", "README.vi.md"])
def test_the_inventory_in_the_readme_is_valid(readme: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    assert load(file).province == "04"


def test_the_commands_of_the_readme_exist() -> None:
    told = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout
    commands = re.findall(r"^lienxa (\w+) \S+\.yaml", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) >= 3
    assert [command for command in commands if not re.search(rf"^    {command}\b", told, re.MULTILINE)] == []


def test_make_help_lists_what_contributors_are_told_to_use() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20).stdout
    targets = {line.split()[0] for line in told.splitlines()}
    assert targets >= {"help", "demo", "run", "test", "test-slow", "check", "fix", "bench", "generate", "wheel"}
