"""How a device is read by its profile: recognised, asked in order, remembered; and by no answer ever upset."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.series import SeriesTable
from probes import metrics
from probes.kinds.snmp import ABSENT_BEATS, SnmpSettings, check
from probes.kinds.snmp.questions import MAX_OBJECTS_V1
from probes.kinds.snmp.tables import RELEARN_BEATS
from probes.ports import SnmpAgent, SnmpError, SnmpRows, SnmpValue
from probes.profiles import Library, load, objects, shipped
from probes.results import Conditions, Reason, Result
from tests.probes import mib
from tests.probes.conftest import TestNet, beat, value
from tests.probes.recordings import Played
from tests.unit.fakes import FakeClock

AGENT = SnmpAgent("192.0.2.1", 161, "v2c")
LTE = "1.3.6.1.4.1.14988.1.1.16.1.1"
MIKROTIK: Mapping[str, SnmpValue] = {
    mib.SYS_DESCR: b"RouterOS LHG",
    mib.SYS_OBJECT_ID: "1.3.6.1.4.1.14988.1",
    mib.SYS_UP_TIME: 360000,
    mib.IF_NUMBER: 1,
    f"{mib.IF_NAME}.1": b"lte1",
    f"{mib.IF_OPER_STATUS}.1": 1,
    f"{mib.IF_IN_OCTETS}.1": 7,
    f"{LTE}.4.1": -97,
}


async def poll(
    device: Played,
    *groups: str,
    memory: object = None,
    clock: FakeClock | None = None,
    conditions: Conditions | None = None,
    **more: object,
) -> Result:
    """One beat."""
    told = {"agent": AGENT, "groups": groups or ("system", "interfaces"), "recognise": True, **more}
    net = TestNet(snmp=device, clock=clock or FakeClock())  # type: ignore[arg-type]  # a clock that is moved by hand
    return await check(
        SnmpSettings.model_validate(told), net, replace(beat(memory), conditions=conditions or Conditions())
    )


def groups_of(result: Result) -> dict[str, float]:
    """Which groups were asked, and which were read."""
    return {item.labels[0]: item.value for item in result.readings if item.family is metrics.DEVICE_GROUP_OK}


def profile_of(result: Result) -> str | None:
    """By what the device was read."""
    return next((item.labels[0] for item in result.readings if item.family is metrics.DEVICE_PROFILE_INFO), None)


# What a device is


async def test_a_device_is_recognised_once_and_again_after_a_restart() -> None:
    device = Played({**MIKROTIK, mib.SYS_OBJECT_ID: ".1.3.6.1.4.1.99", "1.3.6.1.2.1.33.1.4.1.0": 3})
    clock = FakeClock()
    result = await poll(device, clock=clock)
    assert profile_of(result) == "ups-card"
    for seconds, ticks, probed in ((60, 366000, False), (120, 500, True)):
        clock.go(seconds)
        device.objects[mib.SYS_UP_TIME] = ticks
        asked = len(device.requests)
        result = await poll(device, memory=result.memory, clock=clock)
        assert (("1.3.6.1.2.1.33.1.4.1.0",) in device.requests[asked:]) is probed
    assert value(result, metrics.DEVICE_RESTARTS) == 1


async def test_another_sort_of_device_at_the_address_is_recognised_anew_and_counted() -> None:
    device = Played(MIKROTIK)
    result = await poll(device)
    assert (profile_of(result), value(result, metrics.DEVICE_REPLACED)) == ("mikrotik", 0)
    device.objects[mib.SYS_OBJECT_ID] = "1.3.6.1.4.1.4881.1"
    result = await poll(device, memory=result.memory)
    assert (profile_of(result), value(result, metrics.DEVICE_REPLACED)) == ("ruijie", 1)
    assert value(result, metrics.CELL_RSRP) is None


async def test_a_probe_that_gets_no_answer_decides_nothing() -> None:
    device = Played({**MIKROTIK, mib.SYS_OBJECT_ID: "1.3.6.1.4.1.8072.3.2.10"})
    device.refused = {"1.3.6.1.4.1.48690": Reason.TIMEOUT}
    result = await poll(device)
    assert profile_of(result) is None
    device.refused = {}
    result = await poll(device, memory=result.memory)
    assert profile_of(result) == "net-snmp"


async def test_a_profile_that_the_inventory_names_is_not_looked_for() -> None:
    device = Played({**MIKROTIK, mib.SYS_OBJECT_ID: "1.3.6.1.4.1.99"})
    result = await poll(device, profiles=("mikrotik",))
    assert value(result, metrics.CELL_RSRP) == -97
    assert not any("1.3.6.1.2.1.25.3.5.1.1" in asked for asked in device.requests)


async def test_without_recognition_only_the_demanded_groups_are_asked() -> None:
    result = await poll(Played(MIKROTIK), recognise=False)
    assert groups_of(result) == {"system": 1, "interfaces": 1}
    assert value(result, metrics.CELL_RSRP) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"groups": ("batteries",)}, "no group 'batteries' (known: duplex, interfaces, linux,"),
        ({"groups": ("cell",)}, "no group 'cell'"),
        ({"profiles": ("mikrotick",)}, "no profile 'mikrotick' (known: apc,"),
        ({"groups": ()}, "at least 1 item"),
    ],
)
def test_names_that_no_profile_has_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SnmpSettings.model_validate({"agent": AGENT, **wrong})
    assert message in str(caught.value)


def test_a_group_of_a_named_profile_may_be_demanded() -> None:
    SnmpSettings(agent=AGENT, groups=("system", "cell"), profiles=("mikrotik",))


# Which groups are asked


async def test_a_group_that_only_the_profile_has_may_be_missing_until_it_was_seen() -> None:
    device = Played({oid: found for oid, found in MIKROTIK.items() if not oid.startswith(LTE)})
    result = await poll(device)
    assert (result.reason, "cell" in groups_of(result)) == (None, False)
    asked = len(device.requests)
    result = await poll(device, memory=result.memory)
    assert not [oids for oids in device.requests[asked:] if oids[0].startswith(LTE)]
    device.objects[f"{LTE}.4.1"] = -100
    for _ in range(ABSENT_BEATS):
        result = await poll(device, memory=result.memory)
    assert value(result, metrics.CELL_RSRP) == -100
    del device.objects[f"{LTE}.4.1"]
    result = await poll(device, memory=result.memory)
    assert (result.reason, groups_of(result)["cell"]) == (Reason.PARTIAL, 0)


async def test_big_tables_wait_for_a_healthy_link() -> None:
    for conditions in (Conditions(0.1, 0.3), Conditions(2.5, 0.0)):
        result = await poll(Played(MIKROTIK), conditions=conditions)
        assert (result.reason, result.detail.split(";")[0]) == (None, "interfaces: left out, the link is bad")
        assert value(result, metrics.CELL_RSRP) == -97
        assert "interfaces" not in groups_of(result)
    result = await poll(Played(MIKROTIK), conditions=Conditions(0.6, 0.1))
    assert groups_of(result)["interfaces"] == 1


async def test_a_device_that_falls_silent_is_not_waited_for_group_by_group() -> None:
    device = Played(MIKROTIK)
    result = await poll(device)
    device.refused = {"1.3.6.1.4.1": Reason.TIMEOUT, mib.IF_NUMBER: Reason.TIMEOUT}
    device.refused |= {"1.3.6.1.2.1.25": Reason.TIMEOUT, "1.3.6.1.2.1.31": Reason.TIMEOUT}
    asked = len(device.requests)
    result = await poll(device, memory=result.memory)
    assert result.reason is Reason.TIMEOUT  # hrSystemUptime is asked with the system group
    assert len(device.requests) - asked == 1


async def test_the_last_groups_are_left_when_the_beat_is_over() -> None:
    clock = FakeClock()

    class Slow(Played):
        async def get(self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, **more: Any) -> SnmpRows:
            clock.go(4)
            return await super().get(agent, oids, timeout_s)

    result = await poll(Slow(MIKROTIK), clock=clock)
    assert result.reason is Reason.PARTIAL
    assert "interfaces: no time left in this beat" in result.detail


async def test_what_hardly_changes_is_asked_once_in_its_time() -> None:
    device = Played({**MIKROTIK, "1.3.6.1.4.1.14988.1.1.4.4.0": b"7.1"})
    clock = FakeClock()
    result = await poll(device, clock=clock)
    device.objects["1.3.6.1.4.1.14988.1.1.4.4.0"] = b"7.2"
    for seconds, firmware in ((60, "7.1"), (3600, "7.2")):
        clock.go(seconds)
        device.objects[mib.SYS_UP_TIME] = 360000 + int(clock.now - 1000) * 100
        result = await poll(device, memory=result.memory, clock=clock)
        assert value(result, metrics.DEVICE_MODEL_INFO, "MikroTik", "LHG", firmware) == 1


async def test_credentials_that_are_refused_are_not_tried_group_by_group() -> None:
    device = Played(MIKROTIK)
    device.refused = {"1.3": Reason.UNKNOWN_USER}
    result = await poll(device)
    assert (result.reason, groups_of(result)) == (Reason.UNKNOWN_USER, {"system": 0, "interfaces": 0})
    assert len(device.requests) == 1


@pytest.fixture
def own(tmp_path: Path) -> Library:
    """The shipped profiles and a deployer's."""
    (tmp_path / "own.yaml").write_text(
        "id: own\ntitle: Own\nsource: own\nmatch: {object_id: [1.3.6.1.4.1.99]}\ngroups:\n  - name: health\n"
        "    scalars:\n      - {family: device_temperature_celsius, object: t, oid: 1.3.6.1.4.1.99.1.0}\n",
        encoding="ascii",
    )
    return load(tmp_path)


