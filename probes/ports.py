"""The edges that a probe touches: what is shared and long-lived belongs to `Net`, time to `Clock`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import aiohttp
from OpenSSL import SSL
from pydantic import SecretStr

from probes.model import Settings
from probes.results import Beat, Conditions, Reason, Result


class Clock(Protocol):
    """Time as the agent sees it; durations are monotonic, wall time is for display."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 (UTC)."""
        ...


class PingErrorKind(StrEnum):
    """What an ICMP error says of the request that it quotes: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7, RFC 4443 3."""

    NET_UNREACHABLE = "net_unreachable"
    HOST_UNREACHABLE = "host_unreachable"
    PROTOCOL_UNREACHABLE = "protocol_unreachable"
    PORT_UNREACHABLE = "port_unreachable"
    FRAGMENTATION_NEEDED = "fragmentation_needed"
    PROHIBITED = "prohibited"
    UNREACHABLE = "unreachable"
    TTL_EXCEEDED = "ttl_exceeded"
    REASSEMBLY_EXCEEDED = "reassembly_exceeded"


SMALLEST_PING_BYTES, LARGEST_PING_BYTES = 28, 65_507
"""Header, nonce, packet number and stream key; and what an IPv4 packet of 65,535 bytes leaves with 20 of header."""


@dataclass(frozen=True, slots=True)
class PingOptions:
    """How the requests of one stream look; raises `ValueError` for what no packet can carry."""

    dscp: int = 0
    """Differentiated services code point, 0 to 63 (RFC 2474)."""
    size_bytes: int = 64
    """ICMP header and payload, without the IP header."""
    dont_fragment: bool = False
    """What does not fit is an error in place of fragments."""
    source: str | None = None
    """Address of this machine to send from; the routing table chooses unless given."""
    ttl: int = 64
    """Hops that a request may take (hop limit in IPv6)."""

    def __post_init__(self) -> None:
        """Refuse what does not fit its field."""
        for name, value, low, high in (
            ("dscp", self.dscp, 0, 63),
            ("size_bytes", self.size_bytes, SMALLEST_PING_BYTES, LARGEST_PING_BYTES),
            ("ttl", self.ttl, 1, 255),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {value}")
        if self.source is not None:
            ip_address(self.source)


PLAIN_PING = PingOptions()


class PingWindow(NamedTuple):
    """What one stream of echo requests has seen.

    The first group is the window that closes now (requests whose fate became final since the last one closed), the
    second the last 60 s, the third absolute since the stream began. Times in seconds.
    """

    sent: int
    received: int
    errors: int
    error_hop: str | None
    rtts_s: Sequence[float]

    recent_sent: int
    recent_received: int
    recent_rtts_s: Sequence[float]
    jitter_s: float | None

    total_sent: int
    total_received: int
    total_late: int
    total_duplicates: int
    total_errors: int
    rtt_counts: tuple[int, ...]
    rtt_sum_s: float

    send_error: str | None = None
    """Why a request of the closing window could not leave this machine; such requests are not in `sent`."""
    error_kind: PingErrorKind | None = None
    """What the window's last ICMP error said; `error_hop` sent it."""
    error_mtu: int | None = None
    """Bytes that the next link takes, where the last error was about fragmentation and named them."""
    reply_ttl: int | None = None
    """TTL (hop limit) with which the last reply arrived: a change tells of another path."""
    suspect: str | None = None
    """Why the closing window proves nothing, in words: our own condition may explain what it lacks."""


@dataclass(frozen=True, slots=True)
class PingFigures:
    """What one stream of echo requests has seen within the last `window_s` seconds; times in seconds."""

    window_s: float
    sent: int
    received: int
    rtt_s: tuple[float, float, float, float, float] | None = None
    """Least, mean, 95th and 99th percentile, greatest; none without a reply."""
    jitter_s: float | None = None
    r_factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By formula, as in `probes.quality.r_factors`; empty where the jitter is not known."""


class Pings(Protocol):
    """The ICMP engine: sends at its own pace, stamps in the kernel."""

    async def window(
        self,
        stream: str,
        address: str,
        packets_per_s: float,
        *,
        continuous: bool = True,
        options: PingOptions = PLAIN_PING,
    ) -> PingWindow:
        """Close and return the window of a stream; with another address or other options it begins anew.

        A stream that does not run yet starts with a burst of five requests, and the window closes when their fates
        are final. A continuous stream goes on afterwards; it ends when nobody has asked for 3 windows' time.
        """
        ...


class Names(Protocol):
    """Host names as addresses, kept for their time to live."""

    async def address(self, host: str) -> str:
        """One address of `host` (see `probes.model.Host`), itself if it is one; raises `socket.gaierror`.

        The same one as long as the name has it. While no resolver answers, the last known one for a day.
        """
        ...


SnmpValue = int | float | str | bytes


NO_SECRET = SecretStr("")
NO_CONDITIONS = Conditions()


@dataclass(frozen=True, slots=True)
class SnmpAgent:
    """Where and how one device is asked; protocols are named as in `probes.model.Credential`."""

    address: str
    """Or a host name, as the inventory gives it; `Snmp` takes addresses only."""
    port: int
    version: str
    community: SecretStr = NO_SECRET
    user: str = ""
    auth_protocol: str | None = None
    auth_key: SecretStr = NO_SECRET
    privacy_protocol: str | None = None
    privacy_key: SecretStr = NO_SECRET


@dataclass(slots=True)
class HeldToken:
    """An access token, shared by all services that ask with the same grant; empty where there is none."""

    value: SecretStr = NO_SECRET
    until_s: float = 0.0
    """Monotonic; from then on it is fetched anew."""
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def forget(self, token: str) -> None:
        """Where a service does not take it any more; a newer one stays."""
        if self.value.get_secret_value() == token:
            self.value = NO_SECRET


@dataclass(frozen=True, slots=True)
class ClientGrant:
    """OAuth 2.0 client credentials (RFC 6749 4.4), and the token that was got with them."""

    token_url: str
    client_id: str
    client_secret: SecretStr
    scope: str = ""
    held: HeldToken = field(default_factory=HeldToken, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class HttpAuth:
    """Who an HTTP probe says that it is: a user, a bearer token, an OAuth 2.0 client, or a TLS client certificate."""

    user: str = ""
    password: SecretStr = NO_SECRET
    token: SecretStr = NO_SECRET
    grant: ClientGrant | None = None
    certificate: str = field(default="", repr=False)
    """With its chain, PEM."""
    key: SecretStr = NO_SECRET
    """The certificate's, PEM."""
    context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    """What shows the certificate: made of it outside the event loop, by `probes.protocols.http.client_context`."""


class SnmpRows(dict[str, SnmpValue]):
    """Values by object identifier; `reason` says why a walk ended before its time (`Reason.LOOP`), else none."""

    reason: Reason | None = None


class SnmpError(Exception):
    """A device gave no usable answer; `reason` says why, in the vocabulary's words."""

    def __init__(self, reason: Reason, detail: str = "", found: Mapping[str, SnmpValue] = MappingProxyType({})) -> None:
        """`detail` is for people; `found` is what had been read before."""
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail
        self.found = found


class Snmp(Protocol):
    """SNMP sessions, shared and bounded in number.

    A call ends within `timeout_s`, or four times that where the `conditions` of the link ask for patience.
    """

    async def get(
        self, agent: SnmpAgent, oids: Sequence[str], timeout_s: float, *, conditions: Conditions = NO_CONDITIONS
    ) -> SnmpRows:
        """The objects that the device has among `oids`, asked in parts; raises `SnmpError` where there is none."""
        ...

    async def walk(
        self,
        agent: SnmpAgent,
        oid: str,
        timeout_s: float,
        max_rows: int,
        *,
        conditions: Conditions = NO_CONDITIONS,
    ) -> SnmpRows:
        """The rows below `oid`, at most `max_rows`; stops where object identifiers stop increasing."""
        ...


class Tls(Protocol):
    """What is trusted, for `probes.protocols.tls`: contexts, read once and shared."""

    async def context(self, ca_file: str | None) -> SSL.Context:
        """The system's authorities, and those of `ca_file` (PEM); raises `TlsError` where that cannot be read."""
        ...


class Net(Protocol):
    """Everything long-lived that probes share, opened by the composition root."""

    @property
    def clock(self) -> Clock: ...
    @property
    def names(self) -> Names: ...
    @property
    def pings(self) -> Pings: ...
    @property
    def connects(self) -> asyncio.Semaphore:
        """Held while a kind that is light opens a connection: descriptors are few."""
        ...

    @property
    def snmp(self) -> Snmp: ...
    @property
    def http(self) -> aiohttp.ClientSession: ...
    @property
    def tls(self) -> Tls: ...


DEADLINE_S = 60.0
"""How long an attempt may last, unless its kind says otherwise."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One probe kind: its name in the inventory, the model of its settings, and the probe itself.

    `check(settings, net, beat)` takes an instance of `settings`; expected trouble is a `Reason` in its result.
    """

    name: str
    settings: type[Settings]
    check: Callable[[Any, Net, Beat], Awaitable[Result]]
    light: bool = False
    """Whether an attempt hardly does more than wait, so that any number may run at once; what it opens is bounded
    where it is opened."""
    deadline_s: float = DEADLINE_S
    """No attempt lasts longer, whatever its own time-outs say."""
