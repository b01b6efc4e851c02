"""The past of records, described: their histories, bringing an earlier state back, and the audit trail.

Owns: the shapes of their parameters, bodies and answers.
Must not know: any one entity.
Invariant: what is here is what wire/history.py reads and writes (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from erp_core.catalogue import BY_TABLE, ENTITIES
from erp_core.language import Entity
from sync_server.wire.history import AUDIT_PARAMETERS, HISTORY_MAX
from sync_server.wire.openapi import entities, faults
from sync_server.wire.openapi.lists import a_title
from sync_server.wire.openapi.operations import Answer, Body, Operation, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    camel,
    choice,
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

TAG: Final = "Audit"

EVENT: Final = shape(
    {
        "table": text(),
        "id": id_of("the record"),
        "position": whole("Of the organisation's clock."),
        "operation": text(examples=["updated"]),
        "at": moment("When it was received."),
        "by": or_null(text("The user; null: SQL did it.")),
        "channel": text("`phone`, `office`, `server`, or `sql`: past the server."),
        "session": text("Of one's own changes, or with `audit.read`."),
        "device": text("The same."),
        "push": text("The same."),
        "authored": moment("When it was written on the device."),
        "changes": mapped(
            {
                "type": "object",
                "properties": {"from": {}, "to": {}},
                "additionalProperties": False,
            },
            "Field -> what it was, as far as you could see it, and what it became.",
        ),
    },
    optional=("session", "device", "push", "authored"),
    help="Something that happened to a record.",
)
EVENTS: Final = shape(
    {"events": listed(ref("Event")), "next": or_null(text("`after` of the next page; null: no more."))}
)

SCHEMAS: Final[Mapping[str, Schema]] = {"Event": EVENT, "Events": EVENTS}

_POSITION: Final = text(pattern="^[0-9]{1,16}$")
_LIMIT: Final = whole(least=1, most=HISTORY_MAX, default=50)
_MOMENT: Final = text(examples=["2026-11-23T10:00:00Z"])
_AUDIT: Final[Mapping[str, Schema]] = {
    "limit": _LIMIT,
    "after": _POSITION,
    "table": choice(*BY_TABLE),
    "since": _MOMENT,
    "until": _MOMENT,
}
"""Parameters of the audit trail that are no ids."""


def _history(entity: Entity) -> Operation:
    return Operation(
        id=f"history{camel(entity.name)}",
        tag=entity.title,
        summary=f"Tell what happened to {a_title(entity)}",
        help="Newest first; of each event what you would have seen of the record then.",
        parameters=(
            path("id", id_of(f"the {entity.title.lower()}")),
            query("limit", _LIMIT, f"Events of a page, at most: 1 to {HISTORY_MAX}."),
            query("after", _POSITION, "The `next` of the page before.", may_be_empty=True),
        ),
        answers={200: Answer("A page of events.", ref("Events"))},
        codes=("bad_parameter", "not_found", "forbidden"),
    )


def _restore(entity: Entity) -> Operation:
    return Operation(
        id=f"restore{camel(entity.name)}",
        tag=entity.title,
        summary=f"Bring back how {a_title(entity)} was, as a new change",
        help="The fields that you see and that differ, by the rules and permissions of a change.",
        parameters=(path("id", id_of(f"the {entity.title.lower()}")),),
        body=Body(shape({"position": whole("Of an event.", least=0, most=2**62 - 1)}), {"position": 2_199_023_255_600}),
        answers={
            200: Answer("The record as it is now.", entities.written(entity), headers=entities.ETAG),
        },
        codes=(*faults.WRITTEN, "unknown_member", "invalid_value", "fresh_login_needed"),
    )


def _operations() -> Iterator[tuple[tuple[str, str], Operation]]:
    for entity in ENTITIES:
        one = f"/api/v1/{entity.table}/{{id}}"
        yield ("GET", f"{one}/history"), _history(entity)
        if entity.access.update:
            yield ("POST", f"{one}/restore"), _restore(entity)
    yield (
        ("GET", "/api/v1/audit"),
        Operation(
            *(
                "audit",
                TAG,
                "Tell what happened in the organisation",
                {200: Answer("A page of events.", ref("Events"))},
            ),
            help="A page looks through some thousands of events, so it may be empty and still have a `next`.",
            parameters=tuple(
                query(name, _AUDIT.get(name, id_of("it")), said, may_be_empty=name == "after")
                for name, said in AUDIT_PARAMETERS.items()
            ),
            codes=("bad_parameter", "forbidden"),
        ),
    )


OPERATIONS: Final = dict(_operations())
