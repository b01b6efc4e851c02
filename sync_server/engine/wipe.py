"""Wipes: how a device is emptied, and how the server knows that it is.

Owns: what a device that is being wiped is answered, what becomes of what it pushes, and when it counts as empty.
Must not know: HTTP, JSON.
Invariant: from the order on the device gets no row; what it pushes is kept and not applied; it counts as wiped only when it
came with the position of the newest clearing answer and has pushed nothing since (tests/integration/test_wipe.py).

Theory. A stock WatermelonDB client has no order "wipe yourself", but it applies what a pull says:

1. drain   The first pulls are answered with nothing at all. The phone goes on to push what it has not sent; that is
           impounded, and the phone takes it as sent. When it comes back with a position of ours, it has pushed; if it says
           that it has not (`pending`), it is asked again, a bounded number of times. `immediately` leaves this step out.
2. clear   The next answer names every record that the device may hold as deleted, with the strategy `replacement`. Either
           alone would not do: the snippet of WatermelonDB's documentation drops the strategy, and a replacement leaves what
           was created and not sent. The ids are those that its user saw at the cursor that it came with, those the user
           sees now, and those that it pushed meanwhile: nothing that it has not had.
3. prove   A client stores an answer's timestamp with the answer, in one local transaction. The position of a clearing answer
           is one that no other answer ever carries (`take_lone_position`). So when the device comes with the newest such
           position, it has applied that answer; and if it has pushed nothing since, nothing is left. If it has, something
           was written after the answer: it is cleared again.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from erp_core.catalogue import BY_TABLE
from sync_server.engine.devices import NotActive, SessionEnded
from sync_server.engine.entitlements import view_of
from sync_server.engine.standing import held_at
from sync_server.store import impounded, listings, number_blocks, registry, security, sessions, wipes
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Reader
from sync_server.store.impounded import Impounded
from sync_server.store.listings import Listing, Seen, Which
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import Busy, unit_of_work
from sync_server.store.wipes import Wipe

DRAINS_MAX: Final = 5
"""How often a device that says that it has something unsent is asked for it; then it is cleared all the same."""

WIPE_ORDERED: Final = "wipe_ordered"
WIPE_DRAINING: Final = "wipe_draining"
WIPE_CLEARING: Final = "wipe_clearing"
WIPE_PROVEN: Final = "wipe_proven"
PUSH_IMPOUNDED: Final = "push_impounded"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Emptied:
    """The answer to a pull of a device that is being wiped. `clears`: everything it holds is to go; `gone`: by name, too."""

    cursor: int
    clears: bool
    gone: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proven:
    """The device has shown that it is empty; its sessions have ended."""


async def order(database: Database, org_id: str, device_id: str, *, by: Actor, immediately: bool) -> Wipe:
    """Order a device to be emptied; an order that is under way goes on, hurried if asked. Raises `NotActive`: it is wiped."""

    async def work(connection: Connection) -> Wipe:
        state = await registry.lock_state(connection, org_id, device_id)
        if state not in ("active", "revoked", "wiping"):
            raise NotActive
        if state != "wiping":
            id = uuid.uuid4().hex
            await wipes.insert_wipe(connection, org_id, id, device_id, ordered_by=by.user_id, immediately=immediately)
            await registry.set_state(connection, org_id, device_id, "wiping")
            # What it still pushes is kept back, and may keep its numbers: numbering.py takes those of a block that has ended.
            await number_blocks.reclaim_of_device(connection, org_id, device_id, WIPE_ORDERED)
            await _note(connection, WIPE_ORDERED, Actor(org_id, by.user_id, "", device_id), "immediately" * immediately)
        elif immediately:
            await wipes.hurry(connection, org_id, device_id)
        ordered = await wipes.read_under_way(connection, org_id, device_id)
        assert ordered is not None
        return ordered

    return await unit_of_work(database, org_id, work)


async def pull(
    database: Database, actor: Actor, tables: Sequence[str], cursor: int | None, *, pending: int | None = None
) -> Emptied | Proven:
    """Answer a pull of a device that is being wiped. `pending`: what it said that it has not sent, None: nothing said.

    Raises `SessionEnded` if the wipe is over, `Busy`. Cost: a transaction of some statements; to clear, a list of ids.
    """

    async def work(connection: Connection) -> tuple[Wipe, Emptied | Proven]:
        wipe = await _under_way(connection, actor)
        if not _is_drained(wipe, cursor, pending):
            return wipe, await _drain(connection, actor, wipe, cursor)
        if _is_proof(wipe, cursor):
            return wipe, await _prove(connection, actor, wipe)
        return wipe, await _clear(connection, actor, wipe, cursor)

    wipe, answer = await unit_of_work(database, actor.org_id, work)
    if isinstance(answer, Emptied) and answer.clears:
        return Emptied(answer.cursor, clears=True, gone=await _held(database, actor.org_id, wipe, tables, cursor))
    return answer


def _is_drained(wipe: Wipe, cursor: int | None, pending: int | None) -> bool:
    """Say whether the device has had its turn to push: it comes with a position that only a wipe's answers give."""
    if wipe.immediately or wipe.clears:
        return True
    if wipe.first_drain is None or cursor is None or cursor < wipe.first_drain:
        return False
    return not pending or wipe.drains >= DRAINS_MAX


