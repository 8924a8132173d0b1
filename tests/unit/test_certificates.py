"""Certificates from anywhere: read with bounds, matched with hosts."""

from __future__ import annotations

import random

import pytest

from probes.protocols.certificates import CertificateUnreadable, is_for, read, words
from tests.probes.authorities import an_authority


def test_a_certificate_tells_its_facts() -> None:
    leaf = read(an_authority().issue().der)
    assert (leaf.subject, leaf.issuer) == ("CN=portal.test", "CN=Root")
    assert (leaf.names, leaf.key_bits, leaf.short_key) == (("portal.test", "127.0.0.1"), 256, False)
    assert (leaf.signature_hash, leaf.self_issued) == ("sha256", False)


@pytest.mark.parametrize(
    ("name", "host", "fits"),
    [
        ("portal.test", "Portal.Test.", True),
        ("*.portal.test", "a.portal.test", True),
        ("*.portal.test", "portal.test", False),
        ("*.portal.test", "a.b.portal.test", False),
        ("*.test", "portal.test", False),
        ("a*.portal.test", "ab.portal.test", False),
        ("portal.test", "127.0.0.1", True),
    ],
)
def test_hosts_are_matched_as_browsers_do(name: str, host: str, fits: bool) -> None:
    assert is_for(read(an_authority().issue(name).der), host) is fits


def test_a_negative_serial_is_no_obstacle() -> None:
    leaf = an_authority().issue()
    der = bytearray(leaf.der)
    at = der.index(leaf.certificate.serial_number.to_bytes(19 if leaf.certificate.serial_number < 1 << 151 else 20))
    der[at] |= 0x80
    assert read(bytes(der)).names == ("portal.test", "127.0.0.1")


def test_a_huge_name_is_cut() -> None:
    huge = read(an_authority().issue("portal.test", also=[f"host-{number}.test" for number in range(2000)]).der)
    assert len(huge.names) == 2002
    assert len(words("x" * 100_000)) == 200
    assert words("a\x1b[31m\n") == "a [31m "


@pytest.mark.parametrize("der", [b"", b"\x30", b"no", bytes(70_000)])
def test_what_is_no_certificate_is_told_in_a_line(der: bytes) -> None:
    with pytest.raises(CertificateUnreadable, match=r"damaged certificate|more than 64 KiB"):
        read(der)


def test_no_random_damage_is_an_exception() -> None:
    chance, good = random.Random(6), an_authority().issue().der
    for _ in range(3000):
        der = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            der[chance.randrange(len(der))] = chance.randrange(256)
        try:
            read(bytes(der))
        except CertificateUnreadable:
            continue
