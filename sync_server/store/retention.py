"""Retention: what is let go of because it served its purpose, beside what upkeep purges.

Owns: these statements; all are the owner's.
Must not know: for how long anything is kept.
Invariant: that something happened stays, whence and with what goes (tests/integration/test_retention.py).
"""

from __future__ import annotations

from datetime import datetime

from sync_server.store.database import Connection


async def forget_whence(connection: Connection, before: datetime) -> int:
    """Forget whence people came to the doors before a moment; give of how many events. Cost: one statement."""
    status = await connection.execute(
        "UPDATE security_event SET address = '', detail = '' WHERE at < $1 AND (address <> '' OR detail <> '')", before
    )
    return int(status.rpartition(" ")[2])


async def forget_impounded(connection: Connection, before: datetime) -> int:
    """Forget what was in pushes of wiped devices that were decided about before a moment; give of how many."""
    status = await connection.execute("UPDATE impounded SET body = '' WHERE decided_at < $1 AND body <> ''", before)
    return int(status.rpartition(" ")[2])
