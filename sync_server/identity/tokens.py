"""Access tokens: signed, short-lived statements of who asks; and refresh tokens: long-lived secrets.

Owns: their form, what is signed into an access token, and what is checked beside the signature.
Must not know: HTTP; `web/bearer.py` has aiohttp-jwt verify the signature, audience, issuer and times.
Invariant: a token is taken for nothing but what it was issued as, in exactly the characters in which it was issued
(tests/unit/test_tokens.py).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sync_server.identity.keyfile import open_key
from sync_server.store.actor import Actor

ALGORITHM: Final = "ES256"
ISSUER: Final = "cotton-sync"
AUDIENCE: Final = "cotton-sync-api"
HEADER_TYPE: Final = "at+jwt"
"""RFC 9068, 2.1: an access token says so in its header, so that no other JWT passes for one."""
ACCESS: Final = "access"

TOKEN_MAX: Final = 2_000
"""Characters; ours have about 500."""

_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REFRESH_FORM: Final = re.compile(r"([A-Za-z0-9_.-]{1,64})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Tokens:
    """Issues access tokens with one key and knows which claims a token must have."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, *, access_seconds: int) -> None:
        self._key = key
        self.access_seconds = access_seconds
        self.public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.key_id = thumbprint(key.public_key())

    @classmethod
    def open(cls, key_file: Path, *, access_seconds: int) -> Tokens:
        """Open the key at `key_file`, making it on first use. Raises as `open_key` does."""
        return cls(open_key(key_file), access_seconds=access_seconds)

    def issue(self, actor: Actor) -> str:
        """Sign an access token for `actor`. Cost: about 60 µs."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": actor.user_id,
            "org": actor.org_id,
            "sid": actor.session_id,
            "jti": secrets.token_hex(16),
            "typ": ACCESS,
            "iat": now,
            "nbf": now,
            "exp": now + self.access_seconds,
        }
        return jwt.encode(claims, self._key, ALGORITHM, {"kid": self.key_id, "typ": HEADER_TYPE})

    def is_ours(self, token: str) -> bool:
        """Say whether `token` has our form and exactly our header, before anything in it is believed.

        No other algorithm, key, `jku`, `jwk` or `x5u` can be in such a header, and no second spelling of the same bytes.
        """
        if len(token) > TOKEN_MAX or not _FORM.fullmatch(token):
            return False
        parts = [_canonical(part) for part in token.split(".")]
        if parts[0] is None or None in parts:
            return False
        try:
            header = orjson.loads(parts[0])
        except orjson.JSONDecodeError:
            return False
        return bool(header == {"alg": ALGORITHM, "kid": self.key_id, "typ": HEADER_TYPE})

    def actor_of(self, claims: Mapping[str, Any]) -> Actor | None:
        """Give who the verified `claims` speak of; None if they are not an access token's, each of them and in its type."""
        names = (claims.get("org"), claims.get("sub"), claims.get("sid"), claims.get("jti"))
        times = (claims.get("iat"), claims.get("nbf"), claims.get("exp"))
        if claims.get("typ") != ACCESS or not all(isinstance(name, str) and _ID.fullmatch(name) for name in names):
            return None
        if not all(type(moment) is int for moment in times) or claims["exp"] <= time.time():
            return None
        return Actor(claims["org"], claims["sub"], claims["sid"])


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """Make the RFC 7638 thumbprint of a P-256 key, in base64url."""
    numbers = key.public_numbers()
    x, y = (_base64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return _base64(hashlib.sha256(orjson.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y})).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _canonical(part: str) -> bytes | None:
    """Decode base64url if it is the one spelling of its bytes: the last character has bits that decoders ignore."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return data if _base64(data) == part else None


# --- Refresh tokens ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a client keeps to get new access tokens: `org.session.secret`, the secret of 256 random bits."""

    org_id: str
    session_id: str
    secret: str

    @classmethod
    def make(cls, org_id: str, session_id: str) -> RefreshToken:
        return cls(org_id, session_id, secrets.token_urlsafe(32))

    @classmethod
    def read(cls, text: str) -> RefreshToken | None:
        """Take a refresh token apart; None if it does not have the form. An organisation's id may contain dots."""
        found = _REFRESH_FORM.fullmatch(text)
        return None if found is None else cls(*found.groups())

    def __str__(self) -> str:
        return f"{self.org_id}.{self.session_id}.{self.secret}"

    def digest(self) -> bytes:
        """Make what the database keeps: SHA-256, as 256 random bits need no slow hash."""
        return hashlib.sha256(self.secret.encode()).digest()