async def test_a_deployers_profile_is_used(own: Library) -> None:
    device = Played({**MIKROTIK, mib.SYS_OBJECT_ID: "1.3.6.1.4.1.99.5", "1.3.6.1.4.1.99.1.0": b"41 C"})
    result = await poll(device, library=own)
    assert (profile_of(result), value(result, metrics.DEVICE_TEMPERATURE)) == ("own", 41)


# Rows


async def test_counters_of_32_bits_serve_where_there_are_no_others() -> None:
    device = Played(MIKROTIK)
    result = await poll(device, recognise=False)
    assert value(result, metrics.INTERFACE_RECEIVE_BYTES, "lte1") == 7
    asked = len(device.requests)
    await poll(device, memory=result.memory, recognise=False)
    assert not [oids for oids in device.requests[asked:] if f"{mib.IF_HC_IN_OCTETS}.1" in oids]


async def test_half_duplex_is_told() -> None:
    duplex = "1.3.6.1.2.1.10.7.2.1.19"
    device = Played({**MIKROTIK, f"{mib.IF_NAME}.2": b"wan", f"{duplex}.1": 3, f"{duplex}.2": 2})
    result = await poll(device)
    shown = {item.labels[0]: item.value for item in result.readings if item.family is metrics.INTERFACE_HALF_DUPLEX}
    assert shown == {"lte1": 0, "wan": 1}


