"""Secrets of webhooks, and signatures by them as Standard Webhooks has them: https://www.standardwebhooks.com, version 1.

Owns: how a secret is made, how it is kept, and what is signed.
Must not know: HTTP, what a message says.
Invariant: a message carries a signature by each live secret, so a receiver that knows either can verify it; what the database
keeps of a secret opens only with the server's key and only for its webhook (tests/unit/test_webhook_secrets.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sync_server.identity.secret_key import SecretKey
from sync_server.store.webhooks import Webhook

BYTES: Final = 32
"""The specification asks for 24 to 64."""

PREFIX: Final = "whsec_"

OVERLAP: Final = timedelta(hours=24)
"""How long the secret before still signs after a rotation: a working day in which to tell every receiver."""


def make_secret() -> str:
    """Make a secret, as a receiver writes it down.

    >>> make_secret().startswith("whsec_"), len(make_secret())
    (True, 50)
    """
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def seal(key: SecretKey, org_id: str, webhook_id: str, secret: str) -> bytes:
    """Encrypt a secret for the database."""
    return key.seal(secret.encode(), _whose(org_id, webhook_id))


def live_secrets(key: SecretKey, webhook: Webhook, now: datetime) -> Sequence[str]:
    """Give the secrets that sign now, the newest first; none: they were sealed with another key than this server has."""
    sealed = [webhook.secret]
    until = webhook.secret_before_until
    if webhook.secret_before is not None and until is not None and now < until:
        sealed.append(webhook.secret_before)
    opened = (key.unseal(one, _whose(webhook.org_id, webhook.id)) for one in sealed)
    return [one.decode() for one in opened if one is not None]


def sign(secrets_: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message with each secret: `v1,…` apart by blanks. `timestamp`: Unix seconds, as in the header."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    keys = (base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets_)
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def _whose(org_id: str, webhook_id: str) -> str:
    """Name the owner of a sealed secret; an authenticator's has two parts (identity/totp.py)."""
    return f"webhook/{org_id}/{webhook_id}"
