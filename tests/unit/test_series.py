"""The page: valid for Prometheus, exact, and without what is over."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.series import SeriesTable
from probes import metrics
from probes.results import Distribution, Reading

LINK = {"commune": "01290", "link": "primary", "medium": "fibre", "target": "link/01290/primary", "kind": "icmp"}


def samples(table: SeriesTable) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(table.page())
        for sample in family.samples
    }


def test_a_reading_carries_the_identity_that_its_family_declares() -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_SENT, 12), Reading(metrics.DEVICE_UPTIME, 3.5)])
    identity = (("commune", "01290"), ("link", "primary"), ("medium", "fibre"), ("province", "04"))
    assert samples(table) == {
        ("lienxa_link_sent_total", (*identity, ("target", "link/01290/primary"))): 12,
        ("lienxa_device_uptime_seconds", (("commune", "01290"), ("province", "04"))): 3.5,
    }


def test_names_with_quotes_backslashes_and_diacritics_survive_the_page() -> None:
    table = SeriesTable("04")
    name = 'Xã "Đàm Thủy"\\\nnew'
    table.put("one", {"commune": "01501"}, [Reading(metrics.COMMUNE_INFO, 1, (name, "commune", "remote", ""))])
    ((_, labels),) = samples(table)
    assert dict(labels) == {
        "province": "04",
        "commune": "01501",
        "name": name,
        "type": "commune",
        "site_class": "remote",
    }


def test_what_an_owner_no_longer_reads_leaves_the_page() -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_SENT, 1), Reading(metrics.LINK_JITTER, 0.1)])
    table.put("two", {**LINK, "commune": "01294"}, [Reading(metrics.LINK_SENT, 5)])
    table.put("one", LINK, [Reading(metrics.LINK_SENT, 2)])
    assert sorted(samples(table).values()) == [2, 5]
    table.drop("two")
    assert list(samples(table).values()) == [2]


def test_what_is_remembered_for_speed_does_not_grow() -> None:
    table = SeriesTable("04")
    for number in range(1000):
        own = (f"firmware {number}", "1.3.6.1.4.1.9", "router")
        table.put("one", {"commune": "01290"}, [Reading(metrics.DEVICE_INFO, 1, own)])
    assert len(table.page().splitlines()) == 3
    assert "firmware 998" not in repr(vars(table))


def test_an_owner_whose_identity_changes_is_written_with_the_new_one() -> None:
    table = SeriesTable("04")
    for medium in ("lte", "fibre"):
        table.put("one", {**LINK, "medium": medium}, [Reading(metrics.LINK_SENT, 1)])
    ((_, labels),) = samples(table)
    assert dict(labels)["medium"] == "fibre"


def test_infinity_is_written_as_prometheus_reads_it() -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_JITTER, math.inf), Reading(metrics.LINK_LOSS, -math.inf)])
    assert sorted(samples(table).values()) == [-math.inf, math.inf]


def test_an_impossible_value_is_absent_not_wrong() -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_JITTER, math.nan)])
    assert table.page() == ""


def test_a_histogram_is_cumulated_and_ends_with_infinity() -> None:
    table = SeriesTable("04")
    counts = (1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3)
    table.put("one", {"commune": "01290"}, [], [Distribution(metrics.LINK_RTT, counts, 9.5)])
    page = samples(table)
    buckets = {dict(labels)["le"]: value for (name, labels), value in page.items() if name.endswith("_bucket")}
    assert buckets["0.005"] == 1
    assert buckets["0.02"] == 3
    assert buckets["+Inf"] == 6
    assert {value for (name, _), value in page.items() if name.endswith("_count")} == {6}
    assert {value for (name, _), value in page.items() if name.endswith("_sum")} == {9.5}


def test_every_family_of_the_catalogue_has_help_and_keeps_to_the_label_contract() -> None:
    contract = {"province", "commune", "trunk", "link", "device", "interface", "service", "target", "kind", "path"}
    contract |= {
        "medium",
        "phase",
        "reason",
        "state",
        "cause",
        "root",
        "root_kind",
        "group",
        "reading",
        "overlay",
        "finding",
        "trap",
        "weakness",
        "step",
        "status",
    }
    contract |= {"version", "description", "object_id", "name", "type", "parent"}  # on info families only
    contract |= {"site_class", "layer", "issue", "title", "owner"}  # likewise
    contract |= {"profile", "manufacturer", "model", "firmware", "operator", "technology"}  # likewise
    contract |= {"role", "observed", "last_hop", "cipher"}  # likewise
    for family in metrics.FAMILIES.values():
        assert family.help.endswith(".")
        assert set(family.labels) <= contract, family.name
        assert (family.type == "counter") == family.name.endswith("_total"), family.name


def test_numbers_are_spelled_as_prometheus_spells_them() -> None:
    table = SeriesTable("04")
    families = (metrics.LINK_SENT, metrics.LINK_JITTER, metrics.LINK_LOSS, metrics.LINK_RTT_MEAN, metrics.LINK_RTT_P95)
    values = (3.0, 0.25, math.inf, -math.inf, 1e17)
    table.put("one", LINK, [Reading(family, value) for family, value in zip(families, values, strict=True)])
    told = {line.split("{")[0]: line.split()[-1] for line in table.page().splitlines() if line[0] != "#"}
    assert [told[family.name] for family in families] == ["3", "0.25", "+Inf", "-Inf", "1e+17"]


def test_a_label_may_look_like_a_template_or_like_a_number() -> None:
    table = SeriesTable("04")
    for name in ("100 %r of %(it)s.0", "is inf", "1.0"):
        table.put("one", {"commune": "01501"}, [Reading(metrics.COMMUNE_INFO, 1.0, (name, "commune", "remote", ""))])
        ((_, labels),) = samples(table)
        assert dict(labels)["name"] == name


def test_what_belongs_to_a_family_comes_together_in_whatever_order_it_is_read() -> None:
    table = SeriesTable("04")
    states = [Reading(metrics.TARGET_STATE, number, (f"s{number}",)) for number in range(4)]
    table.put("one", LINK, [states[0], Reading(metrics.LINK_SENT, 9), *states[1:]])
    found = {labels[-2:]: value for (name, labels), value in samples(table).items() if name == "lienxa_target_state"}
    assert sorted(found.values()) == [0, 1, 2, 3]
    assert all(dict(labels)["state"] == f"s{value:.0f}" for labels, value in found.items())
    assert table.page().count("# TYPE lienxa_target_state gauge") == 1


def test_true_and_false_are_numbers() -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_SENT, True), Reading(metrics.LINK_LATE, False)])
    told = {line.split("{")[0]: line.split()[-1] for line in table.page().splitlines() if line[0] != "#"}
    table.put("one", LINK, [Reading(metrics.LINK_SENT, True), Reading(metrics.LINK_LOSS, math.inf)])
    assert " 1\n" in table.page()
    assert told == {"lienxa_link_sent_total": "1", "lienxa_link_late_total": "0"}


def test_an_integer_beyond_every_float_is_absent_not_wrong() -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_SENT, 10**400), Reading(metrics.LINK_LATE, 3)])
    assert list(samples(table).values()) == [3]


@pytest.mark.parametrize("count", [2, len(metrics.LINK_RTT.buckets), len(metrics.LINK_RTT.buckets) + 2])
def test_a_histogram_of_other_buckets_is_a_bug_and_leaves_the_page_as_it_was(count: int) -> None:
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_SENT, 1)])
    before = table.page()
    with pytest.raises(ValueError, match="lienxa_link_rtt_seconds has 10 buckets and a rest"):
        table.put("one", LINK, [Reading(metrics.LINK_LATE, 1)], [Distribution(metrics.LINK_RTT, (1,) * count, 0.1)])
    assert table.page() == before
    table.drop("one")
    assert table.page() == ""


def test_a_value_that_cannot_be_spelled_leaves_the_table_consistent() -> None:
    """More numbers than the template has room for: whatever goes wrong while lines are filled."""
    table = SeriesTable("04")
    table.put("one", LINK, [Reading(metrics.LINK_SENT, 1)])
    before = table.page()

    class Unspeakable(float):
        def __repr__(self) -> str:
            raise RuntimeError("no spelling")

    with pytest.raises(RuntimeError):
        table.put("one", LINK, [Reading(metrics.LINK_LATE, Unspeakable(1))])
    assert table.page() == before
    table.drop("one")
    assert table.page() == ""
