"""The state of the simulated province, and how an event changes it."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from deploy.lab.errors import LabError
from deploy.lab.portals import TCP_MOODS, Manner, Mood, Portal
from deploy.lab.power import Site
from deploy.lab.scenario import EVERYTHING, Event, Scenario, unknown
from deploy.lab.topology import Topology
from probes.model import Province

DEFAULT_BATTERY_S = 900.0
_DAY_S = 86400


class Wan(Protocol):
    """The forwarder, as the lab process sees it; every call returns when it has taken effect."""

    async def impair(self, name: str, changes: Mapping[str, float | bool]) -> None: ...
    async def clear(self, name: str | None) -> None: ...
    async def dark(self, name: str, is_dark: bool) -> None: ...
    async def stats(self) -> dict[str, Any]: ...


class World:
    """Sites with their power, portals with their manners, and the WAN, which alone drops packets.

    `now` gives seconds on one clock. The topology here is only asked for names and whether links are whole.
    """

    def __init__(
        self,
        province: Province,
        topology: Topology,
        wan: Wan,
        portals: Mapping[str, Portal],
        now: Callable[[], float],
        battery_s: float = DEFAULT_BATTERY_S,
    ) -> None:
        """`portals` by the id of each service that is served."""
        self._topology = topology
        self._wan = wan
        self._portals = portals
        self._kinds = {service.id: service.kind for service in province.services}
        self._now = now
        self._changed = asyncio.Event()
        self._dark: set[str] = set()
        self._order = asyncio.Lock()
        self.sites = {
            commune.code: Site(
                runtime_s=battery_s if any(device.role == "ups" for device in commune.devices) else 0.0,
                booted=now() - _DAY_S * (1 + zlib.crc32(commune.code.encode()) % 60),
                since=now(),
            )
            for commune in province.communes
        }
        self.playing: str | None = None
        self._play_task: asyncio.Task[None] | None = None

    # What names are known (`scenario.Known`)

    def segment(self, name: str) -> str | None:
        """What is wrong with a segment's name; None if it is one."""
        return self._topology.problem(name)

    def commune(self, name: str) -> str | None:
        """What is wrong with a commune's code; None if the province has it."""
        return None if name in self.sites else unknown("commune", name, list(self.sites))

    def portal(self, name: str, action: str) -> str | None:
        """What is wrong with a service's id, for one of the `portal_…` actions; None if it can be done."""
        if name not in self._portals:
            return unknown("service", name, list(self._portals))
        mood = Mood(action.removeprefix("portal_"))
        if self._kinds[name] != "http" and mood not in TCP_MOODS:
            return f"{name!r} is of kind {self._kinds[name]}, where only portal_refuse and portal_ok can be done"
        return None

    def link_works(self, commune: str, link: str) -> bool:
        """Whether a link is whole, as the router at its far end sees it."""
        wrong = self._topology.segment(f"{commune}/{link}").impairment
        return not (wrong.cut or wrong.unreachable)

    # What happens

    async def act(self, event: Event) -> None:
        """Let a checked event happen; returns when it has taken effect. Raises LabError where that fails."""
        async with self._order:
            value = getattr(event, event.action)
            match event.action:
                case "cut":
                    await self._impair(value, cut=True)
                case "unreachable":
                    await self._impair(value, unreachable=True)
                case "restore":
                    await self._impair(value, cut=False, unreachable=False)
                case "impair":
                    fields = value.model_dump(exclude={"segment"}, exclude_none=True)
                    await self._impair((value.segment,), **fields)
                case "clear":
                    await self._clear(value)
                case "power_cut" | "power_back":
                    await self._power(value, on=event.action == "power_back")
                case "portal_slow":
                    await self._behave((value.service,), Manner(Mood.SLOW, value.seconds))
                case action:
                    await self._behave(value, Manner(Mood(action.removeprefix("portal_"))))

    async def _impair(self, names: tuple[str, ...], **changes: float | bool) -> None:
        for name in names:
            self._topology.segment(name).impair(changes)
            await self._wan.impair(name, changes)

    async def _clear(self, names: tuple[str, ...]) -> None:
        if names == (EVERYTHING,):
            self._topology.clear()
            await self._wan.clear(None)
            await self._power(tuple(self.sites), on=True)
            await self._behave(tuple(self._portals), Manner())
            return
        for name in names:
            self._topology.segment(name).heal()
            await self._wan.clear(name)

    async def _power(self, codes: tuple[str, ...], on: bool) -> None:
        now = self._now()
        for code in codes:
            self.sites[code] = self.sites[code].back(now) if on else self.sites[code].cut(now)
        await self._darken()
        self._changed.set()

    async def _behave(self, services: tuple[str, ...], manner: Manner) -> None:
        for service in services:
            try:
                await self._portals[service].behave(service, manner)
            except OSError as error:
                raise LabError(f"{service} could not listen again: {error.strerror}") from None

    async def _darken(self) -> None:
        """Have the WAN drop what goes to sites without power, and to no others."""
        now = self._now()
        dark = {code for code, site in self.sites.items() if not site.lit(now)}
        for code in sorted(dark ^ self._dark):
            await self._wan.dark(code, code in dark)
        self._dark = dark

    async def drain(self) -> None:
        """Let batteries run empty, for ever."""
        while True:
            self._changed.clear()
            now = self._now()
            ahead = [site.dark_from - now for site in self.sites.values() if site.dark_from and site.lit(now)]
            try:
                async with asyncio.timeout(min(ahead) if ahead else None):
                    await self._changed.wait()
            except TimeoutError:
                async with self._order:
                    await self._darken()

    async def play(self, scenario: Scenario) -> None:
        """Start a checked scenario; returns at once. Raises LabError while another one is being played."""
        if self.playing is not None:
            raise LabError(f"scenario {self.playing!r} is still being played")
        self.playing = scenario.name
        if scenario.battery is not None:
            self.sites = {code: site.with_runtime(scenario.battery, self._now()) for code, site in self.sites.items()}
            self._changed.set()
        self._play_task = asyncio.create_task(self._play(scenario, self._now()))

    async def stop(self) -> None:
        """Play no further."""
        task, self._play_task = self._play_task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.playing = None

    async def _play(self, scenario: Scenario, began: float) -> None:
        try:
            for event in scenario.events:
                await asyncio.sleep(max(0.0, began + event.at_s - self._now()))
                await self.act(event)
                sys.stderr.write(f"{scenario.name}: {event.at_s:g} s: {event.told()}\n")
        except LabError as error:
            sys.stderr.write(f"{scenario.name}: stopped: {error}\n")
        finally:
            self.playing = None

    def status(self) -> dict[str, Any]:
        """What is played, and every site that is not on mains with a full battery."""
        now = self._now()
        return {
            "playing": self.playing,
            "sites": {
                code: {
                    "mains": site.mains,
                    "lit": site.lit(now),
                    "charge": round(site.charge_at(now), 3),
                    "on_battery_s": round(site.on_battery_s(now), 1),
                }
                for code, site in self.sites.items()
                if not site.mains or (site.charge_at(now) < 1 and site.runtime_s)
            },
        }
