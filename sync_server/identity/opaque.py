"""Opaque secrets: refresh tokens, resets, and what a device keeps to be known again.

Owns: their form `org.id.secret` (log.py knows it by this form and keeps it out of the logs), and how a refresh token's
successor is made.
Must not know: what they open; each kind is looked up in a table of its own, so none passes for another.
Invariant: what the database keeps of a secret cannot be turned back into it, nor into its successor
(tests/unit/test_opaque.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FORM: Final = re.compile(r"([A-Za-z0-9_.-]{1,64})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")

SALT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class OpaqueToken:
    """A secret of 256 bits and where to look it up: an organisation and 128 bits in hexadecimal."""

    org_id: str
    id: str
    secret: str

    @classmethod
    def make(cls, org_id: str, id: str) -> OpaqueToken:
        """Make a new secret for `id`."""
        return cls(org_id, id, secrets.token_urlsafe(32))

    @classmethod
    def read(cls, text: str) -> OpaqueToken | None:
        """Take a token apart; None if it does not have the form. An organisation's id may contain dots."""
        found = _FORM.fullmatch(text)
        return None if found is None else cls(*found.groups())

    def __str__(self) -> str:
        return f"{self.org_id}.{self.id}.{self.secret}"

    def digest(self) -> bytes:
        """Make what the database keeps: SHA-256, as 256 random bits need no slow hash."""
        return hashlib.sha256(self.secret.encode()).digest()

    def is_of(self, digest: bytes | None) -> bool:
        """Say, in constant time, whether `digest` is of this secret."""
        return hmac.compare_digest(digest or b"", self.digest())

    def successor(self, salt: bytes) -> OpaqueToken:
        """Make the refresh token that follows this one: of its secret and `salt`, so that it takes both to have it."""
        derivation = HKDF(SHA256(), length=32, salt=salt, info=f"cotton-sync refresh {self.org_id}.{self.id}".encode())
        made = derivation.derive(self.secret.encode())
        return OpaqueToken(self.org_id, self.id, base64.urlsafe_b64encode(made).rstrip(b"=").decode())


def new_salt() -> bytes:
    """Make the salt of one rotation."""
    return secrets.token_bytes(SALT_BYTES)
