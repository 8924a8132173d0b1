"""JSON Web Keys, as an identity provider publishes them (RFC 7517, 7518, 8037): which of them can be used."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from probes.protocols.signatures import MALFORMED

MAX_KEYS = 100
MAX_NUMBER_CHARACTERS = 2732
"""Of a number in base64url: 16,384 bits, as much as OpenSSL takes."""
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_CURVES: Mapping[str, type[ec.EllipticCurve]] = MappingProxyType(
    {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}
)
_OCTETS: Mapping[str, Callable[[bytes], object]] = MappingProxyType(
    {
        "Ed25519": ed25519.Ed25519PublicKey.from_public_bytes,
        "Ed448": ed448.Ed448PublicKey.from_public_bytes,
    }
)


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a body holds; raises ValueError with a text that repeats nothing of it."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # also what is no text, or nested too deep
        raise ValueError("the answer is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004  # data that is wrong, not a program
    return found


def usable_keys(key_set: Mapping[str, Any]) -> frozenset[str]:
    """Identities of the keys that signatures can be checked with; kinds of key that nobody knows are passed over.

    A key's identity is its `kid`, or a digest of its numbers where it has none. Raises ValueError, with a text that
    repeats nothing of what was read, where there is no such key or where one is damaged.
    """
    keys = key_set.get("keys")
    if not isinstance(keys, list) or not keys:
        raise ValueError("there are no keys")
    if len(keys) > MAX_KEYS:
        raise ValueError(f"there are more than {MAX_KEYS} keys")
    found = frozenset(identity for number, key in enumerate(keys) if (identity := _identity(key, number)))
    if not found:
        raise ValueError("none of the keys can be used")
    return found


def s256(verifier: str) -> str:
    """A code challenge (RFC 7636 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def _identity(key: object, number: int) -> str:
    """Of one usable key; empty for a kind that nobody knows. Raises ValueError."""
    if not isinstance(key, dict) or not isinstance(key.get("kty"), str):
        raise ValueError(f"key {number}: there is no `kty`")  # noqa: TRY004  # data that is wrong, not a program
    try:
        match key["kty"]:
            case "RSA":
                modulus, exponent = _number(key["n"]), _number(key["e"])
                rsa.RSAPublicNumbers(exponent, modulus).public_key()
                told = [key["n"], key["e"]]
            case "EC":
                curve = _CURVES.get(key["crv"])
                if curve is None:
                    return ""
                ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve()).public_key()
                told = [key["crv"], key["x"], key["y"]]
            case "OKP":
                load = _OCTETS.get(key["crv"])
                if load is None:
                    return ""
                load(_octets(key["x"]))
                told = [key["crv"], key["x"]]
            case _:  # RFC 7517 5: to be ignored; a symmetric key (`oct`) published is no key at all
                return ""
    except KeyError as error:
        raise ValueError(f"key {number}: there is no `{error.args[0]}`") from None
    except MALFORMED:
        raise ValueError(f"key {number}: it is damaged") from None
    kid = key.get("kid")
    return kid[:200] if isinstance(kid, str) and kid else hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _octets(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > MAX_NUMBER_CHARACTERS or not _BASE64URL.fullmatch(value):
        raise ValueError("no base64url")
    try:
        bare = value.rstrip("=")
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise ValueError("no base64url") from None


def _number(value: object) -> int:
    return int.from_bytes(_octets(value), "big")
