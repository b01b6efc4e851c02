"""Commands: a step of the trade by its name, worked out from the record as it is and written by the one write path.

Owns: holding the record while the step is worked out.
Must not know: what a command writes (erp_core/commands.py), HTTP.
Invariant: what is counted up is counted from what nobody can change meanwhile; a record that its author cannot see is not
there (tests/integration/test_commands.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from conflict.mutation import Mutation, Operation
from erp_core.commands import Command
from erp_core.values import Row, Value
from sync_server.engine.gate import require
from sync_server.engine.holding import lock
from sync_server.engine.office import NotThere, Refused, Written, not_processable, write_in
from sync_server.engine.quarantine import POISON
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.idempotency import Once, once_only
from sync_server.store.unit_of_work import unit_of_work


async def command(
    database: Database,
    standings: Standings,
    actor: Actor,
    id: str,
    asked: Command,
    given: Mapping[str, Value],
    base: int | None = None,
    *,
    once: Once[Written] | None = None,
) -> Written:
    """Do a command with the record `id`; `given`: its parameters and fields, as read. `base`, `once`: as for `office.write`.

    Raises what `office.write` does: `Refused` with `wrong_state` if the record is in a state in which it cannot be done.
    Cost: as `office.write`, and two statements.
    """
    key = (asked.entity.table, id)

    async def work(connection: Connection) -> Written:
        row = await _held(connection, standings, actor, id, asked)
        reasons = list(asked.speaks_against(row))
        if reasons:
            raise Refused(reasons)
        fields = asked.entity.by_name
        values = {
            name: None if value is None else fields[name].type.plain(value)
            for name, value in asked.writes(row, given).items()
            if value != row[name]
        }
        mutation = Mutation(*key, Operation.UPDATED, values)
        return await write_in(connection, standings, actor, mutation, base, merges=False)

    try:
        return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))
    except POISON as failure:
        raise not_processable(failure, key) from None


async def _held(connection: Connection, standings: Standings, actor: Actor, id: str, asked: Command) -> Row:
    """Lock the record and read it."""
    entitled = await entitled_now(connection, standings, actor)
    require(entitled, *asked.entity.access.update)
    key = (asked.entity.table, id)
    await lock(connection, actor.org_id, [key])
    state = (await log.read_states(connection, actor.org_id, [key])).get(key)
    if state is None or state.row is None or not entitled.mask(asked.entity, state.scopes):
        raise NotThere
    return state.row