@pytest.mark.parametrize(
    ("kind", "scale", "precision", "raw", "family", "expected"),
    [
        (8, 9, 0, 41, metrics.SENSOR_TEMPERATURE, 41),
        (8, 9, 1, 415, metrics.SENSOR_TEMPERATURE, 41.5),
        (8, 8, 0, 41500, metrics.SENSOR_TEMPERATURE, 41.5),
        (4, 8, 0, 12100, metrics.SENSOR_VOLTS, 12.1),
        (5, 8, 1, 15005, metrics.SENSOR_AMPERES, 1.5005),
        (6, 9, 0, 65, metrics.SENSOR_WATTS, 65),
        (6, 10, 3, 65, metrics.SENSOR_WATTS, 65),
        (10, 9, 0, 4200, metrics.SENSOR_FAN, 4200),
        (9, 9, 0, 45, metrics.SENSOR_HUMIDITY, 0.45),
        (12, 9, 0, 1, metrics.SENSOR_HUMIDITY, None),
        (8, 0, 0, 41, metrics.SENSOR_TEMPERATURE, None),
        (8, 9, 0, 2147483647, metrics.SENSOR_TEMPERATURE, None),
    ],
)
async def test_a_sensor_has_its_own_scale_and_precision(  # a table
    kind: int, scale: int, precision: int, raw: int, family: metrics.Family, expected: float | None
) -> None:
    sensor = {f"1.3.6.1.2.1.99.1.1.1.{n}.5": found for n, found in ((1, kind), (2, scale), (3, precision), (4, raw))}
    device = Played({mib.SYS_UP_TIME: 1, "1.3.6.1.2.1.47.1.1.1.1.7.5": b"inlet", **sensor})
    result = await poll(device, "system", recognise=True, profiles=("ruijie",))
    shown = value(result, family, "inlet")
    assert shown == (None if expected is None else pytest.approx(expected))


