"""The look at a datagram before it is decoded, and the pace of questions: pure."""

from __future__ import annotations

import hmac
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import encoder
from pysnmp.proto.api import v1, v2c

from probes.protocols.snmp_header import RESPONSE, V1, V2C, V3, Header, Malformed, digest_is_right, read
from probes.protocols.snmp_opinion import reason_of_answer
from probes.protocols.snmp_pace import FEW_ROWS, LONGEST_FACTOR, MANY_ROWS, SOME_ROWS, Tokens, pace_of
from probes.results import Conditions, Reason

UNKNOWN_USER_REPORT = bytes.fromhex(
    "30770201033011020475f347ea020300ffe304010002010304273025041180001f88803820c561f23b026b0000000002010102012b"
    "04066e6f626f6479040004003036041180001f88803820c561f23b026b000000000400a81f020415eb1b1a020100020100301130"
    "0f060a2b060106030f01010300410101"
)
"""From net-snmp 5.9.3."""
SIGNED = bytes.fromhex(
    "30818202010330110204348ee514020300ffe304010102010304433041041180001f88803820c561f23b026b0000000002010102012c"
    "040a75736861323536616573041839987fe5f98a8cc606ff0bdb5a8ff94fe0f70159fe28b27004003025041180001f88803820c561f2"
    "3b026b000000000400a20e02047b09cffb0201100201003000"
)


def response(community: bytes = b"public", status: int = 0, index: int = 0, protocol: object = v2c) -> bytes:
    """A response as pysnmp encodes it."""
    api: object = protocol
    pdu = api.GetResponsePDU()  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiPDU.set_defaults(pdu)  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiPDU.set_error_status(pdu, status)  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiPDU.set_error_index(pdu, index)  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiPDU.set_varbinds(pdu, [("1.3.6.1.2.1.1.5.0", api.OctetString("x"))])  # type: ignore[attr-defined]  # pysnmp is not typed
    message = api.Message()  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiMessage.set_defaults(message)  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiMessage.set_community(message, community)  # type: ignore[attr-defined]  # pysnmp is not typed
    api.apiMessage.set_pdu(message, pdu)  # type: ignore[attr-defined]  # pysnmp is not typed
    return bytes(encoder.encode(message))


@pytest.mark.parametrize(("protocol", "version"), [(v1, V1), (v2c, V2C)])
@pytest.mark.parametrize(
    ("status", "reason"),
    [(0, None), (1, Reason.TOO_BIG), (2, Reason.NO_SUCH_OBJECT), (5, Reason.GEN_ERR), (3, Reason.PROTOCOL_ERROR)],
)
def test_a_response_tells_community_and_error(protocol: object, version: int, status: int, reason: Reason) -> None:
    header = read(response(b"c" * 200, status, 7, protocol))
    assert (header.version, header.community, header.pdu) == (version, b"c" * 200, RESPONSE)
    assert (header.error, header.index, header.report) == (reason, 7, None)


def test_a_report_tells_its_reason() -> None:
    header = read(UNKNOWN_USER_REPORT)
    assert (header.version, header.user, header.report) == (V3, b"nobody", Reason.UNKNOWN_USER)
    assert not header.authenticated
    unknown = read(
        UNKNOWN_USER_REPORT.replace(bytes.fromhex("2b060106030f010103"), bytes.fromhex("2b060106030f010109"))
    )
    assert unknown.report is Reason.PROTOCOL_ERROR


def test_a_digest_is_compared_whole() -> None:
    header = read(SIGNED)
    assert (header.authenticated, header.encrypted, header.user) == (True, False, b"usha256aes")
    assert header.error is Reason.NO_ACCESS
    start, stop = header.digest
    assert stop - start == 24
    assert not digest_is_right(SIGNED, header, "sha256", b"k" * 32)
    assert not digest_is_right(SIGNED, header, "sha512", b"k" * 64)


@given(st.binary(max_size=300))
def test_no_datagram_upsets_the_reading(data: bytes) -> None:
    _read_or_refuse(data)


