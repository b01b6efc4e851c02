"""The server's secret: 32 random bytes in a file, outside the database, and the keys that are derived from it.

Owns: the file, and one key for each purpose.
Must not know: what is done with a key.
Invariant: every process over one file has the same keys, and nothing in the database is enough to make one
(tests/unit/test_secret_key.py).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync_server.identity.keyfile import UnusableKey, write_once

BYTES: Final = 32
NONCE_BYTES: Final = 12
"""What AES-GCM wants; random ones may meet after some 2^32 encryptions, far more than there will ever be users."""


class SecretKey:
    """The secret of a server, or of all servers over one database."""

    def __init__(self, secret: bytes) -> None:
        self._digests = _derive(secret, "one-time codes")
        self._box = AESGCM(_derive(secret, "authenticators"))

    @classmethod
    def open(cls, path: Path) -> SecretKey:
        """Open the secret at `path`, making it on first use. Raises `keyfile.UnusableKey`, or OSError. Blocks for 1 ms."""
        if not path.exists():
            write_once(path, secrets.token_bytes(BYTES))
        secret = path.read_bytes()
        if len(secret) != BYTES:
            raise UnusableKey(f"{path} does not hold {BYTES} bytes")
        return cls(secret)

    def digest(self, *parts: str) -> bytes:
        """Make the HMAC-SHA256 of some texts, kept apart from each other. Cost: 2 µs."""
        return hmac.digest(self._digests, "\0".join(parts).encode(), hashlib.sha256)

    def seal(self, secret: bytes, whose: str) -> bytes:
        """Encrypt a secret so that it opens only as `whose`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._box.encrypt(nonce, secret, whose.encode())

    def unseal(self, sealed: bytes, whose: str) -> bytes | None:
        """Decrypt what `seal` made; None if it is of another key, or another's."""
        try:
            return self._box.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], whose.encode())
        except InvalidTag:
            return None


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"cotton-sync {purpose}".encode()).derive(secret)
