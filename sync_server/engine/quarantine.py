"""Quarantine: a record that breaks us must not block the phone that sent it.

A rule with a bug, a derived value that no column can hold: such a failure takes the whole unit with it, the phone sends the
same push again, and it would be stuck for ever (correctness.md, hole 27). So each mutation of a failed push is tried alone,
and those that fail are refused like any other bad record: filed with their payload, logged with the failure, and the rest
goes through.

Owns: which failures count as a record's, trying again, and finding the records.
Must not know: why they fail.
Invariant: trying leaves no trace; a failure of the database itself is never blamed on a record
(tests/integration/test_quarantine.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

import asyncpg
import structlog

from conflict.mutation import Key
from sync_server.engine.apply import apply
from sync_server.engine.submission import Submission
from sync_server.store.clock import Rights
from sync_server.store.database import Connection
from sync_server.store.unit_of_work import trial

POISON: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""Failures that follow from what a record says. Not among them: lost races, which the unit of work tries again, and
connections and time limits, which are nobody's fault."""

_Result = TypeVar("_Result")

log = structlog.get_logger(__name__)


async def carefully(run: Callable[[bool], Awaitable[_Result]]) -> _Result:
    """Run a unit of work, and once more, carefully, if a record breaks us. `run` is told whether it is to be careful."""
    try:
        return await run(False)
    except POISON:
        return await run(True)


async def find_poison(connection: Connection, submission: Submission, rights: Rights) -> frozenset[Key]:
    """Try each mutation alone and undo it; name the records that fail. Cost: a few statements per mutation.

    `rights`: the clock's, under which the submission was entitled.
    """
    poison = set()
    for mutation in submission.mutations:
        try:
            async with trial(connection):
                alone = replace(submission, mutations=[mutation])
                await apply(connection, submission.actor.org_id, [alone], rights=rights)
        except POISON as failure:
            if isinstance(failure, asyncpg.PostgresError):
                failure.detail = None  # "Failing row contains …": business data stays out of the log
            log.error("record_quarantined", table=mutation.table, id=mutation.id, exc_info=failure)
            poison.add(mutation.key)
    return frozenset(poison)
