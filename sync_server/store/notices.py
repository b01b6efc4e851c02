"""What people are to be told: how far the log was followed for it, who there is, and which lorries are late.

Owns: the statements.
Must not know: what is told, to whom.
Invariant: the cursor moves in the transaction that writes what is behind it, while its row is locked
(tests/integration/test_notices.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from sync_server.store.database import Connection
from sync_server.store.following import Follower

FOLLOWER: Final = Follower("notice_cursor")


async def list_people(connection: Connection, org_id: str) -> Sequence[str]:
    """Name everybody who was given anything and is not disabled."""
    rows = await connection.fetch(
        "SELECT DISTINCT u.id FROM users u JOIN grants g ON g.org_id = u.org_id AND g.user_id = u.id"
        " WHERE u.org_id = $1 AND u.is_active ORDER BY u.id",
        org_id,
    )
    return [row["id"] for row in rows]


async def late_lorries(connection: Connection, org_id: str, today: date, most: int) -> Sequence[str]:
    """Name lorries that are under way though the last day of delivery of their trade is past."""
    rows = await connection.fetch(
        "SELECT d.id FROM dispatches d JOIN trades t ON t.org_id = d.org_id AND t.id = d.trade_id"
        " WHERE d.org_id = $1 AND d.state = 'in_transit' AND t.deliver_until < $2"
        " AND NOT EXISTS (SELECT FROM notifications n WHERE n.org_id = d.org_id AND n.record_id = d.id"
        " AND n.table_name = 'dispatches' AND n.kind = 'dispatch.late') ORDER BY d.id LIMIT $3",
        *(org_id, today, most),
    )
    return [row["id"] for row in rows]
