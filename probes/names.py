"""Names that several generators share: dashboards' uids, alerts, the receiver; and the words for what is seen.

The words are English messages of the gettext domain `lienxa`: `message` marks them for extraction, a
`probes.language.Translate` turns them into the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DASHBOARD_PROVINCE = "lienxa-province"

ALERT_COMMUNE_DOWN = "CommuneDown"
ALERT_SERVICE_DOWN = "ServiceDown"
ALERT_AGENT_VANISHED = "AgentVanished"

DATASOURCE_UID = "lienxa"
"""Grafana's data source: the province's own Prometheus."""
SCRAPE_JOB = "lienxa"
AGENT_PORT = 9834


def dashboard_uid(name: str, language: str) -> str:
    """The uid of one dashboard in one language: stable over regenerations."""
    return f"{name}-{language}"


def receiver(province: str) -> str:
    """Alertmanager's receiver of one province."""
    return f"province-{province}"


def duration(seconds: float) -> str:
    """Seconds as Prometheus, Alertmanager and Grafana write them, exact, in one unit: 30s, 7500ms, 6h."""
    milliseconds = round(seconds * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def message(text: str) -> str:
    """Marks a text for extraction (`pybabel extract -k message -k translate`); it is translated where it is shown."""
    return text


# Words by label value: one for each member of `probes.results`'s CommuneState, Cause, RootKind and Reason.
STATES: Mapping[str, str] = MappingProxyType(
    {
        "up": message("up"),
        "degraded": message("degraded"),
        "down": message("down"),
        "blind": message("blind"),
        "unknown": message("unknown"),
        "not_connected": message("not connected"),
    }
)

CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "power": message("power cut"),
        "trunk": message("trunk failure"),
        "link": message("link cut"),
        "signal": message("mobile signal lost"),
        "device": message("equipment failure"),
        "unexplained": message("cause not known yet"),
        "loss": message("packet loss"),
        "latency": message("high latency"),
        "jitter": message("unsteady delay (jitter)"),
        "on_backup": message("running on the backup link"),
        "backup_lost": message("backup link lost"),
        "on_battery": message("running on battery"),
        "service": message("service failure"),
        "vantage": message("agent cut off at the hub"),
    }
)

ROOT_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "trunk": message("trunk"),
        "commune": message("commune"),
        "service": message("service"),
        "vantage": message("agent"),
    }
)

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "timeout": message("no answer in time"),
        "refused": message("connection refused"),
        "unreachable": message("network unreachable"),
        "dns_error": message("name not resolved"),
        "tls_error": message("TLS or certificate error"),
        "protocol_error": message("invalid answer"),
        "wrong_status": message("unexpected status code"),
        "wrong_content": message("unexpected content"),
        "overloaded": message("overloaded"),
        "slow": message("slow answer"),
        "loss": message("packet loss"),
        "latency": message("high latency"),
        "jitter": message("unsteady delay (jitter)"),
        "quality": message("too poor for a meeting"),
        "partial": message("incomplete answer"),
        "suspect": message("measurement in doubt"),
        "internal": message("internal error of the agent"),
        "no_such_object": message("SNMP: the device does not have it"),
        "too_big": message("SNMP: answer too big"),
        "gen_err": message("SNMP: general error of the device"),
        "no_access": message("SNMP: access denied"),
        "unknown_user": message("SNMP: unknown user"),
        "wrong_digest": message("SNMP: wrong authentication key"),
        "decryption_error": message("SNMP: wrong privacy key"),
        "unsupported_level": message("SNMP: security level not supported"),
        "not_in_time_window": message("SNMP: outside the time window"),
        "unknown_engine": message("SNMP: unknown engine"),
        "loop": message("SNMP: the table does not end"),
        "other_address": message("SNMP: answers from another address"),
        "other_device": message("another device than expected"),
        "certificate_expiring": message("certificate expires soon"),
        "weak_tls": message("outdated encryption or signature"),
        "nxdomain": message("DNS: the name does not exist (NXDOMAIN)"),
        "servfail": message("DNS: the name server fails (SERVFAIL)"),
        "query_refused": message("DNS: the name server refuses to answer (REFUSED)"),
        "blocked": message("probe stopped by a firewall"),
        "forbidden_target": message("redirected to a forbidden address"),
        "proxy_error": message("proxy failure"),
        "no_token": message("no access token"),
        "rejected": message("the service does not accept our request"),
        "server_failure": message("the service reports a failure of its own"),
        "bad_signature": message("invalid signature"),
        "stale": message("answer out of date"),
        "nearly_stale": message("answer soon out of date"),
        "stale_crl": message("no current revocation list (CRL)"),
        "no_nonce": message("answer prepared in advance (no nonce)"),
        "clock_skew": message("clocks differ"),
    }
)
