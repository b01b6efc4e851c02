"""Verify on the wire: digests that come in, rows that go out.

Owns: the members of request and answer, and the columns of a phone's schema.
Must not know: engine, store.
Invariant: an unknown member, table, or number of buckets is answered with a pointer (tests/integration/test_verify.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from erp_core.catalogue import synced_at
from erp_core.language import Field
from erp_core.values import SAFE_ID
from sync_server.wire.problems import Problem, pointer, shown
from sync_server.wire.pulling import CURSOR_LIMIT

BUCKETS_MAX: Final = 4_096
WITHOUT_MAX: Final = 10_000
"""Ids with unsynced edits, all tables together: as many as one push may have records."""

_MEMBERS: Final = frozenset({"last_pulled_at", "schema_version", "tables", "without"})
_DIGEST: Final = re.compile(r"[0-9a-f]{16}")
_VERSION_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class HeldTable:
    """What a device says of a table: the digests of its buckets, the ids to leave out, the columns in its schema's order."""

    digests: Sequence[int]
    without: frozenset[str]
    columns: Sequence[Field]


@dataclass(frozen=True, slots=True)
class VerifyParameters:
    """A question as asked."""

    cursor: int
    schema_version: int
    tables: Mapping[str, HeldTable]


def read_verify(body: Any) -> VerifyParameters:
    """Read a verification (parsed JSON). Raises Problem."""
    _object(body, "A verification", "")
    for name in body:
        if name not in _MEMBERS:
            raise Problem(
                "unknown_member", f"{shown(name)} is none of {', '.join(sorted(_MEMBERS))}.", pointer=pointer(name)
            )
    cursor = _whole(body.get("last_pulled_at"), "bad_cursor", "last_pulled_at", CURSOR_LIMIT - 1)
    version = _whole(body.get("schema_version"), "bad_schema_version", "schema_version", _VERSION_MAX)
    known = {entity.table: [f for f in entity.all_fields if f.since <= version] for entity in synced_at(version)}
    tables, without = body.get("tables"), body.get("without", {})
    _object(tables, "tables", "/tables")
    _object(without, "without", "/without")
    for name, named in (("tables", tables), ("without", without)):
        for table in named:
            if table not in known:
                raise Problem(
                    "unknown_table", f"{shown(table)} is no table of this schema.", pointer=pointer(name, table)
                )
    left_out = {table: _ids(listed, pointer("without", table)) for table, listed in without.items()}
    if sum(map(len, left_out.values())) > WITHOUT_MAX:
        raise Problem("too_many_records", f"At most {WITHOUT_MAX} ids can be left out; push first.", pointer="/without")
    held = {t: HeldTable(_digests(said, t), left_out.get(t, frozenset()), known[t]) for t, said in tables.items()}
    return VerifyParameters(cursor, version, held)


def _object(value: Any, what: str, where: str) -> None:
    if not isinstance(value, dict):
        raise Problem("wrong_type", f"{what} must be a JSON object.", pointer=where)


def _whole(value: Any, code: str, name: str, most: int) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise Problem(code, f"{name} must be a whole number from 1 up.", pointer=pointer(name))
    return value


def _digests(said: Any, table: str) -> Sequence[int]:
    _object(said, "A table's digests", pointer("tables", table))
    if set(said) != {"rows", "digests"} or type(said["rows"]) is not int:
        raise Problem("wrong_type", "A table has rows, a number, and digests.", pointer=pointer("tables", table))
    digests, where = said["digests"], pointer("tables", table, "digests")
    if not isinstance(digests, list) or not all(isinstance(d, str) and _DIGEST.fullmatch(d) for d in digests):
        raise Problem("wrong_type", "digests must be an array of strings of 16 hexadecimal digits.", pointer=where)
    if not 0 < len(digests) <= BUCKETS_MAX or len(digests) & (len(digests) - 1):
        raise Problem("invalid_value", f"There must be 1, 2, 4, ... {BUCKETS_MAX} digests.", pointer=where)
    return [int(digest, 16) for digest in digests]


def _ids(listed: Any, where: str) -> frozenset[str]:
    if not isinstance(listed, list) or not all(isinstance(id, str) and SAFE_ID.fullmatch(id) for id in listed):
        raise Problem("wrong_type", "Ids are strings in an array.", pointer=where)
    return frozenset(listed)


class Differing(Protocol):
    """What differs of a table."""

    @property
    def buckets(self) -> Sequence[int]: ...
    @property
    def rows(self) -> Sequence[Mapping[str, Any]]: ...


def write_verified(tables: Mapping[str, Differing], *, more: bool) -> bytes:
    """Write the answer to a verification."""
    written = {table: {"buckets": d.buckets, "rows": d.rows} for table, d in tables.items()}
    return orjson.dumps({"tables": written, "more": more})