def _is_proof(wipe: Wipe, cursor: int | None) -> bool:
    return wipe.clear is not None and cursor == wipe.clear and not wipe.pushed_since


async def _drain(connection: Connection, actor: Actor, wipe: Wipe, cursor: int | None) -> Emptied:
    position = await wipes.take_lone_position(connection, actor.org_id)
    await wipes.note_drain(connection, actor.org_id, wipe.id, cursor, position)
    await _note(connection, WIPE_DRAINING, actor, f"answer {wipe.drains + 1}")
    return Emptied(position, clears=False)


async def _clear(connection: Connection, actor: Actor, wipe: Wipe, cursor: int | None) -> Emptied:
    position = await wipes.take_lone_position(connection, actor.org_id)
    await wipes.note_clear(connection, actor.org_id, wipe.id, cursor, position)
    await _note(connection, WIPE_CLEARING, actor, f"answer {wipe.clears + 1}")
    return Emptied(position, clears=True)


async def _prove(connection: Connection, actor: Actor, wipe: Wipe) -> Proven:
    await wipes.note_proof(connection, actor.org_id, wipe.id)
    await registry.set_state(connection, actor.org_id, actor.device_id, "wiped")
    await sessions.end_sessions_of_device(connection, actor.org_id, actor.device_id, ended_by="wipe")
    await _note(connection, WIPE_PROVEN, actor, f"came with {wipe.clear}")
    return Proven()


async def keep_back(database: Database, actor: Actor, push: Impounded) -> None:
    """Impound a push of a device that is being wiped; a repetition is known again.

    Raises `SessionEnded` if the wipe is over, `Busy` if so much waits already that this one must.
    """

    async def work(connection: Connection) -> None:
        wipe = await _under_way(connection, actor)
        if await impounded.count_waiting(connection, actor.org_id, wipe.id) >= impounded.WAITING_MAX:
            raise Busy
        await wipes.note_push(connection, actor.org_id, wipe.id)
        base = _base(wipe, push.cursor)
        if await impounded.impound(connection, actor, uuid.uuid4().hex, wipe.id, push, base=base):
            await _note(connection, PUSH_IMPOUNDED, actor, f"{len(push.records)} records")

    await unit_of_work(database, actor.org_id, work)


def _base(wipe: Wipe, cursor: int | None) -> int | None:
    """Say up to where the device had been told when it pushed at `cursor`: our answers gave it positions, and no rows.

    Merged at such a position, an edit would overwrite without a word what others did while the device heard of nothing.
    """
    ours = [position for position in (wipe.first_drain, wipe.first_clear) if position is not None]
    return wipe.held if cursor is not None and ours and cursor >= min(ours) else cursor


async def _under_way(connection: Connection, actor: Actor) -> Wipe:
    """Give the wipe of the actor's device, held until the transaction ends. Raises `SessionEnded`."""
    await registry.lock_state(connection, actor.org_id, actor.device_id)
    if not (await sessions.admitted(connection, actor.org_id, [actor.session_id])).get(actor.session_id):
        raise SessionEnded
    wipe = await wipes.read_under_way(connection, actor.org_id, actor.device_id)
    if wipe is None:
        raise SessionEnded
    return wipe


async def _note(connection: Connection, kind: str, actor: Actor, detail: str) -> None:
    who = (actor.user_id, actor.session_id, actor.device_id)
    await security.write_down(connection, Happening(actor.org_id, kind, *who, detail=detail))
    log.info(kind, org=actor.org_id, user=actor.user_id, device=actor.device_id, detail=detail)


# --- What the device may hold -----------------------------------------------------------------------------------------


async def _held(
    database: Database, org_id: str, wipe: Wipe, tables: Sequence[str], cursor: int | None
) -> Mapping[str, Sequence[str]]:
    """Name what the device may hold: table -> ids. Cost: as a first sync of ids, in memory: 2 MB for 100 000."""
    gone: dict[str, set[str]] = defaultdict(set)
    user = Actor(org_id, wipe.user_id, "")
    held = wipe.held if wipe.drains + wipe.clears else cursor
    async with database.snapshot(org_id) as connection:
        await listings.take_your_time(connection)
        now = (await read_clock(connection, org_id)).position
        for position in {held or now, now}:
            holds = await held_at(connection, user, position)
            for table in tables:
                masks = view_of(BY_TABLE[table], holds).masks
                gone[table] |= await _ids(
                    connection, user, Listing(table, Which.DELETED, _NOTHING, Seen(masks), position)
                )
        for name in await impounded.named_by(connection, org_id, wipe.id):
            table, _, id = name.partition("/")
            gone[table].add(id)
    return {table: sorted(gone[table]) for table in tables}


_NOTHING: Final = Seen({})


async def _ids(connection: Connection, user: Actor, listing: Listing) -> set[str]:
    """Read a list of ids; each comes as a JSON string behind a comma."""
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)

    await listings.copy_listing(connection, Reader(user.org_id, user.user_id), listing, keep)
    return {quoted.strip(' "\n') for quoted in b"".join(pieces).decode().split(",")} - {""}
