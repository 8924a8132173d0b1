"""What pinging a link costs in bytes, and how slowly it must go to keep within a day's budget."""

from __future__ import annotations

from dataclasses import dataclass

from probes.ports import PingWindow

IP_BYTES = {4: 20, 6: 40}
"""Headers without options (RFC 791, RFC 8200)."""
CONNECT_BYTES = 200
"""About one attempt to open a TCP connection: SYN, its repetition, the answer, its end."""
PACED_SHARE = 0.95
"""How much of a budget the pace plans for; the rest is for first bursts and TCP."""
DAY_S, DAY_BEGINS_S = 86_400, 7 * 3600
"""A day is one of Vietnam, seven hours ahead of UTC all year."""


def round_trip_bytes(address: str, size_bytes: int) -> int:
    """A request and its reply on the wire, above the link layer."""
    return 2 * (IP_BYTES[6 if ":" in address else 4] + size_bytes)


def pace(wanted_per_s: float, bytes_each: int, per_day: float | None) -> float:
    """Packets a second: as wanted, or as few as a budget of so many bytes a day allows."""
    if per_day is None:
        return wanted_per_s
    return min(wanted_per_s, PACED_SHARE * per_day / DAY_S / bytes_each)


@dataclass(slots=True)
class Spent:
    """Bytes that probing one link has cost since the agent began to, and when today began."""

    total: float = 0.0
    _day: int = -1
    _at_dawn: float = 0.0
    _sent: int = 0
    _received: int = 0

    def today(self, wall: float) -> float:
        """Bytes of the day that `wall`, in seconds since 1970, lies in."""
        day = int((wall + DAY_BEGINS_S) // DAY_S)
        if day != self._day:
            self._day, self._at_dawn = day, self.total
        return self.total - self._at_dawn

    def pinged(self, window: PingWindow, bytes_each: int) -> None:
        """Take in what a stream has sent and received so far; it may have begun anew."""
        sent = window.total_sent
        received = window.total_received + window.total_late + window.total_duplicates
        if sent < self._sent or received < self._received:
            self._sent = self._received = 0
        self.total += (sent - self._sent + received - self._received) * bytes_each / 2
        self._sent, self._received = sent, received

    def connected(self) -> None:
        """One attempt to open a TCP connection."""
        self.total += CONNECT_BYTES
