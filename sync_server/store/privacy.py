"""Requests to be forgotten: who asked, who decided, what was done, and which devices have not heard of it.

Owns: the statements on `privacy_request`.
Must not know: what is erased, who may ask or decide.
Invariant: of one record one request is open at a time, and each is decided once (tests/integration/test_privacy_api.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from sync_server.store.database import Connection

LISTED_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `position`: the last change that the erasure made, and `proof` what it did, once it is done."""

    id: str
    entity: str
    record_id: str
    state: str
    reason: str
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    position: int | None
    proof: Any


@dataclass(frozen=True, slots=True)
class Behind:
    """A device that has synced and has not yet been told of an erasure."""

    id: str
    user_id: str
    state: str
    last_seen_at: datetime


_COLUMNS: Final = (
    "id, entity, record_id, state, reason, asked_by, asked_at, decided_by, decided_at, position, proof::text AS proof"
)


def _request(row: Any) -> Request:
    return Request(**{**row, "proof": orjson.loads(row["proof"])})


async def insert(connection: Connection, org_id: str, request: Request) -> bool:
    """Write a request down; False: one is open for the record."""
    written = await connection.fetchval(
        "INSERT INTO privacy_request (org_id, id, entity, record_id, reason, asked_by) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (org_id, entity, record_id) WHERE state = 'open' DO NOTHING RETURNING true",
        *(org_id, request.id, request.entity, request.record_id, request.reason, request.asked_by),
    )
    return bool(written)


async def read(connection: Connection, org_id: str, id: str) -> Request | None:
    """Read a request."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM privacy_request WHERE org_id = $1 AND id = $2", org_id, id)
    return None if row is None else _request(row)


async def list_requests(connection: Connection, org_id: str, asked_by: str | None) -> Sequence[Request]:
    """List requests, newest first, `LISTED_MAX` at most; `asked_by`: those of one user only."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM privacy_request WHERE org_id = $1 AND ($2::text IS NULL OR asked_by = $2)"
        " ORDER BY asked_at DESC, id LIMIT $3",
        *(org_id, asked_by, LISTED_MAX),
    )
    return [_request(row) for row in rows]


async def refuse(connection: Connection, org_id: str, id: str, by: str, reason: str) -> bool:
    """Refuse an open request; False: it is decided."""
    done = await connection.fetchval(
        "UPDATE privacy_request SET state = 'refused', decided_by = $3, decided_at = now(), reason = $4"
        " WHERE org_id = $1 AND id = $2 AND state = 'open' RETURNING true",
        *(org_id, id, by, reason),
    )
    return bool(done)


async def finish(
    connection: Connection, org_id: str, who: tuple[str, str, str], by: str, position: int, proof: Any
) -> None:
    """Note that an erasure is done: (request, entity, record). Its reason may name the person, and goes. For the owner."""
    id, entity, record_id = who
    await connection.execute(
        "INSERT INTO privacy_request (org_id, id, entity, record_id, state, asked_by, decided_by, decided_at, position, proof)"
        " VALUES ($1, $2, $3, $4, 'done', $5, $5, now(), $6, $7::json) ON CONFLICT (org_id, id) DO UPDATE SET state = 'done',"
        " decided_by = $5, decided_at = now(), reason = '', position = $6, proof = excluded.proof",
        *(org_id, id, entity, record_id, by, position, orjson.dumps(proof).decode()),
    )


async def list_undone(connection: Connection, asked: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
    """Say which erasures, (organisation, request), are not done though the organisation is here. For the owner."""
    rows = await connection.fetch(
        "SELECT t.org_id, t.id FROM unnest($1::text[], $2::text[]) AS t(org_id, id)"
        " JOIN org_clock k ON k.org_id = t.org_id WHERE NOT EXISTS (SELECT FROM privacy_request r"
        "  WHERE r.org_id = t.org_id AND r.id = t.id AND r.state = 'done')",
        *([org_id for org_id, _ in asked], [id for _, id in asked]),
    )
    return {(row["org_id"], row["id"]) for row in rows}


async def list_behind(connection: Connection, org_id: str, position: int) -> Sequence[Behind]:
    """List the devices that hold records as they were before a position; one that was wiped holds none."""
    rows = await connection.fetch(
        "SELECT id, user_id, state, last_seen_at FROM device WHERE org_id = $1 AND cursor < $2 AND state <> 'wiped'"
        " ORDER BY id",
        *(org_id, position),
    )
    return [Behind(*row) for row in rows]


async def count_files(connection: Connection, org_id: str, request_id: str) -> int:
    """Count the files of erased attachments that the keeper has not yet removed."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM blob b JOIN erased_record r ON r.org_id = b.org_id AND r.entity = 'attachments'"
        " AND r.record_id = b.attachment_id WHERE b.org_id = $1 AND r.request_id = $2",
        *(org_id, request_id),
    )
    return count


NEEDED_MAX: Final = 10


async def list_needed(
    connection: Connection, org_id: str, partner_id: str, asked: Sequence[tuple[str, str, Sequence[str]]]
) -> Sequence[tuple[str, str]]:
    """List documents that name a partner and are under way, `NEEDED_MAX` at most. `asked`: (table, field, states)."""
    parts = " UNION ALL ".join(
        f"(SELECT '{table}' AS entity, id FROM {table} WHERE org_id = $1 AND {field} = $2 AND state = ANY(${place})"
        f" ORDER BY id LIMIT {NEEDED_MAX})"
        for place, (table, field, _) in enumerate(asked, start=3)
    )
    rows = await connection.fetch(parts, org_id, partner_id, *(list(states) for _, _, states in asked))
    return list(dict.fromkeys((row["entity"], row["id"]) for row in rows))[:NEEDED_MAX]
