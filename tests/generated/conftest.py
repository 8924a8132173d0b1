"""A small province, as an inventory would describe it."""

from __future__ import annotations

import pytest

from probes.model import (
    Commune,
    Contacts,
    Device,
    Link,
    Province,
    SecretSource,
    Service,
    SnmpCommunity,
    Timings,
    Trunk,
)


@pytest.fixture(scope="session")
def province() -> Province:
    """Cao Bằng with three communes, two of them behind one trunk, and one portal."""
    return Province(
        province="04",
        timings=Timings(),
        references=("10.4.0.1",),
        credentials={"public": SnmpCommunity(community=SecretSource(env="LIENXA_COMMUNITY"))},
        trunks=(Trunk(id="ring-west", name="Vòng cáp quang phía Tây", address="10.4.0.2"),),
        communes=(
            Commune(
                code="01290",
                trunk="ring-west",
                links=(Link(address="10.4.1.1"), Link(role="backup", id="backup", medium="lte", address="10.4.1.2")),
                devices=(Device(id="ups-1", role="ups", address="10.4.1.10", credential="public"),),
            ),
            Commune(
                code="01294",
                trunk="ring-west",
                links=(Link(address="10.4.2.1"),),
                devices=(Device(id="router-1", role="router", address="10.4.2.1", credential="public"),),
            ),
            Commune(code="01273", links=(Link(address="10.4.3.1"),)),
        ),
        services=(Service(id="portal", kind="http", name="Cổng dịch vụ công"),),
        contacts=Contacts(webhook_url="http://127.0.0.1:8080/alerts"),
    )
