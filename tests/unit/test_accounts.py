"""Every second in one cell; an outage counted once."""

from agent.accounts import Accounts
from agent.diagnosis import Transition, Verdict
from probes.results import Cause, CommuneState, Overlay

UP, DOWN = Verdict(CommuneState.UP), Verdict(CommuneState.DOWN, (Cause.LINK,))
PLANNED = Verdict(CommuneState.DOWN, (Cause.POWER,), overlay=Overlay.PLANNED)


def test_the_cells_add_up_to_the_time_that_passed() -> None:
    accounts = Accounts()
    for now, verdict in ((100.0, UP), (101.5, UP), (103.0, DOWN), (110.0, UP)):
        accounts.take_in({"01290": verdict}, (), now)
    assert accounts.seconds == {
        ("01290", CommuneState.UP, Overlay.NONE): 8.5,
        ("01290", CommuneState.DOWN, Overlay.NONE): 1.5,
    }


def test_seconds_under_an_overlay_are_in_cells_of_their_own() -> None:
    accounts = Accounts()
    for now, verdict in ((100.0, UP), (101.0, DOWN), (103.0, PLANNED), (107.0, DOWN)):
        accounts.take_in({"01290": verdict}, (), now)
    assert accounts.seconds == {
        ("01290", CommuneState.UP, Overlay.NONE): 0.0,
        ("01290", CommuneState.DOWN, Overlay.NONE): 5.0,
        ("01290", CommuneState.DOWN, Overlay.PLANNED): 2.0,
    }
    assert sum(accounts.seconds.values()) == 7


def test_an_outage_is_added_once_the_commune_is_back() -> None:
    accounts = Accounts()
    closed = Transition("returned", 50.0, "commune/01290", "power", "", {"01290": 42.0}, Cause.POWER)
    opened = Transition("opened", 8.0, "commune/01290", "", "power", {}, Cause.POWER)
    accounts.take_in({}, (opened,), 8.0)
    assert accounts.outages == {}
    accounts.take_in({}, (closed,), 50.0)
    assert accounts.outages == {("01290", Cause.POWER): 42.0}
