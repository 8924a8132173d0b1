"""What an alert's text looks up while it is written: small pieces of Prometheus's template language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alerts.queries import HOLD, REMEMBER
from alerts.queries import latest as latest_of
from probes.metrics import (
    AGENT_LAST_ROUND,
    COMMUNE_INCIDENT,
    COMMUNE_INFO,
    COMMUNE_LAST_WORDS,
    COMMUNE_LAST_WORDS_TIMESTAMP,
    COMMUNE_OVERLAY,
    COMMUNE_SILENT_SINCE,
    INCIDENT_CAUSE,
    INCIDENT_OPENED,
    PATH_INFO,
    PREFIX,
    SERVICE_INFO,
    TARGET_RESULTS,
    TRUNK_INFO,
    UPS_CHARGE,
    UPS_ON_BATTERY,
    UPS_RUNTIME,
    Family,
    selector,
)
from probes.names import REASONS
from probes.results import Overlay

NAMES_SHOWN = 10
LOCAL = "+ 7 * 3600"
"""Templates format in UTC; Viet Nam is seven hours ahead, all year."""

# In a query, `<label>` stands for the alert's own label of that name.
PROVINCE, ROOT, ROOT_KIND = "<province>", "<root>", "<root_kind>"
WHOLE = 'printf "%.0f" .Value'


def ask(query: str) -> str:
    """The template call that runs a query: `<label>` becomes an argument of printf."""
    arguments = " ".join(f"$labels.{label}" for label in re.findall(r"<(\w+)>", query))
    return f"query (printf `{re.sub('<[a-z_]+>', '%s', query)}` {arguments})"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A template variable, filled from the answer of a PromQL query; it stays `initial` if there is none.

    `read` is the template expression that makes the variable's value of a sample.
    """

    variable: str
    query: str
    read: str
    initial: str = '""'

    def template(self) -> str:
        """Two lines of template that print nothing."""
        keep = f"{{{{ with {self.read} }}}}{{{{ ${self.variable} = . }}}}{{{{ end }}}}"
        return f"{{{{- ${self.variable} := {self.initial} -}}}}\n{{{{- range {ask(self.query)} }}}}{keep}{{{{ end -}}}}"


def latest(series: str) -> str:
    """The series as they are; while the alert's own agent is silent, as they last were."""
    return latest_of(series, PROVINCE)


def _name(variable: str, family: Family, **labels: str) -> Lookup:
    series = selector(family, province=PROVINCE, **labels)
    return Lookup(variable, f"max by (name) ({latest(series)})", ".Labels.name", "$labels.root")


def _of_incident(family: Family) -> str:
    return latest(selector(family, province=PROVINCE, root=ROOT, root_kind=ROOT_KIND))


def _last_word(variable: str, family: Family, scale: str = "") -> Lookup:
    reading = family.name.removeprefix(PREFIX)
    series = selector(COMMUNE_LAST_WORDS, province=PROVINCE, commune=ROOT, reading=reading)
    return Lookup(variable, f"max({latest(series)}){scale}", WHOLE)


def _time(variable: str, expression: str) -> Lookup:
    return Lookup(variable, f"max({expression}) {LOCAL}", ".Value", "0.0")


_AGENT = selector(AGENT_LAST_ROUND, province=PROVINCE)
_FAILURES = selector(
    TARGET_RESULTS, province=PROVINCE, commune="", service=ROOT, reason="~" + "|".join(sorted(REASONS))
)
_SPOKEN = selector(COMMUNE_LAST_WORDS_TIMESTAMP, province=PROVINCE, commune=ROOT, reading="~ups_.*")
_SILENT = selector(COMMUNE_SILENT_SINCE, province=PROVINCE, commune=ROOT)

_COVERED = selector(COMMUNE_OVERLAY, province=PROVINCE, overlay="~" + "|".join(sorted({*Overlay} - {Overlay.NONE})))
_MEMBERS = f"({_of_incident(COMMUNE_INCIDENT)}) unless on (province, commune) (({latest(_COVERED)}) == 1)"
"""Whom somebody is paged for: an incident's count leaves out communes under an overlay, and so do its names."""


def _path_end(variable: str, whose: str) -> Lookup:
    """The last hop that answers in traces that did not arrive, as most of them tell; none where no hop answers."""
    return Lookup(variable, f"topk(1, count by (name) ({whose}))", ".Labels.name")


def _broken(**labels: str) -> str:
    return latest(selector(PATH_INFO, province=PROVINCE, **labels, last_hop="~.+", state="broken"))


_BEHIND = f"({_broken(link='~.+')}) and on (province, commune) ({_MEMBERS})"
"""For a trunk that is not probed itself, the paths to its communes tell."""

LOOKUPS = (
    _name("commune", COMMUNE_INFO, commune=ROOT),
    _name("trunk", TRUNK_INFO, trunk=ROOT),
    _name("service", SERVICE_INFO, commune="", service=ROOT),
    Lookup("cause", f"max by (cause) ({_of_incident(INCIDENT_CAUSE)}) == 1", ".Labels.cause"),
    Lookup("reason", f"topk(1, sum by (reason) (increase({_FAILURES}[10m])) > 0)", ".Labels.reason"),
    _time("opened", _of_incident(INCIDENT_OPENED)),
    Lookup("more", f"count(max by (commune) ({_MEMBERS})) - {NAMES_SHOWN} > 0", WHOLE),
    _last_word("charge", UPS_CHARGE, " * 100"),
    _last_word("on_battery", UPS_ON_BATTERY),
    _last_word("minutes", UPS_RUNTIME, " / 60"),
    _time("spoken", latest(_SPOKEN)),
    _time("silent", latest(_SILENT)),
    _path_end("commune_path", _broken(commune=ROOT)),
    _path_end("trunk_path", f"({_broken(trunk=ROOT)}) or on (province) ({_BEHIND})"),
    _time("held", f"last_over_time({_AGENT}[{HOLD}]) unless {_AGENT}"),
    _time("last_round", f"last_over_time({_AGENT}[{REMEMBER}])"),
)
"""In the order in which a text makes them."""


def with_lookups(body: str) -> str:
    """The body, preceded by the lookups whose variables it uses."""
    used = set(re.findall(r"\$(\w+)", body))
    return "\n".join([lookup.template() for lookup in LOOKUPS if lookup.variable in used] + [body])


def member_names() -> str:
    """The first names of the communes that an incident explains, by code, and "+n" for the others."""
    info = latest(selector(COMMUNE_INFO, province=PROVINCE))
    named = (
        f"max by (commune, name) (({_MEMBERS}) * on (province, commune) group_left (name) "
        f"topk by (province, commune) (1, {info}))"
    )
    return (
        f'{{{{ range $i, $e := {ask(named)} | sortByLabel "commune" }}}}'
        f"{{{{ if lt $i {NAMES_SHOWN} }}}}{{{{ if $i }}}}, {{{{ end }}}}{{{{ $e.Labels.name }}}}{{{{ end }}}}"
        "{{ end }}{{ with $more }} +{{ . }}{{ end }}"
    )
