"""The shared words of probing: what one beat says of one target, and the states and causes that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from probes.metrics import Family


class Reason(StrEnum):
    """Why a beat did not pass; label-safe. Add, never rename."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    DNS_ERROR = "dns_error"
    TLS_ERROR = "tls_error"
    PROTOCOL_ERROR = "protocol_error"
    WRONG_STATUS = "wrong_status"
    WRONG_CONTENT = "wrong_content"
    OVERLOADED = "overloaded"
    SLOW = "slow"
    LOSS = "loss"
    LATENCY = "latency"
    JITTER = "jitter"
    QUALITY = "quality"
    PARTIAL = "partial"
    SUSPECT = "suspect"
    INTERNAL = "internal"
    # what an SNMP agent answers in place of values
    NO_SUCH_OBJECT = "no_such_object"
    TOO_BIG = "too_big"
    GEN_ERR = "gen_err"
    NO_ACCESS = "no_access"
    UNKNOWN_USER = "unknown_user"
    WRONG_DIGEST = "wrong_digest"
    DECRYPTION_ERROR = "decryption_error"
    UNSUPPORTED_LEVEL = "unsupported_level"
    NOT_IN_TIME_WINDOW = "not_in_time_window"
    UNKNOWN_ENGINE = "unknown_engine"
    LOOP = "loop"
    OTHER_ADDRESS = "other_address"
    OTHER_DEVICE = "other_device"
    # what a TLS session shows besides plain failure
    CERTIFICATE_EXPIRING = "certificate_expiring"
    WEAK_TLS = "weak_tls"
    # response codes of a name server (RFC 1035 4.1.1)
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    QUERY_REFUSED = "query_refused"
    # what lies between us and a web service
    BLOCKED = "blocked"
    FORBIDDEN_TARGET = "forbidden_target"
    PROXY_ERROR = "proxy_error"
    NO_TOKEN = "no_token"  # noqa: S105  # a reason, no password
    # what identity and signature services answer
    REJECTED = "rejected"
    SERVER_FAILURE = "server_failure"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    NEARLY_STALE = "nearly_stale"
    STALE_CRL = "stale_crl"
    NO_NONCE = "no_nonce"
    CLOCK_SKEW = "clock_skew"


class TargetState(StrEnum):
    """The damped state of one target."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


NOT_CONNECTED = "not_connected"
"""In place of a target's state: a service that is planned and not live yet is not probed, and never down."""

UNREADABLE = frozenset(
    {
        Reason.NO_SUCH_OBJECT,
        Reason.TOO_BIG,
        Reason.GEN_ERR,
        Reason.NO_ACCESS,
        Reason.UNKNOWN_USER,
        Reason.WRONG_DIGEST,
        Reason.DECRYPTION_ERROR,
        Reason.UNSUPPORTED_LEVEL,
        Reason.NOT_IN_TIME_WINDOW,
        Reason.UNKNOWN_ENGINE,
        Reason.LOOP,
        Reason.OTHER_ADDRESS,
    }
)
"""A device has answered, so it is not down; its answer or our credentials are of no use."""
DEGRADING = UNREADABLE | {
    Reason.OVERLOADED,
    Reason.SLOW,
    Reason.LOSS,
    Reason.LATENCY,
    Reason.JITTER,
    Reason.QUALITY,
    Reason.PARTIAL,
    Reason.OTHER_DEVICE,
    Reason.CERTIFICATE_EXPIRING,
    Reason.WEAK_TLS,
    Reason.REJECTED,
    Reason.NEARLY_STALE,
    Reason.STALE_CRL,
    Reason.NO_NONCE,
    Reason.CLOCK_SKEW,
}
"""Reasons with which a target still does its work, if badly."""
BLAMELESS = frozenset({Reason.SUSPECT, Reason.INTERNAL, Reason.BLOCKED})
"""Reasons that speak of the agent, not of the target; a firewall that takes it for a robot is one."""


class CommuneState(StrEnum):
    """What is said of a commune; exactly one at every moment."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    BLIND = "blind"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a commune is degraded or down, or an incident open."""

    POWER = "power"
    TRUNK = "trunk"
    LINK = "link"
    SIGNAL = "signal"
    DEVICE = "device"
    UNEXPLAINED = "unexplained"
    LOSS = "loss"
    LATENCY = "latency"
    JITTER = "jitter"
    ON_BACKUP = "on_backup"
    BACKUP_LOST = "backup_lost"
    ON_BATTERY = "on_battery"
    SERVICE = "service"
    VANTAGE = "vantage"


class Sign(StrEnum):
    """What a device's trap tells that no reading does: that something happened, at that moment."""

    ON_BATTERY = "on_battery"
    COLD_START = "cold_start"
    DYING_GASP = "dying_gasp"
    LINK_DOWN = "link_down"


class Overlay(StrEnum):
    """What lies over a state: nothing, planned work, or a power cut that the electricity company announced."""

    NONE = "none"
    MAINTENANCE = "maintenance"
    PLANNED = "planned"


class RootKind(StrEnum):
    """What an incident is about."""

    TRUNK = "trunk"
    COMMUNE = "commune"
    SERVICE = "service"
    VANTAGE = "vantage"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing probed: `settings` are a `Kind`'s spec, `labels` its identity (label name -> value)."""

    id: str
    kind: str
    settings: object
    beat_s: float
    labels: Mapping[str, str]


class Reading(NamedTuple):
    """One value of one metric family, in the family's base unit; `labels` are the family's `own` labels, in order.

    Counters are absolute: they never go back while the agent runs.
    """

    family: Family
    value: float
    labels: tuple[str, ...] = ()


class Distribution(NamedTuple):
    """A histogram's absolute state: counts per bucket (not cumulated, the last one is +Inf) and the sum."""

    family: Family
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one beat: a reason (none if it passed) and what was read, even if it did not pass.

    `detail` is for people (never a label). `memory` is handed back to the target's next beat.
    """

    reason: Reason | None = None
    readings: tuple[Reading, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    detail: str = ""
    memory: object = None
    blameless: bool = False
    """Whatever the reason is, it lies before the target, which this beat says nothing of."""

    @property
    def grade(self) -> TargetState:
        """What this beat alone says of the target."""
        if self.reason is None:
            return TargetState.UP
        if self.blameless or self.reason in BLAMELESS:
            return TargetState.UNKNOWN
        return TargetState.DEGRADED if self.reason in DEGRADING else TargetState.DOWN


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the link looked lately that the target lies behind: RTT in seconds and loss ratio, where known."""

    rtt_s: float | None = None
    loss_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """What `check` is told of the beat: its target, interval, own memory and the conditions of the path."""

    target: str
    interval_s: float
    memory: object = None
    conditions: Conditions = field(default_factory=Conditions)
    continuous: bool = True
    """False for a single probe by hand (`lienxa check`)."""
