"""Resolutions: what became of mutations, where there is more to tell than the event that the database wrote.

Owns: reads and writes of `resolution`.
Must not know: how a mutation is judged or merged.
Invariant: written in the unit of work of the mutation, once per record and push, and never changed
(tests/integration/test_exchange.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from sync_server.store.database import Connection

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one mutation. `outcomes`: plain documents, in column order; `authored`: by the server's clock."""

    table: str
    id: str
    push: str
    user_id: str
    device_id: str
    verdict: str
    authored: datetime
    outcomes: Sequence[Mapping[str, Any]]


async def write_down(connection: Connection, org_id: str, told: Sequence[Told]) -> None:
    """Keep what became of mutations. Cost: one statement, none for none."""
    if not told:
        return
    names = ("table", "id", "push", "user_id", "device_id", "verdict", "authored")
    await connection.execute(
        "INSERT INTO resolution (org_id, entity, record_id, push, user_id, device_id, verdict, authored, outcomes)"
        " SELECT $1, t.entity, t.id, t.push, t.user_id, t.device_id, t.verdict, t.authored, t.outcomes::json"
        " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[])"
        " AS t(entity, id, push, user_id, device_id, verdict, authored, outcomes) ON CONFLICT DO NOTHING",
        org_id,
        *([getattr(one, name) for one in told] for name in names),
        [orjson.dumps(one.outcomes).decode() for one in told],
    )


async def read_authored(
    connection: Connection, org_id: str, keys: Collection[Key]
) -> dict[tuple[str, str, str], tuple[datetime, str]]:
    """Give when pushes authored what they wrote: (table, id, push) -> (moment, device). Cost: one statement."""
    if not keys:
        return {}
    found = await connection.fetch(
        "SELECT r.* FROM unnest($2::text[], $3::text[]) AS asked(entity, id) CROSS JOIN LATERAL ("
        " SELECT r.entity, r.record_id, r.push, r.authored, r.device_id FROM resolution r"
        " WHERE r.org_id = $1 AND r.entity = asked.entity AND r.record_id = asked.id OFFSET 0) r",
        org_id,
        [table for table, _ in keys],
        [id for _, id in keys],
    )
    return {(row["entity"], row["record_id"], row["push"]): (row["authored"], row["device_id"]) for row in found}


async def read_outcomes(
    connection: Connection, org_id: str, wanted: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Sequence[Mapping[str, Any]]]:
    """Give what was decided about the mutations (table, id, push), where anything was. Cost: one statement, none for none."""
    if not wanted:
        return {}
    found = await connection.fetch(
        "SELECT r.* FROM unnest($2::text[], $3::text[], $4::text[]) AS asked(entity, id, push) CROSS JOIN LATERAL ("
        " SELECT r.entity, r.record_id, r.push, r.outcomes FROM resolution r WHERE r.org_id = $1"
        " AND r.entity = asked.entity AND r.record_id = asked.id AND r.push = asked.push OFFSET 0) r",
        org_id,
        *(list(column) for column in zip(*wanted, strict=True)),
    )
    return {(row["entity"], row["record_id"], row["push"]): orjson.loads(row["outcomes"]) for row in found}
