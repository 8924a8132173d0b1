"""What alerts say, in every language: messages to translate, filled in by Prometheus when it sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alerts.lookups import member_names, with_lookups
from probes import units
from probes.language import Translate
from probes.model import Contact, Contacts, Service
from probes.names import CAUSES, REASONS, message
from probes.results import Cause
from probes.systems import systems

ACTIONS: Mapping[str, str] = {
    Cause.POWER: message("Call the electricity company: is there a power cut, and when will power be back?"),
    Cause.TRUNK: message("Call the carrier's operations centre and report the trunk failure."),
    Cause.LINK: message("Call the carrier and report that the link is cut."),
    Cause.SIGNAL: message("Call the mobile carrier and report that the signal is lost."),
    Cause.DEVICE: message("Call the commune office: check the router and its power supply, restart it if need be."),
    Cause.UNEXPLAINED: message(
        "Call the commune office: is there power, are the router's lights on? If so, call the carrier."
    ),
    Cause.SERVICE: message("Inform the unit that runs the service; nothing needs to be done at the communes."),
    Cause.VANTAGE: message("Check the network connection of the agent at the province's data centre."),
}
"""What to do, by the incident's cause."""

# The causes that an incident can have, by its kind of root.
COMMUNE_CAUSES = (Cause.UNEXPLAINED, Cause.POWER, Cause.TRUNK, Cause.LINK, Cause.SIGNAL, Cause.DEVICE)
TRUNK_CAUSES = (Cause.TRUNK, Cause.POWER, Cause.LINK, Cause.SIGNAL, Cause.DEVICE, Cause.UNEXPLAINED)
SERVICE_CAUSES = (Cause.SERVICE, Cause.VANTAGE)

MOMENT = message("15:04 on 2 Jan 2006")
"""Go's layout for a moment; translations keep its numbers (and may reorder them)."""


def commune_summary(translate: Translate) -> str:
    """Headline of a commune's own incident."""
    text = translate("{commune} ({code}) is down: {cause}")
    return with_lookups(
        text.format(
            commune="{{ $commune }}",
            code="{{ $labels.root }}",
            cause=_words("$cause", CAUSES, COMMUNE_CAUSES, translate),
        )
    )


def commune_description(translate: Translate) -> str:
    """Since when, the last words, what to do."""
    return with_lookups(
        _down_since(translate)
        + _line("$spoken", _last_words(translate))
        + _line("$silent", translate("Silent since {time}.").format(time=_moment("$silent", translate)))
        + _path_end("$commune_path", translate)
        + _ending(COMMUNE_CAUSES, translate)
    )


def trunk_summary(translate: Translate) -> str:
    """Headline of an incident that several communes share."""
    text = translate("Communes cut off behind trunk {trunk}: {count} ({cause})")
    return with_lookups(
        text.format(
            trunk="{{ $trunk }}",
            count='{{ printf "%.0f" $value }}',
            cause=_words("$cause", CAUSES, TRUNK_CAUSES, translate),
        )
    )


def trunk_description(translate: Translate) -> str:
    """Since when, which communes, what to do."""
    names = translate("Communes: {names}.").format(names=member_names())
    path = _path_end("$trunk_path", translate)
    return with_lookups(_down_since(translate) + f"\n{names}" + path + _ending(TRUNK_CAUSES, translate))


def service_summary(translate: Translate) -> str:
    """Headline of a service's incident."""
    plain = translate("Service {service} is down").format(service="{{ $service }}")
    reason = _words("$reason", REASONS, tuple(REASONS), translate)
    because = translate("Service {service} is down: {reason}").format(service="{{ $service }}", reason=reason)
    return with_lookups(f"{{{{ if $reason }}}}{because}{{{{ else }}}}{plain}{{{{ end }}}}")


def service_description(translate: Translate) -> str:
    """Since when, what to do."""
    return with_lookups(_down_since(translate) + _ending(SERVICE_CAUSES, translate))


def agent_summary(province: str, translate: Translate) -> str:
    """Headline when the agent itself says nothing."""
    return translate("The monitoring agent of {province} is silent").format(province=units.name(province))


