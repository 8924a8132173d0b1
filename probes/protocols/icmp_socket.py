"""Raw ICMP sockets: kernel receive stamps, a filter for our own echoes, a large buffer; one for each family."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Buffer, Callable, Sequence
from typing import Protocol

from probes.ports import PLAIN_PING, PingOptions
from probes.protocols import icmp_filter
from probes.protocols.icmp_packet import PACKET_BYTES, Echo, Quote
