"""Access tokens: signed, short-lived statements of who asks.

Owns: their form, what is signed into an access token, and what is checked beside the signature.
Must not know: HTTP; `web/bearer.py` has aiohttp-jwt verify the signature, audience, issuer and times.
Invariant: a token is taken for nothing but what it was issued as, in exactly the characters in which it was issued
(tests/unit/test_tokens.py).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jwt
import orjson

from sync_server.identity.keyring import Keyring, SigningKey
from sync_server.store.actor import Actor

ALGORITHM: Final = "ES256"
ISSUER: Final = "cotton-sync"
AUDIENCE: Final = "cotton-sync-api"
HEADER_TYPE: Final = "at+jwt"
"""RFC 9068, 2.1: an access token says so in its header, so that no other JWT passes for one."""
ACCESS: Final = "access"

KEY_ID_LENGTH: Final = 43
"""Characters of a SHA-256 in base64url."""

TOKEN_MAX: Final = 2_000
"""Characters; ours have about 500."""

_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Tokens:
    """Issues access tokens with the newest key of a ring and knows what a token must look like."""

    def __init__(self, ring: Keyring, *, access_seconds: int) -> None:
        self.ring = ring
        self.access_seconds = access_seconds

    @classmethod
    def open(cls, path: Path, *, access_seconds: int) -> Tokens:
        """Open the ring (a folder) or the single key at `path`, making it on first use. Raises as `Keyring` does."""
        return cls(Keyring(path, token_seconds=access_seconds), access_seconds=access_seconds)

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
        signing = self.ring.signing()
        return jwt.encode(claims, signing.key, ALGORITHM, {"kid": signing.key_id, "typ": HEADER_TYPE})

    def key_of(self, token: str) -> SigningKey | None:
        """Give the key that `token` says it is signed with, if it has our form and exactly our header; else None.

        Nothing in it is believed yet. No other algorithm, key, `jku`, `jwk` or `x5u` can be in such a header, and no second
        spelling of the same bytes. A key id is only ever compared with those of the ring.
        """
        if len(token) > TOKEN_MAX or not _FORM.fullmatch(token):
            return None
        parts = [_canonical(part) for part in token.split(".")]
        if parts[0] is None or None in parts:
            return None
        try:
            header = orjson.loads(parts[0])
        except orjson.JSONDecodeError:
            return None
        key_id = header.get("kid") if isinstance(header, dict) else None
        if not isinstance(key_id, str) or header != {"alg": ALGORITHM, "kid": key_id, "typ": HEADER_TYPE}:
            return None
        return self._key(key_id)

    def is_accepted(self, key_id: str) -> bool:
        """Say whether tokens of this key are good now. Cost: 1 µs."""
        return key_id in self.ring.accepted()

    def _key(self, key_id: str) -> SigningKey | None:
        known = self.ring.accepted().get(key_id)
        if known is None and len(key_id) == KEY_ID_LENGTH:
            self.ring.look_again()  # it may be seconds old
            known = self.ring.accepted().get(key_id)
        return known

    def actor_of(self, claims: Mapping[str, Any]) -> Actor | None:
        """Give who the verified `claims` speak of; None if they are not an access token's, each of them and in its type."""
        names = (claims.get("org"), claims.get("sub"), claims.get("sid"), claims.get("jti"))
        times = (claims.get("iat"), claims.get("nbf"), claims.get("exp"))
        if claims.get("typ") != ACCESS or not all(isinstance(name, str) and _ID.fullmatch(name) for name in names):
            return None
        if not all(type(moment) is int for moment in times) or claims["exp"] <= time.time():
            return None
        return Actor(claims["org"], claims["sub"], claims["sid"])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _canonical(part: str) -> bytes | None:
    """Decode base64url if it is the one spelling of its bytes: the last character has bits that decoders ignore."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return data if _base64(data) == part else None
