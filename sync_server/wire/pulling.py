"""Pulls on the wire: the query parameters that come in, and the change set that goes out.

Owns: the words `last_pulled_at`, `schema_version`, `migration`, `timestamp`, `changes`, `experimentalStrategy`.
Must not know: engine, store. Payloads are JSON already and pass through as text.
Invariant: an answer always has `changes` with the three lists of every table asked for (WatermelonDB takes a missing
`changes` as success and loses everything), and only tables and columns of the catalogue (tests/unit/test_pulling.py).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from erp_core.catalogue import BY_TABLE, SYNCED, synced_at
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

CURSOR_LIMIT: Final = 2**53
"""Above this a JavaScript number is no longer exact."""

_WHOLE: Final = re.compile(r"[0-9]{1,16}")
_ABSENT: Final = frozenset({"", "null", "undefined", "NaN"})
"""How JavaScript writes "no value" into a URL: WatermelonDB's own snippet sends `last_pulled_at=null`."""


@dataclass(frozen=True, slots=True)
class PullParameters:
    """A pull as asked: `cursor` None means a first sync; tables in catalogue order."""

    cursor: int | None
    tables: tuple[str, ...]
    new_tables: frozenset[str] = frozenset()
    new_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    schema_version: int | None = None


def read_pull(query: Mapping[str, str]) -> PullParameters:
    """Read the query of a pull. Raises Problem."""
    version = _schema_version(query.get("schema_version"))
    migration = _migration(query.get("migration"))
    known = tuple(entity.table for entity in synced_at(version))
    return PullParameters(
        read_cursor(query.get("last_pulled_at")),
        known,
        frozenset(table for table in migration[0] if table in known),
        {table: columns for table, columns in migration[1].items() if table in known},
        version,
    )


def read_cursor(text: str | None) -> int | None:
    """Read `last_pulled_at`: absent, null and 0 mean that the replica has nothing yet. Raises Problem."""
    if text is None or text in _ABSENT:
        return None
    if not _WHOLE.fullmatch(text) or int(text) >= CURSOR_LIMIT:
        raise Problem("bad_cursor", "last_pulled_at must be the timestamp of the last pull: a whole number, or null.")
    return int(text) or None


def _schema_version(text: str | None) -> int | None:
    if text is None or text in _ABSENT:
        return None
    if not _WHOLE.fullmatch(text) or int(text) == 0:
        raise Problem("bad_schema_version", "schema_version must be a whole number from 1 up.")
    return int(text)


# --- Migration syncs --------------------------------------------------------------------------------------------------


