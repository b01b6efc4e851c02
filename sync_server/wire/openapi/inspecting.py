"""What is asked about a sync, described: verify, explain, resolve, schema, policies.

Owns: the shapes of their bodies and answers.
Must not know: engine, store.
Invariant: what is here is what wire/verifying.py, explaining.py, resolving.py, schema.py and policies.py read and write
(tests/contract/test_openapi.py, tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.catalogue import SYNCED
from sync_server.wire.openapi import faults
from sync_server.wire.openapi.entities import IF_MATCH
from sync_server.wire.openapi.operations import Answer, Body, Operation, header, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    anything,
    choice,
    flag,
    id_of,
    listed,
    mapped,
    moment,
    or_null,
    ref,
    shape,
    text,
    whole,
)
from sync_server.wire.openapi.syncing import CURSOR, DEVICE_HEADERS, TAG
from sync_server.wire.resolving import HOW
from sync_server.wire.verifying import BUCKETS_MAX

_TABLES: Final = [entity.table for entity in SYNCED]

_HELD: Final = shape(
    {"rows": whole(), "digests": listed(text(pattern="^[0-9a-f]{16}$"), minItems=1, maxItems=BUCKETS_MAX)},
    help="A table as the device holds it: rows parted into 1, 2, 4 … 4096 buckets, and the digest of each.",
)
_VERIFY: Final = shape(
    {
        "last_pulled_at": {**CURSOR, "minimum": 1},
        "schema_version": whole(least=1, most=2**31 - 1),
        "tables": {**mapped(_HELD), "propertyNames": {"enum": _TABLES}},
        "without": {**mapped(listed(id_of("a record"))), "propertyNames": {"enum": _TABLES}},
    },
    optional=("without",),
)
_VERIFY_EXAMPLE: Final = {
    "last_pulled_at": 2_199_023_255_600,
    "schema_version": 1,
    "tables": {"trades": {"rows": 50, "digests": ["0123456789abcdef", "fedcba9876543210"]}},
}
_DIFFERS: Final = shape({"buckets": listed(whole(least=0)), "rows": listed(anything())})

EXPLAINED: Final = shape(
    {
        "table": text(),
        "id": id_of("the record"),
        "conclusion": text(examples=["on_device"]),
        "sentence": text("The same for a person."),
        "next_pull": text("What it will do about the record.", examples=["nothing"]),
        "device": shape(
            {
                "id": id_of("the device"),
                "user_id": id_of("its user"),
                "state": text(),
                "cursor": or_null(whole()),
                "lag": or_null(whole()),
                "had_it_at_cursor": or_null(flag()),
            }
        ),
        "record": or_null(
            shape(
                {
                    "position": whole(),
                    "moved_at": or_null(moment("When it last changed.")),
                    "deleted": flag(),
                    "labels": listed(text()),
                    "held": mapped(listed(text())),
                    "hidden_fields": listed(text()),
                }
            )
        ),
        "last_verdict": or_null(shape({"verdict": text(), "at": moment("When.")})),
        "open_issues": listed(shape({"id": id_of("the issue"), "kind": text(), "reason_code": text()})),
    }
)
_COLUMN: Final = shape(
    {"name": text(), "type": choice("string", "number", "boolean"), "isOptional": flag(), "isIndexed": flag()},
    optional=("isOptional", "isIndexed"),
)
_SCHEMA: Final = shape(
    {"version": whole(least=1), "tables": listed(shape({"name": text(), "columns": listed(_COLUMN)}))}
)
_POLICIES: Final = shape(
    {
        "version": whole(least=1),
        "etag": text(),
        "tables": mapped(
            shape(
                {
                    "columns": mapped(anything("The policy, and what it is declared with.")),
                    "deletion": choice("delete_wins", "update_wins", "park"),
                    "stale_days": or_null(whole(least=0)),
                }
            )
        ),
    }
)
_RESOLUTION: Final = shape(
    {"how": choice(*HOW), "values": anything("Only of what is edited: columns of the record, and their values.")},
    optional=("values",),
)
_SETTLED: Final = shape(
    {"issue": or_null(ref("SyncIssue")), "record": or_null(anything("As in GET /api/v1/{table}/{id}."))}
)

SCHEMAS: Final[Mapping[str, Schema]] = {"Explained": EXPLAINED}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/api/v1/sync/verify"): Operation(
        "verify",
        TAG,
        "Find out whether a phone holds what it should",
        {200: Answer("What differs.", shape({"tables": mapped(_DIFFERS), "more": flag("Others differ too.")}))},
        parameters=DEVICE_HEADERS,
        body=Body(_VERIFY, _VERIFY_EXAMPLE),
        codes=(
            *(*faults.CURSOR, "bad_schema_version", "unknown_member", "unknown_table", "too_many_records"),
            *("invalid_value", "behind", "too_different"),
        ),
    ),
    ("GET", "/api/v1/sync/explain"): Operation(
        *("explain", TAG, "Say why a record is or is not on a device", {200: Answer("Why.", ref("Explained"))}),
        parameters=(
            query("table", choice(*_TABLES), required=True),
            query("id", id_of("the record"), required=True),
            query(
                "device",
                id_of("a device"),
                "If not the one that asks; others' take `device.manage`.",
                may_be_empty=True,
            ),
        ),
        codes=("bad_parameter", "forbidden", "not_found"),
    ),
    ("POST", "/api/v1/sync/issues/{id}/resolve"): Operation(
        *("resolve", TAG, "Settle an issue of the inbox", {200: Answer("Settled, with its record.", _SETTLED)}),
        parameters=(path("id", id_of("the issue")), IF_MATCH),
        body=Body(_RESOLUTION, {"how": "theirs"}),
        codes=(
            *(*faults.WRITTEN, "unknown_member", "unknown_column", "missing_field", "invalid_value", "read_only"),
            "issue_closed",
        ),
    ),
    ("GET", "/api/v1/sync/schema"): Operation(
        *("schema", TAG, "Give the schema as WatermelonDB wants it", {200: Answer("The newest schema.", _SCHEMA)}),
    ),
    ("GET", "/api/v1/sync/policies"): Operation(
        "policies",
        TAG,
        "Say what decides a clash, column by column",
        {
            200: Answer("The policies.", _POLICIES, headers={"ETag": {"$ref": "#/components/headers/ETag"}}),
            304: Answer("Nothing changed."),
        },
        parameters=(header("If-None-Match", text(), "The `ETag` of before."),),
    ),
}
