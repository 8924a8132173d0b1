"""Every second in one cell; an outage counted once."""

from agent.accounts import Accounts
from agent.diagnosis import Transition, Verdict
from probes.results import Cause, CommuneState

UP, DOWN = Verdict(CommuneState.UP), Verdict(CommuneState.DOWN, (Cause.LINK,))


def test_the_cells_add_up_to_the_time_that_passed() -> None:
    accounts = Accounts()
    for now, verdict in ((100.0, UP), (101.5, UP), (103.0, DOWN), (110.0, UP)):
        accounts.take_in({"01290": verdict}, (), now)
    assert accounts.seconds == {("01290", CommuneState.UP): 8.5, ("01290", CommuneState.DOWN): 1.5}


def test_an_outage_is_added_once_the_commune_is_back() -> None:
    accounts = Accounts()
    closed = Transition("returned", 50.0, "commune/01290", "power", "", {"01290": 42.0}, Cause.POWER)
    opened = Transition("opened", 8.0, "commune/01290", "", "power", {}, Cause.POWER)
    accounts.take_in({}, (opened,), 8.0)
    assert accounts.outages == {}
    accounts.take_in({}, (closed,), 50.0)
    assert accounts.outages == {("01290", Cause.POWER): 42.0}
