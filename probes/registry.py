"""Every probe kind, by the name that inventories use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from probes.kinds import dns, http, icmp, ocsp, oidc, snmp, tcp, tls, tsa
from probes.ports import Kind

_ALL = (dns.KIND, http.KIND, icmp.KIND, ocsp.KIND, oidc.KIND, snmp.KIND, tcp.KIND, tls.KIND, tsa.KIND)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})
