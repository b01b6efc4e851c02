"""Persons: what must be asked before somebody makes or changes one, beside the rules of every record.

Owns: who reaches whom, and that a login name is one person's.
Must not know: HTTP, how a change is applied.
Invariant: nobody changes how somebody who may do more logs in; a login name is one person's over all organisations
(tests/integration/test_people_command.py, tests/integration/test_records.py).
"""

from __future__ import annotations

from typing import Final

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import reaches
from sync_server.engine.standing import Standings
from sync_server.store import lists
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock
from sync_server.store.database import Connection

OUT_OF_REACH: Final = Violation("out_of_reach", "This person may do more than you; ask somebody who may do as much.")


async def is_reached(
    connection: Connection, standings: Standings, actor: Actor, mutation: Mutation, entitled: Entitlements, clock: Clock
) -> bool:
    """Say whether the author may change this person: whoever could move one who may do more to another phone could log in
    as that person."""
    if BY_TABLE[mutation.table].name != "user" or mutation.operation is not Operation.UPDATED:
        return True
    person = Actor(actor.org_id, mutation.id, "")
    return reaches(entitled, (await standings.read(connection, person, clock.rights)).entitled)


async def forbidden_person(
    connection: Connection,
    standings: Standings,
    actor: Actor,
    mutation: Mutation,
    entitled: Entitlements,
    clock: Clock,
) -> Violation | None:
    """Say why the author may not make or change a person so, as far as it is to be known before it is applied."""
    if not await is_reached(connection, standings, actor, mutation, entitled, clock):
        return OUT_OF_REACH
    return await taken_login_name(connection, actor, mutation)


async def taken_login_name(connection: Connection, actor: Actor, mutation: Mutation) -> Violation | None:
    """Refuse a login name that somebody has: it is one person's over all organisations."""
    name = mutation.values.get("username")
    if BY_TABLE[mutation.table].name != "user" or mutation.operation is Operation.DELETED or not name:
        return None
    holder = await lists.login_holder(connection, str(name))
    if holder is None or holder == (actor.org_id, mutation.id):
        return None
    return Violation("duplicate", "This login name is taken; choose another.", ("username",))
