"""What is past its last day.

Owns: finding it, locked until the transaction ends.
Must not know: what becomes of it.
Invariant: a record whose day was moved meanwhile is not given (tests/integration/test_expiring.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from erp_core.language import Entity
from sync_server.store.database import Connection


async def lock_past(
    connection: Connection, org_id: str, entity: Entity, field: str, states: Sequence[str], today: date, most: int
) -> Sequence[str]:
    """Lock records in one of `states` whose day `field` is before `today`, and give their ids, in order; at most `most`.

    What somebody else is at is left to the next time.
    """
    rows = await connection.fetch(
        f"SELECT id FROM {entity.table} WHERE org_id = $1 AND {field} < $2 AND state = ANY($3) ORDER BY id LIMIT $4"
        " FOR UPDATE SKIP LOCKED",
        *(org_id, today, list(states), most),
    )
    return [row["id"] for row in rows]


async def list_organisations(connection: Connection) -> Sequence[str]:
    """Name every organisation that has written anything; for the owner."""
    return [row["org_id"] for row in await connection.fetch("SELECT org_id FROM org_clock ORDER BY org_id")]
