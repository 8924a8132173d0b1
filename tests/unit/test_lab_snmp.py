"""The lab's SNMP agent, asked in bytes."""

from __future__ import annotations

from typing import Any

import pytest
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api
from pysnmp.proto.rfc1902 import Counter32, Counter64, Integer32, ObjectIdentifier, OctetString

from deploy.lab.devices import Surroundings, table
from deploy.lab.power import Site
from deploy.lab.snmp_agent import Oid, SnmpAgent, Table, oid
from probes.model import Commune

V1, V2C = api.SNMP_VERSION_1, api.SNMP_VERSION_2C
Bound = tuple[str, Any]

OBJECTS = Table(
    {
        oid("1.3.6.1.2.1.2.2.1.10.2"): lambda: Counter32(22),
        oid("1.3.6.1.2.1.2.2.1.2.10"): lambda: OctetString("ten"),
        oid("1.3.6.1.2.1.2.2.1.2.9"): lambda: OctetString("nine"),
        oid("1.3.6.1.2.1.1.1.0"): lambda: OctetString("lab"),
        oid("1.3.6.1.2.1.1.2.0"): lambda: None,
        oid("1.3.6.1.2.1.31.1.1.1.6.2"): lambda: Counter64(2**40),
        oid("1.3.6.1.4.1.14988.1"): lambda: Integer32(-88),
    }
)
IN_ORDER = [
    "1.3.6.1.2.1.1.1.0",
    "1.3.6.1.2.1.2.2.1.2.9",
    "1.3.6.1.2.1.2.2.1.2.10",
    "1.3.6.1.2.1.2.2.1.10.2",
    "1.3.6.1.2.1.31.1.1.1.6.2",
    "1.3.6.1.4.1.14988.1",
]


def request(
    kind: str, names: list[str], version: int = V2C, community: str = "lab", once: int = 0, more: int = 10
) -> bytes:
    protocol = api.PROTOCOL_MODULES[version]
    pdu = getattr(protocol, f"{kind}RequestPDU")()
    if kind == "GetBulk":
        protocol.apiBulkPDU.set_defaults(pdu)
        protocol.apiBulkPDU.set_non_repeaters(pdu, once)
        protocol.apiBulkPDU.set_max_repetitions(pdu, more)
    else:
        protocol.apiPDU.set_defaults(pdu)
    protocol.apiPDU.set_varbinds(pdu, [(ObjectIdentifier(name), protocol.Null("")) for name in names])
    message = protocol.Message()
    protocol.apiMessage.set_defaults(message)
    protocol.apiMessage.set_community(message, community)
    protocol.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def ask(kind: str, names: list[str], version: int = V2C, **more: Any) -> tuple[int, int, list[Bound]]:
    """Error status, error index and variable bindings, as pysnmp decodes them."""
    asked = request(kind, names, version, **more)
    answer = SnmpAgent("lab", OBJECTS).answer(asked)
    assert answer is not None
    protocol = api.PROTOCOL_MODULES[version]
    message, rest = decoder.decode(answer, asn1Spec=protocol.Message())
    assert not rest
    sent, _ = decoder.decode(asked, asn1Spec=protocol.Message())
    pdu = protocol.apiMessage.get_pdu(message)
    assert protocol.apiPDU.get_request_id(pdu) == protocol.apiPDU.get_request_id(protocol.apiMessage.get_pdu(sent))
    bound = [(str(name), value) for name, value in protocol.apiPDU.get_varbinds(pdu)]
    return int(pdu[1]), int(pdu[2]), bound


def name_of(value: Any) -> str:
    return type(value).__name__


def walk(version: int) -> list[str]:
    found: list[str] = []
    at = "1.3"
    while True:
        status, _, [(name, value)] = ask("GetNext", [at], version)
        if status or name_of(value) == "EndOfMibView":
            return found
        found.append(name)
        at = name


def test_getnext_visits_every_object_in_the_order_of_numbers_not_of_text() -> None:
    assert walk(V2C) == IN_ORDER


def test_version_1_steps_over_64_bit_counters() -> None:
    assert walk(V1) == [name for name in IN_ORDER if ".31." not in name]


def test_get_answers_what_is_there_and_marks_what_is_not() -> None:
    status, index, bound = ask("Get", ["1.3.6.1.4.1.14988.1", "1.3.6.1.2.1.1.2.0"])
    assert (status, index, [name for name, _ in bound]) == (0, 0, ["1.3.6.1.4.1.14988.1", "1.3.6.1.2.1.1.2.0"])
    assert int(bound[0][1]) == -88
    assert name_of(bound[1][1]) == "NoSuchInstance"


def test_version_1_names_the_first_object_that_is_not_there() -> None:
    assert ask("Get", ["1.3.6.1.2.1.1.1.0", "1.3.9"], V1)[:2] == (2, 2)


def test_getbulk_repeats_columns_and_ends_at_the_end() -> None:
    status, _, bound = ask("GetBulk", ["1.3.6.1.2.1.1", "1.3.6.1.2.1.2"], once=1, more=50)
    assert status == 0
    assert [name for name, _ in bound] == [IN_ORDER[0], *IN_ORDER[1:], IN_ORDER[-1]]
    assert name_of(bound[-1][1]) == "EndOfMibView"


