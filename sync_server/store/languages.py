"""The languages of people: in which they are told what became of their changes.

Owns: the one statement that reads them.
Must not know: what is said, or in which languages it can be.
Invariant: a user of another organisation has no language here (tests/integration/test_languages.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync_server.store.database import Connection


async def read_languages(connection: Connection, org_id: str, user_ids: Iterable[str]) -> Mapping[str, str]:
    """Give user -> language (ISO 639-1) of those who are there. Cost: one statement, none for none."""
    wanted = sorted(set(user_ids))
    if not wanted:
        return {}
    found = await connection.fetch(
        "SELECT id, language FROM users WHERE org_id = $1 AND id = ANY($2::text[])", org_id, wanted
    )
    return {row["id"]: row["language"] for row in found}
