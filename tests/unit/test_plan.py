"""What follows from an inventory."""

from pydantic import SecretStr

from agent.diagnosis import Exit
from agent.plan import Plan, plan
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


ROUTER = {"id": "router", "role": "router", "address": "10.4.4.1", "credential": "lab"}


def two_ways(*devices: dict[str, str], **backup: str) -> Plan:
    """A commune whose primary is pinged and leaves by ether1, and whose backup has no address."""
    links = [{"address": "10.4.4.1", "interface": "ether1"}, {"role": "backup", "medium": "lte", **backup}]
    commune = {"code": "01290", "links": links, "devices": devices or (ROUTER,)}
    return plan(province(communes=[commune], trunks=[]), ask)


def test_a_link_that_names_an_interface_belongs_to_the_communes_only_router() -> None:
    site = two_ways(interface="lte1").topology.communes["01290"]
    assert site.exits == (
        Exit("primary", "primary", "device/01290/router", "ether1"),
        Exit("backup", "backup", "device/01290/router", "lte1"),
    )
    assert [link.id for link in site.links] == ["primary"]


def test_where_a_commune_has_two_routers_the_link_says_whose_interface_it_is() -> None:
    other = {**ROUTER, "id": "lte-router", "address": "10.4.4.5"}
    site = two_ways(ROUTER, other, interface="wwan0", device="lte-router").topology.communes["01290"]
    assert site.exits == (Exit("backup", "backup", "device/01290/lte-router", "wwan0"),)


def test_only_routers_whose_interfaces_are_named_are_asked_for_their_routes() -> None:
    switch = {**ROUTER, "id": "switch", "role": "switch", "address": "10.4.4.6"}
    made = two_ways(ROUTER, switch)
    asked = {target.labels["device"]: target.settings for target in made.targets if target.kind == "snmp"}
    extras = {device: getattr(settings, "extras") for device, settings in asked.items()}  # noqa: B009  # the kinds' models are not this package's
    assert extras == {"router": ("routes",), "switch": ()}
