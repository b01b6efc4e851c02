"""Lanes: small pushes of one organisation that arrive together share a transaction.

Owns: the queue in front of an organisation's clock. The clock's lock is held until commit, so single pushes of one
organisation wait for each other's disk flush anyway; sharing one commit turns the wait into throughput.
Must not know: what a push does.
Invariant: each push is answered on its own and only after its commit; one that fails never takes another with it
(tests/integration/test_lanes.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from conflict.mutation import Key
from sync_server.engine.amending import AMENDING
from sync_server.engine.push import Answer, PushAnswer, PushRequest, push, push_together
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Submission
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import Busy, unit_of_work

SMALL_PUSH_MAX: Final = 100
"""Mutations; a larger push has a transaction of its own, so that it does not make small ones wait."""

SHARED_MAX: Final = 64
"""Pushes in one transaction: the last of them waits for all, about 100 ms at this number."""

ABREAST_MAX: Final = 2
"""Transactions of one lane under way in one process: while the database writes one, the next is read and judged."""

WAITING_MAX: Final = 1_000
"""Pushes of one organisation that may wait; beyond it the server says that it is busy instead of growing."""


class TooManyWaiting(Busy):
    """The organisation's lane is full; nothing was applied."""


@dataclass(slots=True)
class _Waiting:
    request: PushRequest
    submission: Submission
    answered: asyncio.Future[PushAnswer]


@dataclass(slots=True)
class _Lane:
    waiting: deque[_Waiting] = field(default_factory=deque)
    moving: int = 0


class Lanes:
    """One lane per organisation with a push under way."""

    def __init__(self, database: Database, standings: Standings) -> None:
        self._database = database
        self._standings = standings
        self._lanes: dict[str, _Lane] = {}

    async def push(self, actor: Actor, request: PushRequest) -> PushAnswer:
        """Apply a push, together with others if they are waiting. Raises what `push` raises, and `TooManyWaiting`."""
        if len(request.mutations) > SMALL_PUSH_MAX:
            return await push(self._database, self._standings, actor, request)
        lane = self._lanes.setdefault(actor.org_id, _Lane())
        if len(lane.waiting) >= WAITING_MAX:
            raise TooManyWaiting
        one = _Waiting(request, request.submission(actor), asyncio.get_running_loop().create_future())
        one.answered.add_done_callback(_noticed)
        lane.waiting.append(one)
        if lane.moving < ABREAST_MAX:
            lane.moving += 1
            self._database.in_background(self._move(actor.org_id, lane))
        return await asyncio.shield(one.answered)

    async def _move(self, org_id: str, lane: _Lane) -> None:
        while lane.waiting:
            together = _take(lane.waiting)
            if len(together) == 1 or not await self._shared(org_id, together):
                await self._singly(together)
        lane.moving -= 1
        if not lane.moving:
            del self._lanes[org_id]

    async def _shared(self, org_id: str, together: list[_Waiting]) -> bool:
        """Apply pushes in one transaction. False: it failed as a whole, and nobody was answered."""

        async def work(connection: Connection) -> Sequence[Answer]:
            return await push_together(connection, self._standings, org_id, [one.submission for one in together])

        transaction = asyncio.create_task(unit_of_work(self._database, org_id, work))
        await asyncio.wait({transaction})
        if transaction.exception() is not None:
            return False  # tried singly, each member meets its own failure and no other's
        for one, answer in zip(together, transaction.result(), strict=True):
            _answer(one, answer)
        return True

    async def _singly(self, together: list[_Waiting]) -> None:
        pushes = (push(self._database, self._standings, one.submission.actor, one.request) for one in together)
        for one, answer in zip(together, await asyncio.gather(*pushes, return_exceptions=True), strict=True):
            _answer(one, answer)


def _take(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take pushes from the front that have no record in common; the first that has one waits for the next transaction.

    What amends others is taken alone: which records it changes is known only once it is read.
    """
    taken: list[_Waiting] = []
    keys: set[Key] = set()
    while waiting and len(taken) < SHARED_MAX:
        own = {mutation.key for mutation in waiting[0].request.mutations}
        alone = not AMENDING.isdisjoint(table for table, _ in own)
        if own & keys or (alone and taken):
            break
        keys |= own
        taken.append(waiting.popleft())
        if alone:
            break
    return taken


def _answer(one: _Waiting, answer: PushAnswer | BaseException) -> None:
    if one.answered.cancelled():
        return
    if isinstance(answer, BaseException):
        one.answered.set_exception(answer)
    else:
        one.answered.set_result(answer)


def _noticed(answered: asyncio.Future[PushAnswer]) -> None:
    """Look at the outcome in the place of a phone that hung up: nobody else will."""
    if not answered.cancelled():
        answered.exception()
