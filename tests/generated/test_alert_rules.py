"""The rules, tried by Prometheus's own tester: what fires, what does not, what holds, what the texts say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import alerts
from probes.metrics import (
    AGENT_LAST_ROUND,
    COMMUNE_INCIDENT,
    COMMUNE_INFO,
    COMMUNE_LAST_WORDS,
    COMMUNE_LAST_WORDS_TIMESTAMP,
    COMMUNE_OVERLAY,
    COMMUNE_SILENT_SINCE,
    INCIDENT_CAUSE,
    INCIDENT_COMMUNES,
    INCIDENT_OPENED,
    INCIDENT_OVERLAY,
    PATH_INFO,
    SERVICE_INFO,
    TARGET_RESULTS,
    TRUNK_INFO,
    Family,
    selector,
)
from probes.model import Province
from tests.generated import promtool

pytestmark = promtool.NEEDED

SCRAPED = 'instance="127.0.0.1:9834", job="lienxa", '
DASHBOARD = "/d/lienxa-province-vi?var-province=04"
Series = dict[str, str]


@pytest.fixture
def bench(province: Province, tmp_path: Path) -> promtool.RuleBench:
    """The province's rule file in three languages, ready to be tried."""
    return promtool.RuleBench(alerts.build(province, ("vi", "en", "fr"))["prometheus/rules/lienxa.yml"], tmp_path)


def series(family: Family, **labels: str) -> str:
    """One series as Prometheus stores it after a scrape."""
    return selector(family, province="04", **labels).replace("{", "{" + SCRAPED, 1)


def alive(samples: str = "0+15x40") -> Series:
    """An agent that ends a round every scrape, and what it knows of its province."""
    known = {
        series(COMMUNE_INFO, commune="01290", name="Xã Bảo Lâm", type="commune", trunk="ring-west"): "1x40",
        series(TRUNK_INFO, trunk="ring-west", name="Vòng cáp quang phía Tây"): "1x40",
        series(SERVICE_INFO, service="portal", path="dedicated", name="Cổng dịch vụ công"): "1x40",
    }
    return {series(AGENT_LAST_ROUND): samples, **known}


def incident(root: str, kind: str, cause: str, communes: str = "1x40") -> Series:
    """An incident that opened at 60 s; `communes` are the samples of its count."""
    root_of = {"root": root, "root_kind": kind}
    count = communes.split("x", 1)[1]
    return {
        series(INCIDENT_COMMUNES, **root_of): communes,
        series(INCIDENT_OPENED, **root_of): f"60x{count}",
        series(INCIDENT_CAUSE, **root_of, cause=cause): f"1x{count}",
        series(INCIDENT_CAUSE, **root_of, cause="device"): f"0x{count}",
    }


def until(samples: int, data: Series) -> Series:
    """The same series, cut after some samples with the marker that a failed scrape leaves."""
    cut = {}
    for name, values in data.items():
        start = values.split("x", 1)[0]
        cut[name] = f"{start}x{samples} stale"
    return cut


def labels(root: str = "", kind: str = "", **own: str) -> dict[str, str]:
    """What an alert must be labelled with."""
    identity = {"province": "04"} | ({"root": root, "root_kind": kind} if root else {})
    return identity | own


COMMUNE = labels("01290", "commune", severity="warning", team="province", layer="commune")
TRUNK = labels("ring-west", "trunk", severity="critical", team="province", layer="trunk")
SERVICE = labels("portal", "service", severity="critical", team="apps", layer="service")
AGENT = labels(severity="critical", team="province", layer="agent")


def texts(alert: str, **lines: list[str]) -> Mapping[str, Any]:
    """Annotations: the first line of each language is the summary, the others the description."""
    annotations = {"dashboard_url": DASHBOARD}
    for language, (summary, *description) in lines.items():
        suffix = "" if language == "en" else f"_{language}"
        annotations[f"summary{suffix}"] = summary
        annotations[f"description{suffix}"] = "\n".join(description)
    return annotations


