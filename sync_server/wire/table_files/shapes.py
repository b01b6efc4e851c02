"""Imports and exports over HTTP: the parameters that ask for them, rows as mutations, and the lines of an answer.

Owns: the query, what a row of a file asks for, and the NDJSON in which an import tells what became of it.
Must not know: engine, store, aiohttp.
Invariant: a row that cannot be read is a refused row that says why, never a failed import
(tests/integration/test_table_files.py).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Field, Violation
from erp_core.values import SAFE_ID, Plain
from sync_server.wire.problems import Problem, shown
from sync_server.wire.table_files import kinds
from sync_server.wire.table_files.cells import BadCell, from_cell


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file: its media type, and how it is written and read."""

    media_type: str
    writer: Callable[[Sequence[Field]], kinds.Writer]
    read: Callable[[BinaryIO], Iterator[kinds.Row]]
    rows_max: int | None = None


_SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

KINDS: Final[Mapping[str, Kind]] = {
    "csv": Kind("text/csv", kinds.CsvWriter, kinds.read_csv),
    "ndjson": Kind("application/x-ndjson", kinds.NdjsonWriter, kinds.read_ndjson),
    "xlsx": Kind(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        kinds.XlsxWriter,
        kinds.read_xlsx,
        kinds.SHEET_ROWS_MAX,
    ),
}

EXISTING: Final = ("refuse", "skip", "update")
"""What is done with a row whose record is there already."""

ID_TAKEN: Final = Violation("id_taken", "A record with this id is, or was, there already.", ("id",))

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")


@dataclass(frozen=True, slots=True)
class ImportQuery:
    """An import as asked. `name`: names it, so that the same file sent again has no second effect."""

    kind: Kind
    name: str
    existing: str
    dry: bool


def read_export(query: Mapping[str, str]) -> tuple[str, Kind]:
    """Read `?format=`. Raises Problem."""
    _only(query, "format")
    format = query.get("format", "csv")
    if format not in KINDS:
        raise Problem("bad_parameter", f"format must be one of {', '.join(KINDS)}.")
    return format, KINDS[format]


def read_import(query: Mapping[str, str]) -> ImportQuery:
    """Read `?format=&name=&existing=&dry_run=`. Raises Problem."""
    _only(query, "format", "name", "existing", "dry_run")
    _, kind = read_export({"format": query.get("format", "csv")})
    name = query.get("name") or f"import-{secrets.token_hex(6)}"
    if not _NAME.fullmatch(name):
        raise Problem("bad_parameter", "name must be 1 to 40 letters, digits, '_', '.' or '-'.")
    existing, dry = query.get("existing", "refuse"), query.get("dry_run", "false")
    if existing not in EXISTING:
        raise Problem("bad_parameter", f"existing must be one of {', '.join(EXISTING)}.")
    if dry not in ("true", "false"):
        raise Problem("bad_parameter", "dry_run must be true or false.")
    return ImportQuery(kind, name, existing, dry == "true")


def _only(query: Mapping[str, str], *names: str) -> None:
    unknown = next((name for name in query if name not in names), None)
    if unknown is not None:
        raise Problem("bad_parameter", f"{shown(unknown)} is none of {', '.join(names)}.")


# --- What a row asks for ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks for; `faults`: why it cannot be asked."""

    number: int
    mutation: Mutation
    faults: tuple[Violation, ...] = ()


def asked_by(table: str, row: kinds.Row, query: ImportQuery) -> Asked:
    """Read a row as a mutation. A row without an id gets one of the import's name and its own number.

    Columns that the server alone writes are left alone, so that an exported file can come back.
    """
    faults = [Violation("unreadable_row", f"This row {row.fault}.")] if row.fault else []
    id = row.cells.get("id") or f"{query.name}.{row.number}"
    if not SAFE_ID.fullmatch(str(id)):
        faults.append(Violation("unsafe_id", "The id is not one: 1 to 64 letters, digits, '_', '.' or '-'.", ("id",)))
    values: dict[str, Plain] = {}
    for name, cell in row.cells.items():
        field = BY_TABLE[table].by_name.get(name)
        if name == "id" or (field is not None and field.derived):
            continue
        if field is None:
            faults.append(Violation("unknown_column", f"{table} has no field {shown(name)}."))
            continue
        try:
            values[name] = _typed(field, cell) if row.typed else from_cell(field, cell)
        except BadCell as bad:
            faults.append(Violation("wrong_type", f"{name} {bad}.", (name,)))
    operation = Operation.UPDATED if query.existing == "update" else Operation.CREATED
    return Asked(row.number, Mutation(table, str(id), operation, values), tuple(faults))


def _typed(field: Field, cell: Any) -> Plain:
    if type(cell) not in field.type.accepts:
        raise BadCell(f"is {type(cell).__name__}, which is not how JSON has it (docs/PROTOCOL.md)")
    plain: Plain = cell
    return plain


# --- What became of it ------------------------------------------------------------------------------------------------


def write_refused(number: int, id: str, reasons: Iterable[Violation]) -> bytes:
    """Write the line of a row that was refused."""
    listed = [{"code": r.code, "sentence": r.sentence, "fields": list(r.fields)} for r in reasons]
    return _line({"row": number, "id": id, "refused": listed})


def write_progress(rows: int, counts: Mapping[str, int]) -> bytes:
    """Write how far it is: rows so far, and what became of them."""
    return _line({"progress": {"rows": rows, **counts}})


def write_end(query: ImportQuery, rows: int, counts: Mapping[str, int], stopped: str = "") -> bytes:
    """Write the last line. `stopped`: why not all rows were looked at; without it there is none, and the import is whole."""
    summary: dict[str, Any] = {"name": query.name, "dry_run": query.dry, "rows": rows, **counts}
    return _line({"summary": {**summary, "stopped": stopped} if stopped else summary})


def _line(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document) + b"\n"
