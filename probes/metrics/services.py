"""Services: HTTP."""

from __future__ import annotations

from probes.metrics.family import SERVICE, declare

HTTP_STATUS = declare("http_status_code", "gauge", "count", "Status code of the last answer.", SERVICE)
HTTP_BODY_BYTES = declare("http_body_bytes", "gauge", "bytes", "Length of the last answer's body.", SERVICE)
