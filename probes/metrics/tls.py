"""TLS sessions and the certificates that servers show."""

from __future__ import annotations

from probes.metrics.family import SERVICE, declare

CERTIFICATE_NOT_AFTER = declare(
    "certificate_not_after_timestamp_seconds", "gauge", "timestamp", "When the server's certificate ends.", SERVICE
)
CERTIFICATE_CHAIN_NOT_AFTER = declare(
    "certificate_chain_not_after_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the first of the certificates ends that the server sends.",
    SERVICE,
)
TLS_VERSION = declare(
    "tls_version_info", "gauge", "info", "Protocol version of the last session.", SERVICE, ("version",)
)
TLS_CIPHER = declare("tls_cipher_info", "gauge", "info", "Cipher of the last session.", SERVICE, ("cipher",))
TLS_WEAKNESS = declare(
    "tls_weakness",
    "gauge",
    "flag",
    "1 for what no server should use any more: old_protocol, short_key, sha1_signature, self_signed.",
    SERVICE,
    ("weakness",),
)
OCSP_STAPLE = declare(
    "tls_ocsp_staple",
    "gauge",
    "state",
    "What the OCSP answer says that the server sends along: good, revoked, unknown, invalid; none where it sends none.",
    SERVICE,
    ("status",),
)
