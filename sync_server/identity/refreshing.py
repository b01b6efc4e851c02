"""Refreshing: from a refresh token to the next pair of tokens, and what a token is worth when it comes again.

Owns: the rotation, the repair of a lost answer, and the verdict on reuse.
Must not know: HTTP. A refusal is None, for whatever reason.
Invariant: a token has one successor, ever. It is given again only for `REPAIR_SECONDS`, only while it is unused itself; any
other use of a token that was used before ends the session (tests/properties/test_refresh_families.py).

The reasons, and what a thief of a token or of the database can and cannot do: docs/decisions/0008-refresh-families.md.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto
from typing import Final

from sync_server.identity import happenings
from sync_server.identity.device_keys import is_proven
from sync_server.identity.opaque import OpaqueToken, new_salt
from sync_server.identity.sessions import WHOLE_LIFE, Grant, grant
from sync_server.identity.tokens import Tokens
from sync_server.store import refreshes, security, sessions
from sync_server.store.database import Connection, Database
from sync_server.store.refreshes import Family
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work

REPAIR_SECONDS: Final = 60
"""For which a token that was used gives the same successor again: the answer may have been lost on the way."""


class Worth(Enum):
    """What a token is worth that names a live session."""

    NOTHING = auto()
    """It was never given out: a guess, which must not end anybody's session."""
    NEXT = auto()
    AGAIN = auto()
    STOLEN = auto()
    """It was used before: two have it, and which of them is the thief cannot be told."""


def worth(family: Family, token: OpaqueToken) -> Worth:
    """Judge a token by what is known of its family."""
    if family.generation is None or not token.is_of(family.hash):
        return Worth.NOTHING
    if family.generation == family.newest and family.used_ago is None:
        return Worth.NEXT
    lost_just_now = family.used_ago is not None and family.used_ago <= timedelta(seconds=REPAIR_SECONDS)
    if lost_just_now and family.salt is not None and family.generation == family.newest - 1:
        return Worth.AGAIN
    return Worth.STOLEN


async def refresh(
    database: Database,
    tokens: Tokens,
    *,
    refresh_token: str,
    refresh_days: int,
    proof: str = "",
    method: str = "POST",
    path: str = "/api/v1/auth/refresh",
    address: str = "",
) -> Grant | None:
    """Exchange a refresh token for the next pair; it is used up. None: refused.

    `proof`: needed if the device registered a key (device_keys.py), over `method` and `path`. Raises `unit_of_work.Busy`.
    Cost: one transaction of three statements.
    """
    shown = OpaqueToken.read(refresh_token)
    if shown is None:
        return None
    said: list[Happening] = []

    async def work(connection: Connection) -> Grant | None:
        said.clear()
        family = await refreshes.lock_family(connection, shown.org_id, shown.id, shown.digest())
        if family is None:
            return None
        key, judged = family.public_key, worth(family, shown)
        proven = key is None or is_proven(key, proof, token=refresh_token, method=method, path=path)
        if judged is Worth.NOTHING or not proven:
            kind = happenings.PROOF_REFUSED if judged is not Worth.NOTHING else ""
            said.extend(await _written(connection, family, kind, address))
            return None
        if judged is Worth.STOLEN:
            await sessions.end_sessions(
                connection, shown.org_id, family.actor.user_id, ended_by="reuse", only=family.actor.session_id
            )
            said.extend(await _written(connection, family, happenings.REFRESH_REUSED, address))
            return None
        following = await _following(connection, family, shown, judged, refresh_days)
        return grant(tokens, family.actor, following)

    granted = await unit_of_work(database, shown.org_id, work)
    for happening in said:
        happenings.tell(happening)
    return granted


async def _following(
    connection: Connection, family: Family, shown: OpaqueToken, judged: Worth, refresh_days: int
) -> OpaqueToken:
    if judged is Worth.AGAIN:
        assert family.salt is not None
        return shown.successor(family.salt)
    salt = new_salt()
    following = shown.successor(salt)
    life = timedelta(days=refresh_days)
    await refreshes.rotate(
        connection, family, successor=following.digest(), salt=salt, life=life, whole_life=WHOLE_LIFE
    )
    return following


async def _written(connection: Connection, family: Family, kind: str, address: str) -> list[Happening]:
    if not kind:
        return []
    actor, detail = family.actor, f"generation {family.generation} of {family.newest}"
    happening = Happening(actor.org_id, kind, actor.user_id, actor.session_id, actor.device_id, address, detail)
    await security.write_down(connection, happening)
    return [happening]
