"""Devices: whose cursor it is, whose push is let in at the last moment, and what shows that an installation was copied.

Owns: those checks, the order of a device's pushes, and shutting a device out.
Must not know: HTTP, sessions as identity begins them, how a wipe goes on (wipe.py).
Invariant: what one user filled a local database with is never pushed, nor gone on with, under another
(tests/integration/test_hands.py); an installation that was copied is found out by the second copy's first push, and nothing of
that push is applied (tests/integration/test_clones.py); a push that its device's next one overtook is not applied after it
(tests/integration/test_push_order.py).

Why the session is asked for again inside the push. A request is let in by an answer that may be 5 s old. A push writes, so in
its own transaction it asks once more (DESIGN.md §9 pays for one look-up by key).

What a number on a push shows. An installation that numbers its pushes uses each number for one push; a repetition carries its
number again. So a push with a number that is not above the last, and that is not the last one again, comes from a second
installation with the same memory: a phone's backup put onto another phone. What arrived before the last one was counted was
merely overtaken on its way; its phone has given it up, and sends it anew with the next.

What a cursor shows of a push without a number. A phone sends one push at a time, after a pull, and with all that it has not
sent. So one from an older pull than the last is an attempt that was given up: what it says the later one said, too, or took
back. Applied now, it would undo what was acknowledged meanwhile. Of two from the same pull, what arrived first is the older; as
a client that sends several at once means them all, it must there also be about a record that moved since that pull.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import structlog

from sync_server.engine.submission import Submission
from sync_server.store import number_blocks, registry, security, sessions
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.log import State, read_states
from sync_server.store.registry import Counted, Dated
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import Busy, unit_of_work

DEVICE_REVOKED: Final = "device_revoked"
DEVICE_FORKED: Final = "device_forked"

log = structlog.get_logger(__name__)


class CursorOfAnother(Exception):
    """The cursor was given to somebody else who had this installation; nothing was applied."""


class SessionEnded(Exception):
    """The session ended since the request was let in; nothing was applied."""


class DeviceWiping(Exception):
    """The device is to be emptied since a moment ago; nothing was applied."""


class DeviceForked(Exception):
    """Two installations use one identity; nothing was applied, and the device is shut out."""


class Overtaken(Exception):
    """The device gave this push up, and a later one of it is applied; nothing was applied."""


NotLetIn: TypeAlias = SessionEnded | DeviceWiping | DeviceForked | Overtaken
"""Why a push is not let in."""


class NotActive(Exception):
    """What was asked for is for devices in another state."""


async def check_cursor(database: Database, actor: Actor, cursor: int | None) -> None:
    """Raise `CursorOfAnother` unless `cursor` may have been given to this user on this installation.

    Cost: a comparison; one look-up on an installation that has changed hands, until it has pulled.
    """
    if cursor is None or cursor >= actor.born:
        return
    async with database.acquire(actor.org_id) as connection:
        if not await registry.was_held_by(connection, actor.org_id, actor.device_id, actor.user_id, cursor):
            raise CursorOfAnother


# --- Inside a push ----------------------------------------------------------------------------------------------------


async def turned_away(
    connection: Connection, org_id: str, submissions: Sequence[Submission]
) -> Mapping[Submission, SessionEnded | DeviceWiping]:
    """Say which submissions are not let in after all. Cost: one statement.

    Only devices have sessions to ask for; what the server does of itself, or releases, has no device.
    """
    asked = [one for one in submissions if one.actor.device_id]
    if not asked:
        return {}
    let_in = await sessions.admitted(connection, org_id, {one.actor.session_id for one in asked})
    away: dict[Submission, SessionEnded | DeviceWiping] = {}
    for one in asked:
        wiping = let_in.get(one.actor.session_id)
        if wiping is None:
            away[one] = SessionEnded()
        elif wiping:
            away[one] = DeviceWiping()
    return away


async def out_of_order(
    connection: Connection, org_id: str, fresh: Sequence[Submission]
) -> Mapping[Submission, NotLetIn | Busy]:
    """Say which first attempts are not their device's next push, and what that shows.

    Cost: one statement for those with numbers and one for those without, where no device has two pushes in one transaction.
    """
    return {**await _forked(connection, org_id, fresh), **await _overtaken(connection, org_id, fresh)}


async def _forked(
    connection: Connection, org_id: str, fresh: Sequence[Submission]
) -> Mapping[Submission, DeviceForked | Busy]:
    """Count the numbers that first attempts carry; say which show that an installation was copied, and shut those out."""
    found: dict[Submission, DeviceForked | Busy] = {}
    waiting = [one for one in fresh if one.counter is not None and one.actor.device_id]
    while waiting:
        abreast = {one.actor.device_id: one for one in reversed(waiting)}  # the first of each device
        waiting = [one for one in waiting if abreast[one.actor.device_id] is not one]
        counted = {id: _counted(one) for id, one in abreast.items()}
        in_order = await registry.count_pushes(connection, org_id, list(counted.values()))
        for id in counted.keys() - in_order:
            if await registry.was_overtaken(connection, org_id, id, time.monotonic() - abreast[id].arrived):
                found[abreast[id]] = Busy()
            else:
                found[abreast[id]] = DeviceForked()
                await _shut_out(connection, abreast[id].actor, DEVICE_FORKED, f"push {counted[id].counter}")
    return found


async def _overtaken(
    connection: Connection, org_id: str, fresh: Sequence[Submission]
) -> Mapping[Submission, Overtaken]:
    """Say which first attempts without a number come after their device's next push."""
    asked = [one for one in fresh if one.counter is None and one.cursor and one.actor.device_id]
    if not asked:
        return {}
    newest: dict[str, Dated] = {}
    for one in asked:
        newest[one.actor.device_id] = max(_dated(one), newest.get(one.actor.device_id, _dated(one)))
    before = await registry.date_pushes(connection, org_id, newest)
    late = [one for one in asked if _dated(one) < before[one.actor.device_id]]
    abreast = [one for one in late if one.cursor == before[one.actor.device_id].cursor]
    states = await read_states(connection, org_id, [mutation.key for one in abreast for mutation in one.mutations])
    harmless = [one for one in abreast if not any(_moved(states.get(m.key), one.cursor) for m in one.mutations)]
    return {one: Overtaken() for one in late if one not in harmless}


