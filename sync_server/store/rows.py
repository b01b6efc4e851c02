"""Rows of entity tables: read under lock, inserted, updated and deleted, each in one statement whatever their number.

Owns: the SQL of entity tables, made once per entity from its declaration.
Must not know: who asks, merge, rules, the log (triggers keep it).
Invariant: one statement per call (tests/integration/test_statement_counts.py); what is written reads back equal
(tests/integration/test_rows.py).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

from erp_core.language import Entity, Field
from erp_core.values import (
    Day,
    Document,
    Flag,
    Instant,
    Integer,
    Number,
    Row,
    Value,
    ValueType,
    Words,
)
from sync_server.store.database import Connection

_SQL_TYPES: Final[Mapping[type, tuple[str, str]]] = {
    # value type -> (type of the array that is sent, cast of one element)
    Integer: ("integer", ""),
    Number: ("text", "::numeric"),
    Flag: ("boolean", ""),
    Day: ("date", ""),
    Instant: ("timestamptz", ""),
    Words: ("text", "::text[]"),  # as array literals: unnest would flatten an array of arrays
    Document: ("text", "::jsonb"),
}


_TIMES: Final = ("created_at", "updated_at")


async def lock(connection: Connection, entity: Entity, org_id: str, ids: Iterable[str]) -> None:
    """Lock the rows of `ids` that exist, in id order, against every other writer until commit."""
    await connection.execute(
        f"SELECT id FROM {entity.table} WHERE org_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE",
        org_id,
        sorted(ids),
    )


async def insert(connection: Connection, entity: Entity, org_id: str, rows: Mapping[str, Row], /) -> None:
    """Insert `rows` (id -> Row). Empty creation times become the transaction's."""
    names, columns = _columns(entity, rows.values())
    await connection.execute(_insert(entity, names), org_id, list(rows), *columns)


async def update(connection: Connection, entity: Entity, org_id: str, rows: Mapping[str, Row], /) -> None:
    """Overwrite the rows of the given ids, which exist and are locked; who created them, and when, stays."""
    names, columns = _columns(entity, rows.values())
    await connection.execute(_update(entity, names), org_id, list(rows), *columns)


async def delete(connection: Connection, entity: Entity, org_id: str, ids: Iterable[str]) -> None:
    """Delete the rows of `ids`, and with them the rows that live and die with them."""
    await connection.execute(f"DELETE FROM {entity.table} WHERE org_id = $1 AND id = ANY($2)", org_id, sorted(ids))


@asynccontextmanager
async def uniques_at_the_end(connection: Connection, needed: bool) -> AsyncIterator[None]:
    """Look for doubles after the last statement, where one row takes what another gives up; else after each of them.

    Raises asyncpg.UniqueViolationError at the end. Cost: two statements if it is `needed`.
    """
    if needed:
        await connection.execute("SET CONSTRAINTS ALL DEFERRED")
    yield
    if needed:
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


async def ids_by(
    connection: Connection, entity: Entity, field: str, org_id: str, values: Collection[Value]
) -> Sequence[tuple[str, Value]]:
    """Give (id, value) of the rows whose `field` is one of `values`, in id order."""
    assert field in entity.by_name
    if not values:
        return []
    found = await connection.fetch(
        f"SELECT id, {field} AS value FROM {entity.table} WHERE org_id = $1 AND {field} = ANY($2) ORDER BY id",
        org_id,
        list(values),
    )
    return [(row["id"], row["value"]) for row in found]


async def holders(
    connection: Connection, entity: Entity, names: Sequence[str], org_id: str, values: Collection[tuple[Value, ...]]
) -> dict[tuple[Value, ...], str]:
    """Tell which rows hold one of `values` (a tuple in the order of `names`): value -> id."""
    fields = [entity.by_name[name] for name in names]
    arrays = [f"${n}::{_sent_as(field.type)}[]" for n, field in enumerate(fields, start=2)]
    matches = " AND ".join(f"{field.name} = sent.{field.name}{_cast(field)}" for field in fields)
    shown = ", ".join(names)
    found = await connection.fetch(
        f"SELECT held.* FROM unnest({', '.join(arrays)}) AS sent({shown})"
        f" CROSS JOIN LATERAL (SELECT id, {shown} FROM {entity.table} WHERE org_id = $1 AND {matches} OFFSET 0) AS held",
        org_id,
        *(_encoded(field, [value[n] for value in values]) for n, field in enumerate(fields)),
    )
    return {tuple(row[1:]): row[0] for row in found}


