"""Repeated requests: the answer that a request with an Idempotency-Key got, for whoever sends it again.

Owns: `idempotency_key`, and the way in which a unit of work claims a key first and leaves its answer last.
Must not know: HTTP beyond what an answer consists of; what a unit does.
Invariant: an answer commits with what it tells of, or not at all; a second attempt waits for the first; nobody gets the answer
of another user (tests/integration/test_idempotency.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import orjson

from sync_server.store.database import Connection

KEPT_HOURS: Final = 24

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer: status, headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Answered(Exception):
    """The request came before; it had its effect then, and none now."""

    def __init__(self, kept: Kept) -> None:
        super().__init__("answered before")
        self.kept = kept


class KeyReused(Exception):
    """The key was another request's; nothing was applied."""


@dataclass(frozen=True, slots=True)
class Once(Generic[_Result]):
    """A request that is to have its effect once: whose, under which key, a digest of it, and how its outcome is answered."""

    user_id: str
    key: str
    digest: bytes
    render: Callable[[_Result], Kept]


def once_only(
    once: Once[_Result] | None, org_id: str, work: Callable[[Connection], Awaitable[_Result]]
) -> Callable[[Connection], Awaitable[_Result]]:
    """Give `work` as it is done once: it raises `Answered` or `KeyReused` instead if its request came before.

    Cost: two statements, none without `once`.
    """
    if once is None:
        return work

    async def claimed(connection: Connection) -> _Result:
        await _claim(connection, org_id, once)
        done = await work(connection)
        await _keep(connection, org_id, once, once.render(done))
        return done

    return claimed


async def _claim(connection: Connection, org_id: str, once: Once[_Result]) -> None:
    """Claim the key until the unit ends, waiting for a first attempt that is still under way."""
    claimed = await connection.fetchval(
        "INSERT INTO idempotency_key (org_id, user_id, key, digest) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING true",
        *(org_id, once.user_id, once.key, once.digest),
    )
    if claimed:
        return
    row = await connection.fetchrow(
        "SELECT digest, status, headers, body FROM idempotency_key WHERE org_id = $1 AND user_id = $2 AND key = $3",
        *(org_id, once.user_id, once.key),
    )
    if row is None or row["digest"] != once.digest:
        raise KeyReused
    raise Answered(Kept(row["status"], orjson.loads(row["headers"]), row["body"]))


async def _keep(connection: Connection, org_id: str, once: Once[_Result], kept: Kept) -> None:
    await connection.execute(
        "UPDATE idempotency_key SET status = $4, headers = $5::json, body = $6"
        " WHERE org_id = $1 AND user_id = $2 AND key = $3",
        *(org_id, once.user_id, once.key, kept.status, orjson.dumps(dict(kept.headers)).decode(), kept.body),
    )


async def forget(connection: Connection) -> None:
    """Forget the answers that are older than `KEPT_HOURS`."""
    await connection.execute("DELETE FROM idempotency_key WHERE at < now() - make_interval(hours => $1)", KEPT_HOURS)
