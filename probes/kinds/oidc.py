"""Whether people could log in: an OpenID Connect provider's discovery, keys, and the start of a login.

Nobody logs in: the authorization request says `prompt=none` and carries no cookie, so that a provider that is well
answers `login_required` (OpenID Connect Core 3.1.2.6). No credential is ever sent.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator
from yarl import URL

from probes import metrics
from probes.model import Seconds, Settings, Timeout, WebUrl
from probes.ports import Kind, Net
from probes.protocols import jose, web
from probes.results import Beat, Reading, Reason, Result

REQUIRED = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
)
"""OpenID Connect Discovery 1.0, 3; a token endpoint is left out by providers of the implicit flow only."""
HEALTHY = frozenset({"login_required", "interaction_required", "consent_required", "account_selection_required"})
"""What is said to somebody who is not logged in and may not be asked to (OpenID Connect Core 3.1.2.6)."""
REJECTED = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_response_type",
     "access_denied", "invalid_redirect_uri", "invalid_callback"}
)  # fmt: skip
"""Our request does not fit what is registered (RFC 6749 4.1.2.1, 5.2; the last two are what products say)."""
MAX_BODY_BYTES = 256 << 10


class Step(StrEnum):
    """Where a login stands."""

    DISCOVERY = "discovery"
    JWKS = "jwks"
    AUTHORIZE = "authorize"


class OidcSettings(Settings):
    """A login service (OpenID Connect): its description and keys are read, and a login is begun, never completed."""

    issuer: WebUrl = Field(examples=["https://login.example/realms/citizens"])
    """The provider's identifier; its description must give exactly this one."""
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, examples=["province-portal"]
    )
    """By what name the provider knows the portal that people log in to; without it no login is begun."""
    redirect_uri: WebUrl | None = Field(None, examples=["https://portal.example/callback"])
    """Where the provider sends people back to, as registered with it; it is never visited."""
    contains: Annotated[str, StringConstraints(min_length=1)] | None = Field(None, examples=["Đăng nhập"])
    """Text of the login page, for providers that show it in place of sending people back."""
    timeout_s: Timeout = 15
    """How long all steps together may take; after that the service counts as not answering."""
    slow_s: Seconds = 3
    """A step that took longer counts as slow."""
    verify_tls: bool = True
    """Whether the server's certificate must be valid."""

    @model_validator(mode="after")
    def _together(self) -> OidcSettings:
        if (self.client_id is None) != (self.redirect_uri is None):
            raise ValueError("client_id and redirect_uri belong together: give both, or neither")
        return self


@dataclass(frozen=True, slots=True)
class _Memory:
    """The keys that were published last, and when they were seen to change."""

    keys: frozenset[str]
    changed_at: float | None = None