async def test_rows_with_holes_equal_names_and_negative_counters_are_read_as_far_as_they_go() -> None:
    device = Played(
        {
            mib.SYS_UP_TIME: 1,
            **{f"{mib.IF_NAME}.{index}": b"port" for index in (1, 2, 3)},
            f"{mib.IF_OPER_STATUS}.1": 1,
            f"{mib.IF_OPER_STATUS}.3": 2,
            f"{mib.IF_HC_IN_OCTETS}.1": -5,
            f"{mib.IF_HC_IN_OCTETS}.3": 2**63,
        }
    )
    result = await poll(device, "interfaces", recognise=False)
    readings = [item for item in result.readings if item.family.name.startswith("lienxa_interface_")]
    shown = {(item.family.name, item.labels): item.value for item in readings}
    assert shown == {
        (metrics.INTERFACE_OPER_UP.name, ("port#1",)): 1,
        (metrics.INTERFACE_OPER_UP.name, ("port#3",)): 0,
        (metrics.INTERFACE_RECEIVE_BYTES.name, ("port#3",)): 2**63,
    }


async def test_a_walk_that_goes_in_circles_is_told_and_its_rows_are_used() -> None:
    class Circle(Played):
        async def walk(self, agent: SnmpAgent, oid: str, timeout_s: float, max_rows: int, **more: Any) -> SnmpRows:
            rows = await super().walk(agent, oid, timeout_s, max_rows)
            rows.reason = Reason.LOOP
            return rows

    result = await poll(Circle(MIKROTIK), recognise=False)
    assert (result.reason, result.detail) == (Reason.PARTIAL, "interfaces: loop")
    assert value(result, metrics.INTERFACE_OPER_UP, "lte1") == 1


async def test_what_came_before_a_failure_is_kept() -> None:
    device = Played({**MIKROTIK, **{f"{mib.IF_NAME}.{index}": b"eth%d" % index for index in range(2, 31)}})
    for index in range(2, 31):
        device.objects |= {f"{mib.IF_OPER_STATUS}.{index}": 1, f"{mib.IF_IN_OCTETS}.{index}": index}
    result = await poll(device, recognise=False)
    device.refused = {f"{mib.IF_OPER_STATUS}.30": Reason.TIMEOUT}
    result = await poll(device, memory=result.memory, recognise=False)
    assert (result.reason, result.detail) == (Reason.PARTIAL, "interfaces: timeout")
    assert (value(result, metrics.INTERFACE_OPER_UP, "lte1"), value(result, metrics.INTERFACE_OPER_UP, "eth30")) == (
        1,
        None,
    )


# Anything at all

