"""The oidc kind against a provider with real keys: well, slow, overloaded, wrong, broken and hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import ValidationError

from deploy.lab.doubles import Double, Manner, serving
from deploy.lab.doubles.keys import ec_key, rsa_key
from deploy.lab.doubles.oidc import Provider, jwk
from probes import metrics
from probes.kinds.oidc import OidcSettings, check
from probes.protocols import jose
from probes.results import Reason, Result, TargetState
from tests.probes.conftest import TestNet, beat, free_port, value
from tests.probes.doubles import MANNERS, nobodys_tls

CLIENT = {"client_id": "portal", "redirect_uri": "https://portal.example/callback"}


async def probe(net: TestNet, issuer: str, memory: object = None, **given: object) -> Result:
    """One beat."""
    told = {"issuer": issuer, "timeout_s": 3.0, "slow_s": 1.0, **CLIENT, **given}
    return await check(OidcSettings.model_validate(told), net, beat(memory))


@MANNERS
async def test_each_manner_has_its_reason(net: TestNet, manner: Manner, reason: Reason | None) -> None:
    provider = Provider()
    provider.manner = manner
    async with serving(provider) as url:
        assert (await probe(net, url, slow_s=0.5)).reason is reason


async def test_a_provider_that_is_well_passes_every_step_with_its_time(net: TestNet) -> None:
    async with serving(Provider()) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (None, "2 keys")
    assert value(result, metrics.OIDC_KEYS) == 2
    for step in ("discovery", "jwks", "authorize"):
        assert value(result, metrics.OIDC_STEP_OK, step) == 1
        assert 0 < (value(result, metrics.OIDC_STEP_DURATION, step) or 0) < 1
    assert value(result, metrics.OIDC_KEYS_CHANGED) is None


async def test_without_a_client_no_login_is_begun(net: TestNet) -> None:
    provider = Provider()
    async with serving(provider) as url:
        result = await probe(net, url, client_id=None, redirect_uri=None)
    assert (result.reason, provider.asked) == (None, 2)


async def test_nothing_is_posted_and_no_credential_or_cookie_sent(net: TestNet) -> None:
    seen: list[tuple[str, dict[str, str], set[str]]] = []

    class Curious(Provider):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            seen.append((request.method, dict(request.query), {name.lower() for name in request.headers}))
            return await super().answer(request)

    async with serving(Curious()) as url:
        assert (await probe(net, url)).reason is None
    assert [method for method, _, _ in seen] == ["GET"] * 3
    assert all(not {"cookie", "authorization"} & names for _, _, names in seen)
    assert seen[2][1]["prompt"] == "none"


@pytest.mark.parametrize("path", ["", "/"])
async def test_the_issuer_must_be_equal_to_the_last_slash(net: TestNet, path: str) -> None:
    provider = Provider()
    async with serving(provider) as url:
        provider.issuer = url + path
        same, other = await probe(net, url + path), await probe(net, url + ("" if path else "/"))
    assert same.reason is None
    assert (other.reason, other.detail) == (
        Reason.WRONG_CONTENT,
        "discovery: names another issuer than the one configured",
    )
    assert value(other, metrics.OIDC_STEP_OK, "discovery") == 0
    assert value(other, metrics.OIDC_STEP_OK, "jwks") is None


@pytest.mark.parametrize(
    ("described", "detail"),
    [
        ({"jwks_uri": None}, "discovery: lacks jwks_uri"),
        ({"token_endpoint": "", "jwks_uri": []}, "discovery: lacks token_endpoint, jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "discovery: jwks_uri is no URL that may be used"),
        ({"jwks_uri": "http://[::bad/"}, "discovery: jwks_uri is no URL that may be used"),
        ({"authorization_endpoint": ["http://a/"]}, "discovery: authorization_endpoint is no URL that may be used"),
        ({"authorization_endpoint": "http://a:b@c/"}, "discovery: authorization_endpoint is no URL that may be used"),
    ],
)  # fmt: skip
async def test_a_wrong_description_is_told(net: TestNet, described: dict[str, Any], detail: str) -> None:
    provider = Provider()
    provider.described = described
    async with serving(provider) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.WRONG_CONTENT, detail)


RSA, EC = jwk(rsa_key(), "r"), jwk(ec_key(), "e")


@pytest.mark.parametrize(
    ("keys", "detail"),
    [
        ([], "jwks: there are no keys"),
        ([{"kty": "RSA", "kid": "a", "e": "AQAB"}], "jwks: key 0: there is no `n`"),
        ([RSA, {**EC, "y": EC["x"]}], "jwks: key 1: it is damaged"),
        ([{**RSA, "n": "not base64!"}], "jwks: key 0: it is damaged"),
        ([{**RSA, "n": "A" * 4000}], "jwks: key 0: it is damaged"),
        ([{"kid": "a"}], "jwks: key 0: there is no `kty`"),
        ([{"kty": "oct", "k": "c2VjcmV0"}], "jwks: none of the keys can be used"),
        ([RSA] * 101, "jwks: there are more than 100 keys"),
    ],
)
async def test_keys_that_nobody_can_use_are_told(net: TestNet, keys: list[Any], detail: str) -> None:
    provider = Provider()
    provider.keys = keys
    async with serving(provider) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.WRONG_CONTENT, detail)
    assert value(result, metrics.OIDC_STEP_OK, "discovery") == 1


async def test_changed_keys_are_told_with_their_time_and_are_no_failure(net: TestNet) -> None:
    provider = Provider()
    async with serving(provider) as url:
        first = await probe(net, url)
        same = await probe(net, url, first.memory)
        provider.keys = [provider.keys[0], jwk(ec_key(), "ec-2")]
        changed = await probe(net, url, same.memory)
        after = await probe(net, url, changed.memory)
    assert (same.reason, same.detail) == (None, "2 keys")
    assert (changed.reason, changed.detail) == (None, "keys changed: 1 new, 1 gone")
    assert value(changed, metrics.OIDC_KEYS_CHANGED) == pytest.approx(net.clock.wall(), abs=5)
    assert value(after, metrics.OIDC_KEYS_CHANGED) == value(changed, metrics.OIDC_KEYS_CHANGED)
    assert after.detail == "2 keys"


async def test_keys_stay_in_mind_while_the_provider_is_away(net: TestNet) -> None:
    async with serving(Provider()) as url:
        first = await probe(net, url)
    away = await probe(net, url, first.memory)
    assert (away.reason, away.memory) == (Reason.REFUSED, first.memory)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("login_required", None),
        ("interaction_required", None),
        ("invalid_scope", Reason.REJECTED),
        ("temporarily_unavailable", Reason.OVERLOADED),
        ("server_error", Reason.SERVER_FAILURE),
        ("", Reason.WRONG_CONTENT),
    ],
)
async def test_what_a_stranger_is_sent_back_with_says_how_the_login_is(
    net: TestNet, error: str, reason: Reason | None
) -> None:
    provider = Provider()
    provider.login_error = error
    async with serving(provider) as url:
        assert (await probe(net, url)).reason is reason


async def test_a_client_that_is_not_registered_is_a_matter_of_configuration_and_no_outage(net: TestNet) -> None:
    async with serving(Provider()) as url:
        result = await probe(net, url, client_id="stranger")
    assert (result.reason, result.grade) == (Reason.REJECTED, TargetState.DEGRADED)
    assert result.detail == "authorize: status 400, invalid_client"


@pytest.mark.parametrize(
    ("contains", "reason"),
    [("Đăng nhập", None), ("Bảo trì", Reason.WRONG_CONTENT), (None, Reason.WRONG_CONTENT)],
)
async def test_a_login_page_passes_if_it_is_known_by_a_word(
    net: TestNet, contains: str | None, reason: Reason | None
) -> None:
    provider = Provider()
    provider.shows_page = True
    async with serving(provider) as url:
        assert (await probe(net, url, contains=contains)).reason is reason


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("https://elsewhere.example/callback?error=login_required", Reason.WRONG_CONTENT),
        ("https://portal.example/callback?error=login_required&state=forged", Reason.WRONG_CONTENT),
        ("/error?oauthErrorCode=invalid_client", Reason.REJECTED),
        ("javascript:alert(1)", Reason.FORBIDDEN_TARGET),
        ("", Reason.WRONG_CONTENT),
    ],
)
async def test_only_the_registered_address_with_our_state_counts(net: TestNet, location: str, reason: Reason) -> None:
    class Astray(Provider):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if request.path == "/authorize":
                return web.Response(status=302, headers={"Location": location})
            return await super().answer(request)

    async with serving(Astray()) as url:
        assert (await probe(net, url)).reason is reason


async def test_broken_tls_is_told_and_can_be_passed_over(net: TestNet, tmp_path: Path) -> None:
    async with serving(Provider(), nobodys_tls(tmp_path)) as url:
        strict, lenient = await probe(net, url), await probe(net, url, verify_tls=False)
    assert (strict.reason, strict.detail) == (Reason.TLS_ERROR, "discovery: self-signed certificate")
    assert lenient.reason is None


async def test_an_issuer_of_https_cannot_lead_to_plain_http(net: TestNet, tmp_path: Path) -> None:
    provider = Provider()
    provider.described = {"jwks_uri": "http://127.0.0.1/jwks"}
    async with serving(provider, nobodys_tls(tmp_path)) as url:
        result = await probe(net, url, verify_tls=False)
    assert result.detail == "discovery: jwks_uri is no URL that may be used"


async def test_nobody_there_is_refused(net: TestNet) -> None:
    assert (await probe(net, f"http://127.0.0.1:{free_port()}")).reason is Reason.REFUSED


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[" * 200_000, "discovery: the answer is no JSON"),
        (b'{"issuer": ' + b"9" * 100_000 + b"}", "discovery: the answer is no JSON"),
        (b"[]", "discovery: the answer is no JSON object"),
        (b"\xff\xfe", "discovery: the answer is no JSON"),
        (b"{" + b" " * (1 << 20) + b"}", "discovery: the answer is no JSON"),
    ],
    ids=["deep", "long number", "list", "no text", "too long"],
)
async def test_a_hostile_description_is_a_bounded_reason(net: TestNet, body: bytes, detail: str) -> None:
    class Hostile(Double):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.Response(body=body, content_type="application/json")

    async with serving(Hostile()) as url:
        result = await probe(net, url)
    assert (result.reason, result.detail) == (Reason.WRONG_CONTENT, detail)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
MEMBERS = some.sampled_from(["kty", "n", "e", "crv", "x", "y", "kid"])
VALUES = some.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", RSA["n"], EC["x"], EC["y"]])


@given(some.lists(some.dictionaries(MEMBERS, VALUES | JSON, max_size=7) | JSON, max_size=4) | JSON)
@settings(deadline=None)
def test_whatever_a_key_set_holds_it_is_keys_or_a_short_complaint(keys: object) -> None:
    complaint, found = "", frozenset[str]()
    try:
        found = jose.usable_keys({"keys": keys})
    except ValueError as error:
        complaint = str(error)
    assert 0 < len(complaint) < 100 or found
    assert all(0 < len(identity) <= 200 for identity in found)


def test_client_and_address_to_return_to_belong_together() -> None:
    with pytest.raises(ValidationError, match="client_id and redirect_uri belong together"):
        OidcSettings.model_validate({"issuer": "https://login.example/", "client_id": "portal"})
