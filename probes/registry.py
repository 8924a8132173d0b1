"""Every probe kind, by the name that inventories use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from probes.kinds import dns, http, icmp, snmp, tcp, tls
from probes.ports import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (dns.KIND, http.KIND, icmp.KIND, snmp.KIND, tcp.KIND, tls.KIND)}
)
