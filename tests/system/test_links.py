"""What the ICMP engine reports beside what a capture has seen and what the emulator has dropped, on real packets."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import pytest

from deploy.lab import LabError
from deploy.lab.client import Lab
from tests.system import truth

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

TIMEOUT_S = 2.0
"""The engine's: after it nothing is open that was sent before."""
RTT_WITHIN_S, JITTER_WITHIN_S, LOADED_WITHIN_S = 0.0002, 0.0001, 0.0002
SMALL_BUFFER_BYTES = 212_992
"""Debian's `net.core.rmem_max`."""

Impairments = Mapping[str, Mapping[str, float]]


def grid(delays_ms: tuple[float, ...], jitters_ms: tuple[float, ...], losses: tuple[float, ...]) -> Impairments:
    """An address for each combination; delay and jitter are each way."""
    points = itertools.product(delays_ms, jitters_ms, losses)
    return {
        f"10.90.{number // 250}.{number % 250 + 1}": {"delay_ms": delay, "jitter_ms": jitter, "loss": loss}
        for number, (delay, jitter, loss) in enumerate(points)
    }


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with nothing in it but the way to every address."""
    inventory = tmp_path_factory.mktemp("links") / "inventory.yaml"
    inventory.write_text(truth.INVENTORY, encoding="utf-8")
    try:
        started = Lab.start(inventory)
    except LabError as error:
        pytest.skip(f"no lab on this machine: {error}")
    with started:
        yield started


@pytest.fixture
def lab(shared: Lab) -> Lab:
    """The same, healthy."""
    shared.act(clear="everything")
    return shared


@pytest.mark.parametrize(
    ("points", "packets_per_s", "seconds"),
    [
        pytest.param(grid((1, 20, 600), (0, 50), (0, 0.3)), 20, 5, id="short"),
        pytest.param(
            grid((1, 5, 20, 80, 200, 600), (0, 5, 20, 50), (0, 0.02, 0.1, 0.3)),
            4,
            50,
            id="whole",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_times_are_the_captures_and_losses_are_the_emulators(
    lab: Lab, points: Impairments, packets_per_s: float, seconds: float
) -> None:
    truth.impair(lab, points)
    before = truth.lost_on_the_way(lab)
    witness = truth.Witness(lab)
    pinging = truth.Pinging(lab, addresses=list(points), packets_per_s=packets_per_s)
    time.sleep(seconds)
    for address in points:
        lab.act(impair={"segment": address, "loss": 0})
    time.sleep(TIMEOUT_S + 0.5)  # what was dropped gets its fate
    pinging.end()
    time.sleep(1.5)  # what is on its way still arrives
    captured = witness.end()
    dropped = truth.lost_on_the_way(lab)
    assert pinging.lost() == {address: dropped.get(address, 0) - before.get(address, 0) for address in points}
    assert sum(pinging.lost().values()) > 50
    assert not any(stream["late"] or stream["duplicates"] for stream in pinging.told["streams"].values())
    wrong: dict[str, object] = {}
    found = pinging.matched(captured)
    for address, match in found.items():
        jitter_s = pinging.told["streams"][address]["jitter_s"]
        seen_s = truth.rfc3550(match.told_s)
        if match.worst_s() > RTT_WITHIN_S or abs(jitter_s - seen_s) > JITTER_WITHIN_S:
            wrong[address] = (points[address], match.worst_s(), jitter_s, seen_s, match.untold)
    assert not wrong
    assert sum(match.untold for match in found.values()) <= pinging.told["unsure"]
    # a sending that was interrupted has no time: few, or the jitter would be that of other packets
    assert pinging.told["unsure"] < sum(map(len, captured.values())) / 100


@pytest.mark.parametrize(
    ("addresses", "packets_per_s", "packets"),
    [
        pytest.param(200, 10, 10_000, id="10,000"),
        pytest.param(200, 10, 100_000, id="100,000", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_where_nothing_is_dropped_nothing_is_lost(lab: Lab, addresses: int, packets_per_s: float, packets: int) -> None:
    truth.impair(lab, {"10.90.0.0/16": {"delay_ms": 10, "jitter_ms": 5}})
    pinging = truth.Pinging(lab, addresses=truth.addresses(addresses), packets_per_s=packets_per_s)
    deadline = time.monotonic() + 2 * packets / (addresses * packets_per_s)
    while (sent := sum(stream["sent"] for stream in pinging.told["streams"].values())) < packets:
        assert time.monotonic() < deadline, f"only {sent} packets so far"
        time.sleep(1)
        pinging.windows()
    pinging.end()
    assert sum(pinging.lost().values()) == 0
    assert [pinging.told[what] for what in ("drops", "stray", "forged", "unsent")] == [0, 0, 0, 0]
    assert not any(stream["late"] or stream["duplicates"] for stream in pinging.told["streams"].values())


@pytest.mark.parametrize("buffer_bytes", [None, SMALL_BUFFER_BYTES], ids=["own buffer", "small buffer"])
def test_a_busy_machine_and_a_blocked_loop_are_neither_delay_nor_loss(lab: Lab, buffer_bytes: int | None) -> None:
    """Every core at work, and the engine's loop held for 100 to 300 ms again and again."""
    addresses = truth.addresses(30)
    truth.impair(lab, {"10.90.0.0/16": {"delay_ms": 10, "jitter_ms": 2}})
    with truth.saturated(os.cpu_count() or 1):
        witness = truth.Witness(lab)
        pinging = truth.Pinging(
            lab, addresses=addresses, packets_per_s=10, buffer_bytes=buffer_bytes, blocked_s=[0.1, 0.3]
        )
        time.sleep(6)
        pinging.end()
        time.sleep(0.5)
        captured = witness.end()
    errors = sorted(abs(error) for match in pinging.matched(captured).values() for error in match.errors_s)
    assert len(errors) > 500
    assert errors[math.ceil(len(errors) * 0.99) - 1] < LOADED_WITHIN_S
    assert sum(pinging.lost().values()) == 0
    assert pinging.told["drops"] == 0
    assert pinging.told["unsure"] < len(errors) / 100