@given(
    st.sampled_from([response(), UNKNOWN_USER_REPORT, SIGNED]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 200),
)
def test_no_change_to_a_real_one_does(message: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    changed = bytearray(message)
    for at, octet in changes:
        changed[at % len(changed)] = octet
    _read_or_refuse(bytes(changed))
    _read_or_refuse(bytes(changed[:cut]))


def _element(tag: int, content: bytes, claimed: int | None) -> bytes:
    """Tag, length (right, or as claimed) and content."""
    length = len(content) if claimed is None else claimed
    octets = length.to_bytes(max(1, (length.bit_length() + 7) // 8), "big")
    return bytes([tag]) + (bytes([length]) if length < 0x80 else bytes([0x80 | len(octets)]) + octets) + content


tags = st.sampled_from([0x02, 0x04, 0x06, 0x30, 0xA0, RESPONSE, 0xA8])
claims = st.none() | st.integers(0, 2**34)
elements = st.recursive(
    st.builds(_element, tags, st.binary(max_size=12), claims),
    lambda inner: st.builds(_element, tags, st.lists(inner, max_size=8).map(b"".join), claims),
)


@given(st.sampled_from([V1, V2C, V3]), st.lists(elements, max_size=4).map(b"".join))
def test_no_nesting_and_no_claimed_length_upsets_the_reading(version: int, inner: bytes) -> None:
    _read_or_refuse(_element(0x30, _element(0x02, bytes([version]), None) + inner, None))


@given(st.binary(min_size=1, max_size=64), st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_changed_octet_of_a_signed_message_is_believed(key: bytes, at: int, change: int) -> None:
    start, stop = read(SIGNED).digest
    blank = SIGNED[:start] + bytes(stop - start) + SIGNED[stop:]
    signed = SIGNED[:start] + hmac.digest(key, blank, "sha256")[: stop - start] + SIGNED[stop:]
    assert digest_is_right(signed, read(signed), "sha256", key)
    changed = signed[:at] + bytes([signed[at] ^ change]) + signed[at + 1 :]
    try:
        header = read(changed)
    except Malformed:
        return
    assert not (header.version == V3 and digest_is_right(changed, header, "sha256", key))


def _read_or_refuse(data: bytes) -> None:
    try:
        header = read(data)
    except Malformed:
        return
    assert isinstance(header, Header)
    assert header.error is None or isinstance(header.error, Reason)
    assert header.report is None or isinstance(header.report, Reason)
    assert 0 <= header.digest[0] <= header.digest[1] <= len(data)
    digest_is_right(data, header, "md5", b"k" * 16)


# Pace

ratios = st.none() | st.floats(0, 1)
seconds = st.none() | st.floats(0, 30)


@given(st.floats(0.05, 60), seconds, ratios)
def test_a_call_is_never_without_end_and_a_wait_never_shorter_than_a_round_trip(
    timeout_s: float, rtt_s: float | None, loss: float | None
) -> None:
    pace = pace_of(timeout_s, Conditions(rtt_s, loss))
    assert 0 < sum(pace.waits_s[:1]) <= pace.call_s <= timeout_s * LONGEST_FACTOR
    assert all(one <= other for one, other in itertools.pairwise(pace.waits_s))
    assert FEW_ROWS <= pace.rows <= MANY_ROWS
    assert pace.waits_s[0] >= min(2 * (rtt_s or 0), timeout_s) or pace.waits_s[0] >= timeout_s


def test_a_good_link_gets_three_attempts_within_the_time_out() -> None:
    pace = pace_of(5.0, Conditions(0.02, 0.0))
    assert (len(pace.waits_s), pace.rows, pace.call_s) == (3, MANY_ROWS, 5.0)
    assert sum(pace.waits_s) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("rtt_s", "loss", "attempts", "rows"),
    [
        (0.6, 0.0, 3, SOME_ROWS),
        (0.05, 0.03, 4, SOME_ROWS),
        (0.6, 0.1, 5, FEW_ROWS),
        (None, 1.0, 3, MANY_ROWS),
    ],
)
def test_a_bad_link_gets_more_attempts_and_fewer_rows(
    rtt_s: float | None, loss: float, attempts: int, rows: int
) -> None:
    pace = pace_of(5.0, Conditions(rtt_s, loss))
    assert (len(pace.waits_s), pace.rows) == (attempts, rows)
    assert pace.waits_s[0] >= 2 * (rtt_s or 0)


def test_a_bucket_lets_through_what_has_filled_it() -> None:
    tokens = Tokens(per_s=0.5, burst=2)
    assert [tokens.take(now) for now in (0, 0, 0, 1, 2, 2, 60, 60, 60)] == [
        True, True, False, False, True, False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"trouble": "WrongDigest"}, Reason.WRONG_DIGEST),
        ({"trouble": "RequestTimedOut"}, None),
        ({"trouble": "RequestTimedOut", "elsewhere": True}, Reason.OTHER_ADDRESS),
        ({"trouble": "SomethingNew"}, None),
        ({"trouble": None, "status": 1}, Reason.TOO_BIG),
        ({"trouble": None, "status": 99}, Reason.PROTOCOL_ERROR),
        ({"trouble": None, "status": 0, "missing": True}, Reason.NO_SUCH_OBJECT),
        ({"trouble": None, "status": 0, "missing": False}, None),
        ({}, None),
    ],
)
def test_what_pysnmp_says_becomes_a_reason(answer: dict[str, object], reason: Reason | None) -> None:
    assert reason_of_answer(answer) is reason
