"""A double of a login service: OpenID Connect discovery, keys, and a login that is refused to strangers."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from yarl import URL

from deploy.lab.doubles import Double
from deploy.lab.doubles.keys import Key, ec_key, rsa_key

LOGIN_PAGE = "<!doctype html><title>Đăng nhập</title><form method=post>Số định danh cá nhân …</form>"


class Provider(Double):
    """An identity provider with real keys and one client; its attributes may be changed to make it answer wrongly."""

    def __init__(self, client_id: str = "portal", redirect_uri: str = "https://portal.example/callback") -> None:
        """Knows one client."""
        super().__init__()
        self.client_id = client_id
        self.redirect_uri = redirect_uri
        self.issuer: str | None = None
        """What the description names in place of the address that it was asked at."""
        self.described: dict[str, Any] = {}
        """Keys of the description that are others; None leaves one out."""
        self.keys: list[dict[str, Any]] = [jwk(rsa_key(), "rsa-1"), jwk(ec_key(), "ec-1")]
        self.shows_page = False
        """Whether a stranger sees the login page, as with products that do not know `prompt=none`."""
        self.login_error = "login_required"
        self.page = LOGIN_PAGE

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The three things that can be asked for."""
        match request.path:
            case "/.well-known/openid-configuration":
                return web.json_response(self._description(str(request.url.origin())))
            case "/jwks":
                return web.json_response({"keys": self.keys})
            case "/authorize":
                return self._login(request)
        return web.Response(status=404)

    def _description(self, base: str) -> dict[str, Any]:
        described: dict[str, Any] = {
            "issuer": self.issuer or base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        }
        return {key: value for key, value in {**described, **self.described}.items() if value is not None}

    def _login(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") != self.redirect_uri:
            return web.json_response({"error": "invalid_client"}, status=400)
        if self.shows_page or asked.get("prompt") != "none":
            return web.Response(text=self.page, content_type="text/html")
        back = URL(self.redirect_uri).update_query(error=self.login_error, state=asked.get("state", ""))
        return web.Response(status=302, headers={"Location": str(back)})


def jwk(key: Key, kid: str) -> dict[str, Any]:
    """The public half of a key as RFC 7517 writes it."""
    public = key.public_key().public_numbers()
    named = {"kid": kid, "use": "sig"}
    if isinstance(public, rsa.RSAPublicNumbers):
        return {**named, "kty": "RSA", "n": _base64url(public.n), "e": _base64url(public.e)}
    assert isinstance(public, ec.EllipticCurvePublicNumbers)  # noqa: S101  # there are no other keys
    return {**named, "kty": "EC", "crv": "P-256", "x": _base64url(public.x, 32), "y": _base64url(public.y, 32)}


def _base64url(number: int, length: int | None = None) -> str:
    octets = number.to_bytes(length or (number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
