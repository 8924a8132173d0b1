"""What every test relies on."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

MAY_SKIP = (
    "needs root ",  # gives up rights that only root has
    "an ordinary user cannot read ",  # the checkout, or Python itself, lies in a private folder
    "no Python here that an ordinary user can read",
    "every user may open /dev/net/tun here",  # nothing is refused, so there is no refusal to be told
    "unshare(CLONE_NEWUSER) was refused",  # no user namespaces for ordinary users, as in a chroot
    "lienxa: unshare(CLONE_NEWUSER) was refused",
    "no user namespaces on this machine",
    "no IPv6 on loopback",
    "no recordings of real devices",  # other people's data, which never comes into the repository
)
"""How a reason begins that continuous integration (CI=true) accepts; any other skip is a failure there."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that did not run has shown nothing: where everything is installed, that is a failure."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        _, _, said = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        reason = said.removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped in continuous integration: {reason}"
    return report


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
