"""What every test relies on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def no_blocking_call_in_the_event_loop(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """A blocking call of ours inside a running loop is an error, in every asynchronous test."""
    if request.node.get_closest_marker("asyncio") is None:
        yield None
        return
    with blockbuster_ctx(["agent", "probes", "deploy"]) as guard:
        # reading /proc is a copy from the kernel's memory, and waits for nothing
        for name in ("io.BufferedReader.read", "os.listdir"):
            guard.functions[name].can_block_in("prometheus_client/process_collector.py", "collect")
        yield guard
