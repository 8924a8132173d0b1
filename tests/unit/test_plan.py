"""What follows from an inventory."""

from pydantic import SecretStr

from agent.plan import plan
from probes.model import Device
from probes.ports import SnmpAgent
from tests.unit.fakes import province


def ask(device: Device) -> SnmpAgent:
    return SnmpAgent(device.address, device.port, "v2c", SecretStr("hidden"))


def test_every_part_with_an_address_becomes_a_target() -> None:
    made = plan(province(), ask)
    assert [(target.id, target.kind, target.beat_s) for target in made.targets] == [
        ("reference/10.4.0.1", "icmp", 1),
        ("trunk/ring", "icmp", 1),
        ("link/01290/primary", "icmp", 1),
        ("device/01290/ups", "snmp", 2),
        ("link/01294/primary", "icmp", 1),
        ("service/gateway", "tcp", 1),
    ]


def test_a_link_without_an_address_is_unobserved_and_never_part_of_a_verdict() -> None:
    made = plan(province(), ask)
    assert [link.id for link in made.topology.communes["01290"].links] == ["primary"]


def test_targets_carry_their_identity_as_labels() -> None:
    made = plan(province(), ask)
    labels = {target.id: dict(target.labels) for target in made.targets}
    assert labels["link/01294/primary"] == {
        "commune": "01294",
        "link": "primary",
        "medium": "vsat",
        "target": "link/01294/primary",
        "kind": "icmp",
    }
    assert labels["service/gateway"]["path"] == "dedicated"


def test_a_satellite_link_may_be_slow_and_a_fibre_may_not() -> None:
    settings = {target.id: target.settings for target in plan(province(), ask).targets}
    limits = [getattr(settings[f"link/{code}/primary"], "latency_s") for code in ("01290", "01294")]  # noqa: B009  # the kinds' models are not this package's
    assert limits == [0.15, 0.9]


def test_trunks_nest_in_the_topology() -> None:
    topology = plan(province(), ask).topology
    assert topology.ancestors("01290") == ("spur", "ring")
    assert topology.trunks["spur"].target is None


def test_no_secret_shows_in_a_plan() -> None:
    assert "hidden" not in repr(plan(province(), ask))


def test_a_service_that_is_not_connected_is_not_probed() -> None:
    planned = {"id": "land", "kind": "http", "connected": False}
    made = plan(province(services=[planned]), ask)
    assert not [target.id for target in made.targets if target.kind == "http"]
    assert made.topology.services == {}


def test_a_service_inside_a_commune_carries_the_communes_code() -> None:
    meeting = {"id": "meeting", "kind": "tcp", "beat_s": 30, "settings": {"host": "10.4.4.9", "port": 1720}}
    made = plan(province(communes=[{"code": "01290", "services": [meeting]}], trunks=[]), ask)
    (target,) = (target for target in made.targets if target.kind == "tcp" and "commune" in target.labels)
    assert (target.id, target.labels["commune"], target.beat_s) == ("service/01290/meeting", "01290", 30)
    assert made.topology.communes["01290"].services == ("service/01290/meeting",)


def test_a_links_own_thresholds_come_before_those_of_its_medium() -> None:
    link = {"address": "10.4.4.1", "medium": "lte", "thresholds": {"loss_ratio": 0.05}}
    made = plan(province(communes=[{"code": "01290", "links": [link]}], trunks=[]), ask)
    settings = {target.id: target.settings for target in made.targets}["link/01290/primary"]
    assert (getattr(settings, "latency_s"), getattr(settings, "loss_ratio")) == (0.3, 0.05)  # noqa: B009  # the kinds' models are not this package's


def test_what_is_paid_for_by_the_byte_has_a_budget_and_what_a_link_says_reaches_its_probe() -> None:
    own = {"dscp": 46, "size_bytes": 200, "dont_fragment": True, "source": "10.4.250.2", "ttl": 9, "tcp_port": 443}
    links = [
        {"address": "10.4.4.1"},
        {"id": "lte", "role": "backup", "medium": "lte", "address": "10.4.4.2"},
        {"id": "vsat", "role": "backup", "medium": "vsat", "address": "10.4.4.3", "budget_mb_per_day": 3, **own},
    ]
    made = plan(province(communes=[{"code": "01290", "links": links}], trunks=[]), ask)
    settings = {target.labels["link"]: target.settings for target in made.targets if "link" in target.labels}
    assert [getattr(found, "budget_mb_per_day") for found in settings.values()] == [None, 20, 3]  # noqa: B009  # the kinds' models are not this package's
    assert {key: getattr(settings["vsat"], key) for key in own} == own
    assert getattr(settings["vsat"], "mos") == 2.6  # noqa: B009  # likewise
