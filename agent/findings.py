"""What is allowed in an inventory and costs something: findings, not errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from probes import metrics, units
from probes.model import (
    VIETNAM,
    Commune,
    HttpBasic,
    HttpBearer,
    OAuth2Client,
    Province,
    Service,
    SnmpUser,
    Window,
    recurrence,
)
from probes.results import Reading

NAMED = 3
"""So many are named; the others are counted."""
LONGEST_WORK = timedelta(days=14)
"""Maintenance that lasts longer is more likely a slip of the finger."""
OCCURRENCES = 1_000
"""Of a window's repetitions so many are looked at; one that has more is not over."""


class Finding(StrEnum):
    """What a finding is about; label-safe. Add, never rename."""

    NO_REFERENCES = "no_references"
    NO_WEBHOOK = "no_webhook"
    NO_ELECTRICITY_CONTACT = "no_electricity_contact"
    NO_CARRIER_CONTACT = "no_carrier_contact"
    MISSING_COMMUNE = "missing_commune"
    NO_OBSERVED_LINK = "no_observed_link"
    ONE_LINK = "one_link"
    NO_IDENTIFICATION_CODE = "no_identification_code"
    NO_COMMUNE_CONTACT = "no_commune_contact"
    DEFAULT_COMMUNITY = "default_community"
    SNMP_COMMUNITY = "snmp_community"
    SNMP_WITHOUT_PRIVACY = "snmp_without_privacy"
    CREDENTIAL_UNPROTECTED = "credential_unprotected"
    SECRET_EXPOSED = "secret_exposed"  # noqa: S105  # a name
    EXPECTED_BY_PASSED = "expected_by_passed"
    WINDOW_OVER = "window_over"
    WINDOW_LONG = "window_long"
    TRUNK_WITHOUT_COMMUNES = "trunk_without_communes"
    UNUSED_SITE_CLASS = "unused_site_class"
    UNUSED_CREDENTIAL = "unused_credential"


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: how many it concerns, and one line that says what it costs."""

    finding: Finding
    count: int
    text: str


def findings(
    province: Province, now_s: float, *, default_communities: Collection[str] = (), exposed: Collection[str] = ()
) -> list[Found]:
    """All findings in the order of `Finding`; none where nothing is found. `now_s` is seconds since 1970.

    What secrets have told: names of credentials with a community that everybody knows, files that others can read.
    """
    now = datetime.fromtimestamp(now_s, VIETNAM)
    found = [
        *_of_the_province(province),
        *_of_communes(province),
        *_of_security(province, default_communities, exposed),
        *_of_time(province, now),
        *_of_the_unused(province),
    ]
    return sorted(found, key=lambda item: list(Finding).index(item.finding))


def readings(found: Iterable[Found]) -> list[Reading]:
    """How many each finding concerns; 0 for what is not found."""
    counts = {item.finding: item.count for item in found}
    return [Reading(metrics.INVENTORY_FINDINGS, counts.get(finding, 0), (finding,)) for finding in Finding]


def _of_the_province(province: Province) -> Iterator[Found]:
    if not province.communes:
        return
    if not province.references:
        yield Found(
            Finding.NO_REFERENCES,
            1,
            "no references: the agent can tell its own blindness only when every link and trunk is silent; "
            "name one or two addresses close to it",
        )
    contacts = province.contacts
    if contacts.webhook_url is None:
        yield Found(Finding.NO_WEBHOOK, 1, "no contacts.webhook_url: alerts are shown, and sent to nobody")
    if contacts.electricity is None:
        yield Found(
            Finding.NO_ELECTRICITY_CONTACT,
            1,
            "no contacts.electricity: an alert about a power cut names nobody to call",
        )
    if contacts.carrier is None:
        yield Found(
            Finding.NO_CARRIER_CONTACT,
            1,
            "no contacts.carrier: an alert about a dead link or trunk names nobody to call",
        )


def _of_communes(province: Province) -> Iterator[Found]:
    there = {commune.code for commune in province.communes}
    whole = [unit.code for unit in units.communes(province.province)]
    if missing := [code for code in whole if code not in there]:
        yield Found(
            Finding.MISSING_COMMUNE,
            len(missing),
            f"{_of(len(missing), len(whole), 'commune')} of {units.name(province.province)} "
            f"{_verb(missing, 'is', 'are')} missing, nobody watches them: {_communes(missing)}",
        )

    def of(finding: Finding, concerned: Iterable[Commune], has: str, have: str) -> Iterator[Found]:
        codes = [commune.code for commune in concerned]
        if codes:
            how_many = _of(len(codes), len(there), "commune")
            yield Found(finding, len(codes), f"{how_many} {_verb(codes, has, have)}: {_communes(codes)}")

    communes = province.communes
    unobserved = [commune for commune in communes if all(link.address is None for link in commune.links)]
    yield from of(
        Finding.NO_OBSERVED_LINK,
        unobserved,
        "has no link with an address, so that nothing can be said of it",
        "have no link with an address, so that nothing can be said of them",
    )
    yield from of(
        Finding.ONE_LINK, (item for item in communes if len(item.links) == 1), "has one link only", "have one link only"
    )
    yield from of(
        Finding.NO_IDENTIFICATION_CODE,
        (commune for commune in communes if commune.identification_code is None),
        "has no identification_code, which electronic documents are addressed with",
        "have no identification_code, which electronic documents are addressed with",
    )
    yield from of(
        Finding.NO_COMMUNE_CONTACT,
        (commune for commune in communes if commune.contact is None),
        "has no contact, so that nobody on site can be asked to look",
        "have no contact, so that nobody on site can be asked to look",
    )


def _of_security(province: Province, default_communities: Collection[str], exposed: Collection[str]) -> Iterator[Found]:
    if default_communities:
        yield Found(
            Finding.DEFAULT_COMMUNITY,
            len(default_communities),
            f"{_count(len(default_communities), 'credential')} "
            f"{_verb(default_communities, 'has', 'have')} a default community, which everybody tries first: "
            f"{_few(sorted(default_communities))}; change it in the devices",
        )
    asked = [device.credential for commune in province.communes for device in commune.devices]
    users = {name: item for name, item in province.credentials.items() if isinstance(item, SnmpUser)}
    plain = [name for name in asked if name not in users]
    open_ = [name for name in asked if name in users and users[name].privacy_key is None]
    for finding, names, how, way_out in (
        (Finding.SNMP_COMMUNITY, plain, "SNMP v1 or v2c", "use version: v3"),
        (Finding.SNMP_WITHOUT_PRIVACY, open_, "SNMP v3 without privacy", "add privacy_protocol and privacy_key"),
    ):
        if names:
            used = sorted(set(names))
            yield Found(
                finding,
                len(names),
                f"{_of(len(names), len(asked), 'device')} {_verb(names, 'is', 'are')} asked over {how}, which anybody "
                f"on the way can read ({'credential' if len(used) == 1 else 'credentials'} {_few(used)}); {way_out}",
            )
    if bare := [name for name, service in _services(province) if _unprotected(province, service)]:
        yield Found(
            Finding.CREDENTIAL_UNPROTECTED,
            len(bare),
            f"{_count(len(bare), 'service')} {_verb(bare, 'is', 'are')} sent a password or token that others can read, "
            f"over http:// or with verify_tls: false: {_few(bare)}",
        )
    if exposed:
        yield Found(
            Finding.SECRET_EXPOSED,
            len(exposed),
            f"{_count(len(exposed), 'secret file')} can be read by others: {_few(sorted(exposed))}; "
            f"chmod 600 {_verb(exposed, 'it', 'them')}",
        )


def _unprotected(province: Province, service: Service) -> bool:
    credential = province.credentials.get(service.credential or "")
    if not isinstance(credential, HttpBasic | HttpBearer | OAuth2Client) or not service.connected:
        return False
    urls = [str(service.settings.get("url", "")), getattr(credential, "token_url", "https:")]
    plain = any(not url.casefold().startswith("https:") for url in urls)
    return plain or service.settings.get("verify_tls") is False


def _of_time(province: Province, now: datetime) -> Iterator[Found]:
    late = [
        f"{name} ({service.expected_by})"
        for name, service in _services(province)
        if not service.connected and service.expected_by is not None and service.expected_by < now.date()
    ]
    if late:
        yield Found(
            Finding.EXPECTED_BY_PASSED,
            len(late),
            f"{_count(len(late), 'service')} should have been connected by now: {_few(late)}",
        )
    if over := [_window(window) for window in province.maintenance if _is_over(window, now)]:
        yield Found(
            Finding.WINDOW_OVER,
            len(over),
            f"{_of(len(over), len(province.maintenance), 'maintenance window')} {_verb(over, 'is', 'are')} over: "
            f"{_few(over)}; take {_verb(over, 'it', 'them')} out",
        )
    if long := [_window(window) for window in province.maintenance if window.end - window.start > LONGEST_WORK]:
        yield Found(
            Finding.WINDOW_LONG,
            len(long),
            f"{_of(len(long), len(province.maintenance), 'maintenance window')} {_verb(long, 'lasts', 'last')} longer "
            f"than {LONGEST_WORK.days} days: {_few(long)}; nobody is paged meanwhile",
        )


def _is_over(window: Window, now: datetime) -> bool:
    """Whether nothing of a window is still to come."""
    if window.end > now:
        return False
    if window.repeat is None:
        return True
    if not any(end in window.repeat.upper() for end in ("UNTIL=", "COUNT=")):
        return False
    lasts: timedelta = window.end - window.start
    seen = 0
    for start in islice(recurrence(window.repeat, window.start), OCCURRENCES):
        seen += 1
        if start + lasts > now:
            return False
    return seen < OCCURRENCES


def _window(window: Window) -> str:
    about = f" ({window.reason})" if window.reason else ""
    return f"{window.start.astimezone(VIETNAM):%Y-%m-%d %H:%M}{about}"


def _of_the_unused(province: Province) -> Iterator[Found]:
    parents = {trunk.id: trunk.parent for trunk in province.trunks}
    carrying: set[str] = set()
    for commune in province.communes:
        at = commune.trunk
        while at is not None and at not in carrying:
            carrying.add(at)
            at = parents.get(at)
    if idle := [trunk.id for trunk in province.trunks if trunk.id not in carrying]:
        yield Found(
            Finding.TRUNK_WITHOUT_COMMUNES,
            len(idle),
            f"{_of(len(idle), len(province.trunks), 'trunk')} {_verb(idle, 'has', 'have')} no commune behind "
            f"{_verb(idle, 'it', 'them')}: {_few(idle)}",
        )
    in_use = {commune.site_class for commune in province.communes}
    if idle := [name for name in province.site_classes if name not in in_use]:
        yield Found(
            Finding.UNUSED_SITE_CLASS,
            len(idle),
            f"{_count(len(idle), 'site class', 'site classes')} {_verb(idle, 'has', 'have')} no commune: {_few(idle)}",
        )
    asking = {device.credential for commune in province.communes for device in commune.devices}
    asking |= {service.credential for _, service in _services(province) if service.credential is not None}
    if idle := [name for name in province.credentials if name not in asking]:
        yield Found(
            Finding.UNUSED_CREDENTIAL,
            len(idle),
            f"{_count(len(idle), 'credential')} {_verb(idle, 'is', 'are')} used by no device or service: {_few(idle)}",
        )


def _services(province: Province) -> Iterator[tuple[str, Service]]:
    """Every service by the name that people know it by."""
    for service in province.services:
        yield service.id, service
    for commune in province.communes:
        for service in commune.services:
            yield f"{commune.code}/{service.id}", service


def _count(count: int, what: str, whats: str = "") -> str:
    return f"{count} {what if count == 1 else whats or what + 's'}"


def _of(count: int, total: int, what: str) -> str:
    return f"{count} of {_count(total, what)}"


def _verb(concerned: Collection[object], one: str, several: str) -> str:
    return one if len(concerned) == 1 else several


def _communes(codes: Sequence[str]) -> str:
    return _few([f"{code} {units.name(code)}" for code in codes])


def _few(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
