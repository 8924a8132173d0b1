"""The bundle that runs the agent: accepted by the tools that will read it, and no wider than it must be."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import alerts
import dashboards
import deploy
from probes.model import Province, Timings
from probes.protocols.trap_socket import NAME
from tests.generated import promtool

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
UNIT = "systemd/lienxa.service"
COMPOSE = "containers/compose.yaml"


def _unit(province: Province) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the keys' case
    parsed.read_string(deploy.build(province)[UNIT])
    return parsed


def _scratch_root(province: Province, folder: Path) -> Path:
    """A file system with the unit, its commands and the targets it is ordered by."""
    for name in ("sysinit.target", "basic.target", "shutdown.target", "network-online.target", "system.slice"):
        path = folder / "usr/lib/systemd/system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[Unit]\n", encoding="utf-8")
    unit = folder / "etc/systemd/system/lienxa.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(deploy.build(province)[UNIT], encoding="utf-8")
    for name in ("opt/lienxa/bin/lienxa", "bin/kill"):
        command = folder / name
        command.parent.mkdir(parents=True)
        command.write_text("#!/bin/sh\n", encoding="utf-8")
        command.chmod(0o755)
    return folder


def _systemd_analyze(*arguments: str) -> str:
    command = ["systemd-analyze", "--no-pager", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@promtool.NEEDED
@pytest.mark.parametrize("profile", ["default", "fast"])
def test_prometheus_accepts_its_configuration_with_the_rules_beside_it(
    profile: str, province: Province, tmp_path: Path
) -> None:
    timed = province.model_copy(update={"timings": Timings.model_validate({"profile": profile})})
    for name, text in {**deploy.build(timed), **alerts.build(timed, ("vi",))}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = ["promtool", "check", "config", "--lint=all", str(tmp_path / "prometheus/prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 rules found" in done.stdout


def test_prometheus_scrapes_the_agent_at_the_inventorys_pace(province: Province) -> None:
    files = deploy.build(province, agent="10.4.0.9:9900", alertmanager="10.4.0.9:9093")
    configuration = yaml.safe_load(files["prometheus/prometheus.yml"])
    assert configuration["global"] == {
        "scrape_interval": "15s",
        "scrape_timeout": "10s",
        "evaluation_interval": "15s",
    }
    assert configuration["scrape_configs"] == [
        {"job_name": "lienxa", "static_configs": [{"targets": ["10.4.0.9:9900"]}]}
    ]
    assert "--listen 10.4.0.9:9900" in files[UNIT]


@needs_systemd
def test_systemd_finds_nothing_to_criticise_in_the_unit(province: Province, tmp_path: Path) -> None:
    root = _scratch_root(province, tmp_path)
    assert _systemd_analyze("verify", "--man=no", f"--root={root}", "lienxa.service") == ""


@needs_systemd
def test_systemd_finds_nothing_to_criticise_in_the_socket_for_traps(province: Province, tmp_path: Path) -> None:
    root = _scratch_root(province, tmp_path)
    unit = root / "etc/systemd/system/lienxa-traps.socket"
    unit.write_text(deploy.build(province)["systemd/lienxa-traps.socket"], encoding="utf-8")
    assert _systemd_analyze("verify", "--man=no", f"--root={root}", "lienxa-traps.socket") == ""


def test_the_socket_for_traps_hands_in_what_the_agent_looks_for(province: Province) -> None:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # as above
    parsed.read_string(deploy.build(province)["systemd/lienxa-traps.socket"])
    told = parsed["Socket"]
    assert (told["ListenDatagram"], told["FileDescriptorName"], told["Service"]) == ("162", NAME, "lienxa.service")


@needs_systemd
def test_the_unit_is_well_closed(province: Province, tmp_path: Path) -> None:
    root = _scratch_root(province, tmp_path)
    report = _systemd_analyze("security", "--offline=yes", f"--root={root}", "lienxa.service")
    level = re.search(r"Overall exposure level for lienxa\.service: ([\d.]+)", report)
    assert level is not None
    assert float(level[1]) <= 1.5


def test_the_agents_only_capability_is_raw_sockets(province: Province) -> None:
    service = _unit(province)["Service"]
    assert service["AmbientCapabilities"] == "CAP_NET_RAW"
    assert service["CapabilityBoundingSet"] == "CAP_NET_RAW"
    assert service["User"] == "lienxa"
    assert service["NoNewPrivileges"] == "yes"


def test_the_unit_runs_the_installed_command_on_the_installed_inventory(province: Province) -> None:
    command = _unit(province)["Service"]["ExecStart"]
    assert command == "/opt/lienxa/bin/lienxa run /etc/lienxa/inventory --listen 127.0.0.1:9834"


def test_the_unit_starts_again_whatever_ended_it(province: Province) -> None:
    unit = _unit(province)
    assert (unit["Service"]["Restart"], unit["Service"]["RestartSec"]) == ("always", "5")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert "RestartPreventExitStatus" not in unit["Service"]


def test_containers_are_closed_and_the_agent_gets_raw_sockets_alone(province: Province) -> None:
    services = yaml.safe_load(deploy.build(province)[COMPOSE])["services"]
    assert sorted(services) == ["agent", "alertmanager", "grafana", "prometheus"]
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
    assert [name for name, service in services.items() if "cap_add" in service] == ["agent"]
    assert services["agent"]["cap_add"] == ["NET_RAW"]


def test_container_images_are_pinned(province: Province) -> None:
    files = deploy.build(province)
    services = yaml.safe_load(files[COMPOSE])["services"]
    images = [service["image"] for service in services.values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", files["containers/Containerfile"], re.MULTILINE)
    assert len(images) == 5
    for image in images:
        assert re.search(r":v?\d+\.\d+\.\d+", image), image


def test_containers_mount_what_the_generators_write(province: Province) -> None:
    written = {
        **deploy.build(province),
        **alerts.build(province, ("vi", "en", "fr")),
        **dashboards.build(province, ("vi", "en", "fr")),
    }
    services = yaml.safe_load(deploy.build(province)[COMPOSE])["services"]
    mounted = [volume.split(":")[0] for service in services.values() for volume in service["volumes"]]
    folders = [source.removeprefix("../") for source in mounted if source.startswith("../")]
    assert sorted(folders) == ["alertmanager", "grafana/dashboards", "grafana/provisioning", "prometheus"]
    for folder in folders:
        assert any(name.startswith(f"{folder}/") for name in written), folder


def test_grafana_finds_the_data_source_that_the_dashboards_ask_for(province: Province) -> None:
    files = deploy.build(province)
    (source,) = yaml.safe_load(files["grafana/provisioning/datasources/lienxa.yaml"])["datasources"]
    assert source["uid"] == "lienxa"
    assert source["url"] == "http://127.0.0.1:9090"
    (provider,) = yaml.safe_load(files["grafana/provisioning/dashboards/lienxa.yaml"])["providers"]
    volumes = yaml.safe_load(files[COMPOSE])["services"]["grafana"]["volumes"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in volumes


def test_generating_again_gives_the_same_bytes(province: Province) -> None:
    assert deploy.build(province) == deploy.build(province)
