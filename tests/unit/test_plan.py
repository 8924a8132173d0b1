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