def agent_description(translate: Translate) -> str:
    """Since when, what it means, what to do."""
    lines = (
        translate("Last round of diagnosis: {time}.").format(time=_moment("$last_round", translate)),
        translate("Open alerts keep their last known state for an hour; new outages are not seen."),
        translate("Check the agent's host: power, network, and `systemctl status lienxa`."),
    )
    return with_lookups("\n".join(lines))


def whom_to_call(contacts: Contacts, layer: str, translate: Translate) -> str:
    """A line for each contact of the province that an alert of this layer may need; nothing where there is none."""
    known = {
        "electricity": (contacts.electricity, translate("Electricity company: {who}")),
        "carrier": (contacts.carrier, translate("Carrier: {who}")),
        "on_call": (contacts.on_call, translate("On call: {who}")),
    }
    wanted = ("electricity", "carrier", "on_call") if layer in {"trunk", "commune"} else ("on_call",)
    told = [(text, contact) for contact, text in (known[name] for name in wanted) if contact is not None]
    return "".join("\n" + text.format(who=_plain(_reached(contact))) for text, contact in told)


def system_actions(services: Sequence[Service], language: str) -> str:
    """What to do about a national system, as it says itself in the reader's language."""
    named = ((service.id, systems().get(service.use or "")) for service in services)
    actions = [(name, system.owner, system.action) for name, system in named if system is not None]
    return "".join(
        f'{{{{ if eq $labels.root "{name}" }}}}\n{_plain(getattr(action, language))} '
        f"({_plain(getattr(owner, language))}){{{{ end }}}}"
        for name, owner, action in actions
    )


def _reached(contact: Contact) -> str:
    return ", ".join(part for part in (contact.name, contact.phone, contact.email) if part)


def _plain(text: str) -> str:
    """A text of the inventory within Prometheus's templates, where two braces begin a command."""
    return text.replace("{{", "{ {")


def _down_since(translate: Translate) -> str:
    since = translate("Down since {time}.").format(time=_moment("$opened", translate))
    unknown = translate("Down since an unknown time.")
    return f"{{{{ if $opened }}}}{since}{{{{ else }}}}{unknown}{{{{ end }}}}"


def _last_words(translate: Translate) -> str:
    said = (
        ("$charge", translate("UPS charge {percent}%.").format(percent="{{ $charge }}")),
        ('eq $on_battery "1"', translate("Running on battery.")),
        ('eq $on_battery "0"', translate("Running on mains.")),
        ("$minutes", translate("Battery time left: {minutes} min.").format(minutes="{{ $minutes }}")),
    )
    intro = translate("Last reading at {time}:").format(time=_moment("$spoken", translate))
    return intro + "".join(f"{{{{ if {condition} }}}} {text}{{{{ end }}}}" for condition, text in said)


def _path_end(variable: str, translate: Translate) -> str:
    """Where the way to the commune or trunk ends, if a trace has told."""
    return _line(variable, translate("The path ends after {hop}.").format(hop=f"{{{{ {variable} }}}}"))


def _ending(causes: Sequence[str], translate: Translate) -> str:
    """What to do, and a word of caution while the agent is silent."""
    held = translate("The agent has been silent since {time}; this is the last known state.")
    return (
        "\n"
        + _words("$cause", ACTIONS, causes, translate)
        + _line("$held", held.format(time=_moment("$held", translate)))
    )


def _moment(variable: str, translate: Translate) -> str:
    return f'{{{{ (toTime {variable}).Format "{translate(MOMENT)}" }}}}'


def _line(condition: str, text: str) -> str:
    return f"{{{{ if {condition} }}}}\n{text}{{{{ end }}}}"


def _words(variable: str, words: Mapping[str, str], values: Sequence[str], translate: Translate) -> str:
    """The translated words for a label's value; those for the first value where it is none of `values`."""
    choices = "{{ else ".join(f'if eq {variable} "{value}" }}}}{translate(words[value])}' for value in values[1:])
    return f"{{{{ {choices}{{{{ else }}}}{translate(words[values[0]])}{{{{ end }}}}"
