"""The dashboard: sound as Grafana's JSON, and every query answers what its panel says."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import dashboards
from dashboards.states import GRAFANA_UNITS, unit
from probes.metrics import FAMILIES, Unit
from probes.model import Province, Timings
from tests.generated import promtool

LANGUAGES = ("vi", "en", "fr")
WORDS = {"by", "on", "group_left", "max", "min", "sum", "or", "and", "unless", "bottomk", "increase"}
WORDS |= {"last_over_time", "label_replace", "end", "label_values"}


@pytest.fixture(scope="module")
def built(province: Province) -> dict[str, dict[str, Any]]:
    """The dashboard's JSON by language."""
    files = dashboards.build(province, LANGUAGES)
    return {name.split("/")[2]: json.loads(text) for name, text in files.items()}


def _expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$province", "04").replace("$__range", "1h")


def test_each_language_has_its_own_file_and_uid(province: Province) -> None:
    files = dashboards.build(province, LANGUAGES)
    assert list(files) == [f"grafana/dashboards/{name}/lienxa-province-{name}.json" for name in LANGUAGES]
    assert [json.loads(text)["uid"] for text in files.values()] == [f"lienxa-province-{name}" for name in LANGUAGES]


def test_the_dashboard_is_what_a_wall_needs(built: dict[str, dict[str, Any]]) -> None:
    for dashboard in built.values():
        assert dashboard["schemaVersion"] == 42
        assert dashboard["timezone"] == "Asia/Ho_Chi_Minh"
        assert dashboard["editable"] is False
        assert dashboard["refresh"] == "30s"
        assert dashboard["time"] == {"from": "now-6h", "to": "now"}
        assert len(dashboard["panels"]) == 6
        assert {"rows", "style", "hideControls", "sharedCrosshair", "__inputs", "gnetId"}.isdisjoint(dashboard)


def test_a_fast_profile_shows_minutes_and_refreshes_no_faster_than_grafana_allows(province: Province) -> None:
    fast = province.model_copy(update={"timings": Timings.model_validate({"profile": "fast"})})
    (text,) = dashboards.build(fast, ("en",)).values()
    assert json.loads(text)["refresh"] == "5s"
    assert json.loads(text)["time"] == {"from": "now-24m", "to": "now"}


def test_panels_lie_side_by_side_within_24_columns(built: dict[str, dict[str, Any]]) -> None:
    boxes = [panel["gridPos"] for panel in built["en"]["panels"]]
    for box in boxes:
        assert box["x"] + box["w"] <= 24
    for one, other in itertools.combinations(boxes, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)


def test_panels_are_of_grafanas_own_types_and_explain_themselves(built: dict[str, dict[str, Any]]) -> None:
    for dashboard in built.values():
        panels = dashboard["panels"]
        assert [panel["type"] for panel in panels] == ["stat", "stat", "table", "table", "state-timeline", "timeseries"]
        assert [panel["id"] for panel in panels] == [1, 2, 3, 4, 5, 6]
        for panel in panels:
            assert panel["title"]
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["noValue"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert [target["refId"] for target in panel["targets"]] == list("ABCD")[: len(panel["targets"])]


def test_titles_differ_between_languages_and_queries_do_not(built: dict[str, dict[str, Any]]) -> None:
    for numbers in zip(*(built[language]["panels"] for language in LANGUAGES), strict=True):
        assert len({panel["title"] for panel in numbers}) == len(LANGUAGES)
        assert len({json.dumps([target["expr"] for target in panel["targets"]]) for panel in numbers}) == 1


def test_every_variable_in_a_query_exists(built: dict[str, dict[str, Any]]) -> None:
    known = {variable["name"] for variable in built["en"]["templating"]["list"]} | {"__range"}
    assert known == {"datasource", "province", "__range"}
    for panel in built["en"]["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\$([a-z_]\w*)", target["expr"])) <= known


def test_queries_use_only_metrics_and_labels_of_the_catalogue(built: dict[str, dict[str, Any]]) -> None:
    labels = {label for family in FAMILIES.values() for label in family.labels}
    for expression in _expressions(built["en"]):
        assert set(re.findall(r"\blienxa_\w+", expression)) <= set(FAMILIES)
        bare = re.sub(r'"[^"]*"|\blienxa_\w+|\[\w+\]', "", expression)
        assert set(re.findall(r"\b[a-z_]+\b", bare)) - WORDS <= labels


def test_legends_and_columns_name_labels_that_their_queries_keep(built: dict[str, dict[str, Any]]) -> None:
    for panel in built["en"]["panels"]:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert f"group_left ({label})" in target["expr"]


