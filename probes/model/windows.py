"""When silence is expected: maintenance windows, and the electricity company's planned cuts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated

from dateutil.rrule import rrule, rrulestr
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from probes.model.base import CommuneCode, Identifier, Seconds, Settings, Several

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Seven hours ahead of UTC, all year, since 1975; so that no machine needs a time zone database."""
LAST_YEAR = 2200
FORMAT = "%Y-%m-%d %H:%M"
SHORT_RULES = ("daily", "weekly", "monthly", "yearly")
LONGEST_WAIT = timedelta(days=8 * 366)
"""Whatever recurs at all does so within it: 29 February, over a century's end."""


def moment(text: str) -> datetime:
    """A moment as people write it, `2026-11-22 22:00`, in Vietnam's time unless it names an offset; ValueError."""
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=VIETNAM) if found.tzinfo is None else found.astimezone(VIETNAM)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date and time; write it as 2026-11-22 22:00, in Vietnam's time") from None
    if not 2000 <= found.year <= LAST_YEAR:
        raise ValueError(f"{text!r} lies outside of 2000 to {LAST_YEAR}; is the year right?")
    return found


def _moment(value: object) -> object:
    return moment(value) if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""Date and time, `2026-11-22 22:00`, in Vietnam's time."""


def recurrence(rule: str, start: datetime) -> rrule:
    """The occurrences of a rule from `start` on, which is the first; `daily`, `weekly` … stand for the whole rule.

    Raises ValueError in the words of somebody who edits an inventory: for what is no rule of RFC 5545, and for one that
    `start` does not follow.
    """
    text = f"FREQ={rule.upper()}" if rule in SHORT_RULES else rule.upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    until = parts.get("UNTIL", "")
    if len(until) == len("20271231") and until.isdigit():  # a day: the whole of it, in Vietnam's time
        text = text.replace(until, f"{until}T165959Z")
    wrong = f"must be {', '.join(SHORT_RULES)}, or a rule of RFC 5545 such as FREQ=MONTHLY;BYDAY=-1SU"
    if parts.get("FREQ", "").lower() not in SHORT_RULES or not parts.get("INTERVAL", "1").lstrip("0").isdigit():
        raise ValueError(wrong)
    try:
        found = rrulestr(text, dtstart=start)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        raise ValueError(wrong) from None
    if not isinstance(found, rrule):
        raise ValueError(wrong)  # noqa: TRY004  # it is the text's fault
    first = next(iter(found.replace(count=None, until=start + LONGEST_WAIT)), None)
    if first is None or next(iter(found), None) is None:
        raise ValueError(f"no day ever follows {rule!r}")
    if first != start:
        raise ValueError(f"start does not follow {rule!r}; the first moment that does is {first:{FORMAT}}")
    return found


class Window(Settings):
    """When work is planned: what fails meanwhile is shown, and nobody is paged. Naming nothing means everything."""

    start: Moment = Field(examples=["2026-11-22 22:00"])
    """When it begins, in Vietnam's time."""
    end: Moment = Field(examples=["2026-11-23 02:00"])
    """When it ends, in Vietnam's time; that of the first occurrence, if it repeats."""
    repeat: str | None = Field(None, examples=["weekly", "FREQ=MONTHLY;BYDAY=-1SU"])
    """`daily`, `weekly`, `monthly`, `yearly`, or a recurrence rule of RFC 5545; none for a single window."""
    communes: Several[CommuneCode] = Field((), examples=[["01273"]])
    """Codes of communes."""
    trunks: Several[Identifier] = Field((), examples=[["ring-west"]])
    """Ids of trunks: they, and all communes behind them."""
    services: Several[Identifier] = Field((), examples=[["provincial-portal"]])
    """Ids of services."""
    reason: str = Field("", examples=["thay bộ định tuyến"])
    """What is done, for whoever reads the inventory or what `lienxa validate` says of it."""

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.end <= self.start:
            raise ValueError("end must come after start")
        if self.repeat is not None:
            following = recurrence(self.repeat, self.start).after(self.start)
            if following is not None and following <= self.end:
                raise ValueError(
                    f"it would never end: it lasts until {self.end:{FORMAT}}, and begins again at "
                    f"{following:{FORMAT}}; end is that of the first occurrence"
                )
        return self

    @field_validator("repeat")
    @classmethod
    def _followed_by_start(cls, rule: str | None, facts: ValidationInfo) -> str | None:
        start = facts.data.get("start")
        if rule is not None and start is not None:  # what is wrong with a start that is none is said there
            recurrence(rule, start)
        return rule


class PlannedCuts(Settings):
    """The electricity company's announcements, as a CSV file that is read again whenever it changes.

    Columns by header: commune code (`mã xã`), start (`bắt đầu`), end (`kết thúc`), and if given reason (`lý do`).
    """

    file: str = Field(examples=["planned-cuts.csv"])
    """The CSV file; relative to the inventory."""
    tolerance_s: Seconds = 1800
    """How much earlier a cut may begin, and later end, than announced."""
