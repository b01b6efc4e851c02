"""The key that signs published heads: an Ed25519 key in a file beside the other secrets.

Owns: the file, signing, and whether a signature is the key's.
Must not know: what is signed.
Invariant: every process over one file signs with one key; only the public key is ever printed (tests/unit/test_audit_key.py).
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sync_server.identity.keyfile import UnusableKey, write_once


class PublicKey:
    """What tells whether a signature is the key's."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """Read a public key in PEM. Raises `keyfile.UnusableKey`, or OSError."""
        try:
            key = load_pem_public_key(path.read_bytes())
        except (ValueError, TypeError) as fault:
            raise UnusableKey(f"{path} is not a public key in PEM") from fault
        if not isinstance(key, Ed25519PublicKey):
            raise UnusableKey(f"{path} is a public key, but not one of Ed25519; `cotton-sync audit key` prints it")
        return cls(key)

    @property
    def pem(self) -> str:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Say whether the key signed this message. Cost: 0.1 ms."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class AuditKey:
    """The key as who publishes has it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path) -> AuditKey:
        """Open the key at `path`, making it on first use. Raises `keyfile.UnusableKey`, or OSError. Blocks for 1 ms."""
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            write_once(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as fault:
            raise UnusableKey(f"{path} is not an unencrypted private key in PEM") from fault
        if not isinstance(key, Ed25519PrivateKey):
            raise UnusableKey(f"{path} is a private key, but not one of Ed25519")
        return cls(key)

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Sign a message. Cost: 0.05 ms."""
        return self._key.sign(message)
