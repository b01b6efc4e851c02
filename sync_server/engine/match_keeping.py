"""Keeping matches: each requirement that is open has a match with every lot that is among its best, with the score of today.

Owns: following the log for it, which pairs a change concerns, and the order: cursor, events, rows, matches, cursor.
Must not know: how well a lot meets a requirement (erp_core/matching.py), SQL, who reads.
Invariant: the scores that are kept are those of the present rows, and of each open requirement the best lots are matched,
however often an event is looked at and wherever a crash falls (tests/integration/test_match_keeping.py).

A match that somebody made, or dismissed, stays, and so does one that is no longer among the best; where its two do not fit any
more its score is 0. Of a requirement only lots of its own branch are matched by the server: a pair that crosses branches is
made by somebody who sees both.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from conflict.mutation import Key
from erp_core.catalogue import BY_NAME
from erp_core.entities.availability import ON_OFFER
from erp_core.entities.match import MATCH, fit, lot_of, need_of
from erp_core.entities.requirement import WANTED
from erp_core.match_board import Board
from erp_core.values import Row
from sync_server.engine.holding import lock
from sync_server.store import log, rows
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.following import Logged, read_on
from sync_server.store.match_keeping import FOLLOWER, every_commodity, ids_in_states, matches_of
from sync_server.store.payloads import take_apart
from sync_server.store.unit_of_work import SERVER, act_as_server, unit_of_work

KEEP: Final = 10
"""Matches of a requirement that the server makes: more than these nobody calls."""
TURN_MAX: Final = 300
"""Events that are read on in one transaction."""

WRITTEN_MAX: Final = 500
"""Matches that are written in one transaction, some 100 ms of the organisation's clock: a house that was never followed has
thousands to come."""

LOT, NEED = BY_NAME["availability"], BY_NAME["requirement"]
TABLES: Final = frozenset({LOT.table, NEED.table})

Rows = Mapping[str, Row]


async def follow(database: Database, org_id: str) -> int:
    """Read on in the log until nothing is new; give how many matches were made or scored anew. Raises `unit_of_work.Busy`.

    Cost: a unit of at most ten statements for every `TURN_MAX` events; the lots and requirements of the commodities that
    changed are in memory once.
    """
    kept, more = 0, True
    while more:
        written, more = await _turn(database, org_id)
        kept += written
    return kept


async def _turn(database: Database, org_id: str) -> tuple[int, bool]:
    async def work(connection: Connection) -> tuple[int, bool]:
        cursor = await FOLLOWER.hold(connection, org_id)
        if cursor == 0:  # never followed: whatever there is has changed
            upto, more = (await read_clock(connection, org_id)).position, False
            commodities = set(await every_commodity(connection, org_id))
        else:
            news = await read_on(connection, org_id, cursor, TABLES, TURN_MAX)
            upto, more, commodities = news.upto, news.more, _concerned(news.events)
        written = await _keep(connection, org_id, commodities) if commodities else 0
        if written == WRITTEN_MAX:  # the rest is found again by the next turn, from the same place
            return written, True
        if upto > cursor:
            await FOLLOWER.move(connection, org_id, upto)
        return written, more

    return await unit_of_work(database, org_id, work)


def _concerned(events: Iterable[Logged]) -> set[str]:
    """Name the commodities of the lots and requirements that changed, also those that they were of before."""
    payloads = [payload for one in events if one.table in TABLES for payload in (one.before, one.after) if payload]
    return {take_apart(payload)["commodity_id"] for payload in payloads}


async def _keep(connection: Connection, org_id: str, commodities: set[str]) -> int:
    """Bring the matches of some commodities up to date, `WRITTEN_MAX` of them at most; give how many were written."""
    known = await _read(connection, org_id, MATCH.table, await matches_of(connection, org_id, commodities), held=True)
    open_lots = await ids_in_states(connection, LOT.table, org_id, commodities, ON_OFFER)
    open_needs = await ids_in_states(connection, NEED.table, org_id, commodities, WANTED)
    lots = await _read(connection, org_id, LOT.table, {*open_lots, *(row["availability_id"] for row in known.values())})
    needs = await _read(
        connection, org_id, NEED.table, {*open_needs, *(row["requirement_id"] for row in known.values())}
    )
    pairs = {(row["availability_id"], row["requirement_id"]) for row in known.values()}
    best = await asyncio.to_thread(_best, {id: lots[id] for id in open_lots}, {id: needs[id] for id in open_needs})
    fresh = {match_id(*pair): _made(*pair, lots, needs) for pair in sorted(best - pairs)}
    for table, id in await log.read_states(connection, org_id, [(MATCH.table, id) for id in fresh]):
        assert table == MATCH.table
        del fresh[id]  # somebody deleted it: it is not made again
    fresh = dict(islice(fresh.items(), WRITTEN_MAX))
    anew = ((id, new) for id, row in known.items() if (new := _scored(row, lots, needs)) is not None)
    stale = dict(islice(anew, WRITTEN_MAX - len(fresh)))
    if fresh or stale:
        await act_as_server(connection)
        await rows.insert(connection, MATCH, org_id, fresh)
        await rows.update(connection, MATCH, org_id, stale)
    return len(fresh) + len(stale)


async def _read(
    connection: Connection, org_id: str, table: str, ids: Collection[str], *, held: bool = False
) -> dict[str, Row]:
    keys: list[Key] = [(table, id) for id in sorted(ids)]
    if held and keys:
        await lock(connection, org_id, keys)
    states = await log.read_states(connection, org_id, keys)
    return {id: state.row for (_, id), state in states.items() if state.row is not None}


def match_id(lot: str, need: str) -> str:
    """Name the match of two: the same whoever makes it, and whenever."""
    return hashlib.sha256(repr(("match", lot, need)).encode()).hexdigest()[:24]


def _best(lots: Rows, needs: Rows) -> set[tuple[str, str]]:
    """Give the pairs (lot, requirement) of the best lots of each requirement, in its branch."""
    found = set()
    for branch in {row["branch_id"] for row in needs.values()}:
        board = Board(
            (lot_of(id, row) for id, row in lots.items() if row["branch_id"] == branch),
            wanted := [need_of(id, row) for id, row in needs.items() if row["branch_id"] == branch],
            keep=KEEP,
        )
        found |= {(lot, need.id) for need in wanted for lot, _ in board.best(need.id)}
    return found


def _made(lot: str, need: str, lots: Rows, needs: Rows) -> Row:
    now = datetime.now(UTC)
    return {
        **MATCH.empty(),
        "availability_id": lot,
        "requirement_id": need,
        **fit(lot, lots[lot], need, needs[need]),
        "created_at": now,
        "updated_at": now,
        "created_by": SERVER,
        "updated_by": SERVER,
    }


def _scored(row: Row, lots: Rows, needs: Rows) -> Row | None:
    """Give a match as it is by its two now; None: as it is kept."""
    lot, need = row["availability_id"], row["requirement_id"]
    if lot not in lots or need not in needs:
        return None
    new = fit(lot, lots[lot], need, needs[need])
    if all(row[name] == value for name, value in new.items()):
        return None
    return {**row, **new, "updated_at": datetime.now(UTC), "updated_by": SERVER}