async def uses(
    connection: Connection, users: Sequence[tuple[Entity, str]], org_id: str, ids: Iterable[str]
) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Tell by which rows of `users` (entity, its Reference field) each of `ids` is named: id -> (table, id)."""
    if not users:
        return {}
    parts = (
        f"SELECT {name} AS named, '{entity.table}' AS by_table, id AS by_id FROM {entity.table}"
        f" WHERE org_id = $1 AND {name} = ANY($2)"
        for entity, name in users
    )
    found = await connection.fetch(" UNION ALL ".join(parts), org_id, sorted(ids))
    named: dict[str, list[tuple[str, str]]] = {}
    for row in found:
        named.setdefault(row["named"], []).append((row["by_table"], row["by_id"]))
    return named


# --- SQL, made once per entity ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _insert(entity: Entity, sent: tuple[str, ...]) -> str:
    """Write the statement that inserts rows of which the fields `sent` are sent and the others are empty."""
    values = [_value(f) if f.name in sent else f"NULL::{_sent_as(f.type)}{_cast(f)}" for f in entity.all_fields]
    return (
        f"INSERT INTO {entity.table} (org_id, id, {', '.join(entity.by_name)}) SELECT $1, sent.id, {', '.join(values)}"
        f" FROM {_unnest([entity.by_name[name] for name in sent])}"
    )


@lru_cache(maxsize=1024)
def _update(entity: Entity, sent: tuple[str, ...]) -> str:
    # As an upsert, because ON CONFLICT finds each row by the primary key; an UPDATE joined with the array may be planned
    # the other way round, as a scan of the whole organisation.
    changed = [name for name in entity.by_name if name not in ("created_at", "created_by")]
    return (
        f"{_insert(entity, sent)} ON CONFLICT (org_id, id) DO UPDATE SET"
        f" {', '.join(f'{name} = excluded.{name}' for name in changed)}"
    )


def _unnest(fields: Sequence[Field]) -> str:
    arrays = ["$2::text[]", *(f"${n}::{_sent_as(f.type)}[]" for n, f in enumerate(fields, start=3))]
    return f"unnest({', '.join(arrays)}) AS sent({', '.join(['id', *(f.name for f in fields)])})"


def _value(field: Field) -> str:
    sent = f"sent.{field.name}{_cast(field)}"
    return f"coalesce({sent}, now())" if field.name in _TIMES else sent


def _sent_as(value_type: ValueType) -> str:
    return _SQL_TYPES.get(type(value_type), ("text", ""))[0]


def _cast(field: Field) -> str:
    return _SQL_TYPES.get(type(field.type), ("text", ""))[1]


# --- Values -> arrays -------------------------------------------------------------------------------------------------


def _columns(entity: Entity, rows: Collection[Row]) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Turn rows into the columns that are sent, by name. A field that is empty in all rows is not: half of most records."""
    columns = {name: [row[name] for row in rows] for name in entity.by_name}
    sent = {name: v for name, v in columns.items() if name in _TIMES or any(value is not None for value in v)}
    return tuple(sent), [_encoded(entity.by_name[name], values) for name, values in sent.items()]


def _encoded(field: Field, values: list[Value]) -> list[Any]:
    encode = _ENCODERS.get(type(field.type))
    return values if encode is None else [None if value is None else encode(value) for value in values]


def array_literal(words: Sequence[str]) -> str:
    r"""Write words as a PostgreSQL array literal.

    >>> array_literal(("gin", 'so-called "A"', "a\\b"))
    '{"gin","so-called \\"A\\"","a\\\\b"}'
    """
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
    return "{" + ",".join(f'"{word}"' for word in escaped) + "}"


_ENCODERS: Final[Mapping[type, Callable[[Value], Any]]] = {
    Number: str,
    Words: array_literal,
    Document: lambda value: json.dumps(value, ensure_ascii=False),
}
