"""Identity and signatures: OpenID Connect, certificate status (OCSP, CRL), time stamps."""

from __future__ import annotations

from probes.metrics.family import SERVICE, declare

OIDC_STEP_OK = declare(
    "oidc_step_ok", "gauge", "flag", "Whether a step of a login passed; absent where it was not reached.", SERVICE,
    ("step",),
)  # fmt: skip
OIDC_STEP_DURATION = declare(
    "oidc_step_duration_seconds", "gauge", "seconds", "How long a step of a login took.", SERVICE, ("step",)
)
OIDC_KEYS = declare("oidc_keys", "gauge", "count", "Usable keys that the identity provider publishes.", SERVICE)
OIDC_KEYS_CHANGED = declare(
    "oidc_keys_changed_timestamp_seconds",
    "gauge",
    "timestamp",
    "When the set of published keys was last seen to change; absent until then.",
    SERVICE,
)
OCSP_CERTIFICATE_STATUS = declare(
    "ocsp_certificate_status",
    "gauge",
    "state",
    "What the responder says of the certificate: good, revoked or unknown (RFC 6960 2.2).",
    SERVICE,
    ("state",),
)
OCSP_NEXT_UPDATE = declare(
    "ocsp_next_update_timestamp_seconds", "gauge", "timestamp", "When the responder's answer ends to be valid.", SERVICE
)
CRL_NEXT_UPDATE = declare(
    "crl_next_update_timestamp_seconds", "gauge", "timestamp", "When the revocation list ends to be valid.", SERVICE
)
TSA_CLOCK_SKEW = declare(
    "tsa_clock_skew_seconds",
    "gauge",
    "seconds",
    "How far a stamp's time lies after the answer (positive) or before the request (negative); 0 between them.",
    SERVICE,
)
TSA_CERTIFICATE_NOT_AFTER = declare(
    "tsa_certificate_not_after_timestamp_seconds", "gauge", "timestamp", "When the stamps' signer expires.", SERVICE
)
