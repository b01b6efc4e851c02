"""Exchange: push and pull in one round trip, for clients that leave a clash to the server.

Owns: what follows from doing both: which of the pulled records the replica has already, because it sent them.
Must not know: HTTP, JSON, SQL; how either half works.
Invariant: what is left out of an answer is what its replica holds to the letter, once it has applied its verdicts; whatever is
lost on the way, the same exchange again has one effect (tests/integration/test_exchange.py).

The two halves are two transactions. What others change between them is told like anything else: a record that was pushed is
left out only if its newest change is still the push's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from conflict.mutation import Key
from sync_server.engine.lanes import Lanes
from sync_server.engine.pull import Delta, PullRequest
from sync_server.engine.push import PushRequest
from sync_server.engine.slicing import entitled_since
from sync_server.engine.spooling import Spooled, pull
from sync_server.engine.standing import Standings
from sync_server.engine.telling import Told
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.spool import SpoolRoom


@dataclass(frozen=True, slots=True)
class Exchanged:
    """`told`: what became of each pushed record; `known`: the records that the replica has as they are, to be left out.

    `since`: from which position on the user has held what the answer was made under; None if nobody asked.
    """

    told: Sequence[Told]
    answer: Delta | Spooled
    known: frozenset[Key]
    since: int | None = None


def name_of(device_id: str, user_id: str, push_id: str) -> bytes:
    """Name a push of a device: the same again is the same push, whatever session it comes in."""
    return hashlib.sha256(f"exchange\n{device_id or user_id}\n{push_id}".encode()).digest()


async def exchange(
    database: Database,
    lanes: Lanes,
    room: SpoolRoom,
    standings: Standings,
    actor: Actor,
    pushed: PushRequest | None,
    asked: PullRequest,
    *,
    in_slices: bool = False,
) -> Exchanged:
    """Apply what was pushed, then answer a pull from the same cursor.

    Raises what `lanes.push` and `spooling.pull` raise; if it is the pull that fails, the push has been applied, and the same
    exchange again is told so. Cost: as both, and one look-up for the echo.
    """
    told = () if pushed is None else (await lanes.push(actor, pushed)).told
    since = await entitled_since(database, standings, actor) if in_slices else None  # a push may have changed it
    answer = await pull(database, room, standings, actor, asked)
    known = await _known(database, actor, told)
    if isinstance(answer, Delta):
        moved = [one for one in answer.moved if (one.table, one.id) not in known]
        answer = Delta(answer.cursor, answer.tables, moved)
    return Exchanged(told, answer, known, since)


async def _known(database: Database, actor: Actor, told: Sequence[Told]) -> frozenset[Key]:
    """Name what the replica has, once it has applied its verdicts; read after the pull, so that nothing newer is missed."""
    positions = {
        (one.table, one.id): one.position for one in told if one.position is not None and one.verdict == "accepted"
    }
    if not positions:
        return frozenset()
    async with database.acquire(actor.org_id) as connection:
        newest = await log.read_positions(connection, actor.org_id, list(positions))
    return frozenset(key for key, position in positions.items() if newest.get(key) == position)
