"""Consents: what people agreed to and took back.

Owns: the statements on `consent`.
Must not know: what is asked, what follows.
Invariant: what somebody said is never changed, only followed by what they say next (tests/integration/test_consents.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of a purpose, in the words of a version."""

    purpose: str
    given: bool
    version: int
    at: datetime


async def say(connection: Connection, org_id: str, user_id: str, purpose: str, *, given: bool, version: int) -> None:
    """Write down what somebody says now. Cost: one statement."""
    await connection.execute(
        "INSERT INTO consent (org_id, user_id, purpose, given, version) VALUES ($1, $2, $3, $4, $5)",
        *(org_id, user_id, purpose, given, version),
    )


async def read_said(connection: Connection, org_id: str, user_id: str) -> Sequence[Said]:
    """Give all that somebody said, newest first. Cost: one statement."""
    rows = await connection.fetch(
        "SELECT purpose, given, version, at FROM consent WHERE org_id = $1 AND user_id = $2 ORDER BY id DESC",
        *(org_id, user_id),
    )
    return [Said(*row) for row in rows]


async def read_objecting(connection: Connection, org_id: str, users: Collection[str], purpose: str) -> Collection[str]:
    """Name those users who said last that they do not agree to a purpose. Cost: one statement, none for nobody."""
    if not users:
        return ()
    rows = await connection.fetch(
        "SELECT user_id FROM (SELECT DISTINCT ON (user_id) user_id, given FROM consent"
        " WHERE org_id = $1 AND user_id = ANY($2) AND purpose = $3 ORDER BY user_id, id DESC) newest WHERE NOT given",
        *(org_id, list(users), purpose),
    )
    return {row["user_id"] for row in rows}
