"""Which of a province's targets are meant: by commune, by target id or pattern, by probe kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from agent.errors import Unusable
from probes import units
from probes.model import Province
from probes.results import Target
from probes.units import Unit

MEANT = 3
"""How many close matches are named."""
CLOSE = 0.7
"""How much of a match must agree (see `difflib.SequenceMatcher.ratio`)."""


def select(
    province: Province,
    targets: Sequence[Target],
    communes: Sequence[str] = (),
    patterns: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> tuple[Target, ...]:
    """What every given filter lets through, in the order of `targets`; one without values lets everything through.

    `communes` are codes or names, `patterns` target ids or shell patterns over them. Raises `Unusable` where a value
    names nothing or several communes, or where nothing is left.
    """
    if not targets:
        raise Unusable("nothing to check: the inventory names nothing that can be probed")
    codes = {_commune(province, text) for text in communes}
    ids = {found for pattern in patterns for found in _ids([target.id for target in targets], pattern)}
    chosen = tuple(
        target
        for target in targets
        if (not communes or target.labels.get("commune") in codes)
        and (not patterns or target.id in ids)
        and (not kinds or target.kind in kinds)
    )
    if not chosen:
        given = (("--commune", communes), ("--target", patterns), ("--kind", kinds))
        used = [name for name, values in given if values]
        raise Unusable(f"nothing to check: no target passes {' and '.join(used)}")
    return chosen


def _commune(province: Province, text: str) -> str:
    """The code of the one commune of the inventory that is meant."""
    found = units.find(text, province.province)
    if not found:
        near = _meant(province, text)
        raise Unusable(f"--commune: no commune of province {province.province} has the code or name {text!r}{near}")
    codes = {commune.code for commune in province.communes}
    here = [unit for unit in found if unit.code in codes]
    if len(here) > 1:
        raise Unusable(f"--commune: {text!r} can be {_either(map(_named, here))}; give the code")
    if not here:
        raise Unusable(f"--commune: {_either(map(_named, found))} is not in the inventory")
    return here[0].code


def _meant(province: Province, text: str) -> str:
    """The communes of the inventory whose code or name is close."""
    listed = [unit for commune in province.communes for unit in units.find(commune.code, province.province)]
    spellings = {unit.code: unit for unit in listed} if text.strip().isdigit() else _by_folded(listed)
    near = difflib.get_close_matches(units.folded(text), spellings, n=MEANT, cutoff=CLOSE)
    return f"; did you mean {_either(_named(spellings[name]) for name in near)}?" if near else ""


def _by_folded(listed: Iterable[Unit]) -> dict[str, Unit]:
    return {units.folded(unit.name): unit for unit in listed}


def _named(unit: Unit) -> str:
    return f"{unit.code} ({unit.name})"


def _ids(known: Sequence[str], pattern: str) -> list[str]:
    if pattern in known:
        return [pattern]
    found = [name for name in known if fnmatchcase(name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, known, n=MEANT, cutoff=CLOSE)
        hint = f"did you mean {_either(near)}?" if near else f"ids look like {_either(_examples(known))}"
        raise Unusable(f"--target: no target is {pattern!r}; {hint}")
    return found


def _examples(known: Sequence[str]) -> Iterable[str]:
    """One id of each sort."""
    return {name.partition("/")[0]: name for name in reversed(known)}.values()


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
