"""A signing key on disk: one P-256 key in a file.

Owns: the file, its permissions, and who wins when several workers start at once.
Must not know: what is signed, and that there are several (keyring.py).
Invariant: every process that makes one path gets the same key, and nobody but the owner can ever read it
(tests/unit/test_keyring.py).
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class UnusableKey(Exception):
    """The key file holds something else than an unencrypted P-256 private key in PEM; the text says which file."""


def open_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the key at `path`. Raises `UnusableKey`, or OSError if it cannot be read. Cost: 0.2 ms."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as fault:
        raise UnusableKey(f"{path} is not an unencrypted private key in PEM") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UnusableKey(f"{path} is a private key, but not one of the curve P-256 that ES256 needs")
    return key


def make_key(path: Path) -> None:
    """Make a new key at `path`; if another process was first, its key stands."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_once(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def write_once(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, and link it to `path` whole; if another process was first, its file stands."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """Make the RFC 7638 thumbprint of a P-256 key, in base64url."""
    numbers = key.public_numbers()
    x, y = (_base64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return _base64(hashlib.sha256(orjson.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y})).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
