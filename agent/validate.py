"""`lienxa validate`: everything that is wrong with an inventory, and what it costs, at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent import planned_cuts
from agent.bundle import PARTS, build
from agent.credentials import Credentials, look_at
from agent.findings import findings
from agent.inventory import InventoryError, folder_of, load
from agent.inventory.folder import read_all
from agent.profiles import library_of
from probes.model import Province


@dataclass(frozen=True)
class Report:
    """Whole lines for people: `file:line: path: what; a way out`, `file: warning: what it costs`, and how it went."""

    errors: Sequence[str]
    warnings: Sequence[str]
    summary: str


def validate(path: Path, now_s: float) -> Report:
    """Check one inventory, a file or a folder; `now_s` is seconds since 1970. Nothing is changed or asked."""
    shown = f"{path}/" if path.is_dir() else str(path)
    try:
        province = load(path)
    except InventoryError as error:
        return Report(error.errors, (), f"{shown}: {_count(len(error.errors), 'error')}")
    credentials = look_at(province, folder_of(path))
    errors = [
        *_told(path, credentials),
        *_profile_problems(province, folder_of(path)),
        *_generated_into_nothing(shown, province),
    ]
    warnings = [
        *(f"{shown}: warning: {text}" for text in _warnings(province, credentials, now_s)),
        *_cut_warnings(planned_cuts.read(province, folder_of(path), now_s)),
    ]
    found = ", ".join(
        _count(len(lines), word) if lines else f"no {word}s"
        for lines, word in ((errors, "error"), (warnings, "warning"))
    )
    return Report(errors, warnings, f"{shown}: {_contents(province)}: {found}")


def _warnings(province: Province, credentials: Credentials, now_s: float) -> Iterator[str]:
    """What is no error, one line each: whoever finds more of it tells it here."""
    for flaw in credentials.flaws:
        if flaw.unset is not None:
            yield str(replace(flaw, text=f"{flaw.unset} is not set here"))
    known = {"default_communities": credentials.default_communities, "exposed": credentials.exposed}
    yield from (found.text for found in findings(province, now_s, **known))


def _cut_warnings(announced: planned_cuts.Announced) -> Iterator[str]:
    """What cannot be taken from the announced power cuts: never an error, as somebody else writes them."""
    if announced.error:
        yield f"{announced.path}: warning: {announced.error}"
    for row in announced.rejected:
        yield f"{announced.path}:{row.line}: warning: {row.reason}"
    for note in announced.notes:
        yield f"{announced.path}:{note.line}: warning: {note.text}"


def _told(path: Path, credentials: Credentials) -> list[str]:
    """What is wrong with credentials, by file and line."""
    flaws = [flaw for flaw in credentials.flaws if flaw.unset is None]
    if not flaws:
        return []
    document = read_all(path)
    lines = [document.error(("credentials", flaw.credential, flaw.part), flaw.text) for flaw in flaws]
    return [text for _, text in sorted(lines)]


def _profile_problems(province: Province, folder: Path) -> list[str]:
    try:
        library_of(province, folder)
    except InventoryError as error:
        return error.errors
    return []


def _generated_into_nothing(shown: str, province: Province) -> list[str]:
    """Why dashboards, rules or deployment files cannot be made; they can, unless there is a fault in lienxa."""
    failures = []
    for part in PARTS:
        try:
            build(province, [part])
        except Exception as error:  # whatever it is, the other parts and warnings are told too
            failures.append(
                f"{shown}: its {part} cannot be generated ({type(error).__name__}: {error}); "
                "that is a fault of lienxa's, please report it with this inventory"
            )
    return failures


def _contents(province: Province) -> str:
    services = [*province.services, *(service for commune in province.communes for service in commune.services)]
    systems = {service.use for service in services if service.use is not None}
    return ", ".join(
        (
            f"province {province.province}",
            _count(len(province.communes), "commune"),
            _count(sum(len(commune.links) for commune in province.communes), "link"),
            _count(sum(len(commune.devices) for commune in province.communes), "device"),
            f"{_count(len(services), 'service')} ({_count(len(systems), 'national system')})",
            _count(len(province.trunks), "trunk"),
            _count(len(province.maintenance), "maintenance window"),
            _count(len(province.known_issues), "known issue"),
        )
    )


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
