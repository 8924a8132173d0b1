"""Access tokens by OAuth 2.0 client credentials (RFC 6749 4.4): fetched, kept until shortly before they end."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from urllib.parse import quote_plus, urlencode

import aiohttp
from pydantic import SecretStr

from probes.ports import ClientGrant, Net
from probes.protocols import body

_UNSAID_LIFE_S = 300.0
_LONGEST_LIFE_S = 86_400.0
_MARGIN_S, _MARGIN_SHARE = 30.0, 0.1
"""How long before its end a token is fetched anew, at most, and of its whole life."""
_ANSWER_BYTES = 64 << 10


class NoToken(Exception):
    """The token service gives none; the message repeats nothing of what it sent."""


async def token(
    net: Net, grant: ClientGrant, timeout_s: float, *, verify_tls: bool = True, proxy: str | None = None
) -> tuple[str, bool]:
    """The access token, and whether it was fetched just now; raises `NoToken`. Whoever asks together fetches once."""
    held = grant.held
    try:
        async with asyncio.timeout(timeout_s), held.fetching:
            if (value := held.value.get_secret_value()) and net.clock.monotonic() < held.until_s:
                return value, False
            value, life_s = await _fetch(net, grant, verify_tls=verify_tls, proxy=proxy)
            margin_s = min(_MARGIN_S, life_s * _MARGIN_SHARE)
            held.value, held.until_s = SecretStr(value), net.clock.monotonic() + life_s - margin_s
            return value, True
    except TimeoutError:
        raise NoToken(f"the token service does not answer within {timeout_s:g} s") from None
    except aiohttp.ClientError:
        raise NoToken("the token service cannot be reached, or answers no HTTP") from None
    except body.Damaged as error:
        raise NoToken(f"the token service: {error}") from None


async def _fetch(net: Net, grant: ClientGrant, *, verify_tls: bool, proxy: str | None) -> tuple[str, float]:
    """A new token and its life in seconds."""
    # RFC 6749 2.3.1: form-encoded first, then as basic authentication has it
    words = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret.get_secret_value())}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(words.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    form = {"grant_type": "client_credentials", **({"scope": grant.scope} if grant.scope else {})}
    async with net.http.post(
        grant.token_url,
        data=urlencode(form).encode(),
        headers=headers,
        ssl=verify_tls,
        proxy=proxy,
        allow_redirects=False,  # nobody else is told the secret
    ) as response:
        if response.status != 200:
            raise NoToken(f"the token service answers with status {response.status}")
        said, whole = await body.read(response.content, response.headers.get("Content-Encoding", ""), _ANSWER_BYTES)
    return _read(said) if whole else _nonsense()


def _read(said: bytes) -> tuple[str, float]:
    """RFC 6749 5.1."""
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        return _nonsense()
    value = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value or not all("!" <= sign <= "~" for sign in value):
        return _nonsense()
    if str(answer.get("token_type", "bearer")).lower() != "bearer":
        raise NoToken("the token service gives a token that is no bearer token")
    life = answer.get("expires_in")
    if isinstance(life, str) and life.isascii() and life.isdigit():  # some quote it
        life = float(life[:9])
    known = isinstance(life, int | float) and not isinstance(life, bool) and math.isfinite(life) and life > 0
    return value, min(float(life), _LONGEST_LIFE_S) if known else _UNSAID_LIFE_S


def _nonsense() -> tuple[str, float]:
    raise NoToken("the token service's answer holds no token")