def test_getbulk_stays_within_one_datagram() -> None:
    big = Table({(1, 3, number): lambda: OctetString("x" * 200) for number in range(100)})
    answer = SnmpAgent("lab", big).answer(request("GetBulk", ["1.3"], more=100))
    assert answer is not None
    assert 1000 < len(answer) < 1472


def test_nothing_can_be_written() -> None:
    assert ask("Set", ["1.3.6.1.2.1.1.1.0"])[:2] == (17, 1)


@pytest.mark.parametrize(
    "datagram",
    [b"", b"\x00", b"0" * 40, request("Get", ["1.3"], community="other"), request("Get", ["1.3"])[:-3]],
    ids=["empty", "zero", "noise", "another community", "cut short"],
)
def test_anything_else_meets_silence(datagram: bytes) -> None:
    assert SnmpAgent("lab", OBJECTS).answer(datagram) is None


COMMUNE = Commune.model_validate(
    {
        "code": "01290",
        "links": [{"address": "10.4.1.1"}, {"role": "backup", "medium": "lte", "address": "10.4.1.3"}],
        "devices": [
            {"id": "router", "role": "router", "address": "10.4.1.1", "credential": "lab"},
            {"id": "ups", "role": "ups", "address": "10.4.1.2", "credential": "lab"},
            {"id": "switch", "role": "switch", "address": "10.4.1.4", "credential": "lab"},
        ],
    }
)


def objects_of(device: int, site: Site, now: float, broken: str = "") -> dict[str, Any]:
    around = Surroundings(lambda: now, lambda: site, lambda link: link != broken)
    found: dict[str, Any] = {}
    at: Oid = (0,)
    held = table(COMMUNE, COMMUNE.devices[device], around)
    while pair := held.after(at):
        at = pair[0]
        found[".".join(map(str, at))] = pair[1]
    return found


def test_a_router_tells_its_uptime_interfaces_and_signal() -> None:
    before, after = (objects_of(0, Site(20, booted=100.0), now) for now in (200.0, 210.0))
    assert int(before["1.3.6.1.2.1.1.3.0"]) == 100 * 100
    assert int(before["1.3.6.1.2.1.2.1.0"]) == 4
    assert str(before["1.3.6.1.2.1.31.1.1.1.1.4"]) == "lte1"
    assert int(after["1.3.6.1.2.1.31.1.1.1.6.1"]) - int(before["1.3.6.1.2.1.31.1.1.1.6.1"]) == 2_500_000
    rsrp = int(before["1.3.6.1.4.1.14988.1.1.16.1.1.4.4"])
    assert -140 <= rsrp <= -44


def test_a_router_whose_link_is_cut_says_that_the_interface_is_down() -> None:
    status = "1.3.6.1.2.1.2.2.1.8."
    found = objects_of(0, Site(20, booted=0.0), 1.0, broken="primary")
    assert [int(found[status + number]) for number in "1234"] == [2, 1, 1, 1]


def test_a_router_has_a_default_route_by_each_link_that_works() -> None:
    column = "1.3.6.1.2.1.4.24.4.1.5."
    both, left = (objects_of(0, Site(20, booted=0.0), 1.0, broken=link) for link in ("", "primary"))
    assert [int(value) for name, value in both.items() if name.startswith(column)] == [1, 4]
    assert [int(value) for name, value in left.items() if name.startswith(column)] == [4]


def test_a_ups_on_mains_and_on_battery() -> None:
    site = Site(runtime_s=600, booted=0.0)
    ups = "1.3.6.1.2.1.33.1."
    scalars = [
        "2.1.0",  # upsBatteryStatus
        "2.2.0",  # upsSecondsOnBattery
        "2.3.0",  # upsEstimatedMinutesRemaining
        "2.4.0",  # upsEstimatedChargeRemaining
        "3.1.0",  # upsInputLineBads
        "3.3.1.3.1",  # upsInputVoltage
        "4.1.0",  # upsOutputSource
        "6.1.0",  # upsAlarmsPresent
    ]

    def told(site: Site, now: float) -> list[int]:
        found = objects_of(1, site, now)
        return [int(found[ups + name]) for name in scalars]

    assert told(site, 100) == [2, 0, 10, 100, 0, 220, 3, 0]
    assert told(site.cut(100), 250) == [2, 150, 7, 75, 1, 0, 5, 1]
    assert told(site.cut(100), 640) == [3, 540, 1, 10, 1, 0, 5, 2]
    assert ups + "6.2.1.2.1" in objects_of(1, site.cut(100), 640)


def test_other_devices_answer_for_themselves() -> None:
    found = objects_of(2, Site(0, booted=0.0), 1.0)
    assert int(found["1.3.6.1.2.1.2.1.0"]) == 1
    assert str(found["1.3.6.1.2.1.1.5.0"]) == "01290-switch"
