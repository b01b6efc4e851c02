"""Expiring: what is past its last day is brought to its end, as the server's own doing, by the one write path.

Owns: going through one organisation, some records at a time.
Must not know: what ends when (erp_core/expiry.py), when this runs, SQL.
Invariant: done twice it changes nothing more; a record that the rules keep as it is stays, and holds up no other
(tests/integration/test_expiring.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import structlog

from conflict.mutation import Mutation, Operation
from erp_core.access import CODES
from erp_core.commands import Command
from erp_core.expiry import EXPIRE, LAST_DAY
from erp_core.india import day_of
from erp_core.scopes import ANY_BRANCH, ORG
from sync_server.engine.apply import apply
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.office import NEWER_THAN_ALL
from sync_server.engine.submission import Channel, Submission
from sync_server.store import expiring as store
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import SERVER, unit_of_work

TOGETHER_MAX: Final = 200
"""Records in one unit of work: the organisation's clock is held for as long as they take."""

ROUNDS_MAX: Final = 500
"""Units of one table in one go; the next job goes on."""

EVERYTHING: Final = Entitlements({ORG: CODES, ANY_BRANCH: CODES})
"""What the server may do of its own accord; the rules count for it as for anybody."""

log = structlog.get_logger(__name__)


async def expire(database: Database, org_id: str, today: date | None = None) -> int:
    """Bring to its end what is past its last day; give how many records. Raises `unit_of_work.Busy`.

    Cost: as `apply`, for every `TOGETHER_MAX` records of a table.
    """
    return sum([await _expire(database, org_id, EXPIRE[name], today or day_of(datetime.now(UTC))) for name in LAST_DAY])


async def _expire(database: Database, org_id: str, command: Command, today: date) -> int:
    done = 0
    for _ in range(ROUNDS_MAX):
        tried, ended = await _some(database, org_id, command, today)
        done += ended
        if tried < TOGETHER_MAX or not ended:
            break
    return done


async def _some(database: Database, org_id: str, command: Command, today: date) -> tuple[int, int]:
    """End some records of a table: (how many were past their day, how many of them the rules let end)."""
    entity, field = command.entity, LAST_DAY[command.entity.name]

    async def work(connection: Connection) -> tuple[int, int]:
        rights = (await read_clock(connection, org_id)).rights
        ids = await store.lock_past(connection, org_id, entity, field, command.starts, today, TOGETHER_MAX)
        if not ids:
            return 0, 0
        ends = [Mutation(entity.table, id, Operation.UPDATED, {command.machine: command.to}) for id in ids]
        actor = Actor(org_id, SERVER, "")
        one = Submission(actor, NEWER_THAN_ALL, b"", ends, entitled=EVERYTHING, channel=Channel.OFFICE)
        (drafts,) = await apply(connection, org_id, [one], rights=rights)
        for draft in drafts:
            if draft.waits:
                log.warning("not_expired", table=entity.table, id=draft.mutation.id, code=draft.faults[0].code)
        return len(ids), sum(not draft.waits for draft in drafts)

    return await unit_of_work(database, org_id, work)
