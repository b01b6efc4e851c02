"""The log and the feed as a writer needs them: present states, histories since a cursor, corrections.

Owns: reads of `event` and `feed` for merging, and writes of `correction`.
Must not know: merge, protocol. Nobody but the capture triggers writes `event` and `feed`.
Invariant: a state read here after its row was locked is the newest committed one (tests/integration/test_push.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

import orjson

from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity
from erp_core.values import Choice, Flag, Plain, Reference, Row, Text, Value, ValueType, Words
from sync_server.store.database import Connection

Key: TypeAlias = tuple[str, str]
"""(table, id)."""


@dataclass(frozen=True, slots=True)
class State:
    """A record as the feed holds it: its newest position, who created it and when, its row (None: deleted), its labels.

    `payload`: the row's JSON, as phones get it. `erased`: fields that told of a person who was forgotten.
    """

    position: int
    created_position: int
    author: str | None
    row: Row | None
    scopes: Sequence[str] = ()
    payload: str | None = None
    erased: Sequence[str] = ()

    def plain(self) -> Mapping[str, Plain]:
        """Give the record as a pull brings it, to the letter of each document in it; {} if it is deleted."""
        return {} if self.payload is None else orjson.loads(self.payload)


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a record: `row` is the record after it (None: deleted); `creator`: the user whose change created it.

    `inserts`: it made the record. `device`: on which it was made, `at` when it was stored, `push` by which push. `sent`: what
    its replica sent otherwise than it was stored, where that was looked up.
    """

    position: int
    session: str | None
    row: Row | None
    creator: str | None = None
    inserts: bool = False
    device: str | None = None
    at: datetime | None = None
    push: str | None = None
    sent: Row = field(default_factory=dict)


def read_payload(entity: Entity, payload: str) -> Row:
    """Turn a payload (the record's wire form) into its row, inside form."""
    plain: dict[str, Plain] = orjson.loads(payload)
    row: dict[str, Value] = {}
    for name, restore in _restorers(entity):
        value = plain.get(name)
        row[name] = value if value is None or restore is None else restore(value)
    return row


_AS_IT_IS: Final = (Choice, Flag, Reference, Text)
"""Types whose plain form is the value; half of a row is of them."""

_WORDS_KEPT: Final = 4_096
"""Sets of words per field, some 200 bytes each: the same few come again in every record and every event of it."""


@cache
def _restorers(entity: Entity) -> tuple[tuple[str, Callable[[Plain], Value] | None], ...]:
    """Say for each field how its value is restored; None: it is the value."""
    return tuple((field.name, _restorer(field.type)) for field in entity.all_fields)


def _restorer(kind: ValueType) -> Callable[[Plain], Value] | None:
    if isinstance(kind, _AS_IT_IS):
        return None
    return lru_cache(_WORDS_KEPT)(kind.restore) if isinstance(kind, Words) else kind.restore


_STATES: Final = """
SELECT f.* FROM unnest($2::text[], $3::text[]) AS asked(entity, id)
CROSS JOIN LATERAL (
  SELECT f.entity, f.id, f.position, f.created_position, f.author, f.scopes, f.payload, (SELECT r.fields
    FROM erased_record r WHERE r.org_id = $1 AND r.entity = f.entity AND r.record_id = f.id) AS erased
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
    erased = row["erased"] or ()
    return State(row["position"], row["created_position"], row["author"], held, row["scopes"], payload, erased)


async def read_positions(connection: Connection, org_id: str, keys: Collection[Key]) -> dict[Key, int]:
    """Give the newest position of each of `keys` that ever existed. Cost: one statement of look-ups."""
    found = await connection.fetch(
        "SELECT f.* FROM unnest($2::text[], $3::text[]) AS asked(entity, id) CROSS JOIN LATERAL ("
        " SELECT f.entity, f.id, f.position FROM feed f"
        " WHERE f.org_id = $1 AND f.entity = asked.entity AND f.id = asked.id OFFSET 0) f",
        org_id,
        [table for table, _ in keys],
        [id for _, id in keys],
    )
    return {(row["entity"], row["id"]): row["position"] for row in found}


HISTORY_MAX: Final = 500
"""Events of one record that are read for a merge; whoever is further behind has an unknown base, the careful case."""

_HISTORIES: Final = """
WITH RECURSIVE walk AS (
  SELECT e.*, 1 AS step
  FROM unnest($2::bigint[]) AS newest(position) CROSS JOIN LATERAL (
    SELECT position, previous, entity, record_id, session, actor, op, new, at, push
    FROM event WHERE org_id = $1 AND position = newest.position OFFSET 0
  ) e
  UNION ALL
  SELECT e.*, w.step + 1
  FROM walk w CROSS JOIN LATERAL (
    SELECT position, previous, entity, record_id, session, actor, op, new, at, push
    FROM event WHERE org_id = $1 AND position = w.previous OFFSET 0
  ) e
  WHERE w.position > $3 AND w.step < $4
)
SELECT position, entity, record_id, session, actor, op, new, at, push,
  (SELECT s.device_id FROM session s WHERE s.org_id = $1 AND s.id = walk.session) AS device
FROM walk ORDER BY position
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
        inserts = row["op"] == b"i"
        who = (row["session"], held, row["actor"] if inserts else None, inserts)
        event = Event(row["position"], *who, row["device"], row["at"], row["push"])
        histories.setdefault((row["entity"], row["record_id"]), []).append(event)
    return dict(histories)


_CORRECT: Final = """
WITH clock AS MATERIALIZED (
  INSERT INTO org_clock AS c (org_id, seq) VALUES ($1, cardinality($3::text[]))
  ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + excluded.seq RETURNING (c.epoch::bigint << 40) + c.seq AS top
)
INSERT INTO correction (org_id, user_id, position, entity, record_id, revive)
SELECT $1, t.user_id, k.top + 1 - t.n, t.entity, t.id, t.revive
FROM clock k, unnest($2::text[], $3::text[], $4::text[], $5::boolean[])
  WITH ORDINALITY AS t(user_id, entity, id, revive, n)
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """A record to send again to the devices of `user_id`, though it did not move.

    `revive`: the device destroyed its copy, so it must be told to create it again.
    """

    user_id: str
    table: str
    id: str
    revive: bool


async def correct(connection: Connection, org_id: str, corrections: Sequence[Correction]) -> None:
    """Have records sent again. Cost: one statement, none if there is nothing to correct."""
    if corrections:
        columns = zip(*((c.user_id, c.table, c.id, c.revive) for c in corrections), strict=True)
        await connection.execute(_CORRECT, org_id, *(list(column) for column in columns))