class _Failed(Exception):
    """A step did not pass."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


async def check(settings: OidcSettings, net: Net, beat: Beat) -> Result:
    """Discovery, keys, and the start of a login; the steps share one time-out and end at the first that fails."""
    memory = beat.memory if isinstance(beat.memory, _Memory) else None
    login = _Login(settings, net, memory)
    try:
        detail = await login.run()
    except (web.WebError, _Failed) as error:
        return Result(
            error.reason, tuple(login.readings()), detail=f"{login.step}: {error.detail}", memory=login.memory
        )
    readings = tuple(login.readings())
    slowest, took_s = max(login.took_s.items(), key=lambda step: step[1])
    if took_s > settings.slow_s:
        return Result(Reason.SLOW, readings, detail=f"{slowest} took {took_s:.1f} s", memory=login.memory)
    return Result(None, readings, detail=detail, memory=login.memory)


class _Login:
    """One attempt, and what is known of it so far."""

    def __init__(self, settings: OidcSettings, net: Net, memory: _Memory | None) -> None:
        self.memory = memory
        self.step = Step.DISCOVERY
        self.took_s: dict[Step, float] = {}
        self._settings = settings
        self._net = net
        self._exchanges = web.Exchanges(net)
        self._keys: int | None = None
        self._passed: set[Step] = set()
        self._deadline = net.clock.monotonic() + settings.timeout_s

    async def run(self) -> str:
        """All steps; what to tell of them. Raises `WebError` and `_Failed`."""
        # OpenID Connect Discovery 4.1: a final slash is left out before the path is added
        answer = await self._fetch(
            Step.DISCOVERY, f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        )
        described = _described(answer, self._settings.issuer)
        self._passed.add(Step.DISCOVERY)
        answer = await self._fetch(Step.JWKS, described["jwks_uri"])
        news = self._remember(_keys(answer))
        self._passed.add(Step.JWKS)
        if self._settings.client_id is not None:
            state = secrets.token_urlsafe(16)
            url = _authorization(described["authorization_endpoint"], self._settings, state)
            answer = await self._fetch(Step.AUTHORIZE, url, redirects=0)
            _judge_login(answer, self._settings, state)
            self._passed.add(Step.AUTHORIZE)
        return news or f"{self._keys} keys"

    async def _fetch(self, step: Step, url: str, redirects: int = web.MAX_REDIRECTS) -> web.Answer:
        self.step = step
        began = self._net.clock.monotonic()
        asked = web.Asked(
            url, verify_tls=self._settings.verify_tls, max_body_bytes=MAX_BODY_BYTES, max_redirects=redirects
        )
        try:
            answer = await self._exchanges.fetch(asked, max(0.0, self._deadline - began))
        except web.WebError as error:
            if error.reason is Reason.TIMEOUT:  # what was left of it is nobody's setting
                raise _Failed(Reason.TIMEOUT, f"no end within {self._settings.timeout_s:g} s") from None
            raise
        finally:
            self.took_s[step] = self._net.clock.monotonic() - began
        if answer.overloaded:
            raise _Failed(Reason.OVERLOADED, f"status {answer.status}")
        return answer

    def _remember(self, keys: frozenset[str]) -> str:
        """Keep the keys in mind; says it if they are others than before."""
        self._keys = len(keys)
        before = self.memory
        if before is None or before.keys == keys:
            self.memory = _Memory(keys, before.changed_at if before else None)
            return ""
        self.memory = _Memory(keys, self._net.clock.wall())
        return f"keys changed: {len(keys - before.keys)} new, {len(before.keys - keys)} gone"

    def readings(self) -> list[Reading]:
        """The phases of all steps together, each step's time and whether it passed, and the keys."""
        found = self._exchanges.readings()
        for step, took_s in self.took_s.items():
            found.append(Reading(metrics.OIDC_STEP_DURATION, took_s, (step,)))
            found.append(Reading(metrics.OIDC_STEP_OK, float(step in self._passed), (step,)))
        if self._keys is not None:
            found.append(Reading(metrics.OIDC_KEYS, self._keys))
        if self.memory is not None and self.memory.changed_at is not None:
            found.append(Reading(metrics.OIDC_KEYS_CHANGED, self.memory.changed_at))
        return found


def _described(answer: web.Answer, issuer: str) -> dict[str, Any]:
    """The provider's description of itself (OpenID Connect Discovery 4.2, 4.3)."""
    if answer.status != 200:
        raise _Failed(Reason.WRONG_STATUS, f"status {answer.status}")
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Failed(Reason.WRONG_CONTENT, "the answer is no application/json")
    described = _json(answer)
    if missing := [name for name in REQUIRED if not described.get(name)]:
        raise _Failed(Reason.WRONG_CONTENT, f"lacks {', '.join(missing)}")
    if described["issuer"] != issuer:
        raise _Failed(Reason.WRONG_CONTENT, "names another issuer than the one configured")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not _is_endpoint(described[name], issuer):
            raise _Failed(Reason.WRONG_CONTENT, f"{name} is no URL that may be used")
    return described


