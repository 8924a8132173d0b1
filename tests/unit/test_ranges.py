"""A sweep asks what it was told to, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.errors import Unusable
from agent.ranges import count, hosts, ranges


@pytest.mark.parametrize(
    ("networks", "addresses"),
    [
        (["10.4.0.0/30"], ["10.4.0.1", "10.4.0.2"]),
        (["10.4.0.0/31"], ["10.4.0.0", "10.4.0.1"]),
        (["10.4.0.7"], ["10.4.0.7"]),
        (["10.4.0.0/30", "10.4.0.0/29"], [f"10.4.0.{last}" for last in (1, 2, 4, 5, 6)]),
        (["10.4.0.0/30", "10.4.0.2/32"], ["10.4.0.1", "10.4.0.2"]),
        (["2001:db8::/126"], ["2001:db8::1", "2001:db8::2", "2001:db8::3"]),
        (["2001:db8::8/127"], ["2001:db8::8", "2001:db8::9"]),
    ],
)
def test_only_hosts_are_asked_and_each_once(networks: Sequence[str], addresses: list[str]) -> None:
    meant = ranges(networks, (), yes=False)
    assert list(hosts(meant)) == addresses
    assert count(meant) >= len(addresses)


def test_a_whole_16_may_be_swept_and_more_only_with_yes() -> None:
    assert count(ranges(["10.4.0.0/16"], (), yes=False)) == 65_534
    assert count(ranges(["10.0.0.0/8"], ["10.0.0.0/8"], yes=True)) == 2**24 - 2
    assert count(ranges(["2001:db8::/112"], (), yes=False)) == 65_535
    with pytest.raises(Unusable) as caught:
        ranges(["10.0.0.0/15"], (), yes=False)
    assert str(caught.value) == "10.0.0.0/15: 131072 addresses, more than a /16 has; name less, or say --yes"


@pytest.mark.parametrize("text", ["224.0.0.0/24", "0.0.0.0/0", "ff02::/120"])
def test_what_is_no_address_of_hosts_is_refused_whatever_was_said(text: str) -> None:
    with pytest.raises(Unusable, match="must be addresses of hosts, not multicast or unspecified ones"):
        ranges([text], (), yes=True)