POWER_CUT = texts(
    "CommuneDown",
    en=[
        "Xã Bảo Lâm (01290) is down: power cut",
        "Down since 07:01 on 1 Jan 1970.",
        "Call the electricity company: is there a power cut, and when will power be back?",
    ],
    vi=[
        "Xã Bảo Lâm (01290) mất kết nối: mất điện",
        "Bắt đầu gián đoạn lúc 07:01 ngày 01/01/1970.",
        "Gọi công ty điện lực: có mất điện không, bao giờ có điện lại?",
    ],
    fr=[
        "Xã Bảo Lâm (01290) est injoignable : coupure d'électricité",
        "En panne depuis 07:01 le 01/01/1970.",
        "Appeler la compagnie d'électricité : y a-t-il une coupure, et quand le courant reviendra-t-il ?",
    ],
)


def and_then(annotations: Mapping[str, str], **line: str) -> dict[str, str]:
    """The annotations with one more line at the end of each description."""
    more = {f"description{'' if language == 'en' else '_' + language}": text for language, text in line.items()}
    return {key: f"{value}\n{more[key]}" if key in more else value for key, value in annotations.items()}


HELD = {
    "en": "The agent has been silent since 07:05 on 1 Jan 1970; this is the last known state.",
    "vi": "Trạm giám sát không phản hồi từ 07:05 ngày 01/01/1970; đây là trạng thái cuối cùng ghi nhận được.",
    "fr": "L'agent est muet depuis 07:05 le 01/01/1970 ; ceci est le dernier état connu.",
}


def test_a_dark_commune_is_named_with_its_cause_in_three_languages(bench: promtool.RuleBench) -> None:
    data = alive() | incident("01290", "commune", "power")
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": POWER_CUT}])


def test_the_rule_waits_two_scrapes(bench: promtool.RuleBench) -> None:
    bench.expect(alive() | incident("01290", "commune", "power"), "15s", "CommuneDown", [])


def test_the_last_words_are_read_out(bench: promtool.RuleBench) -> None:
    words = {"ups_charge_ratio": "0.12x40", "ups_on_battery": "1x40", "ups_runtime_seconds": "540x40"}
    data = alive() | incident("01290", "commune", "power")
    data |= {series(COMMUNE_LAST_WORDS, commune="01290", reading=name): value for name, value in words.items()}
    data |= {series(COMMUNE_LAST_WORDS_TIMESTAMP, commune="01290", reading=name): "30x40" for name in words}
    data |= {series(COMMUNE_SILENT_SINCE, commune="01290"): "120x40"}
    annotations = dict(POWER_CUT)
    for key, said in {
        "description": (
            "Last reading at 07:00 on 1 Jan 1970: UPS charge 12%. Running on battery. Battery time left: 9 min.",
            "Silent since 07:02 on 1 Jan 1970.",
        ),
        "description_vi": (
            "Số đo cuối lúc 07:00 ngày 01/01/1970: ắc quy UPS còn 12%. Đang chạy bằng ắc quy. "
            "Thời gian ắc quy còn lại: 9 phút.",
            "Mất tín hiệu từ 07:02 ngày 01/01/1970.",
        ),
        "description_fr": (
            "Dernier relevé à 07:00 le 01/01/1970 : onduleur chargé à 12 %. Sur batterie. Autonomie restante : 9 min.",
            "Silence depuis 07:02 le 01/01/1970.",
        ),
    }.items():
        first, last = annotations[key].split("\n")
        annotations[key] = "\n".join((first, *said, last))
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": annotations}])


HOP = "10.20.0.1 (Vòng Viettel 2)"
PATH_ENDS = {
    "description": f"The path ends after {HOP}.",
    "description_vi": f"Đường truyền dừng lại sau {HOP}.",
    "description_fr": f"Le chemin s'arrête après {HOP}.",
}


