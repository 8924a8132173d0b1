"""Device profiles: what is asked of a sort of device and what it means, one YAML file each; read on first use."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from probes.profiles.compiled import CompiledGroup, compiled
from probes.profiles.model import Group, Profile, Sign, objects

__all__ = ["Asked", "Group", "Library", "Plan", "Profile", "Sign", "compiled", "load", "objects", "read", "shipped"]

SUFFIX = ".yaml"
FIRST = ("system",)
"""The group that is asked before all others: it tells what the device is."""
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 8 times faster where libyaml is there


@dataclass(frozen=True, slots=True)
class Asked:
    """One group of a device. One that the inventory demands must answer; one of a recognised profile may be absent."""

    group: CompiledGroup
    demanded: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a device is asked, in order: what it is, the small groups, the big ones, of these the demanded first."""

    asked: tuple[Asked, ...]
    contested: frozenset[str]
    """Names of families that several groups feed: the first that says something counts."""


@dataclass(frozen=True)
class Library:
    """Every profile by its id. Two libraries are equal if they were read from the same texts."""

    digest: str
    profiles: Mapping[str, Profile] = field(repr=False, compare=False)
    _plans: dict[tuple[tuple[str, ...], tuple[str, ...], bool, tuple[str, ...]], Plan] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __deepcopy__(self, _: object) -> Library:
        """It never changes."""
        return self

    @property
    def general(self) -> Mapping[str, Group]:
        """The groups that any device may be asked, by name."""
        return {
            group.name: group for profile in self.profiles.values() if profile.match is None for group in profile.groups
        }

    def candidates(self, object_id: str, description: str) -> list[Profile]:
        """Profiles that a device may have, the most particular first; one with a probe only if that succeeds.

        A longer beginning of sysObjectID tells more than a shorter one, and any more than none; with the same one, a
        probe tells more (many vendors leave sysObjectID to net-snmp), and then sysDescr.
        """
        found = []
        for profile in self.profiles.values():
            match = profile.match
            if match is None:
                continue
            length = max((_length(prefix, object_id) for prefix in match.object_id), default=0)
            if match.object_id and not length:
                continue
            if match.description is not None and not _pattern(match.description).search(description):
                continue
            found.append(((-length, match.probe is None, match.description is None, profile.id), profile))
        return [profile for _, profile in sorted(found, key=lambda item: item[0])]

    def plan(
        self, groups: Sequence[str], profiles: Sequence[str] = (), *, whole: bool = False, extras: Sequence[str] = ()
    ) -> Plan:
        """What is asked of a device.

        `groups` are demanded, in the way of a profile that has one of the name, else in the general way; with `whole`
        what else a general profile has comes with it. `extras` are groups that may be missing. Raises KeyError for a
        name that no profile has.
        """
        key = (tuple(groups), tuple(profiles), whole, tuple(extras))
        made = self._plans.get(key)
        if made is None:
            made = self._plans[key] = self._plan(*key)
        return made

    def _plan(self, groups: tuple[str, ...], profiles: tuple[str, ...], whole: bool, extras: tuple[str, ...]) -> Plan:
        own: dict[str, Group] = {}
        for name in profiles:
            profile = self.profiles[name]
            for group in (*profile.groups, *(group for also in profile.also for group in self.profiles[also].groups)):
                own.setdefault(group.name, group)
        general = self.general
        if whole:
            for profile in self.profiles.values():
                if profile.match is None and any(group.name in groups for group in profile.groups):
                    for group in profile.groups:
                        own.setdefault(group.name, group)
        for name in extras:
            own.setdefault(name, general[name])
        chosen = {name: (own.get(name) or general[name], True) for name in groups}
        chosen |= {name: (group, False) for name, group in own.items() if name not in chosen}
        asked = [Asked(compiled(group), demanded) for group, demanded in chosen.values()]
        asked.sort(
            key=lambda item: (item.group.name not in FIRST, item.group.big, item.group.big and not item.demanded)
        )
        times = Counter(family for item in asked for family in item.group.families)
        return Plan(tuple(asked), frozenset(family for family, count in times.items() if count > 1))

    def signs(self, profiles: Sequence[str]) -> tuple[Sign, ...]:
        """The objects by which devices of these profiles are told from every other, each once."""
        every = [name for profile in profiles for name in (profile, *self.profiles[profile].also)]
        return tuple(dict.fromkeys(sign for name in every for sign in self.profiles[name].serial_number))

    def names(self) -> frozenset[str]:
        """Groups that an inventory may demand."""
        return frozenset(group.name for profile in self.profiles.values() for group in profile.groups)


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)


