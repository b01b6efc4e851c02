"""Leases: numbers that a device holds in reserve, to number documents where there is no signal.

Theory. A lease takes the next numbers of a series under the lock of the series' row, so two leases, a lease and a document of
the office, or a lease and an edit of the series come one after the other. It is not a request for so many more, but for so many
in hand: what the device holds and does not know of, because an answer was lost, counts. So the same request again gives the
same numbers, with or without an Idempotency-Key. A number that was leased is never leased again, not even when it comes back:
paper may carry it.

Owns: what is leased, what comes back, and when a lease ends by itself.
Must not know: SQL, HTTP; what becomes of a document with a number of a lease that ended (numbering.py).
Invariant: no number is in two blocks (tests/integration/test_numbers.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from erp_core.access import admits
from erp_core.india import day_of
from erp_core.language import Violation
from erp_core.numbering import LEASED, NUMBER_MAX, NUMBERED
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import NotEntitled, require
from sync_server.engine.office import NotThere, Refused
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import number_blocks, numbers
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.idempotency import Once, once_only
from sync_server.store.number_blocks import Block
from sync_server.store.numbers import Series
from sync_server.store.unit_of_work import attribute, unit_of_work

LEASE_DAYS: Final = 30
"""A device that was not heard of for so long is late; what it numbered is taken all the same, if nobody else has it."""
COUNT_MAX: Final = 200
"""Numbers that a device can have in hand of one series: more than anybody writes down between two signals."""
BLOCKS_MAX: Final = 50
"""Blocks of one series that a device can hold at a time."""
RECLAIM_MAX: Final = 1_000
"""Leases that end in one statement."""
ROUNDS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for numbers. `left`: how many of the blocks `holds` the device has not given yet; `on`: a day of the year."""

    kind: str
    branch_id: str
    count: int
    on: date | None = None
    holds: Sequence[str] = ()
    left: int = 0


@dataclass(frozen=True, slots=True)
class Leased:
    """A series and all blocks of it that a device holds, in the order of their numbers."""

    series: Series
    blocks: Sequence[Block]


async def lease(
    database: Database, standings: Standings, actor: Actor, wanted: Wanted, *, once: Once[Leased] | None = None
) -> Leased:
    """See to it that the actor's device has `wanted.count` numbers in hand; give all that it has.

    Raises `NotEntitled` if the actor makes no such documents there, `NotThere` if nobody numbers them, `Refused`.
    Cost: a unit of seven statements.
    """

    async def work(connection: Connection) -> Leased:
        entitled = await entitled_now(connection, standings, actor)
        _admit(entitled, wanted)
        now = datetime.now(UTC)
        series = await _series(connection, actor.org_id, wanted, now)
        blocks = await number_blocks.open_blocks(connection, actor.org_id, series.id, actor.device_id)
        unknown = [block for block in blocks if block.id not in wanted.holds]
        in_hand = wanted.left + sum(block.last - max(block.used_to, block.first - 1) for block in unknown)
        if in_hand < wanted.count and _has_room(series, blocks):
            taken = await _take(connection, actor, series, wanted.count - in_hand, now)
            blocks.append(taken)
        return Leased(series, blocks)

    return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))


def _admit(entitled: Entitlements, wanted: Wanted) -> None:
    """Raise unless the actor may make such documents in the branch, or by something that is no branch's."""
    if wanted.kind not in LEASED:
        raise Refused([Violation("unknown_choice", f"kind must be one of {', '.join(LEASED)}.", ("kind",))])
    needed = NUMBERED[wanted.kind].access.create
    require(entitled, *needed)
    other = f"branch:{wanted.branch_id}"
    codes = {
        c for scope, held in entitled.holds.items() if not scope.startswith("branch:") or scope == other for c in held
    }
    if not admits(needed, frozenset(codes)):
        raise NotEntitled(needed)


async def _series(connection: Connection, org_id: str, wanted: Wanted, now: datetime) -> Series:
    """Find the series and lock it."""
    day = wanted.on or day_of(now)
    candidates = await numbers.series_for(connection, org_id, [(wanted.branch_id, wanted.kind)])
    of_year = next((series for series in candidates if series.starts_on <= day <= series.ends_on), None)
    held = None if of_year is None else await numbers.lock_series(connection, org_id, of_year.id)
    if held is None:
        raise NotThere
    return held


def _has_room(series: Series, blocks: Sequence[Block]) -> bool:
    return len(blocks) < BLOCKS_MAX and series.next_number <= NUMBER_MAX


async def _take(connection: Connection, actor: Actor, series: Series, count: int, now: datetime) -> Block:
    """Lease the next `count` numbers of a locked series, or what it has left."""
    first = series.next_number
    last = min(first + count - 1, NUMBER_MAX)
    block = Block(
        *(uuid.uuid4().hex, series.id, actor.device_id, actor.user_id),
        first=first,
        last=last,
        state="leased",
        why="",
        leased_at=now,
        expires_at=now + timedelta(days=LEASE_DAYS),
        ended_at=None,
        used_to=0,
    )
    await attribute(connection, {("document_series", series.id): (actor, "")})
    await numbers.advance(connection, actor.org_id, series.id, last + 1, actor.user_id)
    await number_blocks.insert_block(connection, actor.org_id, block)
    return block


async def give_back(
    database: Database, actor: Actor, unused: Mapping[str, int], *, once: Once[None] | None = None
) -> None:
    """Take numbers back that the actor's device will not give: block -> the first that it has not given.

    A block that is no lease of the device any more is passed over: it has come back already. Cost: four statements a block.
    """

    async def work(connection: Connection) -> None:
        for id in sorted(unused):
            block = await number_blocks.lock_block(connection, actor.org_id, actor.device_id, id)
            if block is not None and block.state == "leased":
                await _return(connection, actor.org_id, block, max(unused[id], block.used_to + 1, block.first))

    await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))


async def _return(connection: Connection, org_id: str, block: Block, first: int) -> None:
    """End the lease of the numbers from `first` on; those before it are on documents, which may be under way."""
    now = datetime.now(UTC)
    if first > block.last:
        return
    if first == block.first:
        await number_blocks.end(connection, org_id, block.id, "returned", now)
        return
    uses = await numbers.uses_between(connection, org_id, block.series_id, block.first, first - 1)
    used_up = len(uses) == first - block.first
    await number_blocks.shorten(connection, org_id, block.id, first - 1, used_up=used_up, now=now)
    rest = replace(block, id=uuid.uuid4().hex, first=first, state="returned", ended_at=now)
    await number_blocks.insert_block(connection, org_id, rest)


async def reclaim_late(database: Database, now: datetime) -> int:
    """End every lease that expired before `now`, in all organisations; give how many. Several processes may do it at once.

    Cost: a transaction per thousand.
    """
    ended = 0
    async with database.acquire_everywhere() as connection:
        for _ in range(ROUNDS_MAX):
            some = await number_blocks.reclaim_expired(connection, now, RECLAIM_MAX)
            ended += some
            if some < RECLAIM_MAX:
                break
    return ended
