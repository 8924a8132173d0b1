"""Replies read in batches, by the parser that is in use: believed as `EchoV4` and `EchoV6` believe them."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.ports import LARGEST_PING_BYTES, PingOptions
from probes.protocols.icmp.batch import _SOCKADDR_BYTES, Batch, ReplyBatch
from probes.protocols.icmp.edge import read_bytes
from probes.protocols.icmp.packet import EchoV4, EchoV6
from tests.probes.test_icmp_packet import IDENTITY, as_error, as_error_v6, as_reply

READ_BYTES = 192
Damage = tuple[str, int, int]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Datagrams in at one end, out at the other, as they are."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far.setblocking(False)
    with near, far:
        yield near, far


def damaged(packet: bytes, damage: Damage) -> bytes:
    """A packet with something done to it."""
    what, where, byte = damage
    place = where % len(packet)
    match what:
        case "changed":
            return packet[:place] + bytes([byte]) + packet[place + 1 :]
        case "cut":
            return packet[:place]
        case "longer":
            return packet + bytes([byte]) * where
    return packet


@pytest.mark.parametrize("family", [EchoV4, EchoV6])
@given(
    packets=st.lists(
        st.tuples(
            st.sampled_from(["reply", "error"]),
            st.integers(0, 2**64 - 1),
            st.integers(0, 2**32 - 1),
            st.tuples(st.sampled_from(["", "changed", "cut", "longer"]), st.integers(0, 400), st.integers(0, 255)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_a_batch_is_believed_as_each_packet_by_itself(
    pair: tuple[socket.socket, socket.socket],
    family: type[EchoV4 | EchoV6],
    packets: list[tuple[str, int, int, Damage]],
) -> None:
    codec, (near, far) = family(IDENTITY), pair
    batch = ReplyBatch(codec, READ_BYTES)
    wrap = as_error if family is EchoV4 else as_error_v6
    sent = []
    for what, number, key, damage in packets:
        whole = as_reply(codec, number, key) if what == "reply" else wrap(3, 0, codec.request(number, key))
        sent.append(damaged(whole, damage))
        near.send(sent[-1])
    arrivals = batch.read(far.fileno())
    assert batch.read(far.fileno()) == []
    expected = [codec.reply(data[:READ_BYTES]) or codec.error(data[:READ_BYTES]) for data in sent]
    assert [came for came, *_ in arrivals] == expected
    assert all(stamp is None for _, _, stamp, _ in arrivals), "nothing is left over from other packets"


@pytest.mark.parametrize("control_bytes", [20, 40, 44, 64])
@pytest.mark.parametrize("data_bytes", [192, 193, 1500])
def test_addresses_and_control_messages_of_whatever_length_never_overlap(data_bytes: int, control_bytes: int) -> None:
    """20 and 44 bytes are those of a machine with 32 bits."""
    batch = Batch(data_bytes, control_bytes)
    assert batch.control_at >= data_bytes + _SOCKADDR_BYTES
    assert batch.control_at % 8 == batch.slot_bytes % 8 == 0
    assert batch.slot_bytes >= batch.control_at + control_bytes


def test_huge_packets_leave_room_for_sixteen() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        near.setblocking(False)
        batch = Batch(read_bytes(PingOptions(size_bytes=LARGEST_PING_BYTES)), 40)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sent = 0
        while sent < 16:
            try:
                near.send(b"x")
            except BlockingIOError:  # net.unix.max_dgram_qlen
                break
            sent += 1
        assert batch.receive(far.fileno()) == sent > 4
        assert len(batch.view) == 16 * batch.slot_bytes < 2 << 20


def test_a_descriptor_that_is_none_is_an_error_and_no_endless_loop() -> None:
    number = os.dup(0)
    os.close(number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        Batch(READ_BYTES, 40).receive(number)


def test_a_reply_that_came_through_an_interface_that_is_gone_names_its_number() -> None:
    batch = ReplyBatch(EchoV6(IDENTITY), READ_BYTES)
    gone = random.randrange(1 << 20, 1 << 24)
    at = batch._batch.data_bytes
    address = bytes(8) + socket.inet_pton(socket.AF_INET6, "fe80::7") + gone.to_bytes(4, "little")
    batch._batch.view[at : at + len(address)] = address
    assert batch._source(at) == f"fe80::7%{gone}"
