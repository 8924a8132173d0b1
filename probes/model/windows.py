"""When silence is expected: maintenance windows, and the electricity company's planned cuts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated

from dateutil.rrule import rrule, rrulestr
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from probes.model.base import CommuneCode, Identifier, Seconds, Settings, Several

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Seven hours ahead of UTC, all year, since 1975; so that no machine needs a time zone database."""
FORMAT = "%Y-%m-%d %H:%M"
SHORT_RULES = ("daily", "weekly", "monthly", "yearly")


def moment(text: str) -> datetime:
    """A moment as people write it, `2026-11-22 22:00`, in Vietnam's time unless it names an offset; ValueError."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no date and time; write it as 2026-11-22 22:00, in Vietnam's time") from None
    return found.replace(tzinfo=VIETNAM) if found.tzinfo is None else found.astimezone(VIETNAM)


def _moment(value: object) -> object:
    return moment(value) if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""Date and time, `2026-11-22 22:00`, in Vietnam's time."""


def recurrence(rule: str, start: datetime) -> rrule:
    """The occurrences of a rule from `start` on; `daily`, `weekly` … stand for the whole rule. Raises ValueError."""
    text = f"FREQ={rule.upper()}" if rule in SHORT_RULES else rule
    found = rrulestr(text, dtstart=start)
    if not isinstance(found, rrule):
        raise ValueError("one rule only")  # noqa: TRY004  # it is the text's fault
    return found


def _rule(text: str) -> str:
    try:
        recurrence(text, datetime(2026, 1, 1, tzinfo=VIETNAM))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            f"must be {', '.join(SHORT_RULES)}, or a rule of RFC 5545 such as FREQ=MONTHLY;BYDAY=-1SU"
        ) from None
    return text


class Window(Settings):
    """When work is planned: what fails meanwhile is shown, and nobody is paged. Naming nothing means everything."""

    start: Moment = Field(examples=["2026-11-22 22:00"])
    """Vietnam's time."""
    end: Moment = Field(examples=["2026-11-23 02:00"])
    """Vietnam's time; of the first occurrence, if it repeats."""
    repeat: Annotated[str, AfterValidator(_rule)] | None = Field(None, examples=["weekly", "FREQ=MONTHLY;BYDAY=-1SU"])
    """daily, weekly, monthly, yearly, or a recurrence rule of RFC 5545; none for a single window."""
    communes: Several[CommuneCode] = Field((), examples=[["01273"]])
    trunks: Several[Identifier] = Field((), examples=[["ring-west"]])
    """And all communes behind them."""
    services: Several[Identifier] = Field((), examples=[["provincial-portal"]])
    reason: str = Field("", examples=["thay bộ định tuyến"])

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.end <= self.start:
            raise ValueError("end must come after start")
        return self


class PlannedCuts(Settings):
    """The electricity company's announcements, as a CSV file that is read again whenever it changes.

    Columns by header: commune code (`mã xã`), start (`bắt đầu`), end (`kết thúc`), and if given reason (`lý do`).
    """

    file: str = Field(examples=["planned-cuts.csv"])
    """Relative to the inventory."""
    tolerance_s: Seconds = 1800
    """How much earlier a cut may begin, and later end, than announced."""
