"""Pages of a table: which records, in which order, behind which one; and how many there are.

Owns: the SQL of a list. What identifies anything in it (table, columns, operations) comes from the catalogue and columns.py;
what a client sent is a parameter.
Must not know: who asks, how a page is asked for. Whoever asks says with each condition and each sort key which labels a record
must carry for the field to count, and decides with the labels of what comes back.
Invariant: pages joined by their last places hold every record that was there and matched throughout, once, whatever is written
meanwhile (tests/integration/test_listing.py); the bytes of a page are bounded whatever the records are.

Candidates (ids, sort keys) are found first, in the entity's table, where values have their types; payloads then, in the feed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from erp_core.language import Entity
from sync_server.store.columns import OPERATIONS, SEVERAL, column, containing
from sync_server.store.database import Connection
from sync_server.store.lists import Listed

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of payloads; the record that passes it is left to the next page, except that every page has one."""

COUNT_MAX: Final = 10_000
"""Records that are counted; beyond it is only said that there are more."""

LIST_SECONDS: Final = 10
"""What one statement of a list may cost the database; then it is given up, and the asker told to ask for less."""

ON_EVERY_RECORD: Final = frozenset({"org", "branch"})
"""Scopes that have no rows in `label`: the table itself is their list."""

Place: TypeAlias = tuple[tuple[str | None, ...], str]
"""Where a page ended: the sort keys of its last record, as text, and its id."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one field: an operation of columns.py and its values, as text.

    `scopes`: the labels of which a record must carry one for the field to be asked; None: whoever sees it sees the field.
    """

    field: str
    operation: str
    values: tuple[str, ...]
    scopes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key; empty values come last, and so does what is hidden. `scopes`: as for a condition."""

    field: str
    descending: bool = False
    scopes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to hold: records of `entity` that carry one of `scopes` (`whole`: every record does), for which all
    `conditions` hold and whose names contain all `words`, in the order of `orders` and then of their ids, behind `after`."""

    entity: Entity
    scopes: Collection[str]
    whole: bool = False
    conditions: Sequence[Condition] = ()
    words: Sequence[str] = ()
    orders: Sequence[Order] = ()
    after: Place | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A page: records, whether there are more, and the sort keys of the last one."""

    records: Sequence[Listed]
    more: bool
    keys: tuple[str | None, ...] = ()


async def read_page(connection: Connection, org_id: str, wanted: Wanted) -> Found:
    """Read a page, inside a transaction. Cost: two statements, whatever the page.

    By id it reads what the page holds; with conditions or a sort key, as much of the table as the asker may see.
    """
    if not wanted.scopes:
        return Found([], more=False)
    query = _Query(org_id, wanted)
    statement = _PAGE.format(page=query.page())
    # What a filter matches and where a page begins decide the plan; everywhere else one plan serves all values.
    await connection.execute(f"SET LOCAL plan_cache_mode = auto; SET LOCAL statement_timeout = '{LIST_SECONDS}s'")
    rows = await connection.fetch(statement, *query.arguments)
    held = rows[: wanted.limit]
    records = [Listed(row["id"], row["position"], row["payload"], row["scopes"]) for row in held]
    return Found(records, bool(rows) and rows[0]["found"] > len(held), tuple(held[-1]["keys"]) if held else ())


async def count(connection: Connection, org_id: str, wanted: Wanted) -> int:
    """Count the records of all pages, at most `COUNT_MAX` + 1 of them, after `read_page`. Cost: one statement."""
    query = _Query(org_id, wanted)
    counted: int = await connection.fetchval(query.counting(), *query.arguments)
    return counted


_PAGE: Final = f"""
SELECT id, position, payload, scopes, keys, found FROM (
  SELECT page.*, count(*) OVER () AS found, sum(octet_length(page.payload)) OVER (ORDER BY page.place) AS bytes
  FROM ({{page}}) AS page
) AS counted
WHERE place = 1 OR bytes <= {PAGE_BYTES_MAX} ORDER BY place
"""

SEEN: Final = "f.scopes && {scopes}::text[]"  # of a record of which its asker sees anything


class _Query:
    """A statement being written, with its arguments; each is one only if it is used, or PostgreSQL could not type it."""

    def __init__(self, org_id: str, wanted: Wanted) -> None:
        self._wanted = wanted
        self.arguments: list[Any] = []
        self._org = self._add(org_id)
        self._walks = wanted.whole or bool(ON_EVERY_RECORD & set(wanted.scopes))
        limited = [*(one.scopes for one in wanted.conditions), *(one.scopes for one in wanted.orders)]
        hides = any(scopes is not None for scopes in limited)
        self._labels = hides or (not wanted.whole and (self._walks or bool(wanted.words)))

    def _add(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    @cached_property
    def _entity(self) -> str:
        return self._add(self._wanted.entity.table)

    @cached_property
    def _scopes(self) -> str:
        return self._add(sorted(self._wanted.scopes))

    # --- Statements ---------------------------------------------------------------------------------------------------

    def page(self) -> str:
        orders = [f"{{0}}.s{n} {_direction(one)}" for n, one in enumerate(self._wanted.orders)]
        by = ", ".join([*orders, "{0}.id"])
        keys = ", ".join(f"k.s{n}::text" for n in range(len(self._wanted.orders)))
        limit = self._add(self._wanted.limit + 1)
        candidates = self._nearest(limit) if not (self._wanted.orders or self._walks) else self._all(keyed=True)
        return f"""
          SELECT row_number() OVER (ORDER BY {by.format("k")}) AS place, k.id, f.position, f.payload::text AS payload,
            f.scopes, ARRAY[{keys}]::text[] AS keys
          FROM (SELECT * FROM ({candidates}) AS c ORDER BY {by.format("c")} LIMIT {limit}) AS k
          CROSS JOIN LATERAL ({self._feed("position, f.payload, f.scopes", "k.id")}) f"""

    def counting(self) -> str:
        return f"SELECT count(*) FROM (SELECT FROM ({self._all(keyed=False)}) AS c LIMIT {COUNT_MAX + 1}) AS n"

    # --- Candidates ---------------------------------------------------------------------------------------------------

    def _all(self, *, keyed: bool) -> str:
        """Give every candidate, with its sort keys; `keyed`: behind the place only."""
        keys = "".join(f", {self._key(order)} AS s{n}" for n, order in enumerate(self._wanted.orders))
        where = [f"t.org_id = {self._org}", *self._conditions(), *([self._behind()] if keyed else [])]
        return f"SELECT t.id{keys} FROM {self._source()} {self._joined_labels()} WHERE {' AND '.join(where)}"

    def _source(self) -> str:
        table = self._wanted.entity.table
        if self._wanted.words:
            patterns = self._add([containing(word) for word in self._wanted.words])
            return f"search_names({self._entity}, {patterns}) AS w(id) CROSS JOIN LATERAL {self._row('w.id')}"
        if self._walks:
            return f"{table} t"
        labelled = (
            f"SELECT DISTINCT l.id FROM label l WHERE l.org_id = {self._org} AND l.scope = ANY ({self._scopes})"
            f" AND l.entity = {self._entity} AND l.until IS NULL"
        )
        return f"({labelled}) AS l CROSS JOIN LATERAL {self._row('l.id')}"

    def _nearest(self, limit: str) -> str:
        """Give the nearest candidates by id, label by label: no more of each than the page holds."""
        if self._wanted.words:
            return self._all(keyed=True)
        where = " AND ".join([*self._conditions(), self._behind("l.id")])
        return f"""
          SELECT DISTINCT found.id FROM unnest({self._scopes}::text[]) AS held(scope) CROSS JOIN LATERAL (
            SELECT l.id FROM label l CROSS JOIN LATERAL {self._row("l.id")} {self._joined_labels()}
            WHERE l.org_id = {self._org} AND l.scope = held.scope AND l.entity = {self._entity} AND l.until IS NULL
              AND {where}
            ORDER BY l.id LIMIT {limit}
          ) AS found"""

    def _row(self, id: str) -> str:
        table = self._wanted.entity.table
        return f"(SELECT t.* FROM {table} t WHERE t.org_id = {self._org} AND t.id = {id} OFFSET 0) t"

    def _feed(self, columns: str, id: str) -> str:
        return (
            f"SELECT f.{columns} FROM feed f WHERE f.org_id = {self._org} AND f.entity = {self._entity} AND f.id = {id}"
            " AND f.payload IS NOT NULL OFFSET 0"
        )

    def _joined_labels(self) -> str:
        return f"CROSS JOIN LATERAL ({self._feed('scopes', 't.id')}) f" if self._labels else ""

    # --- Conditions ---------------------------------------------------------------------------------------------------

    def _conditions(self) -> list[str]:
        seen = [SEEN.format(scopes=self._scopes)] if self._labels and not self._wanted.whole else []
        return [*seen, *(self._condition(one) for one in self._wanted.conditions)]

    def _condition(self, one: Condition) -> str:
        values = [containing(value) for value in one.values] if one.operation == "like" else list(one.values)
        value = self._add(values if one.operation in SEVERAL else values[0])
        sql = OPERATIONS[one.operation](column(self._wanted.entity, one.field), value)
        return sql if one.scopes is None else f"({sql}) AND f.scopes && {self._add(list(one.scopes))}::text[]"

    def _key(self, order: Order) -> str:
        ordered = column(self._wanted.entity, order.field).ordered
        if order.scopes is None:
            return ordered
        return f"CASE WHEN f.scopes && {self._add(list(order.scopes))}::text[] THEN {ordered} END"

    def _behind(self, row: str = "t.id") -> str:
        """Write what comes after the place: a later key, or equal keys up to it and then a later one, and at last the id."""
        if self._wanted.after is None:
            return "true"
        values, id = self._wanted.after
        equal: list[str] = []
        ways: list[str] = []
        for order, value in zip(self._wanted.orders, values, strict=True):
            key = self._key(order)
            if value is None:
                equal.append(f"{key} IS NULL")
                continue
            held = f"{self._add(value)}::text::{column(self._wanted.entity, order.field).cast}"
            sign = "<" if order.descending else ">"
            ways.append(" AND ".join([*equal, f"({key} {sign} {held} OR {key} IS NULL)"]))
            equal.append(f"{key} = {held}")
        ways.append(" AND ".join([*equal, f"{row} > {self._add(id)}"]))
        return "(" + " OR ".join(f"({way})" for way in ways) + ")" if len(ways) > 1 else ways[0]


def _direction(order: Order) -> str:
    return f"{'DESC' if order.descending else 'ASC'} NULLS LAST"
