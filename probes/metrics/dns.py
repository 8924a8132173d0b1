"""Answers of name servers."""

from __future__ import annotations

from probes.metrics.family import SERVICE, declare

DNS_ANSWER_RECORDS = declare(
    "dns_answer_records", "gauge", "count", "Records of the type asked for in the last answer.", SERVICE
)
DNS_SOA_SERIAL = declare(
    "dns_soa_serial", "gauge", "count", "Serial of the zone in the last answer, where SOA was asked for.", SERVICE
)
DNS_AUTHENTICATED = declare(
    "dns_authenticated", "gauge", "flag", "1 if the resolver says that it has validated the last answer (AD).", SERVICE
)
