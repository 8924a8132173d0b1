"""What lies over whom, at which moment: a table of windows, and the cost of asking."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from agent.calendar import Calendar, Cut
from agent.diagnosis import Overlays
from probes.model.windows import moment
from probes.results import Overlay
from tests.unit.fakes import province

NIGHT = {"start": "2026-11-22 22:00", "end": "2026-11-23 02:00"}  # from a Sunday to a Monday
NOON = {"start": "2026-11-29 12:00", "end": "2026-11-29 14:00"}  # the last Sunday of November
HALF_AN_HOUR = 1800.0


def calendar(*windows: dict[str, Any], cuts: tuple[Cut, ...] = (), tolerance_s: float = HALF_AN_HOUR) -> Calendar:
    announcements = {"file": "cuts.csv", "tolerance_s": tolerance_s}
    return Calendar(province(maintenance=list(windows), planned_cuts=announcements), cuts)


def at(text: str) -> float:
    return moment(text).timestamp()


def seen(where: Calendar, text: str) -> Overlays:
    wall = at(text)
    return where.at(wall, wall)


def cut(start: str, end: str, commune: str = "01290", reason: str = "") -> Cut:
    return Cut(commune, at(start), at(end), reason)


@pytest.mark.parametrize(
    ("window", "moments"),
    [
        pytest.param(
            NIGHT,
            {
                "2026-11-22 21:59:59": False,
                "2026-11-22 22:00": True,
                "2026-11-23 00:00": True,
                "2026-11-23 01:59:59": True,
                "2026-11-23 02:00": False,
                "2026-11-29 23:00": False,
            },
            id="one-off, over midnight",
        ),
        pytest.param(
            NIGHT | {"start": "2026-11-22 15:00+00:00"},
            {"2026-11-22 21:59": False, "2026-11-22 22:00": True},
            id="with an offset of its own",
        ),
        pytest.param(
            NIGHT | {"repeat": "weekly"},
            {
                "2026-11-15 23:00": False,
                "2026-11-22 23:00": True,
                "2026-11-23 02:00": False,
                "2026-11-24 23:00": False,
                "2026-11-29 22:00": True,
                "2026-11-30 01:59:59": True,
                "2026-11-30 02:00": False,
                "2031-11-23 23:00": True,
                "2031-11-24 23:00": False,
            },
            id="weekly over midnight",
        ),
        pytest.param(
            NIGHT | {"repeat": "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,WE"},
            {
                "2026-11-25 23:00": False,
                "2026-12-02 23:00": True,
                "2026-12-06 23:00": True,
                "2026-11-29 23:00": False,
                "2031-11-19 23:00": False,
                "2031-11-26 23:00": True,
            },
            id="every other week, two days",
        ),
        pytest.param(
            NOON | {"repeat": "FREQ=MONTHLY;BYDAY=-1SU"},
            {
                "2026-11-29 11:59:59": False,
                "2026-11-29 12:00": True,
                "2026-11-29 14:00": False,
                "2026-12-20 13:00": False,
                "2026-12-27 13:00": True,
                "2027-02-28 13:00": True,
                "2027-02-21 13:00": False,
            },
            id="monthly, the last Sunday",
        ),
        pytest.param(
            NOON | {"repeat": "FREQ=DAILY;COUNT=3"},
            {"2026-12-01 13:00": True, "2026-12-02 13:00": False},
            id="three days",
        ),
        pytest.param(
            NOON | {"repeat": "FREQ=DAILY;UNTIL=20261205T235959Z"},
            {"2026-12-05 13:00": True, "2026-12-06 13:00": False, "2030-12-06 13:00": False},
            id="daily, until a day",
        ),
        pytest.param(
            {"start": "2028-02-29 08:00", "end": "2028-02-29 09:00", "repeat": "yearly"},
            {"2028-02-29 08:30": True, "2029-02-28 08:30": False, "2032-02-29 08:30": True},
            id="a day that most years do not have",
        ),
        pytest.param(
            {"start": "2200-12-30 22:00", "end": "2200-12-31 23:00", "repeat": "weekly"},
            {"2026-11-22 21:00": False},
            id="as late as dates go",
        ),
    ],
)
def test_a_window_lies_over_what_it_names_from_its_start_up_to_its_end(
    window: dict[str, Any], moments: dict[str, bool]
) -> None:
    one = calendar(window | {"communes": ["01290"]})
    expected = {text: {"01290": Overlay.MAINTENANCE} if lies else {} for text, lies in moments.items()}
    assert {text: seen(one, text).communes for text in moments} == expected
    in_any_order = sorted(moments, key=lambda text: text[::-1])  # a clock may be set back
    assert {text: seen(one, text).communes for text in in_any_order} == expected


MAINTENANCE = Overlay.MAINTENANCE


@pytest.mark.parametrize(
    ("names", "communes", "trunks", "services", "vantage"),
    [
        ({}, {"01290", "01294"}, {"ring", "spur"}, {"gateway"}, MAINTENANCE),
        ({"trunks": ["ring"]}, {"01290", "01294"}, {"ring", "spur"}, set(), Overlay.NONE),
        ({"communes": ["01294"]}, {"01294"}, set(), set(), Overlay.NONE),
        ({"services": ["gateway"]}, set(), set(), {"gateway"}, Overlay.NONE),
        ({"services": ["gateway"], "communes": ["01290"]}, {"01290"}, set(), {"gateway"}, Overlay.NONE),
    ],
)
def test_a_trunks_window_lies_over_all_that_is_behind_it_and_one_that_names_nothing_over_everything(
    names: dict[str, list[str]], communes: set[str], trunks: set[str], services: set[str], vantage: Overlay
) -> None:
    found = seen(calendar(NIGHT | names), "2026-11-22 23:00")
    assert (set(found.communes), set(found.trunks), set(found.services)) == (communes, trunks, services)
    assert found.vantage is vantage


def test_a_window_of_an_inner_trunk_does_not_lie_over_what_is_in_front_of_it() -> None:
    communes = [{"code": "01290", "trunk": "spur"}, {"code": "01294", "trunk": "ring"}]
    inner = Calendar(province(maintenance=[NIGHT | {"trunks": ["spur"]}], communes=communes))
    found = seen(inner, "2026-11-22 23:00")
    assert (set(found.communes), set(found.trunks)) == ({"01290"}, {"spur"})


def test_an_announced_cut_lies_over_its_commune_with_the_tolerance_before_and_after() -> None:
    one = calendar(cuts=(cut("2026-11-22 06:00", "2026-11-22 11:00"),))
    edges = {"05:29:59": {}, "05:30": {"01290": Overlay.PLANNED}, "11:29:59": {"01290": Overlay.PLANNED}, "11:30": {}}
    assert {time: seen(one, f"2026-11-22 {time}").communes for time in edges} == edges


def test_an_announced_cut_is_told_with_its_times_and_reason_and_begins_at_the_tolerance() -> None:
    one = calendar(cuts=(cut("2026-11-22 06:00", "2026-11-22 11:00", reason="sửa đường dây"),))
    found = one.at(at("2026-11-22 08:00"), 10_000.0).cuts["01290"]
    assert found.announcement == "2026-11-22 06:00 to 11:00 (sửa đường dây)"
    assert found.since == 10_000 - 2.5 * 3600


def test_cuts_that_follow_each_other_are_one() -> None:
    one = calendar(
        cuts=(
            cut("2026-11-22 10:00", "2026-11-23 01:00", reason="b"),
            cut("2026-11-22 06:00", "2026-11-22 10:00", reason="a"),
            cut("2026-11-22 07:00", "2026-11-22 08:00", reason="a"),
        )
    )
    found = one.at(at("2026-11-22 23:00"), at("2026-11-22 23:00")).cuts["01290"]
    assert found.since == at("2026-11-22 05:30")
    assert found.announcement == "2026-11-22 06:00 to 2026-11-23 01:00 (a, b)"


def test_maintenance_wins_over_a_planned_cut_and_the_cut_comes_after_it() -> None:
    both = calendar(NIGHT | {"communes": ["01290"]}, cuts=(cut("2026-11-22 20:00", "2026-11-23 06:00"),))
    told = {text: seen(both, text).communes.get("01290") for text in ("2026-11-22 21:00", "2026-11-22 23:00")}
    assert told == {"2026-11-22 21:00": Overlay.PLANNED, "2026-11-22 23:00": Overlay.MAINTENANCE}
    assert seen(both, "2026-11-23 03:00").communes == {"01290": Overlay.PLANNED}


def test_cuts_ahead_and_active_are_counted() -> None:
    some = calendar(
        cuts=(
            cut("2026-11-22 06:00", "2026-11-22 11:00"),
            cut("2026-11-22 06:00", "2026-11-22 11:00", "01294"),
            cut("2026-11-23 06:00", "2026-11-23 11:00"),
        )
    )
    counts = []
    for text in ("2026-11-22 05:00", "2026-11-22 08:00", "2026-11-22 12:00", "2026-11-24 12:00"):
        seen(some, text)
        counts.append((some.ahead, some.active))
    assert counts == [(3, 0), (1, 2), (1, 0), (0, 0)]


def test_a_province_has_only_the_overlays_that_its_inventory_can_bring() -> None:
    assert Calendar(province()).overlays == (Overlay.NONE,)
    assert calendar(NIGHT).overlays == (Overlay.NONE, Overlay.MAINTENANCE, Overlay.PLANNED)


NO_RULE = "must be daily, weekly, monthly, yearly, or a rule of RFC 5545 such as FREQ=MONTHLY;BYDAY=-1SU"


@pytest.mark.parametrize(
    ("repeat", "why"),
    [
        ("FREQ=HOURLY", NO_RULE),
        ("FREQ=SECONDLY", NO_RULE),
        ("FREQ=DAILY;INTERVAL=0", NO_RULE),
        ("FREQ=DAILY;INTERVAL=-1", NO_RULE),
        ("DTSTART:20261122T220000\nRRULE:FREQ=DAILY", NO_RULE),
        ("wekly", NO_RULE),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "no day ever follows 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'",
        ),
        (
            "FREQ=WEEKLY;BYDAY=MO",
            "start does not follow 'FREQ=WEEKLY;BYDAY=MO'; the first moment that does is 2026-11-23 22:00",
        ),
        ("FREQ=DAILY;UNTIL=20200101", "no day ever follows 'FREQ=DAILY;UNTIL=20200101'"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_with_its_reason(repeat: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        province(maintenance=[NIGHT | {"repeat": repeat}])
    (details,) = refused.value.errors()
    assert details["loc"] == ("maintenance", 0, "repeat")
    assert details["msg"] == f"Value error, {why}"


def test_a_window_that_would_never_end_is_refused() -> None:
    endless = {"start": "2026-11-22 22:00", "end": "2026-11-29 22:00", "repeat": "weekly"}
    with pytest.raises(ValidationError) as refused:
        province(maintenance=[endless])
    assert refused.value.errors()[0]["msg"] == (
        "Value error, it would never end: it lasts until 2026-11-29 22:00, and begins again at 2026-11-29 22:00; "
        "end is that of the first occurrence"
    )


def test_a_rule_may_end_on_a_day() -> None:
    one = calendar(NIGHT | {"repeat": "FREQ=DAILY;UNTIL=20261124", "communes": ["01290"]})
    lies = {text: bool(seen(one, text).communes) for text in ("2026-11-24 23:00", "2026-11-25 23:00")}
    assert lies == {"2026-11-24 23:00": True, "2026-11-25 23:00": False}


def test_asking_again_costs_next_to_nothing_even_for_rules_that_are_decades_old() -> None:
    rules = {
        "daily": ("2000-01-01 22:00", "2000-01-02 02:00"),
        "weekly": ("2000-01-01 22:00", "2000-01-02 02:00"),
        "FREQ=MONTHLY;BYDAY=-1SU": ("2000-01-30 22:00", "2000-01-31 02:00"),
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29": ("2000-02-29 22:00", "2000-03-01 02:00"),
    }
    windows = [
        {"start": start, "end": end, "repeat": rule, "communes": ["01290"]} for rule, (start, end) in rules.items()
    ]
    first = at("2026-11-22 00:00")
    one = calendar(*windows)
    began = time.perf_counter()
    answers = [one.at(first + second, first + second) for second in range(86_400)]
    spent = time.perf_counter() - began
    assert sum(1 for answer in answers if answer.communes) == 4 * 3600
    assert spent < 2, "more than 20 µs for each"


def test_an_answer_is_the_one_that_a_fresh_calendar_would_give() -> None:
    cuts = tuple(cut(f"2026-11-{day} 06:00", f"2026-11-{day} 11:00") for day in (22, 24, 25))
    windows = (NIGHT | {"repeat": "weekly", "trunks": ["spur"]}, NOON | {"repeat": "FREQ=MONTHLY;BYDAY=-1SU"})
    kept = calendar(*windows, cuts=cuts)
    start = datetime.fromisoformat("2026-11-21T00:00+07:00").timestamp()
    for quarter in range(0, 30 * 24 * 4, 3):
        wall = start + quarter * 900
        assert kept.at(wall, wall) == calendar(*windows, cuts=cuts).at(wall, wall)