def test_what_a_full_buffer_drops_is_counted_and_no_loss_of_the_links(lab: Lab) -> None:
    """600 replies come to Debian's buffer, which holds 250, while the loop is held."""
    truth.impair(lab, {"10.90.0.0/16": {"delay_ms": 150}})
    pinging = truth.Pinging(
        lab,
        addresses=truth.addresses(100),
        packets_per_s=30,
        buffer_bytes=SMALL_BUFFER_BYTES,
        blocked_s=[0.15, 0.3],
    )
    time.sleep(5 + TIMEOUT_S)
    pinging.end()
    told = pinging.told
    assert sum(pinging.lost().values()) == 0
    # the drops of the last seconds touch requests that have no fate yet
    assert 0 < told["excused"] <= told["drops"]
    suspects = [stream for stream in told["streams"].values() if stream["suspect"] is not None]
    assert 0 < len(suspects) <= told["excused"]
    for stream in suspects:
        assert re.fullmatch("the agent's own socket lost [0-9]+ repl(y|ies)", stream["suspect"])
    assert [stream for stream in told["streams"].values() if stream["reason"] == "suspect"] == suspects


def loaded(links: int, seconds: int) -> dict[str, float]:
    """What `tests.bench.link_load` tells, on a loopback of its own."""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs root for a network namespace of its own")
    inside = 'ip link set lo up && exec "$0" "$@"'
    load = [sys.executable, "-m", "tests.bench.link_load", str(links), str(seconds)]
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", inside, *load], check=True, capture_output=True, cwd=truth.ROOT
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("links", "seconds"),
    [
        pytest.param(2_000, 20, id="2,000"),
        pytest.param(10_000, 300, id="10,000", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_so_many_links_at_one_packet_a_second_lose_nothing_of_their_own(links: int, seconds: int) -> None:
    """On a loopback of our own, where whatever is lost is our doing; `make bench` has the CPU beside fping's."""
    told = loaded(links, seconds)
    assert told["reporting"] == links
    assert [told[what] for what in ("lost", "drops", "unsent")] == [0, 0, 0]
    assert told["packets"] > 0.9 * told["expected"]
    assert told["bytes_per_link"] < 30_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_four_times_the_links_cost_four_times_the_memory_and_cpu() -> None:
    """Per link and per packet no more than a fifth above: what is done for all of them at once makes it cheaper."""
    few, many = loaded(2_500, 40), loaded(10_000, 40)
    assert many["bytes_per_link"] <= 1.2 * few["bytes_per_link"]
    for told in (few, many):  # a busy machine sends late, and its CPU goes into what is caught up
        if told["packets"] < 0.9 * told["expected"]:
            pytest.skip(f"this machine is too busy: {told['packets']:.0f} of {told['expected']:.0f} packets")
    assert many["cpu_s"] / many["packets"] <= 1.2 * few["cpu_s"] / few["packets"]