ODD: tuple[SnmpValue, ...] = (
    *(b"x" * 65536, "Xã".encode("utf-16"), b"X\xb5 \xf0\xa7", b"", b"\0", b"9" * 65536),
    *(0, 1, 2, 5, 8),
)
ANSWER: st.SearchStrategy[SnmpValue] = st.one_of(
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.binary(max_size=40),
    st.text(max_size=40),
    st.sampled_from(ODD),
)
OIDS = sorted({item["oid"] for profile in shipped().profiles.values() for item in objects(profile)})
REASONS = st.sampled_from([Reason.TIMEOUT, Reason.GEN_ERR, Reason.TOO_BIG, Reason.NO_SUCH_OBJECT, Reason.LOOP])
INDEX = st.sampled_from(["1", "2", "1.0", "3.1.0", "0", "4294967295", "1.3.6.1.2"])


class Hostile(Played):
    """Answers anything, and other objects than those asked; walks have rows of every form, some of them foreign."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__({})
        self._data = data

    async def get(self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, **more: Any) -> SnmpRows:
        if self._data.draw(st.integers(0, 9)) == 0:
            raise SnmpError(self._data.draw(REASONS))
        some = self._data.draw(st.lists(st.sampled_from(list(oids)), max_size=6))
        found = {oid: self._data.draw(ANSWER) for oid in some}
        return SnmpRows({**found, mib.SYS_OBJECT_ID: self._data.draw(OBJECT_ID)})

    async def walk(self, agent: SnmpAgent, oid: str, timeout_s: float, max_rows: int, **more: Any) -> SnmpRows:
        if self._data.draw(st.integers(0, 9)) == 0:
            raise SnmpError(self._data.draw(REASONS))
        indexes = self._data.draw(st.lists(INDEX, max_size=3))
        return SnmpRows({f"{oid}.{index}": self._data.draw(ANSWER) for index in indexes})


OBJECT_ID = st.sampled_from(
    [
        prefix
        for profile in shipped().profiles.values()
        if profile.match is not None
        for prefix in profile.match.object_id
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_answer_whatever_upsets_the_reading(data: st.DataObject) -> None:
    async def beats() -> None:
        device = Hostile(data)
        memory: object = None
        for _ in range(2):
            result = await poll(device, "system", "interfaces", "ups", memory=memory, extras=("routes",))
            memory = result.memory
            table = SeriesTable("04")
            table.put("x", {"commune": "01273", "device": "x"}, result.readings)
            lines = [line.rpartition(" ")[0] for line in table.page().splitlines() if not line.startswith("#")]
            assert len(lines) == len(set(lines))
            assert max((len(line) for line in lines), default=0) < 2000

    asyncio.run(beats())


def test_every_object_of_every_profile_is_known_to_the_fuzzing() -> None:
    assert len(OIDS) > 150


async def test_rows_that_cannot_be_learnt_anew_are_read_as_they_are_known() -> None:
    device = Played(MIKROTIK)
    memory: object = None
    for _ in range(RELEARN_BEATS + 1):
        memory = (await poll(device, memory=memory)).memory
    device.refused = {mib.IF_NAME: Reason.TIMEOUT}
    device.objects[f"{mib.IF_IN_OCTETS}.1"] = 9
    result = await poll(device, memory=memory)
    assert value(result, metrics.INTERFACE_RECEIVE_BYTES, "lte1") == 9
    device.refused = {}
    assert (await poll(device, memory=result.memory)).reason is None


async def test_a_version_1_device_is_asked_for_few_objects_in_the_time_of_one_call() -> None:
    device = Played({**MIKROTIK, **{f"{mib.IF_NAME}.{row}": f"ether{row}".encode() for row in range(2, 12)}})
    await poll(device, agent=replace(AGENT, version="v1"))
    assert 1 < max(map(len, device.requests)) <= MAX_OBJECTS_V1


async def test_a_restart_begins_with_no_counter_of_before() -> None:
    device, clock = Played(MIKROTIK), FakeClock()
    device.objects[f"{mib.IF_IN_OCTETS}.1"] = 1000
    result = await poll(device, clock=clock)
    clock.go(60)
    device.objects |= {mib.SYS_UP_TIME: 500, f"{mib.IF_IN_OCTETS}.1": 700}
    result = await poll(device, memory=result.memory, clock=clock)
    assert value(result, metrics.INTERFACE_RECEIVE_BYTES, "lte1") == 700