def before_the_last_line(annotations: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """The annotations with one more line before each description's last."""
    return {
        key: "\n".join((*value.split("\n")[:-1], more[key], value.split("\n")[-1])) if key in more else value
        for key, value in annotations.items()
    }


def path(where: Mapping[str, str], hop: str, state: str) -> Series:
    """What a trace has found."""
    return {series(PATH_INFO, **where, last_hop=hop.partition(" ")[0], name=hop, state=state): "1x40"}


def test_it_is_told_where_the_path_ends(bench: promtool.RuleBench) -> None:
    data = alive() | incident("01290", "commune", "power")
    data |= path({"commune": "01290", "link": "primary"}, HOP, "broken")
    data |= path({"commune": "01290", "link": "backup"}, "", "broken")
    data |= path({"commune": "01294", "link": "primary"}, "10.20.0.9", "broken")
    told = before_the_last_line(POWER_CUT, PATH_ENDS)
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": told}])


def test_a_whole_path_and_one_without_any_hop_are_not_told(bench: promtool.RuleBench) -> None:
    data = alive() | incident("01290", "commune", "power")
    data |= path({"commune": "01290", "link": "primary"}, "10.4.4.1", "whole")
    data |= path({"commune": "01290", "link": "backup"}, "", "broken")
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": POWER_CUT}])


def test_a_revised_cause_changes_the_text_and_not_the_alert(bench: promtool.RuleBench) -> None:
    data = alive() | incident("01290", "commune", "power")
    data[series(INCIDENT_CAUSE, root="01290", root_kind="commune", cause="power")] = "1x10 0x30"
    data[series(INCIDENT_CAUSE, root="01290", root_kind="commune", cause="link")] = "0x10 1x30"
    annotations = texts(
        "CommuneDown",
        en=[
            "Xã Bảo Lâm (01290) is down: link cut",
            "Down since 07:01 on 1 Jan 1970.",
            "Call the carrier and report that the link is cut.",
        ],
        vi=[
            "Xã Bảo Lâm (01290) mất kết nối: đứt đường truyền",
            "Bắt đầu gián đoạn lúc 07:01 ngày 01/01/1970.",
            "Gọi nhà mạng và báo đứt đường truyền.",
        ],
        fr=[
            "Xã Bảo Lâm (01290) est injoignable : liaison coupée",
            "En panne depuis 07:01 le 01/01/1970.",
            "Appeler l'opérateur et signaler que la liaison est coupée.",
        ],
    )
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": annotations}])


def twelve_behind_a_trunk() -> tuple[Series, Mapping[str, Any]]:
    """A dead trunk, and what its alert says."""
    data = alive() | incident("ring-west", "trunk", "trunk", "12x40")
    for number in range(12):
        code = f"013{number:02}"
        data[series(COMMUNE_INFO, commune=code, name=f"Xã số {number}", type="commune", trunk="ring-west")] = "1x40"
        data[series(COMMUNE_INCIDENT, commune=code, root="ring-west", root_kind="trunk")] = "1x40"
    names = ", ".join(f"Xã số {number}" for number in range(10)) + " +2."
    annotations = texts(
        "CommuneDown",
        en=[
            "Communes cut off behind trunk Vòng cáp quang phía Tây: 12 (trunk failure)",
            "Down since 07:01 on 1 Jan 1970.",
            f"Communes: {names}",
            "Call the carrier's operations centre and report the trunk failure.",
        ],
        vi=[
            "Số xã mất kết nối sau đường trục Vòng cáp quang phía Tây: 12 (sự cố đường trục)",
            "Bắt đầu gián đoạn lúc 07:01 ngày 01/01/1970.",
            f"Các xã: {names}",
            "Gọi trung tâm điều hành của nhà mạng và báo sự cố đường trục.",
        ],
        fr=[
            "Communes coupées derrière la dorsale Vòng cáp quang phía Tây : 12 (panne de la dorsale)",
            "En panne depuis 07:01 le 01/01/1970.",
            f"Communes : {names}",
            "Appeler le centre d'exploitation de l'opérateur et signaler la panne de la dorsale.",
        ],
    )
    return data, annotations


def test_a_trunk_lists_ten_communes_and_counts_the_others(bench: promtool.RuleBench) -> None:
    data, annotations = twelve_behind_a_trunk()
    bench.expect(data, "5m", "CommuneDown", [{"labels": TRUNK, "annotations": annotations}])


def test_it_is_told_where_the_path_to_a_trunk_ends(bench: promtool.RuleBench) -> None:
    data, annotations = twelve_behind_a_trunk()
    data |= path({"trunk": "ring-west"}, HOP, "broken")
    data |= path({"commune": "01300", "link": "primary"}, "10.20.0.9", "broken")
    told = before_the_last_line(annotations, PATH_ENDS)
    bench.expect(data, "5m", "CommuneDown", [{"labels": TRUNK, "annotations": told}])


def test_of_a_trunk_that_is_not_probed_the_paths_to_most_of_its_communes_tell(bench: promtool.RuleBench) -> None:
    data, annotations = twelve_behind_a_trunk()
    for code, hop in (("01300", HOP), ("01301", "10.20.0.9"), ("01302", HOP), ("01290", "10.20.0.7")):
        data |= path({"commune": code, "link": "primary"}, hop, "broken")
    told = before_the_last_line(annotations, PATH_ENDS)
    bench.expect(data, "5m", "CommuneDown", [{"labels": TRUNK, "annotations": told}])


def test_a_dead_service_is_named_with_its_reason_though_it_darkens_no_commune(bench: promtool.RuleBench) -> None:
    data = alive() | incident("portal", "service", "service", "0x40")
    failures = {"service": "portal", "path": "dedicated", "target": "service/portal", "kind": "http"}
    data[series(TARGET_RESULTS, **failures, reason="wrong_status")] = "0+1x40"
    data[series(TARGET_RESULTS, **failures, reason="ok")] = "1000x40"
    annotations = texts(
        "ServiceDown",
        en=[
            "Service Cổng dịch vụ công is down: unexpected status code",
            "Down since 07:01 on 1 Jan 1970.",
            "Inform the unit that runs the service; nothing needs to be done at the communes.",
        ],
        vi=[
            "Dịch vụ Cổng dịch vụ công ngừng hoạt động: mã trạng thái không đúng",
            "Bắt đầu gián đoạn lúc 07:01 ngày 01/01/1970.",
            "Báo cho đơn vị vận hành dịch vụ; các xã không cần xử lý gì.",
        ],
        fr=[
            "Le service Cổng dịch vụ công est en panne : code d'état inattendu",
            "En panne depuis 07:01 le 01/01/1970.",
            "Prévenir l'unité qui exploite le service ; rien n'est à faire dans les communes.",
        ],
    )
    bench.expect(data, "5m", "ServiceDown", [{"labels": SERVICE, "annotations": annotations}])


def overlaid(data: Series, overlay: str, *, until: int, then: int = 0) -> Series:
    """The incidents while an overlay lies over them for so many samples, and over nothing `then`."""
    changed = {}
    for name, values in data.items():
        if name.startswith(INCIDENT_COMMUNES.name):
            communes = values.split("x", 1)[0]
            covered = name.replace(INCIDENT_COMMUNES.name, INCIDENT_OVERLAY.name).replace(
                "}", f', overlay="{overlay}"}}'
            )
            changed[covered] = f"{communes}x{until - 1} stale"
            if then:
                changed[name] = f"_x{until} {communes}x{then}"
        else:
            changed[name] = values
    return changed


@pytest.mark.parametrize("overlay", ["maintenance", "planned"])
def test_what_lies_under_an_overlay_wakes_nobody(bench: promtool.RuleBench, overlay: str) -> None:
    data = alive()
    for root, kind, cause in (
        ("01290", "commune", "power"),
        ("ring-west", "trunk", "trunk"),
        ("portal", "service", "service"),
    ):
        data |= overlaid(incident(root, kind, cause), overlay, until=40)
    for name in ("CommuneDown", "ServiceDown"):
        bench.expect(data, "9m", name, [])


def test_an_alert_starts_two_scrapes_after_the_overlay_ends_while_the_trouble_persists(
    bench: promtool.RuleBench,
) -> None:
    data = alive() | overlaid(incident("01290", "commune", "power"), "planned", until=20, then=20)
    bench.expect(data, "5m15s", "CommuneDown", [])
    bench.expect(data, "5m30s", "CommuneDown", [{"labels": COMMUNE, "annotations": POWER_CUT}])


def test_maintenance_that_begins_over_an_open_incident_ends_its_alert(bench: promtool.RuleBench) -> None:
    data = alive() | incident("01290", "commune", "power")
    data[series(INCIDENT_COMMUNES, root="01290", root_kind="commune")] = "1x20 stale"
    data[series(INCIDENT_OVERLAY, root="01290", root_kind="commune", overlay="maintenance")] = "_x20 1x20"
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": POWER_CUT}])
    bench.expect(data, "5m15s", "CommuneDown", [])


def test_a_trunk_names_and_counts_only_the_communes_that_lie_under_no_overlay(bench: promtool.RuleBench) -> None:
    data = alive() | incident("ring-west", "trunk", "trunk", "1x40")
    for code, name, overlay in (("01290", "Xã Bảo Lâm", "none"), ("01294", "Xã Lý Bôn", "planned")):
        data[series(COMMUNE_INFO, commune=code, name=name, type="commune", trunk="ring-west")] = "1x40"
        data[series(COMMUNE_INCIDENT, commune=code, root="ring-west", root_kind="trunk")] = "1x40"
        for lies in ("none", "maintenance", "planned"):
            data[series(COMMUNE_OVERLAY, commune=code, overlay=lies)] = f"{int(lies == overlay)}x40"
    annotations = texts(
        "CommuneDown",
        en=[
            "Communes cut off behind trunk Vòng cáp quang phía Tây: 1 (trunk failure)",
            "Down since 07:01 on 1 Jan 1970.",
            "Communes: Xã Bảo Lâm.",
            "Call the carrier's operations centre and report the trunk failure.",
        ],
        vi=[
            "Số xã mất kết nối sau đường trục Vòng cáp quang phía Tây: 1 (sự cố đường trục)",
            "Bắt đầu gián đoạn lúc 07:01 ngày 01/01/1970.",
            "Các xã: Xã Bảo Lâm.",
            "Gọi trung tâm điều hành của nhà mạng và báo sự cố đường trục.",
        ],
        fr=[
            "Communes coupées derrière la dorsale Vòng cáp quang phía Tây : 1 (panne de la dorsale)",
            "En panne depuis 07:01 le 01/01/1970.",
            "Communes : Xã Bảo Lâm.",
            "Appeler le centre d'exploitation de l'opérateur et signaler la panne de la dorsale.",
        ],
    )
    bench.expect(data, "5m", "CommuneDown", [{"labels": TRUNK, "annotations": annotations}])


@pytest.mark.parametrize("name", ["CommuneDown", "ServiceDown", "AgentVanished"])
def test_a_quiet_province_raises_nothing(bench: promtool.RuleBench, name: str) -> None:
    bench.expect(alive(), "9m", name, [])


@pytest.mark.parametrize("name", ["CommuneDown", "ServiceDown", "AgentVanished"])
def test_no_data_at_all_raises_nothing(bench: promtool.RuleBench, name: str) -> None:
    bench.expect({}, "30m", name, [])


def test_a_closed_incident_resolves_at_once_while_the_agent_lives(bench: promtool.RuleBench) -> None:
    data = alive() | until(20, incident("01290", "commune", "power"))
    bench.expect(data, "5m15s", "CommuneDown", [])


def test_an_open_incident_holds_while_the_agent_is_silent(bench: promtool.RuleBench) -> None:
    data = until(20, alive() | incident("01290", "commune", "power"))
    held = {"labels": COMMUNE, "annotations": and_then(POWER_CUT, **HELD)}
    for at in ("5m15s", "30m", "64m"):
        bench.expect(data, at, "CommuneDown", [held])


def test_a_held_incident_is_given_up_after_an_hour(bench: promtool.RuleBench) -> None:
    bench.expect(until(20, alive() | incident("01290", "commune", "power")), "66m", "CommuneDown", [])


def test_an_incident_closed_before_the_agent_fell_silent_does_not_come_back(bench: promtool.RuleBench) -> None:
    data = until(20, alive()) | until(19, incident("01290", "commune", "power"))
    bench.expect(data, "10m", "CommuneDown", [])


def test_a_failed_scrape_neither_resolves_nor_restarts_the_alert(bench: promtool.RuleBench) -> None:
    data = alive("0+15x20 stale 315+15x10") | incident("01290", "commune", "power")
    data[series(INCIDENT_COMMUNES, root="01290", root_kind="commune")] = "1x20 stale 1x10"
    bench.expect(data, "5m30s", "CommuneDown", [{"labels": COMMUNE, "annotations": POWER_CUT}])


def test_a_returning_agent_without_the_incident_resolves_it(bench: promtool.RuleBench) -> None:
    data = alive("0+15x20 stale stale stale 360+15x10") | until(20, incident("01290", "commune", "power"))
    bench.expect(data, "6m15s", "CommuneDown", [])


def test_two_scrapers_of_one_agent_are_one_alert(bench: promtool.RuleBench) -> None:
    data = alive() | incident("01290", "commune", "power")
    data |= {name.replace("127.0.0.1:9834", "10.4.0.9:9834"): values for name, values in data.items()}
    bench.expect(data, "5m", "CommuneDown", [{"labels": COMMUNE, "annotations": POWER_CUT}])


SILENT = texts(
    "AgentVanished",
    en=[
        "The monitoring agent of Tỉnh Cao Bằng is silent",
        "Last round of diagnosis: 07:05 on 1 Jan 1970.",
        "Open alerts keep their last known state for an hour; new outages are not seen.",
        "Check the agent's host: power, network, and `systemctl status lienxa`.",
    ],
    vi=[
        "Trạm giám sát của Tỉnh Cao Bằng không phản hồi",
        "Lần chẩn đoán cuối: 07:05 ngày 01/01/1970.",
        "Các cảnh báo đang mở giữ nguyên trạng thái cuối trong một giờ; sự cố mới sẽ không được phát hiện.",
        "Kiểm tra máy chủ chạy trạm giám sát: nguồn điện, mạng và `systemctl status lienxa`.",
    ],
    fr=[
        "L'agent de supervision de Tỉnh Cao Bằng est muet",
        "Dernier tour de diagnostic : 07:05 le 01/01/1970.",
        "Les alertes ouvertes gardent leur dernier état connu pendant une heure ; "
        "les nouvelles pannes ne sont pas vues.",
        "Vérifier la machine de l'agent : alimentation, réseau et `systemctl status lienxa`.",
    ],
)


def test_a_vanished_agent_is_missed(bench: promtool.RuleBench) -> None:
    data = {series(AGENT_LAST_ROUND): "0+15x20 stale"}
    bench.expect(data, "10m30s", "AgentVanished", [])
    bench.expect(data, "11m", "AgentVanished", [{"labels": AGENT, "annotations": SILENT}])
    bench.expect(data, "10h", "AgentVanished", [{"labels": AGENT, "annotations": SILENT}])


def test_a_hung_agent_that_still_serves_its_page_is_missed_as_well(bench: promtool.RuleBench) -> None:
    data = {series(AGENT_LAST_ROUND): "0+15x20 300x40"}
    bench.expect(data, "11m", "AgentVanished", [{"labels": AGENT, "annotations": SILENT}])


def test_an_agent_that_comes_back_is_missed_no_longer(bench: promtool.RuleBench) -> None:
    data = {series(AGENT_LAST_ROUND): "0+15x20 " + "stale " * 40 + "915+15x20"}
    bench.expect(data, "16m", "AgentVanished", [])
