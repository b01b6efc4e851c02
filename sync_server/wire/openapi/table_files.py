"""Tables as files in the document: what takes a table out, and what brings one in.

Must not know: any one entity.
Invariant: every entity can be taken out, and those that can be made over REST be brought in (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from erp_core.catalogue import ENTITIES
from erp_core.language import Entity
from sync_server.wire.openapi.operations import Answer, Body, Operation, query
from sync_server.wire.openapi.shapes import Schema, camel, choice, text
from sync_server.wire.table_files.shapes import EXISTING, KINDS

ANY_FILE: Final[Schema] = {"type": "string", "format": "binary"}
TYPES: Final = ("application/octet-stream", "text/plain", *(kind.media_type for kind in KINDS.values()))
DISPOSITION: Final[Mapping[str, Schema]] = {
    "Content-Disposition": {"description": "The name of the file.", "schema": text()}
}
FORMAT: Final = query("format", {**choice(*KINDS), "default": "csv"}, "CSV and XLSX for people, NDJSON for programs.")


def _out(entity: Entity) -> Operation:
    said = (
        "All that you see of it, as of one moment, in no order. Needs a login of a few minutes ago, and is written down."
        " Text that a spreadsheet would work out stands behind an apostrophe in CSV."
    )
    answer = Answer("The file.", ANY_FILE, headers=DISPOSITION, types=tuple(kind.media_type for kind in KINDS.values()))
    return Operation(
        id=f"export{camel(entity.table)}",
        tag=entity.title,
        summary=f"Take out the table {entity.table} as a file",
        help=said,
        parameters=(FORMAT,),
        answers={200: answer},
        codes=("bad_parameter", "fresh_login_needed", "forbidden"),
    )


def _in(entity: Entity) -> Operation:
    said = (
        "A row a record, its columns named as the fields are. Each row is judged by itself, as if it came alone. The answer"
        " is written while the rows are applied: a line for each row that is refused, lines that tell how far it is, and at"
        " last a `summary`; without one the connection was lost: send the same file under the same name, and it goes on."
    )
    parameters = (
        FORMAT,
        query("name", text(most=40), "Names the import: a row without an id gets this name and its number for one."),
        query("existing", {**choice(*EXISTING), "default": "refuse"}, "What is done with a record that is there."),
        query("dry_run", {**choice("true", "false"), "default": "false"}, "Say what would be, and change nothing."),
    )
    return Operation(
        id=f"import{camel(entity.table)}",
        tag=entity.title,
        summary=f"Bring in records of {entity.table} from a file",
        help=said,
        parameters=parameters,
        body=Body(ANY_FILE, types=TYPES, needed=False),
        answers={200: Answer("What became of the rows.", text(), type="application/x-ndjson")},
        codes=("bad_parameter", "fresh_login_needed"),
    )


def _operations() -> Iterator[tuple[tuple[str, str], Operation]]:
    for entity in ENTITIES:
        yield ("GET", f"/api/v1/export/{entity.table}"), _out(entity)
        if entity.access.create:
            yield ("POST", f"/api/v1/import/{entity.table}"), _in(entity)


OPERATIONS: Final = dict(_operations())
