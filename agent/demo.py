"""The demonstration: a simulated province with a fault, watched until its alert arrives, and on to the recovery."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.errors import Unusable
from agent.stage import Notification, Stage, start_lab
from deploy import lab
from deploy.lab.edge import EdgeChoice
from deploy.lab.scenario import Scenario
from deploy.lab.scenario import load as load_scenario
from probes import units

SETTLING_S = 30.0
"""How long the demonstration goes on after the scenario's last event, so that the last notification is seen."""
VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
COLOURS = {"up": "green", "degraded": "yellow", "down": "red", "blind": "magenta", "unknown": "bright_black"}


def demo(scenario: str, edge: EdgeChoice, *, plain: bool, stay: bool) -> int:
    """Play one scenario in a lab, with the product watching. Ends with the scenario, or with Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        story = load_scenario(scenario)
        with _stage(console, edge) as stage:
            console.print(f"Playing [bold]{story.name}[/bold]: {story.about}")
            _where_to_look(console, stage)
            stage.lab.play(scenario)
            _watch(console, stage, story, plain=plain or not console.is_terminal, stay=stay)
    except lab.LabError as error:
        raise Unusable(str(error)) from None
    except KeyboardInterrupt:
        console.print("Stopped.")
    console.print("Everything that the demonstration started has ended.")
    return 0


@contextlib.contextmanager
def _stage(console: Console, edge: EdgeChoice) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="lienxa-demo-") as folder:
        console.print("Starting a simulated Cao Bang: 56 communes, their devices, portals and the network between …")
        with start_lab(edge) as started:
            console.print("Starting the agent, Prometheus and Alertmanager inside it …")
            with Stage(started, lab.CAO_BANG, Path(folder)) as stage:
                missing = [name for name in ("prometheus", "alertmanager") if name not in stage.urls]
                if missing:
                    console.print(f"[yellow]{' and '.join(missing)} not installed: no notification will come.[/yellow]")
                yield stage


def _where_to_look(console: Console, stage: Stage) -> None:
    paths = {"agent": "/metrics", "prometheus": "/alerts", "alertmanager": "/#/alerts"}
    for name, url in stage.urls.items():
        console.print(f"  {name:<13} {url}{paths[name]}")


def _watch(console: Console, stage: Stage, story: Scenario, *, plain: bool, stay: bool) -> None:
    started = time.monotonic()
    until = started + story.lasts_s + SETTLING_S
    teller = _Lines(console) if plain else None
    live = contextlib.nullcontext() if plain else Live(console=console, refresh_per_second=4, transient=False)
    with live as screen:
        while stay or time.monotonic() < until:
            status = stage.get("agent", "/api/v1/status")
            if teller is not None:
                teller.tell(status, stage.notifications)
            elif screen is not None:
                screen.update(_picture(status, stage, time.monotonic() - started, story))
            time.sleep(0.25)


class _Lines:
    """Tells verdicts and notifications as lines, each once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, str] = {}
        self._notified = 0

    def tell(self, status: Mapping[str, Any], notifications: list[Notification]) -> None:
        """Print what is new."""
        for code, verdict in status["communes"].items():
            words = _words(verdict)
            if self._told.get(code, "up") != words and not (code not in self._told and words == "unknown"):
                self._console.print(f"{_clock(time.time())}  {code} {units.name(code):<16} {words}")
            self._told[code] = words
        for notification in notifications[self._notified :]:
            self._console.print(_message(notification))
        self._notified = len(notifications)


def _picture(status: Mapping[str, Any], stage: Stage, elapsed: float, story: Scenario) -> Group:
    states = [verdict["state"] for verdict in status["communes"].values()]
    head = Text(f"{elapsed:5.0f} s  ")
    for state, colour in COLOURS.items():
        head.append(f" {states.count(state)} {state} ", style=colour)
    coming = next((event for event in story.events if event.at_s > elapsed), None)
    head.append(f"   next: {coming.told()} at {coming.at_s:.0f} s" if coming else "   the scenario has ended")
    table = Table("Commune", "State", "Cause", "Since", "Evidence", expand=True)
    for code, verdict in sorted(status["communes"].items(), key=lambda item: (item[1]["state"] != "down", item[0])):
        if verdict["state"] not in {"up", "unknown"}:
            table.add_row(
                f"{code} {units.name(code)}",
                Text(verdict["state"], style=COLOURS[verdict["state"]]),
                ", ".join(verdict["causes"]),
                _clock(verdict["since"]),
                "; ".join(evidence["facts"] for evidence in verdict["evidence"]),
            )
    if not table.row_count:
        table.add_row("every commune", Text("up", style="green"), "", "", "")
    return Group(head, table, *(Text(_message(item)) for item in stage.notifications[-6:]))


def _words(verdict: Mapping[str, Any]) -> str:
    causes = ", ".join(verdict["causes"])
    facts = "; ".join(evidence["facts"] for evidence in verdict["evidence"])
    return f"{verdict['state']}: {causes} ({facts})" if causes else str(verdict["state"])


def _message(notification: Notification) -> str:
    lines = [f"{_clock(notification.at)}  NOTIFICATION, {notification.status}"]
    lines += [f"    {alert['annotations'].get('summary', alert['labels'])}" for alert in notification.alerts]
    return "\n".join(lines)


def _clock(wall: float) -> str:
    return datetime.fromtimestamp(wall, VIETNAM).strftime("%H:%M:%S")
