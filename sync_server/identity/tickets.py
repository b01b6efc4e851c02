"""Tickets: what a browser opens a live connection with, which can send no header with it.

Owns: their form, their life, and that each is used once.
Must not know: HTTP, sockets.
Invariant: a ticket opens one connection, within `LIFE_SECONDS`, for the session that asked for it, and nothing else
(tests/integration/test_live_entry.py).

A ticket may stand in a URL, and so in somebody's log: by the time that anybody reads it there, it is used up. It is signed as
tokens are, by the same ring, under another type and audience; so every process knows it without having seen it. That it was
used is written down where a push is, in `push_receipt`, whose rows are claims that can be made once.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any, Final

import jwt

from sync_server.identity.keyring import Keyring
from sync_server.identity.tokens import ALGORITHM, ISSUER, KEY_ID_LENGTH, TOKEN_MAX
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.receipts import claim_receipts
from sync_server.store.unit_of_work import unit_of_work

LIFE_SECONDS: Final = 30
AUDIENCE: Final = "cotton-sync-live"
HEADER_TYPE: Final = "live-ticket+jwt"
_CLAIMS: Final = ["exp", "iat", "aud", "iss", "sub", "org", "sid", "jti", "until"]


class Tickets:
    """Issues tickets and takes them back."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def issue(self, actor: Actor, until: int) -> str:
        """Sign a ticket for whoever holds a token that lives until `until` (Unix seconds), as what it opens may. 60 µs."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": actor.user_id, "org": actor.org_id, "sid": actor.session_id}
        times = {"iat": now, "exp": min(now + LIFE_SECONDS, until), "until": until, "jti": secrets.token_hex(16)}
        signing = self._ring.signing()
        return jwt.encode({**claims, **times}, signing.key, ALGORITHM, {"kid": signing.key_id, "typ": HEADER_TYPE})

    async def redeem(self, database: Database, ticket: str) -> tuple[Actor, str, int] | None:
        """Use a ticket up: who asked for it, the key that vouches for it, until when; None: it is none, too old, or used.

        Cost: 100 µs and, if it is one, a small transaction.
        """
        read = self._read(ticket)
        if read is None:
            return None
        claims, key_id = read
        actor = Actor(claims["org"], claims["sub"], claims["sid"])
        receipt = (actor.user_id, hashlib.sha256(f"ticket {claims['jti']}".encode()).digest())

        async def claim(connection: Any) -> bool:
            return not (await claim_receipts(connection, actor.org_id, [receipt])).earlier

        fresh = await unit_of_work(database, actor.org_id, claim)
        return (actor, key_id, claims["until"]) if fresh else None

    def _read(self, ticket: str) -> tuple[dict[str, Any], str] | None:
        if len(ticket) > TOKEN_MAX or not ticket.isascii():
            return None
        try:
            header = jwt.get_unverified_header(ticket)
            key_id = header.get("kid", "")
            key = self._ring.accepted().get(key_id) if len(key_id) == KEY_ID_LENGTH else None
            if key is None or header != {"alg": ALGORITHM, "kid": key_id, "typ": HEADER_TYPE}:
                return None
            options: Any = {"require": _CLAIMS}
            claims = jwt.decode(ticket, key.public_pem, [ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=options)
        except jwt.PyJWTError:
            return None
        return claims, key_id
