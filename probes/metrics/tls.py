"""TLS sessions and the certificates that servers show."""

from __future__ import annotations

from probes.metrics.family import SERVICE, declare

CERTIFICATE_NOT_AFTER = declare(
    "certificate_not_after_timestamp_seconds", "gauge", "timestamp", "When the server's certificate ends.", SERVICE
)
