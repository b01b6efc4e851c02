"""Numbers of documents in the database: series, who has which number, and why others have none. Blocks: number_blocks.py.

Owns: the SQL of `number_use` and `number_gap`, and the look at a series.
Must not know: who may have a number, how one is written.
Invariant: a number of a series is in `number_use` once, by its primary key (tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Series:
    """A series, its first day and its last."""

    id: str
    branch_id: str
    kind: str
    prefix: str
    width: int
    next_number: int
    starts_on: date
    ends_on: date

    def form(self) -> Mapping[str, str | int]:
        return {"prefix": self.prefix, "width": self.width}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a number: which record has it, whether it was voided, and of the block that it is in whose and in
    which state; empty: none."""

    record: tuple[str, str] | None
    voided: bool
    device_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Use:
    """A number that a document has now. `instead_of`: what its device had numbered it, if that was another's."""

    series_id: str
    number: int
    table: str
    record_id: str
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that a person said no document will have."""

    first: int
    last: int
    reason: str
    user_id: str
    at: datetime


_SERIES = """
SELECT s.id, s.branch_id, s.kind, coalesce(s.prefix, '') AS prefix, s.width, s.next_number, y.starts_on, y.ends_on
FROM document_series s JOIN financial_years y ON y.org_id = s.org_id AND y.id = s.financial_year_id
WHERE s.org_id = $1
"""


async def series_for(connection: Connection, org_id: str, wanted: Collection[tuple[str, str]]) -> list[Series]:
    """Give the series of `wanted` (branch, kind), of all years, the newest year first."""
    found = await connection.fetch(
        f"{_SERIES} AND (s.branch_id, s.kind) IN (SELECT * FROM unnest($2::text[], $3::text[]))"
        " ORDER BY y.starts_on DESC, s.id",
        org_id,
        [branch for branch, _ in wanted],
        [kind for _, kind in wanted],
    )
    return [Series(**row) for row in found]


async def read_series(connection: Connection, org_id: str, id: str) -> Series | None:
    """Read one series."""
    row = await connection.fetchrow(f"{_SERIES} AND s.id = $2", org_id, id)
    return None if row is None else Series(**row)


async def lock_series(connection: Connection, org_id: str, id: str) -> Series | None:
    """Lock a series against everybody who gives out numbers of it or edits it, and read it as it is then."""
    await connection.execute(
        "SELECT id FROM document_series WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE", org_id, id
    )
    return await read_series(connection, org_id, id)


async def advance(connection: Connection, org_id: str, id: str, next_number: int, by: str) -> None:
    """Say that the numbers below `next_number` of a locked series are given out."""
    await connection.execute(
        "UPDATE document_series SET next_number = $3, updated_at = now(), updated_by = $4 WHERE org_id = $1 AND id = $2",
        org_id,
        id,
        next_number,
        by,
    )


async def standings(
    connection: Connection, org_id: str, asked: Collection[tuple[str, int]]
) -> Mapping[tuple[str, int], Standing]:
    """Say what is known of numbers (series, number). Cost: one statement, none for none."""
    if not asked:
        return {}
    found = await connection.fetch(
        """
        SELECT a.series_id, a.number, u.table_name, u.record_id, g.reason IS NOT NULL AS voided,
          coalesce(b.device_id, '') AS device_id, coalesce(b.state, '') AS state
        FROM unnest($2::text[], $3::integer[]) AS a(series_id, number)
        LEFT JOIN number_use u ON u.org_id = $1 AND u.series_id = a.series_id AND u.number = a.number
        LEFT JOIN LATERAL (
          SELECT b.device_id, b.state, b.last FROM number_block b
          WHERE b.org_id = $1 AND b.series_id = a.series_id AND b.first <= a.number ORDER BY b.first DESC LIMIT 1
        ) b ON b.last >= a.number
        LEFT JOIN LATERAL (
          SELECT g.reason, g.last FROM number_gap g
          WHERE g.org_id = $1 AND g.series_id = a.series_id AND g.first <= a.number ORDER BY g.first DESC LIMIT 1
        ) g ON g.last >= a.number
        """,
        org_id,
        [series for series, _ in asked],
        [number for _, number in asked],
    )
    return {
        (row["series_id"], row["number"]): Standing(
            None if row["record_id"] is None else (row["table_name"], row["record_id"]),
            row["voided"],
            row["device_id"],
            row["state"],
        )
        for row in found
    }


async def claim(connection: Connection, org_id: str, now: datetime, uses: Sequence[Use]) -> None:
    """Write down which documents have which numbers, and which blocks are used up by that. Cost: two statements.

    Raises asyncpg.UniqueViolationError if one was taken since it was looked at.
    """
    await connection.execute(
        "INSERT INTO number_use (org_id, series_id, number, table_name, record_id, instead_of, at)"
        " SELECT $1, s, n, t, r, i, $2 FROM unnest($3::text[], $4::integer[], $5::text[], $6::text[], $7::text[])"
        " AS sent(s, n, t, r, i)",
        org_id,
        now,
        [use.series_id for use in uses],
        [use.number for use in uses],
        [use.table for use in uses],
        [use.record_id for use in uses],
        [use.instead_of for use in uses],
    )
    await connection.execute(
        """
        UPDATE number_block b SET state = 'used_up', ended_at = $2
        FROM (SELECT DISTINCT s, n FROM unnest($3::text[], $4::integer[]) AS sent(s, n)) sent
        WHERE b.org_id = $1 AND b.state = 'leased' AND b.series_id = sent.s AND sent.n BETWEEN b.first AND b.last
          AND (SELECT count(*) FROM number_use u
               WHERE u.org_id = $1 AND u.series_id = b.series_id AND u.number BETWEEN b.first AND b.last)
            = b.last - b.first + 1
        """,
        org_id,
        now,
        [use.series_id for use in uses],
        [use.number for use in uses],
    )


async def uses_between(connection: Connection, org_id: str, series_id: str, first: int, last: int) -> list[Use]:
    """Give who has which of the numbers from `first` to `last`, in their order."""
    found = await connection.fetch(
        "SELECT series_id, number, table_name AS table, record_id, instead_of FROM number_use"
        " WHERE org_id = $1 AND series_id = $2 AND number BETWEEN $3 AND $4 ORDER BY number",
        org_id,
        series_id,
        first,
        last,
    )
    return [Use(**row) for row in found]


async def gaps_between(connection: Connection, org_id: str, series_id: str, first: int, last: int) -> list[Gap]:
    """Give what was said of numbers between `first` and `last`."""
    found = await connection.fetch(
        "SELECT first, last, reason, user_id, at FROM number_gap"
        " WHERE org_id = $1 AND series_id = $2 AND first <= $4 AND last >= $3 ORDER BY first",
        org_id,
        series_id,
        first,
        last,
    )
    return [Gap(**row) for row in found]


async def void(connection: Connection, org_id: str, series_id: str, gap: Gap) -> None:
    """Write down why no document will have some numbers."""
    await connection.execute(
        "INSERT INTO number_gap (org_id, series_id, first, last, reason, user_id, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        org_id,
        series_id,
        gap.first,
        gap.last,
        gap.reason,
        gap.user_id,
        gap.at,
    )
