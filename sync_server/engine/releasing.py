"""Releasing: what becomes of the pushes that a wiped device left behind, once somebody has looked at them.

Owns: the decision about an impounded push, and its way into the one write path.
Must not know: HTTP, JSON.
Invariant: each push is decided about once; a released one is applied in the transaction of the decision, as its author, at the
cursor up to which the device had been told and with what the author may do now (tests/integration/test_wipe.py).

There is no phone any more that could resolve a clash: the merge policies decide, and what cannot be taken becomes an issue of
its author.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from conflict.mutation import Mutation
from sync_server.engine.cursor import FromTheFuture
from sync_server.engine.devices import CursorOfAnother
from sync_server.engine.push import push_alone
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Submission
from sync_server.store import impounded, registry, security
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.impounded import Whole
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work

PUSH_RELEASED: Final = "push_released"
PUSH_DISCARDED: Final = "push_discarded"


class NotThere(Exception):
    """The device left no such push."""


class Decided(Exception):
    """Somebody has decided about it already."""


async def release(
    database: Database, standings: Standings, device_id: str, kept: Whole, mutations: Sequence[Mutation], *, by: Actor
) -> None:
    """Apply an impounded push. Raises `NotThere`, `Decided`, `CursorOfAnother`, `cursor.FromTheFuture`, `Busy`."""
    org_id, listed = by.org_id, kept.listed
    author = Actor(org_id, listed.user_id, kept.session_id)
    submission = Submission(author, listed.base or 0, kept.digest, mutations, settles=True)

    async def decide(connection: Connection) -> None:
        await _decide(connection, device_id, listed.id, "released", PUSH_RELEASED, by)
        cursor = listed.base
        if cursor is not None and cursor > (await read_clock(connection, org_id)).position:
            raise FromTheFuture
        if (
            cursor is not None
            and cursor < kept.born
            and not await registry.was_held_by(connection, org_id, device_id, listed.user_id, cursor)
        ):
            raise CursorOfAnother

    await push_alone(database, standings, submission, first=decide)


async def discard(database: Database, device_id: str, id: str, *, by: Actor) -> None:
    """Decide that an impounded push is not applied; it is kept. Raises `NotThere`, `Decided`."""

    async def work(connection: Connection) -> None:
        await _decide(connection, device_id, id, "discarded", PUSH_DISCARDED, by)

    await unit_of_work(database, by.org_id, work)


async def _decide(connection: Connection, device_id: str, id: str, state: str, kind: str, by: Actor) -> None:
    kept = await impounded.read_impounded(connection, by.org_id, device_id, id, lock=True)
    if kept is None:
        raise NotThere
    if kept.listed.state != "waiting":
        raise Decided
    await impounded.decide(connection, by.org_id, id, state=state, by=by.user_id)
    who = (by.user_id, by.session_id, device_id)
    await security.write_down(
        connection, Happening(by.org_id, kind, *who, detail=f"push {id} of {kept.listed.user_id}")
    )
