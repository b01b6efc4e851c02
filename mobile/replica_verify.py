"""A device's half of verify: what it says it holds, and the repair of what differs.

Owns: digests of the rows of a `Replica`, and putting the server's rows in their place.
Must not know: any code of the server, which has its own digests.
Invariant: rows with edits that were not pushed are neither compared nor touched (tests/integration/test_verify.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from random import SystemRandom
from typing import Any, Final

from mobile.replica import Replica
from mobile.replica_rows import Row, sanitized
from mobile.replica_schema import Column

ROWS_PER_BUCKET: Final = 32
BUCKETS_MAX: Final = 4_096


def question(device: Replica, schema_version: int) -> dict[str, Any]:
    """Make the body of POST /api/v1/sync/verify for all tables of a device that has pulled."""
    tables, without = {}, {}
    for table, columns in device.schema.items():
        rows = device.rows(table)
        unsynced = {id for id, row in rows.items() if row["_status"] != "synced"} | set(device.deleted(table))
        synced = [row for id, row in rows.items() if id not in unsynced]
        tables[table] = {"rows": len(synced), "digests": digests(synced, columns)}
        if unsynced:
            without[table] = sorted(unsynced)
    return {
        "last_pulled_at": device.last_pulled_at,
        "schema_version": schema_version,
        "tables": tables,
        "without": without,
    }


def digests(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Part rows into buckets and give the digest of each, 16 hexadecimal digits."""
    bits = 0
    while 1 << bits < min(BUCKETS_MAX, len(rows) / ROWS_PER_BUCKET):
        bits += 1
    sums = [0] * (1 << bits)
    for row in rows:
        values = [row["id"], *(_as_javascript(row[column.name]) for column in columns)]
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        sums[_bucket(row["id"], bits)] += int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)
    return [f"{total % 2**64:016x}" for total in sums]


def repair(device: Replica, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> int:
    """Put the answer's rows in the place of what differs, and give how many rows were written or destroyed."""
    mended, disk = 0, device.snapshot()
    for table, differing in answer["tables"].items():
        bits, rows = (len(asked["tables"][table]["digests"]) - 1).bit_length(), device.rows(table)
        left_out, buckets = set(asked["without"].get(table, ())), set(differing["buckets"])
        right = {row["id"]: row for row in differing["rows"]}
        for id in _within(rows, buckets, bits):
            if id not in left_out and id not in right:
                del disk.tables[table][id]
                mended += 1
        for id, row in right.items():
            whole = {**sanitized(row, device.schema[table], SystemRandom()), "_status": "synced"}
            if rows.get(id) != whole:
                disk.tables[table][id] = whole
                mended += 1
    device.restore(disk)
    return mended


def _within(ids: Iterable[str], buckets: set[int], bits: int) -> list[str]:
    return [id for id in ids if _bucket(id, bits) in buckets]


def _bucket(id: str, bits: int) -> int:
    return int(hashlib.sha256(id.encode()).hexdigest()[:8], 16) >> (32 - bits)


def _as_javascript(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value
