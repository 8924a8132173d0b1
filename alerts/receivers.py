"""Alertmanager's configuration: one receiver per province, one notification per incident."""

from __future__ import annotations

from alerts.layout import dump
from probes.model import Province
from probes.names import duration, receiver

NO_INTEGRATION = """\
# No contacts.webhook_url stands in the inventory, so alerts are shown but sent to nobody. Give it there, or add another
# integration to the receiver below, for instance:
#   email_configs:
#     - to: oncall@example.vn
#       send_resolved: true
"""

NO_INHIBITION = """\
# No inhibit_rules: the agent never raises what another incident explains, so there is nothing to suppress.
"""


def text(province: Province) -> str:
    """The configuration, as YAML."""
    timings, name, url = province.timings, receiver(province.province), province.contacts.webhook_url
    integration: dict[str, object] = {"webhook_configs": [{"url": url, "send_resolved": True}]} if url else {}
    configuration = {
        "route": {
            "receiver": name,
            "group_by": ["alertname", "province", "root"],
            "group_wait": duration(timings.group_wait_s),
            "group_interval": duration(timings.group_interval_s),
            "repeat_interval": duration(timings.repeat_interval_s),
        },
        "receivers": [{"name": name, **integration}],
    }
    return NO_INHIBITION + ("" if url else NO_INTEGRATION) + dump(configuration)
