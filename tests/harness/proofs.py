"""A device that proves that it has its key, as an app would: written from RFC 9449, not from the server's code."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

PATH = "/api/v1/auth/refresh"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """Give the public half as a JWK (RFC 7518, 6.2.1)."""
    numbers = key.public_key().public_numbers()
    x, y = (_base64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def proof(
    key: ec.EllipticCurvePrivateKey,
    token: str,
    *,
    typ: str | None = "dpop+jwt",
    header: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    """Sign a proof for a refresh with `token`; `changed`: other claims, `...` leaves one out."""
    claims = {
        "htm": "POST",
        "htu": f"https://sync.example{PATH}",
        "iat": int(time.time()),
        "jti": secrets.token_hex(8),
        "ath": _base64(hashlib.sha256(token.encode()).digest()),
    } | changed
    kept = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(kept, key, "ES256", {"typ": typ, **(header or {})})
