"""The log and the feed as a writer needs them: present states, histories since a cursor, corrections, receipts.

Owns: reads of `event` and `feed` for merging, and writes of `correction` and `push_receipt`.
Must not know: merge, protocol. Nobody but the capture triggers writes `event` and `feed`.
Invariant: a state read here after its row was locked is the newest committed one (tests/integration/test_push.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity
from erp_core.values import Plain, Row
from sync_server.store.database import Connection

Key: TypeAlias = tuple[str, str]
"""(table, id)."""


@dataclass(frozen=True, slots=True)
class State:
    """A record as the feed holds it: its newest position, who created it and when, and its row (None: deleted)."""

    position: int
    created_position: int
    author: str | None
    row: Row | None


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a record: `row` is the record after it (None: deleted); `known`: the asked cursor covers it."""

    position: int
    session: str | None
    row: Row | None
    known: bool


def read_payload(entity: Entity, payload: str) -> Row:
    """Turn a payload (the record's wire form) into its row, inside form."""
    plain: dict[str, Plain] = orjson.loads(payload)
    row = entity.empty()
    for field in entity.all_fields:
        value = plain.get(field.name)
        row[field.name] = None if value is None else field.type.restore(value)
    return row


_STATES: Final = """
SELECT f.* FROM unnest($2::text[], $3::text[]) AS asked(entity, id)
CROSS JOIN LATERAL (
  SELECT f.entity, f.id, f.position, f.created_position, f.author, f.payload
  FROM feed f WHERE f.org_id = $1 AND f.entity = asked.entity AND f.id = asked.id OFFSET 0
) f
"""


async def read_states(connection: Connection, org_id: str, keys: Collection[Key]) -> dict[Key, State]:
    """Give the present state of each of `keys` that ever existed. Cost: one statement."""
    if not keys:
        return {}
    found = await connection.fetch(_STATES, org_id, [table for table, _ in keys], [id for _, id in keys])
    return {(row["entity"], row["id"]): _state(row) for row in found}


def _state(row: Mapping[str, Any]) -> State:
    payload = row["payload"]
    held = None if payload is None else read_payload(BY_TABLE[row["entity"]], payload)
    return State(row["position"], row["created_position"], row["author"], held)


HISTORY_MAX: Final = 500
"""Events of one record that are read for a merge; whoever is further behind has an unknown base, the careful case."""

_HISTORIES: Final = """
WITH RECURSIVE walk AS (
  SELECT e.*, 1 AS step
  FROM unnest($2::bigint[]) AS newest(position) CROSS JOIN LATERAL (
    SELECT position, previous, entity, record_id, session, new
    FROM event WHERE org_id = $1 AND position = newest.position OFFSET 0
  ) e
  UNION ALL
  SELECT e.*, w.step + 1
  FROM walk w CROSS JOIN LATERAL (
    SELECT position, previous, entity, record_id, session, new
    FROM event WHERE org_id = $1 AND position = w.previous OFFSET 0
  ) e
  WHERE w.position > $3 AND w.step < $4
)
SELECT position, entity, record_id, session, new FROM walk ORDER BY position
"""


async def read_histories(
    connection: Connection, org_id: str, newest: Collection[int], cursor: int
) -> dict[Key, Sequence[Event]]:
    """Give what happened after `cursor` to the records whose newest positions are `newest`, oldest event first.

    If an event at or below the cursor is still in the log, the newest such one comes first: it is the base, the record
    as a replica at that cursor holds it. Cost: one statement that reads just these events.
    """
    if not newest:
        return {}
    histories: dict[Key, list[Event]] = {}
    for row in await connection.fetch(_HISTORIES, org_id, list(newest), cursor, HISTORY_MAX):
        entity, new = BY_TABLE[row["entity"]], row["new"]
        held = None if new is None else read_payload(entity, new)
        event = Event(row["position"], row["session"], held, row["position"] <= cursor)
        histories.setdefault((row["entity"], row["record_id"]), []).append(event)
    return dict(histories)


_CORRECT: Final = """
WITH clock AS MATERIALIZED (
  INSERT INTO org_clock AS c (org_id, seq) VALUES ($1, cardinality($3::text[]))
  ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + excluded.seq RETURNING (c.epoch::bigint << 40) + c.seq AS top
)
INSERT INTO correction (org_id, user_id, position, entity, record_id, revive)
SELECT $1, $2, k.top + 1 - t.n, t.entity, t.id, t.revive
FROM clock k, unnest($3::text[], $4::text[], $5::boolean[]) WITH ORDINALITY AS t(entity, id, revive, n)
"""


async def correct(connection: Connection, org_id: str, user_id: str, keys: Mapping[Key, bool]) -> None:
    """Have the records of `keys` sent again to the devices of `user_id`, though they did not move.

    The value says whether the device destroyed its copy, so that it must be told to create it again.
    """
    if keys:
        await connection.execute(
            _CORRECT, org_id, user_id, [table for table, _ in keys], [id for _, id in keys], list(keys.values())
        )


async def claim_receipt(
    connection: Connection, org_id: str, user_id: str, digest: bytes
) -> Mapping[str, Sequence[str]] | None:
    """Claim a push by its digest, waiting for a first attempt that is still under way; give the answer that one got.

    None: this is the first attempt. The claim, with an empty answer, commits or vanishes with the unit of work.
    """
    claimed = await connection.fetchval(
        "INSERT INTO push_receipt (org_id, user_id, digest, answer) VALUES ($1, $2, $3, '{}')"
        " ON CONFLICT DO NOTHING RETURNING true",
        org_id,
        user_id,
        digest,
    )
    if claimed:
        return None
    answer = await connection.fetchval(
        "SELECT answer FROM push_receipt WHERE org_id = $1 AND user_id = $2 AND digest = $3", org_id, user_id, digest
    )
    found: Mapping[str, Sequence[str]] = orjson.loads(answer)
    return found


async def keep_receipt(
    connection: Connection, org_id: str, user_id: str, digest: bytes, answer: Mapping[str, Sequence[str]]
) -> None:
    """Write down the answer that a repetition of this push will get, if it is not the empty one."""
    if answer:
        await connection.execute(
            "UPDATE push_receipt SET answer = $4::json WHERE org_id = $1 AND user_id = $2 AND digest = $3",
            org_id,
            user_id,
            digest,
            orjson.dumps(answer).decode(),
        )
