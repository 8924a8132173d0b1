"""Every probe kind, by the name that inventories use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from probes.kinds import http, icmp, ocsp, oidc, snmp, tcp, tsa
from probes.ports import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (http.KIND, icmp.KIND, ocsp.KIND, oidc.KIND, snmp.KIND, tcp.KIND, tsa.KIND)}
)
