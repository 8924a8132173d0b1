"""What a recording for a bug report hides, and what it must not change."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent.masks import LEFT_OUT, MASKED, Masks
from agent.recording import snmprec
from probes import metrics
from probes.kinds.snmp import SnmpSettings, check
from probes.ports import SnmpValue
from probes.profiles import shipped
from probes.protocols.snmp_raw import Found
from probes.results import Result
from tests.probes.conftest import TestNet, beat
from tests.probes.recordings import INTEGERS, Played, names, parsed, recording
from tests.probes.test_recordings import AGENT

TEXT = "1.3.6.1.4.1.99999.1.1.0"
WORDS = " ".join(profile.title for profile in shipped().profiles.values())


def masks(*secrets: str) -> Masks:
    return Masks(secrets, WORDS)


def told(value: bytes, oid: str = TEXT) -> int | bytes | str:
    """A text as a recording has it."""
    (found,) = masks("geheim").masked([Found(oid, "OctetString", value)])
    return found.value


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        (b"IMEI 868759034948317", b"IMEI 000000000000000"),
        (b"89442001123412341234", b"00000000000000000000"),
        (b"call 0912 345 678 or +84 912345678", b"call 0000 000 000 or +00 000000000"),
        (b"00:0C:42:aa:bb:cc", b"00:00:00:00:00:00"),
        (b"\x00\x0c\x42\xaa\xbb\xcc", bytes(6)),
        (b"\xff" * 6, b"\xff" * 6),
        (b"truc@caobang.example.vn", b"masked@example.com"),
        (b"wan 113.160.92.202, lan 10.4.4.1", b"wan 192.0.2.1, lan 10.4.4.1"),
        (b"wan 2405:4802:1::5, lan fd00:4::1", b"wan 2001:db8::1, lan fd00:4::1"),
        (b"Version: 4.3.2.5", b"Version: 4.3.2.5"),
        (b"RUTX_R_00.07.01.2 v8.5.1.3", b"RUTX_R_00.07.01.2 v8.5.1.3"),
        (b"uptime 12345678 s, 2026-11-26 20:15", b"uptime 12345678 s, 2026-11-26 20:15"),
        (b"community geheim", b"community masked"),
        ("Xã Bảo Lâm".encode(), "Xã Bảo Lâm".encode()),
    ],
)
def test_private_shapes_are_masked_and_others_stay(said: bytes, recorded: bytes) -> None:
    assert told(said) == recorded


def test_objects_that_are_private_by_what_they_are_keep_only_their_sort() -> None:
    assert told(b"Nong Van A", "1.3.6.1.2.1.1.4.0") == b"masked"
    assert told(b"", "1.3.6.1.2.1.1.4.0") == b""
    assert told(b"1112364866", "1.3.6.1.4.1.48690.1.1.0") == b"0000000000"
    assert told(b"AS0512340987", "1.3.6.1.4.1.318.1.1.1.1.2.3.0") == b"masked"
    assert told(b"router uplink", "1.3.6.1.2.1.31.1.1.1.18.7") == b"masked"


def test_a_host_name_is_masked_wherever_it_stands_but_a_makers_own_is_no_secret() -> None:
    name, description = "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.1.0"
    for said, recorded in (("gw-bao-lam", b"Linux masked 5.10 gw-bao-lam2"), ("Teltonika", b"Linux Teltonika 5.10")):
        text = f"Linux {said} 5.10" + (" gw-bao-lam2" if said == "gw-bao-lam" else "")
        objects = [Found(description, "OctetString", text.encode()), Found(name, "OctetString", said.encode())]
        assert masks().masked(objects)[0].value == recorded


def test_tables_whose_indexes_are_private_are_left_out_and_counted() -> None:
    made = masks("geheim")
    spelled = ".".join(str(octet) for octet in b"geheim")
    objects = [
        Found("1.3.6.1.2.1.4.22.1.2.1.113.160.92.202", "OctetString", b"\0\x0c\x42\1\2\3"),
        Found("1.3.6.1.2.1.25.4.2.1.5.1", "OctetString", b"--password=x"),
        Found(f"1.3.6.1.4.1.99999.7.6.{spelled}", "Integer32", 1),
        Found("1.3.6.1.2.1.4.2.0", "Integer32", 64),
    ]
    assert [item.oid for item in made.masked(objects)] == ["1.3.6.1.2.1.4.2.0"]
    assert made.left_out == {"neighbours": 1, "programs": 1, "communities": 1}


def test_on_the_terminal_only_our_own_secrets_are_hidden() -> None:
    objects = [Found(TEXT, "OctetString", b"geheim of Nong Van A, 868759034948317")]
    assert masks("geheim").hidden(objects)[0].value == b"masked of Nong Van A, 868759034948317"


def test_a_recording_is_what_snmpsim_plays_in_the_order_of_the_objects() -> None:
    objects = [
        Found("1.3.6.1.2.1.2.10.0", "Counter64", 2**40),
        Found("1.3.6.1.2.1.2.9.0", "OctetString", b"a|b"),
        Found("1.3.6.1.2.1.1.1.0", "OctetString", b"Router"),
        Found("1.3.6.1.2.1.1.1.0", "OctetString", b"Router"),
        Found("1.3.6.1.2.1.1.2.0", "ObjectIdentifier", "1.3.6.1.4.1.9"),
        Found("1.3.6.1.2.1.1.3.0", "TimeTicks", 7),
        Found("1.3.6.1.2.1.1.8.0", "NoSuchObject", ""),
        Found("1.3.6.1.2.1.1.9.0", "IpAddress", "10.4.4.1"),
    ]
    assert snmprec(objects) == (
        "1.3.6.1.2.1.1.1.0|4|Router\n"
        "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9\n"
        "1.3.6.1.2.1.1.3.0|67|7\n"
        "1.3.6.1.2.1.1.9.0|64|10.4.4.1\n"
        "1.3.6.1.2.1.2.9.0|4x|617c62\n"
        "1.3.6.1.2.1.2.10.0|70|1099511627776\n"
    )


def test_default_routes_and_own_addresses_stay_unless_they_are_public() -> None:
    routes = "1.3.6.1.2.1.4"
    kept = [
        f"{routes}.20.1.2.10.4.4.1",
        f"{routes}.21.1.2.0.0.0.0",
        f"{routes}.24.4.1.5.0.0.0.0.0.0.0.0.0.10.4.4.254",
        f"{routes}.24.7.1.7.1.4.0.0.0.0.0.2.0.0.1.4.10.4.4.254",
    ]
    left_out = [
        f"{routes}.20.1.2.113.160.92.202",
        f"{routes}.21.1.2.10.4.9.0",
        f"{routes}.24.4.1.5.0.0.0.0.0.0.0.0.0.113.160.92.201",
        f"{routes}.24.4.1.5.10.4.9.0.255.255.255.0.0.10.4.4.254",
    ]
    objects = [Found(oid, "Integer32", 1) for oid in (*kept, *left_out)]
    assert [item.oid for item in masks().masked(objects)] == kept


@pytest.mark.parametrize(
    ("sorts", "but"),
    [(LEFT_OUT, ["1.3.6.1.2.1.4.21", "1.3.6.1.2.1.4.24"]), (MASKED, [])],  # of routes what is needed stays
    ids=["left out", "masked"],
)
def test_nothing_that_a_profile_recognises_or_counts_by_is_masked(sorts: dict[str, str], but: list[str]) -> None:
    needed = {oid for profile in shipped().profiles.values() for oid in _numbers(profile)}
    assert [beginning for beginning in sorts if any(f"{oid}.".startswith(f"{beginning}.") for oid in needed)] == but


def _numbers(profile: object) -> set[str]:
    """Objects that are values, not labels."""
    from probes.profiles import Profile
    from probes.profiles.compiled import compiled

    assert isinstance(profile, Profile)
    groups = [compiled(group) for group in profile.groups]
    columns = [column for group in groups for column in group.scalars]
    columns += [column for group in groups for table in group.tables for column in table.columns]
    probe = profile.match.probe if profile.match is not None else None
    return {part.oid for column in columns for part in column.parts} | ({probe.oid} if probe else set())


@pytest.mark.parametrize("name", names() or ["airos"])
async def test_a_real_device_is_read_the_same_from_its_masked_recording(name: str) -> None:
    """Everything but texts about the device is the same; nothing that looks like a subscriber's number is left."""
    said = recording(name)
    objects = [_found(oid, value) for oid, value in said.items()]
    text = snmprec(masks().masked(objects))
    assert values(await read(said)) == values(await read(parsed(text.encode().split(b"\n"))))
    assert "868759034948317" not in text


def _found(oid: str, value: object) -> Found:
    if isinstance(value, bytes):
        return Found(oid, "OctetString", value)
    if isinstance(value, str):
        dotted = value.count(".") == 3 and not value.startswith("1.3")
        return Found(oid, "IpAddress" if dotted else "ObjectIdentifier", value.lstrip("."))
    assert isinstance(value, int)
    assert INTEGERS
    return Found(oid, "Integer32", value)


async def read(said: Mapping[str, SnmpValue]) -> Result:
    settings = SnmpSettings(agent=AGENT, groups=("system",), recognise=True)
    return await check(settings, TestNet(snmp=Played(said)), beat())


def values(result: Result) -> list[tuple[str, tuple[str, ...], float]]:
    private = (metrics.DEVICE_INFO, metrics.DEVICE_DIFFERS)  # whether there is a serial number: it is masked
    return [(item.family.name, item.labels, item.value) for item in result.readings if item.family not in private]