def _is_endpoint(value: object, issuer: str) -> bool:
    """A URL of the web; with an issuer of https it is https as well (OpenID Connect Discovery 3)."""
    try:
        url = URL(value) if isinstance(value, str) and len(value) <= 2000 else URL()
        return url.scheme in ({"https"} if issuer.startswith("https:") else {"http", "https"}) and bool(
            url.host and url.port and url.user is None and url.password is None and not url.fragment
        )
    except ValueError:
        return False


def _keys(answer: web.Answer) -> frozenset[str]:
    if answer.status != 200:
        raise _Failed(Reason.WRONG_STATUS, f"status {answer.status}")
    try:
        return jose.usable_keys(_json(answer))
    except ValueError as error:
        raise _Failed(Reason.WRONG_CONTENT, str(error)) from None


def _json(answer: web.Answer) -> dict[str, Any]:
    try:
        return jose.json_object(answer.body)
    except ValueError as error:
        raise _Failed(Reason.WRONG_CONTENT, str(error)) from None


def _authorization(endpoint: str, settings: OidcSettings, state: str) -> str:
    """An authentication request (OpenID Connect Core 3.1.2.1) that may not ask anybody anything."""
    verifier = secrets.token_urlsafe(32)
    asked = {
        "client_id": settings.client_id or "",
        "redirect_uri": settings.redirect_uri or "",
        "response_type": "code",
        "scope": "openid",
        "prompt": "none",
        "state": state,
        "nonce": secrets.token_urlsafe(16),
        "code_challenge": jose.s256(verifier),  # RFC 7636: some providers demand it, others do not look at it
        "code_challenge_method": "S256",
    }
    return str(URL(endpoint).update_query(asked))


def _judge_login(answer: web.Answer, settings: OidcSettings, state: str) -> None:
    """Whether the start of a login was answered as by a provider that is well; raises `_Failed`."""
    if answer.status in web.REDIRECT_STATUS:
        _judge_redirect(answer, settings.redirect_uri or "", state)
    elif answer.status == 200:
        if settings.contains is None:
            raise _Failed(Reason.WRONG_CONTENT, "a page in place of a redirect: name a text of it by `contains`")
        if unicodedata.normalize("NFC", settings.contains) not in answer.text:
            raise _Failed(Reason.WRONG_CONTENT, "a page in place of a redirect, and not the login page")
    elif 400 <= answer.status < 500 and (said := _named(answer.text)):
        raise _Failed(Reason.REJECTED, f"status {answer.status}, {said}")
    else:
        raise _Failed(Reason.WRONG_STATUS, f"status {answer.status}")


def _judge_redirect(answer: web.Answer, redirect_uri: str, state: str) -> None:
    location = answer.headers.get("Location", "")
    target, registered = web.redirected(answer.url, location), URL(redirect_uri)
    if target.with_query(None).with_fragment(None) != registered.with_query(None):
        if said := _named(location):  # products show their own page for what is wrong with a client
            raise _Failed(Reason.REJECTED, said)
        raise _Failed(Reason.WRONG_CONTENT, "redirected elsewhere than to redirect_uri")
    error = target.query.get("error", "")
    if target.query.get("state") != state:
        raise _Failed(Reason.WRONG_CONTENT, "sent back without the state that was given")
    if error in REJECTED:
        raise _Failed(Reason.REJECTED, error)
    if error == "temporarily_unavailable":
        raise _Failed(Reason.OVERLOADED, error)
    if error == "server_error":
        raise _Failed(Reason.SERVER_FAILURE, error)
    if error not in HEALTHY:
        raise _Failed(Reason.WRONG_CONTENT, "sent back with neither `login_required` nor an error that is known")


def _named(text: str) -> str:
    """The first of the errors about a client that a text names."""
    return next((error for error in sorted(REJECTED) if error in text), "")


KIND = Kind("oidc", OidcSettings, check)
