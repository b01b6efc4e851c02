"""Device keys: what a device signs with, and the proof that it still has it.

Owns: the form of a key and of a proof.
Must not know: HTTP beyond the method and path that a proof names.
Invariant: a proof is good for one refresh token, at one address, of the device whose key is registered; a token without it
is worth nothing (tests/unit/test_device_keys.py).

A proof is a JWT as in RFC 9449 (DPoP), in the header of that name: typ `dpop+jwt`, ES256, `htm`, `htu`, `iat`, `jti`, and
`ath`, the base64url SHA-256 of the refresh token. The key is the registered one, whatever a `jwk` in the header says.
What makes a proof single-use is the token: it is used up by the same request. So no `jti` is remembered, and `iat` may be
off by a day: phones have wrong clocks, and a proof made ahead needs a token that did not exist yet.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

ALGORITHM: Final = "ES256"
PROOF_TYPE: Final = "dpop+jwt"
PROOF_MAX: Final = 4_000
"""Characters; one has about 500."""

CLOCK_SECONDS: Final = 86_400
"""How wrong a phone's clock may be."""


class BadDeviceKey(ValueError):
    """A device's key is not a public P-256 key, as PEM or JWK."""


def read_public_key(given: str | Mapping[str, Any]) -> str:
    """Read a P-256 public key, PEM or JWK, and give it as PEM. Raises `BadDeviceKey`. Cost: 0.1 ms."""
    try:
        key: Any = load_pem_public_key(given.encode()) if isinstance(given, str) else _of_jwk(given)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise BadDeviceKey("neither a public key in PEM nor a JWK") from fault
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadDeviceKey("not a key of the curve P-256")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _of_jwk(given: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    if given.get("kty") != "EC" or given.get("crv") != "P-256" or "d" in given:
        raise ValueError("not a public P-256 key")
    x, y = (int.from_bytes(_decoded(given.get(name)), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def _decoded(part: Any) -> bytes:
    if not isinstance(part, str) or len(part) != 43:
        raise ValueError("a coordinate is 32 bytes in base64url")
    return base64.urlsafe_b64decode(part + "=")


def token_hash(token: str) -> str:
    """Make the `ath` of a refresh token.

    >>> token_hash("abc")
    'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0'
    """
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def is_proven(public_key: str, proof: str, *, token: str, method: str, path: str) -> bool:
    """Say whether `proof` shows that its sender has the private key of `public_key`, for this token and request.

    Of `htu` only the path is compared: behind a proxy we do not know the address that the phone sees. Cost: 0.1 ms.
    """
    if not 0 < len(proof) <= PROOF_MAX:
        return False
    try:
        header = jwt.get_unverified_header(proof)
        claims = jwt.decode(
            proof,
            public_key,
            [ALGORITHM],
            options={"require": ["iat", "jti", "htm", "htu", "ath"], "verify_iat": False, "verify_aud": False},
        )
    except jwt.PyJWTError:
        return False
    named = (header.get("typ"), claims["htm"], claims["ath"])
    return (
        named == (PROOF_TYPE, method, token_hash(token))
        and isinstance(claims["htu"], str)
        and urlsplit(claims["htu"]).path == path
        and type(claims["iat"]) in (int, float)
        and abs(claims["iat"] - time.time()) <= CLOCK_SECONDS
    )
