"""Settling: where a trade stands by its papers, for whoever may see all of them.

Owns: who may ask, and reading the papers in one snapshot.
Must not know: what they come to (erp_core/billing.py), HTTP, JSON, SQL.
Invariant: what is told follows from the records as they are at one position (tests/integration/test_making.py).
"""

from __future__ import annotations

from erp_core.billing import Settlement, settlement_of
from erp_core.catalogue import BY_NAME
from erp_core.makers import PAPERS
from sync_server.engine.gate import require
from sync_server.engine.papers import gather
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.database import Database


async def read_settlement(database: Database, standings: Standings, actor: Actor, trade_id: str) -> Settlement | None:
    """Settle a trade as it is now; None: it is not there, or the asker does not see its desk. Raises `gate.NotEntitled`.

    Cost: one snapshot of some thirty statements, whatever the number of lorries.
    """
    trade = BY_NAME["trade"]
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, "desk.read")
        papers, row = await gather(connection, actor.org_id, entitled, trade, trade_id, PAPERS)
        if row is None:
            return None
        key = (trade.table, trade_id)
        scopes = (await log.read_states(connection, actor.org_id, [key]))[key].scopes
    return settlement_of(row, papers) if "desk.read" in entitled.codes(scopes) else None
