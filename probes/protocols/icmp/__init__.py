"""Echo requests over one socket for each family: sent at their own pace, timed by the kernel, judged over beats."""

from probes.protocols.icmp.access import IcmpUnavailable
from probes.protocols.icmp.engine import IcmpEngine

__all__ = ["IcmpEngine", "IcmpUnavailable"]
