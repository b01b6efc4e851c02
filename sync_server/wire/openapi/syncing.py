"""Pull, push and exchange, described, with the change sets that they carry.

Owns: the shapes of change sets, raw records of every table that phones hold, verdicts and slices.
Must not know: engine, store.
Invariant: what is here is what wire/pulling.py, changes.py, exchanging.py and slicing.py read and write
(tests/contract/test_openapi.py, tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from erp_core.catalogue import SYNCED
from erp_core.language import Entity
from sync_server.wire.openapi import faults
from sync_server.wire.openapi.operations import Answer, Body, Operation, header, query
from sync_server.wire.openapi.shapes import (
    Schema,
    anything,
    camel,
    choice,
    id_of,
    listed,
    or_null,
    ref,
    shape,
    text,
    whole,
)
from sync_server.wire.pulling import CURSOR_LIMIT
from sync_server.wire.slicing import BUDGET_MAX, BUDGET_MIN

TAG: Final = "Sync"
_NAMES: Final = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}

CURSOR: Final = whole("A cursor, not a time.", least=0, most=CURSOR_LIMIT - 1)
_ASKED: Final = {"anyOf": [CURSOR, {"enum": ["null", "undefined", "NaN", ""]}]}

DEVICE_HEADERS: Final = (
    header("Cotton-App-Version", text(), "The app's version, up to 40 printable characters."),
    header("Cotton-Pending", text(), "How many changes wait to be pushed."),
)
COUNTER: Final = header(
    "Cotton-Push-Counter",
    text(pattern="^[1-9][0-9]{0,14}$"),
    "The number of this push, from 1 up; the same again for a repetition.",
)
_QUERY: Final = query("last_pulled_at", _ASKED, "The `timestamp` of the last pull; null or 0: nothing was pulled yet.")
_PULL_QUERY: Final = (
    _QUERY,
    query(
        "schema_version",
        {"anyOf": [whole(least=1, most=10**16 - 1), {"enum": ["null", "undefined", "NaN", ""]}]},
        "The version of the app's schema: only tables that it has are sent.",
    ),
    query("migration", text(), "WatermelonDB's migration object, as JSON, after the app's schema changed."),
)


def raw(entity: Entity) -> Schema:
    """A record as phones exchange it: only columns and JSON types are looked at, the rest is judged record by record."""
    columns = {
        field.name: {"type": sorted({_NAMES[kind] for kind in field.type.accepts})} for field in entity.all_fields
    }
    local = {"_status": {}, "_changed": {"description": "The columns that an update changed, with commas."}}
    return shape(
        {"id": id_of("the record"), **local, **columns}, optional=[*local, *columns], title=f"Raw {entity.title}"
    )


def _lists(entity: Entity) -> Schema:
    records = listed(ref(f"Raw{camel(entity.name)}"))
    lists = {"created": records, "updated": records, "deleted": listed(id_of("a record"))}
    return shape(lists, optional=tuple(lists))


def schemas() -> Iterator[tuple[str, Schema]]:
    """Give the components of syncing: name -> schema."""
    yield from ((f"Raw{camel(entity.name)}", raw(entity)) for entity in SYNCED)
    tables = {entity.table: _lists(entity) for entity in SYNCED}
    yield "Changes", shape(tables, optional=tuple(tables), help="table -> what was created, updated and deleted.")
    yield "Verdict", VERDICT
    yield "Pulled", shape(_PULLED, optional=("experimentalStrategy",))
    yield "Exchanged", EXCHANGED


_PULLED: Final[Mapping[str, Schema]] = {
    "changes": ref("Changes"),
    "timestamp": CURSOR,
    "experimentalStrategy": choice("replacement", help="The answer is everything: what else is there is to go."),
}
VERDICT: Final = shape(
    {
        "table": text(),
        "id": id_of("the record"),
        "verdict": choice("accepted", "merged", "parked", "refused", "duplicate"),
        "set": anything("What the server has otherwise than it was sent."),
        "issue": id_of("the row of `sync_issues`"),
        "code": text("Why it was refused."),
        "sentence": text("The same for a person, in the author's language."),
        "fields": listed(text(), "At fault."),
        "outcomes": listed(anything(), "Of each column that both sides changed: base, ours, theirs, kept, policy."),
    },
    optional=("set", "issue", "code", "sentence", "fields", "outcomes"),
    help="What became of a record that was sent.",
)
_MORE: Final = shape(
    {
        "token": text("Of the next slice."),
        "rows": whole("That are still to come.", least=0),
        "bytes": whole("The same.", least=0),
    }
)
EXCHANGED: Final = shape(
    {"verdicts": listed(ref("Verdict")), **_PULLED, "more": _MORE},
    optional=("verdicts", *_PULLED, "more"),
    help="A pull with verdicts, a slice of it, or verdicts alone for what was handed in for another user.",
)
_EXCHANGE: Final = shape(
    {
        "push_id": text("Names this push on this device.", pattern="^[A-Za-z0-9_.-]{1,64}$"),
        "last_pulled_at": or_null(CURSOR),
        "schema_version": or_null(whole(least=1, most=10**16 - 1)),
        "migration": or_null(anything("As in a pull.")),
        "changes": or_null(ref("Changes")),
        "sent_at": or_null(whole("The device's clock, milliseconds since 1970.", least=0, most=2**53 - 1)),
        "budget_bytes": or_null(whole("Of a slice.", least=BUDGET_MIN, most=BUDGET_MAX)),
        "author": or_null(id_of("the user whose changes these are")),
    },
    optional=("last_pulled_at", "schema_version", "migration", "changes", "sent_at", "budget_bytes", "author"),
)
_NEXT: Final = shape({"more": text("The token of the next slice; nothing may come with it.")})
_PUSHED: Final = shape(
    {"experimentalRejectedIds": {"type": "object", "additionalProperties": listed(id_of("a record"))}},
    optional=("experimentalRejectedIds",),
)

_PUSH_EXAMPLE: Final = {"business_partners": {"updated": [{"id": "p", "_changed": "phone", "phone": "+919825012345"}]}}
_EXAMPLE: Final = {"push_id": "9f3c-17", "last_pulled_at": None, "changes": _PUSH_EXAMPLE}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/sync"): Operation(
        *("pull", TAG, "Pull", {200: Answer("One point in time over all tables.", ref("Pulled"))}),
        help="WatermelonDB's pullChanges; docs/PROTOCOL.md says what can be relied on.",
        parameters=(*_PULL_QUERY, *DEVICE_HEADERS),
        codes=(*faults.PULL, "number_not_finite", "unsafe_text", "string_too_long", "too_many_keys", "wrong_type"),
    ),
    ("POST", "/api/v1/sync"): Operation(
        *("push", TAG, "Push", {200: Answer("Applied, wholly and once.", _PUSHED)}),
        help="WatermelonDB's pushChanges. Records that were refused are named, or wait as rows of `sync_issues`.",
        parameters=(_QUERY, *DEVICE_HEADERS, COUNTER),
        body=Body(ref("Changes"), _PUSH_EXAMPLE),
        codes=(*faults.CURSOR, *faults.CHANGES, "conflict", "push_overtaken"),
    ),
    ("POST", "/api/v1/sync/exchange"): Operation(
        *("exchange", TAG, "Push and pull in one round trip", {200: Answer("Verdicts and changes.", ref("Exchanged"))}),
        parameters=(*DEVICE_HEADERS, COUNTER),
        body=Body({"anyOf": [_EXCHANGE, _NEXT]}, _EXAMPLE),
        codes=(
            *(*faults.PULL, *faults.CHANGES, "invalid_value"),
            *("push_id_reused", "push_overtaken", "author_never_here", "slices_gone"),
        ),
    ),
}
