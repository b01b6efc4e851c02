"""Upkeep: what the machinery keeps, it also lets go: old tombstones, corrections and receipts.

Owns: the purge and the floor it leaves.
Must not know: when it runs.
Invariant: the floor is raised in the transaction that purges, so a cursor at or above the floor still hears of every
deletion, and one below it is told to replace everything (tests/integration/test_upkeep.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_server.store.database import Connection

ONE_KEEPER = 0x6B656570
"""Key of the advisory lock under which one process at a time does the upkeep ("keep" in ASCII)."""


async def claim_upkeep(connection: Connection) -> bool:
    """Try to become the one that does the upkeep, until the transaction ends."""
    claimed: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", ONE_KEEPER)
    return claimed


async def organisations_of_old(connection: Connection, days: int) -> Sequence[str]:
    """Name the organisations that have tombstones or corrections from before `days` ago, and so something to purge."""
    rows = await connection.fetch(
        """
        SELECT k.org_id FROM org_clock k
        WHERE EXISTS (
          SELECT FROM event e
          WHERE e.org_id = k.org_id AND e.position > k.floor AND e.op = 'd' AND e.at < now() - make_interval(days => $1)
        )
        ORDER BY k.org_id
        """,
        days,
    )
    return [row["org_id"] for row in rows]


async def purge(connection: Connection, org_id: str, days: int) -> int:
    """Purge the tombstones and corrections of `org_id` from before `days` ago; give the new floor. In a transaction.

    The clock's row is locked first: a push meanwhile waits, so that no tombstone is laid below a floor just raised.
    """
    floor: int = await connection.fetchval(
        """
        UPDATE org_clock k SET floor = greatest(k.floor, coalesce((
          SELECT max(e.position) FROM event e WHERE e.org_id = k.org_id AND e.at < now() - make_interval(days => $2)
        ), 0))
        WHERE k.org_id = $1 RETURNING k.floor
        """,
        org_id,
        days,
    )
    await connection.execute(
        "DELETE FROM feed WHERE org_id = $1 AND payload IS NULL AND position > 0 AND position <= $2", org_id, floor
    )
    await connection.execute("DELETE FROM correction WHERE org_id = $1 AND position <= $2", org_id, floor)
    for table in ("label", "hold", "assignment"):  # what ended by then no cursor asks for any more
        await connection.execute(f"DELETE FROM {table} WHERE org_id = $1 AND until <= $2", org_id, floor)
    return floor


async def forget_receipts(connection: Connection, days: int) -> None:
    """Forget the answers of pushes from before `days` ago: nobody repeats a request that long."""
    await connection.execute("DELETE FROM push_receipt WHERE at < now() - make_interval(days => $1)", days)