def _dated(one: Submission) -> Dated:
    return Dated(one.cursor, one.received)


def _moved(state: State | None, cursor: int) -> bool:
    return state is not None and state.position > cursor


def _counted(one: Submission) -> Counted:
    assert one.counter is not None
    return Counted(one.actor.device_id, one.counter, one.digest)


# --- Shutting out -----------------------------------------------------------------------------------------------------


async def revoke(database: Database, org_id: str, device_id: str, *, by: Actor) -> Sequence[str]:
    """Shut a device out: its sessions end, and a later login on it begins anew. Gives the sessions that ended.

    Raises `NotActive` if it is being wiped: then it has to come back to be emptied. Revoking it again changes nothing.
    """

    async def work(connection: Connection) -> Sequence[str]:
        state = await registry.lock_state(connection, org_id, device_id)
        if state in ("wiping", "wiped"):
            raise NotActive
        ended = await registry.live_sessions_on(connection, org_id, device_id)
        if state == "active":
            await _shut_out(connection, Actor(org_id, by.user_id, "", device_id), DEVICE_REVOKED, f"by {by.user_id}")
        return ended

    return await unit_of_work(database, org_id, work)


async def _shut_out(connection: Connection, actor: Actor, kind: str, detail: str) -> None:
    """Revoke the actor's device in the caller's transaction, and write down why."""
    await registry.set_state(connection, actor.org_id, actor.device_id, "revoked")
    await number_blocks.reclaim_of_device(connection, actor.org_id, actor.device_id, kind)
    await sessions.end_sessions_of_device(connection, actor.org_id, actor.device_id, ended_by=kind)
    await security.write_down(
        connection,
        Happening(actor.org_id, kind, actor.user_id, actor.session_id, actor.device_id, detail=detail),
    )
    log.warning(kind, org=actor.org_id, user=actor.user_id, device=actor.device_id, detail=detail)
