"""From results to the page."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from agent.calendar import Calendar, Cut
from agent.monitor import Monitor
from agent.plan import Plan, plan
from agent.series import SeriesTable
from probes import metrics
from probes.results import Reading, Reason, Result
from tests.unit.fakes import FakeClock, province
from tests.unit.test_plan import ask


class Page:
    """The monitor over a small province, with its page read back by Prometheus's own parser."""

    def __init__(self, **parts: object) -> None:
        self.clock = FakeClock()
        self.table = SeriesTable("04")
        whole = self.province = province(**parts)
        self.plan: Plan = plan(whole, ask)
        self.monitor = Monitor(whole, self.plan.topology, self.table, self.clock)

    def beat(self, failing: set[str] = frozenset(), values: dict[str, tuple[Reading, ...]] | None = None) -> None:  # type: ignore[assignment]  # an empty set that nobody changes
        self.clock.go(1)
        for target in self.plan.targets:
            reason = Reason.TIMEOUT if target.id in failing else None
            readings = (values or {}).get(target.id, ()) if reason is None else ()
            self.monitor.report(target, Result(reason, readings), self.clock.now)
        self.monitor.round()

    def get(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        return {
            tuple(
                value for key, value in sample.labels.items() if key != "province" and key not in labels
            ): sample.value
            for family in text_string_to_metric_families(self.table.page())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }


MAINS = (Reading(metrics.UPS_ON_BATTERY, 0), Reading(metrics.UPS_CHARGE, 1.0))


def test_names_are_on_the_page_before_the_first_beat() -> None:
    assert Page().get("lienxa_commune_info", commune="01290") == {("Xã Bảo Lâm", "commune", "remote", "spur"): 1}


def test_a_service_that_is_not_connected_is_shown_so_and_never_down() -> None:
    page = Page(services=[{"id": "land", "kind": "http", "name": "Đất đai", "connected": False}])
    page.beat()
    assert page.get("lienxa_target_state", service="land", path="dedicated", target="service/land", kind="http") == {
        ("not_connected",): 1
    }
    assert page.get("lienxa_service_info", service="land") == {("dedicated", "Đất đai", "application"): 1}


def test_a_known_issue_is_shown_with_its_owner_for_each_of_its_services() -> None:
    issue = {"id": "finance-3", "title": "Mã số", "owner": "Bộ Tài chính", "services": ["gateway", "portal"]}
    page = Page(known_issues=[issue])
    told = ("finance-3", "Mã số", "Bộ Tài chính", "open")
    assert page.get("lienxa_known_issue_info") == {("gateway", *told): 1, ("portal", *told): 1}


def test_a_state_is_a_set_with_one_that_holds() -> None:
    page = Page()
    page.beat()
    assert page.get("lienxa_commune_state", commune="01290") == {
        ("up",): 1, ("degraded",): 0, ("down",): 0, ("blind",): 0, ("unknown",): 0,
    }  # fmt: skip


def test_an_outage_is_told_with_its_cause_its_root_and_the_last_words() -> None:
    page = Page()
    page.beat(values={"device/01290/ups": MAINS})
    for _ in range(5):
        page.beat({"link/01290/primary", "device/01290/ups"})
    assert page.get("lienxa_commune_cause", commune="01290") == {("link",): 1}
    assert page.get("lienxa_commune_incident", commune="01290") == {("01290", "commune"): 1}
    assert page.get("lienxa_incident_communes") == {("01290", "commune"): 1}
    assert page.get("lienxa_incident_cause", root="01290", root_kind="commune") == {
        ("power",): 0, ("trunk",): 0, ("link",): 1, ("signal",): 0, ("device",): 0, ("unexplained",): 0,
    }  # fmt: skip
    assert page.get("lienxa_commune_last_words", commune="01290") == {("ups_charge_ratio",): 1, ("ups_on_battery",): 0}
    assert page.get("lienxa_commune_silent_since_timestamp_seconds") == {("01290",): page.clock.realtime + 2}


def test_a_closed_incident_leaves_the_page_and_its_seconds_stay() -> None:
    page = Page()
    page.beat(values={"device/01290/ups": MAINS})
    for _ in range(5):
        page.beat({"link/01290/primary", "device/01290/ups"})
    for _ in range(3):
        page.beat()
    assert page.get("lienxa_incident_communes") == {}
    assert page.get("lienxa_commune_incident") == {}
    assert list(page.get("lienxa_outage_seconds_total", commune="01290")) == [("link",)]


def test_seconds_of_all_states_add_up_to_the_time_that_the_agent_ran() -> None:
    page = Page()
    for second in range(20):
        page.beat({"link/01290/primary", "device/01290/ups"} if 5 < second < 15 else set())
    cells = page.get("lienxa_commune_state_seconds_total", commune="01290")
    assert sum(cells.values()) == 19


def test_results_are_counted_by_reason() -> None:
    page = Page()
    page.beat()
    page.beat({"service/gateway"})
    page.beat({"service/gateway"})
    counts = page.get(
        "lienxa_target_results_total", service="gateway", target="service/gateway", kind="tcp", path="dedicated"
    )
    assert counts == {("ok",): 1, ("timeout",): 2}


def test_after_a_reload_what_left_the_inventory_leaves_the_page_and_the_rest_goes_on() -> None:
    page = Page()
    page.beat(values={"device/01290/ups": MAINS})
    for _ in range(5):
        page.beat({"link/01290/primary", "device/01290/ups"})
    smaller = province(
        communes=[{"code": "01294", "trunk": "spur", "links": [{"medium": "vsat", "address": "10.4.5.1"}]}]
    )
    page.plan = plan(smaller, ask)
    page.monitor.update(smaller, page.plan.topology)
    page.beat()
    assert "01290" not in page.table.page()
    assert page.get("lienxa_incident_communes") == {}
    counts = page.get("lienxa_target_results_total", commune="01294", reason="ok")
    assert list(counts.values()) == [7]
    assert page.get("lienxa_commune_state", commune="01294", state="up") == {(): 1}


def test_a_device_that_was_asked_before_the_silence_and_timed_out_after_it_proves_no_life() -> None:
    page = Page()
    page.beat(values={"device/01290/ups": MAINS})
    asked = page.clock.now
    (ups,) = (target for target in page.plan.targets if target.id == "device/01290/ups")
    for _ in range(5):
        page.beat({"link/01290/primary", "device/01290/ups"})
    page.monitor.report(ups, Result(Reason.PARTIAL), asked)
    page.monitor.round()
    assert page.get("lienxa_commune_state", commune="01290", state="down") == {(): 1}


WINDOW = {"start": "2023-11-15 05:13:25", "end": "2023-11-15 05:13:35"}  # five to fifteen seconds after the start
SILENT = {"link/01290/primary", "device/01290/ups"}


def test_an_incident_leaves_the_series_that_rules_select_while_an_overlay_lies_over_it() -> None:
    page = Page(maintenance=[WINDOW | {"communes": ["01290"]}])
    page.beat(values={"device/01290/ups": MAINS})
    paged, covered, over = [], [], []
    for _ in range(20):
        page.beat(SILENT)
        paged += list(page.get("lienxa_incident_communes").items())
        covered.append(page.get("lienxa_incident_overlay"))
        over += [name for (name,), value in page.get("lienxa_commune_overlay", commune="01290").items() if value]
    assert over == ["none"] * 3 + ["maintenance"] * 10 + ["none"] * 7
    assert paged == [(("01290", "commune"), 1)] * 7
    assert [shown for shown in covered if shown] == [{("01290", "commune", "maintenance"): 1}] * 10
    assert page.get("lienxa_incident_cause", root="01290", cause="link") == {("commune",): 1}
    assert page.get("lienxa_incident_opened_timestamp_seconds", root="01290") == {("commune",): page.clock.realtime + 2}


def test_a_trunk_counts_its_communes_without_those_under_an_overlay() -> None:
    page = Page(maintenance=[WINDOW | {"communes": ["01290"]}])
    page.beat()
    counts: list[float] = []
    for _ in range(20):
        page.beat({*SILENT, "trunk/ring", "link/01294/primary"})
        counts += page.get("lienxa_incident_communes").values()
    assert sorted(set(counts)) == [1, 2]
    assert counts[-1] == 2
    assert page.get("lienxa_incident_overlay") == {}


def test_each_second_is_in_exactly_one_cell_of_state_and_overlay() -> None:
    page = Page(maintenance=[WINDOW])
    for second in range(20):
        page.beat(SILENT if 5 < second < 15 else set())
    cells = page.get("lienxa_commune_state_seconds_total", commune="01290")
    assert sum(cells.values()) == 19
    assert sum(value for (_, overlay), value in cells.items() if overlay == "maintenance") == 10
    assert cells["down", "maintenance"] > 0
    assert cells["down", "none"] > 0


def test_cells_are_there_from_the_start_for_the_overlays_that_the_inventory_can_bring() -> None:
    states = {"up", "degraded", "down", "blind", "unknown"}
    for parts, overlays in (
        ({}, {"none"}),
        ({"maintenance": [WINDOW]}, {"none", "maintenance"}),
        ({"maintenance": [WINDOW], "planned_cuts": {"file": "cuts.csv"}}, {"none", "maintenance", "planned"}),
    ):
        page = Page(**parts)
        page.beat()
        cells = page.get("lienxa_commune_state_seconds_total", commune="01290")
        assert set(cells) == {(state, overlay) for state in states for overlay in overlays}


def test_seconds_under_an_overlay_stay_on_the_page_when_its_window_leaves_the_inventory() -> None:
    page = Page(maintenance=[WINDOW])
    for _ in range(20):
        page.beat()
    page.monitor.update(province(), page.plan.topology)
    page.beat()
    cells = page.get("lienxa_commune_state_seconds_total", commune="01290")
    assert (cells["up", "maintenance"], sum(cells.values())) == (10, 20)


def test_a_cut_that_is_announced_while_the_agent_runs_counts_from_the_next_round() -> None:
    page = Page(planned_cuts={"file": "cuts.csv", "tolerance_s": 1})
    page.beat()
    for _ in range(5):
        page.beat({"link/01294/primary"})
    assert page.get("lienxa_incident_communes") == {("01294", "commune"): 1}
    began = page.clock.realtime
    whole = province(planned_cuts={"file": "cuts.csv", "tolerance_s": 1})
    page.monitor.calendar = Calendar(whole, [Cut("01294", began + 2, began + 9)])
    page.beat({"link/01294/primary"})
    assert page.get("lienxa_commune_cause", commune="01294") == {("power",): 1}
    assert page.get("lienxa_incident_communes") == {}
    assert page.get("lienxa_incident_overlay") == {("01294", "commune", "planned"): 1}
    for _ in range(4):
        page.beat({"link/01294/primary"})
    assert page.get("lienxa_incident_communes") == {("01294", "commune"): 1}
    assert page.get("lienxa_commune_cause", commune="01294") == {("power",): 1}
