"""Loads inventories from files to targets; prints files, communes, targets and seconds as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from pydantic import SecretStr

from agent.inventory import load
from agent.plan import plan
from probes.model import Device
from probes.ports import SnmpAgent
from tests.bench.inventories import by_class, provinces, written_out

LARGEST = "79"
WHAT = {
    "largest": "Ho Chi Minh City, by site class",
    "written-out": "Ho Chi Minh City, every link and device written out",
    "country": "the whole country as 34 inventories",
}


def texts(what: str) -> list[str]:
    """The inventories of one measurement."""
    if what == "country":
        return [by_class(province) for province in provinces()]
    return [written_out(LARGEST) if what == "written-out" else by_class(LARGEST)]


def ask(device: Device) -> SnmpAgent:
    """Secrets are not what is measured."""
    return SnmpAgent(device.address, device.port, "v2c", SecretStr("hidden"))


def main(what: str) -> None:
    """Write the files, then load each and derive its targets."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, text in enumerate(texts(what)):
            files.append(Path(folder) / f"{number}.yaml")
            files[-1].write_text(text, encoding="utf-8")
        began = time.perf_counter()
        loaded = [load(file) for file in files]
        plans = [plan(province, ask) for province in loaded]
        seconds = time.perf_counter() - began
    told = {
        "files": len(files),
        "communes": sum(len(province.communes) for province in loaded),
        "targets": sum(len(made.targets) for made in plans),
        "seconds": seconds,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