@promtool.NEEDED
def test_prometheus_parses_every_query(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    assert promtool.parse_errors(list(_expressions(built["en"])), tmp_path) == ""


def _states(metric: str, labels: str, holds: str, known: str) -> dict[str, str]:
    return {f'{metric}{{{labels}, state="{state}"}}': f"{int(state == holds)}x240" for state in known.split()}


def _commune(code: str, name: str, state: str) -> dict[str, str]:
    labels = f'province="04", commune="{code}"'
    seconds = "0+15x240" if state in {"down", "degraded"} else "0x240"
    return {
        f'lienxa_commune_info{{{labels}, name="{name}", type="commune", trunk="ring-west"}}': "1x240",
        f'lienxa_commune_state_seconds_total{{{labels}, state="{state}", overlay="none"}}': seconds,
        **_states("lienxa_commune_state", labels, state, "up degraded down blind unknown"),
    }


def _target(labels: str, target: str, state: str) -> dict[str, str]:
    labels = f'province="04", {labels}, target="{target}"'
    since = {f"lienxa_target_state_since_timestamp_seconds{{{labels}}}": "90x240"}
    return _states("lienxa_target_state", labels, state, "up degraded down unknown") | since


SAMPLE = {
    **_commune("01290", "Xã Bảo Lâm", "down"),
    'lienxa_commune_cause{province="04", commune="01290", cause="power"}': "1x240",
    'lienxa_commune_silent_since_timestamp_seconds{province="04", commune="01290"}': "60x240",
    'lienxa_ups_charge_ratio{province="04", commune="01290", device="ups-1"}': "0.5-0.01x40 stale",
    **_commune("01294", "Xã Lý Bôn", "degraded"),
    'lienxa_commune_cause{province="04", commune="01294", cause="loss"}': "1x240",
    'lienxa_commune_cause{province="04", commune="01294", cause="on_battery"}': "1x240",
    'lienxa_ups_charge_ratio{province="04", commune="01294", device="ups-1"}': "0.8x240",
    **_target('commune="01294", link="primary", medium="fibre", kind="icmp"', "link/01294/primary", "degraded"),
    **_commune("01273", "Phường Thục Phán", "up"),
    **_target('commune="01273", link="primary", medium="fibre", kind="icmp"', "link/01273/primary", "up"),
    **_commune("01279", "Phường Nùng Trí Cao", "blind"),
    'lienxa_trunk_info{province="04", trunk="ring-west", name="Vòng phía Tây"}': "1x240",
    **_target('trunk="ring-west", kind="icmp"', "trunk/ring-west", "up"),
    'lienxa_service_info{province="04", service="portal", path="dedicated", name="Cổng dịch vụ công"}': "1x240",
    **_target('service="portal", path="dedicated", kind="http"', "service/portal", "down"),
    'lienxa_service_info{province="04", service="land", path="dedicated", name="Cơ sở dữ liệu đất đai"}': "1x240",
    'lienxa_target_state{province="04", service="land", path="dedicated", state="not_connected"}': "1x240",
    'lienxa_incident_communes{province="04", root="01290", root_kind="commune"}': "1x240",
    'lienxa_incident_opened_timestamp_seconds{province="04", root="01290", root_kind="commune"}': "60x240",
    'lienxa_incident_cause{province="04", root="01290", root_kind="commune", cause="power"}': "1x240",
    'lienxa_incident_cause{province="04", root="01290", root_kind="commune", cause="link"}': "0x240",
    'lienxa_incident_communes{province="04", root="portal", root_kind="service"}': "0x240",
    'lienxa_incident_opened_timestamp_seconds{province="04", root="portal", root_kind="service"}': "90x240",
    'lienxa_incident_cause{province="04", root="portal", root_kind="service", cause="service"}': "1x240",
    'lienxa_incident_communes{province="04", root="agent", root_kind="vantage"}': "0x240",
    'lienxa_incident_opened_timestamp_seconds{province="04", root="agent", root_kind="vantage"}': "90x240",
    'lienxa_incident_cause{province="04", root="agent", root_kind="vantage", cause="vantage"}': "1x240",
}
BAO_LAM = 'province="04", commune="01290", name="Xã Bảo Lâm"'
LY_BON = 'province="04", commune="01294", name="Xã Lý Bôn"'
BLIND = '{province="04", commune="01279", name="Phường Nùng Trí Cao"}'
DARK = '{province="04", root="01290", root_kind="commune", cause="power", name="Xã Bảo Lâm"}'
PORTAL = '{province="04", root="portal", root_kind="service", cause="service", name="Cổng dịch vụ công"}'
VANTAGE = '{province="04", root="agent", root_kind="vantage", cause="vantage", name="agent"}'
ANSWERS: list[list[dict[str, float]]] = [
    [{"{}": 1}, {"{}": 1}, {"{}": 1}, {"{}": 0}],
    [{"{}": 1}, {"{}": 0}, {"{}": 0}, {"{}": 1}],
    [
        {
            f'{{{BAO_LAM}, cause="power"}}': 4,
            f'{{{LY_BON}, cause="loss"}}': 3,
            f'{{{LY_BON}, cause="on_battery"}}': 3,
            BLIND: 2,
        },
        {
            f'{{{BAO_LAM}, cause="power"}}': 60_000,
            f'{{{LY_BON}, cause="loss"}}': 90_000,
            f'{{{LY_BON}, cause="on_battery"}}': 90_000,
            BLIND: 0,
        },
    ],
    [{DARK: 1, PORTAL: 0, VANTAGE: 0}, {DARK: 60_000, PORTAL: 90_000, VANTAGE: 90_000}],
    [
        {
            '{province="04", service="portal", path="dedicated", name="Cổng dịch vụ công"}': 4,
            '{province="04", service="land", path="dedicated", name="Cơ sở dữ liệu đất đai"}': -1,
        },
        {'{province="04", trunk="ring-west", name="Vòng phía Tây"}': 0},
        {f"{{{BAO_LAM}}}": 4, f"{{{LY_BON}}}": 3},
    ],
    [{f"{{{LY_BON}}}": 0.8}],
]
"""What each query of each panel must answer, half an hour into the sample."""


@promtool.NEEDED
def test_every_query_answers_what_its_panel_says(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    answers = [answer for panel in ANSWERS for answer in panel]
    expected = dict(zip(_expressions(built["en"]), answers, strict=True))
    promtool.expect_samples(SAMPLE, "30m", expected, tmp_path)


@promtool.NEEDED
def test_a_silent_agent_leaves_every_panel_empty(built: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    promtool.expect_samples({}, "30m", {text: {} for text in _expressions(built["en"])}, tmp_path)


def test_a_family_is_shown_in_its_unit(built: dict[str, dict[str, Any]]) -> None:
    charge = built["en"]["panels"][5]["fieldConfig"]["defaults"]
    assert charge["unit"] == "percentunit"


@pytest.mark.parametrize(
    ("language", "heading", "layout"),
    [("vi", "Từ lúc", "HH:mm DD/MM"), ("en", "Since", "HH:mm D MMM"), ("fr", "Depuis", "HH:mm DD/MM")],
)
def test_moments_are_short_and_in_the_readers_order(
    built: dict[str, dict[str, Any]], language: str, heading: str, layout: str
) -> None:
    for panel in built[language]["panels"][2:4]:
        looks = {look["matcher"]["options"]: look["properties"] for look in panel["fieldConfig"]["overrides"]}
        assert looks[heading][0] == {"id": "unit", "value": f"time:{layout}"}


def test_every_unit_of_the_catalogue_is_one_of_grafanas() -> None:
    assert set(GRAFANA_UNITS) == set(get_args(Unit))
    assert all(unit(family) for family in FAMILIES.values())


def test_states_are_told_by_words_beside_their_colour(built: dict[str, dict[str, Any]]) -> None:
    mapping, _ = built["vi"]["panels"][4]["fieldConfig"]["defaults"]["mappings"]
    shown = {number: (option["text"], option["color"]) for number, option in mapping["options"].items()}
    assert shown == {
        "4": ("gián đoạn", "red"),
        "3": ("suy giảm", "orange"),
        "2": ("không quan sát được", "purple"),
        "1": ("chưa xác định", "#808080"),
        "0": ("bình thường", "green"),
        "-1": ("chưa kết nối", "#5b7fa6"),
    }


def test_a_gap_in_a_timeline_is_told_by_a_word_that_is_no_state(built: dict[str, dict[str, Any]]) -> None:
    states, gap = built["vi"]["panels"][4]["fieldConfig"]["defaults"]["mappings"]
    assert gap["options"]["match"] == "null"
    assert gap["options"]["result"]["text"] == "không có dữ liệu"
    assert gap["options"]["result"]["text"] not in {option["text"] for option in states["options"].values()}


def test_a_timeline_is_not_coloured_by_thresholds_which_would_hide_its_words(built: dict[str, dict[str, Any]]) -> None:
    assert built["en"]["panels"][4]["fieldConfig"]["defaults"]["color"]["mode"] == "fixed"


def test_a_timeline_is_high_enough_for_the_names_on_its_page(built: dict[str, dict[str, Any]]) -> None:
    timeline = built["en"]["panels"][4]
    pixels = 38 * timeline["gridPos"]["h"] - 8 - 150  # Grafana's grid, less title, axis, legend and page buttons
    assert pixels / timeline["options"]["perPage"] >= 15


def test_lines_do_not_wear_the_colours_of_states(built: dict[str, dict[str, Any]]) -> None:
    assert built["en"]["panels"][5]["fieldConfig"]["defaults"]["color"] == {"mode": "shades", "fixedColor": "blue"}


def test_a_silent_agent_is_not_shown_in_green(built: dict[str, dict[str, Any]]) -> None:
    for panel in built["vi"]["panels"][:2]:
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"] == [{"color": "#808080", "value": None}]


def test_generating_again_gives_the_same_bytes(province: Province) -> None:
    assert dashboards.build(province, LANGUAGES) == dashboards.build(province, LANGUAGES)
