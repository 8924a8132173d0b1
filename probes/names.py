"""Names that several generators share: dashboards' uids, alerts, the receiver."""

DASHBOARD_PROVINCE = "lienxa-province"

ALERT_COMMUNE_DOWN = "CommuneDown"
ALERT_SERVICE_DOWN = "ServiceDown"
ALERT_AGENT_VANISHED = "AgentVanished"

SCRAPE_JOB = "lienxa"
AGENT_PORT = 9834


def dashboard_uid(name: str, language: str) -> str:
    """The uid of one dashboard in one language: stable over regenerations."""
    return f"{name}-{language}"