def _migration(text: str | None) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Read what a phone's schema migration added: (tables, table -> columns), allow-listed.

    An unknown name is a bug of the app, or somebody fishing for internal columns (correctness.md, hole 13): refused.
    """
    if text is None or text in _ABSENT:
        return [], {}
    asked = loads(text.encode())
    if asked is None:
        return [], {}
    if not isinstance(asked, dict):
        raise Problem("bad_migration", "migration must be the object that WatermelonDB gives to pullChanges, or null.")
    allowed = {entity.table for entity in SYNCED}
    tables = [_listed(table, allowed, "table") for table in _list_of(asked, "tables")]
    columns: dict[str, tuple[str, ...]] = {}
    for added in _list_of(asked, "columns"):
        if not isinstance(added, dict):
            raise Problem("bad_migration", "Each of migration.columns must be an object with table and columns.")
        table = _listed(added.get("table"), allowed, "table")
        fields = BY_TABLE[table].by_name
        names = tuple(_listed(name, fields, f"column of {table}") for name in _list_of(added, "columns"))
        columns[table] = columns.get(table, ()) + names
    return tables, columns


def _list_of(asked: Mapping[str, Any], name: str) -> list[Any]:
    found = asked.get(name, [])
    if not isinstance(found, list):
        raise Problem("bad_migration", f"migration.{name} must be an array.")
    return found


def _listed(name: Any, allowed: Iterable[str], what: str) -> str:
    if not isinstance(name, str) or name not in allowed:
        raise Problem("bad_migration", f"migration names a {what} that phones do not have.")
    return name


# --- Answers ----------------------------------------------------------------------------------------------------------


class MovedRecord(Protocol):
    """A record to tell a replica of (`payload` None: it is gone; `new`: the replica cannot have it; `blanks`: fields of it
    that the user does not see)."""

    @property
    def table(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def payload(self) -> str | None: ...
    @property
    def new(self) -> bool: ...
    @property
    def blanks(self) -> frozenset[str]: ...


def write_delta(timestamp: int, tables: Iterable[str], moved: Iterable[MovedRecord]) -> bytes:
    """Write the answer of a pull whose records are in memory."""
    lists: dict[str, tuple[list[str], list[str], list[str]]] = {table: ([], [], []) for table in tables}
    for record in moved:
        created, updated, deleted = lists[record.table]
        if record.payload is None:
            deleted.append(f'"{record.id}"')  # a safe id has nothing to escape
        elif record.new:
            created.append(write_record(record))
        else:
            updated.append(write_record(record))
    shown = ",".join(
        f'"{table}":{{"created":[{",".join(created)}],"updated":[{",".join(updated)}],"deleted":[{",".join(deleted)}]}}'
        for table, (created, updated, deleted) in lists.items()
    )
    return f'{{"changes":{{{shown}}},"timestamp":{timestamp}}}'.encode()


def write_emptied(timestamp: int, tables: Iterable[str], gone: Mapping[str, Sequence[str]], *, replaces: bool) -> bytes:
    """Write the answer of a pull that brings no record: only what is `gone`, table -> ids."""
    changes = {table: {"created": [], "updated": [], "deleted": list(gone.get(table, ()))} for table in tables}
    strategy = {"experimentalStrategy": "replacement"} if replaces else {}
    return orjson.dumps({"changes": changes, "timestamp": timestamp, **strategy})


def write_record(record: MovedRecord) -> str:
    """Write a record as the user sees it. A hidden field is sent as null, so that a device forgets what it held of it."""
    if not record.blanks:
        return str(record.payload)
    document = orjson.loads(str(record.payload))
    return orjson.dumps(document | dict.fromkeys(record.blanks)).decode()


def write_kept_back(kept_back: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Write the answer of a push: nothing, or the ids that the client must keep as unsent."""
    return {"experimentalRejectedIds": {table: list(ids) for table, ids in kept_back.items()}} if kept_back else {}


@dataclass(frozen=True, slots=True)
class StreamedTable:
    """One table of a streamed answer: per list a stream of JSON elements, each behind a comma; records to add."""

    table: str
    created: AsyncIterator[bytes]
    updated: AsyncIterator[bytes]
    deleted: AsyncIterator[bytes]
    corrections: tuple[MovedRecord, ...] = ()


async def stream_changes(timestamp: int, tables: Iterable[StreamedTable], *, replaces: bool) -> AsyncIterator[bytes]:
    """Write the answer of a pull piece by piece; memory does not grow with it."""
    between = b'{"changes":{'
    for table in tables:
        yield between + f'"{table.table}":{{"created":['.encode()
        gone = [r for r in table.corrections if r.payload is None]
        back = [r for r in table.corrections if r.payload is not None and r.new]
        other = [r for r in table.corrections if r.payload is not None and not r.new]
        async for piece in _elements(table.created, (write_record(r) for r in back)):
            yield piece
        yield b'],"updated":['
        async for piece in _elements(table.updated, (write_record(r) for r in other)):
            yield piece
        yield b'],"deleted":['
        async for piece in _elements(table.deleted, (f'"{r.id}"' for r in gone)):
            yield piece
        yield b"]}"
        between = b","
    strategy = ',"experimentalStrategy":"replacement"' if replaces else ""
    opening = b"" if between == b"," else between
    yield opening + f'}},"timestamp":{timestamp}{strategy}}}'.encode()


async def _elements(stream: AsyncIterator[bytes], more: Iterable[str]) -> AsyncIterator[bytes]:
    """Give the elements of a JSON array: those of `stream` without the first comma, then `more`."""
    started = False
    async for piece in stream:
        yield piece if started else piece[1:]
        started = True
    for element in more:
        yield ("," if started else "").encode() + element.encode()
        started = True