def _length(prefix: str, object_id: str) -> int:
    """Arcs of a beginning, 0 where it is none."""
    return prefix.count(".") + 1 if f"{object_id}.".startswith(f"{prefix}.") else 0


@cache
def shipped() -> Library:
    """The profiles of the product."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(SUFFIX))
    return _library((file.name, file.read_text(encoding="utf-8")) for file in files)


def load(folder: Path) -> Library:
    """The shipped profiles with a deployer's own; one of the same id replaces ours.

    Raises ValueError with every error of every file: `file: path: what is wrong`.
    """
    ours = shipped()
    texts, errors = [], []
    try:
        files = sorted(file for file in folder.iterdir() if file.name.endswith((SUFFIX, ".yml")))
    except OSError as error:
        raise ValueError(f"{folder}: {error.strerror}") from None
    for file in files:
        try:
            texts.append((file.name, file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            errors.append(f"{file.name}: {getattr(error, 'strerror', None) or 'is not UTF-8'}")
    return _library(texts, ours, errors)


def _library(texts: Iterable[tuple[str, str]], base: Library | None = None, errors: Sequence[str] = ()) -> Library:
    profiles = dict(base.profiles) if base else {}
    wrong = list(errors)
    digest = hashlib.sha256((base.digest if base else "").encode())
    fresh = []
    for file, text in sorted(texts):
        digest.update(f"{file}\0{text}\0".encode())
        try:
            profile = read(file, text)
        except ValueError as error:
            wrong.append(str(error))
            continue
        profiles[profile.id] = profile
        fresh.append((file, profile))
    wrong += [line for file, profile in fresh for line in _unknown(file, profile, profiles)]
    wrong += _shared(profiles)
    if wrong:
        raise ValueError("\n".join(wrong))
    return Library(digest.hexdigest(), MappingProxyType(dict(sorted(profiles.items()))))


def _unknown(file: str, profile: Profile, profiles: Mapping[str, Profile]) -> Iterable[str]:
    for place, also in enumerate(profile.also):
        if also not in profiles:
            known = ", ".join(sorted(name for name, other in profiles.items() if other.match is None))
            yield f"{file}: also.{place}: no profile {also!r} (known: {known})"
        elif profiles[also].match is not None:
            yield f"{file}: also.{place}: {also!r} is recognised by itself; only profiles without match can be named"


def _shared(profiles: Mapping[str, Profile]) -> Iterable[str]:
    """A group of a profile without match is found by its name alone."""
    owner: dict[str, str] = {}
    for profile in profiles.values():
        for group in profile.groups if profile.match is None else ():
            first = owner.setdefault(group.name, profile.id)
            if first != profile.id:
                yield f"{profile.id}{SUFFIX}: groups: {group.name!r} is already in {first}{SUFFIX}"


def read(file: str, text: str) -> Profile:
    """The profile that one file describes. Raises ValueError: a line `file: path: what is wrong` for each error."""
    try:
        profile = Profile.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506  # it is a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise ValueError(f"{file}: {where}{getattr(error, 'problem', None) or error}") from None
    except ValidationError as error:
        raise ValueError("\n".join(dict.fromkeys(_line(file, item) for item in error.errors()))) from None
    if Path(file).stem != profile.id:
        raise ValueError(f"{file}: id: {profile.id!r} belongs into {profile.id}{SUFFIX}")
    return profile


def _line(file: str, item: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"])
    return ": ".join(part for part in (file, path, item["msg"].removeprefix("Value error, ")) if part)
