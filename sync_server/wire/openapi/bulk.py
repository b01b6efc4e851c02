"""Many records in one request, described.

Owns: the shapes of its body and answer.
Must not know: any one entity.
Invariant: what is here is what wire/bulk.py reads and writes (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from erp_core.catalogue import ENTITIES
from erp_core.language import Entity
from sync_server.wire.bulk import MODES, RECORDS_MAX
from sync_server.wire.openapi import faults, fields
from sync_server.wire.openapi.entities import KEY
from sync_server.wire.openapi.operations import Answer, Body, Operation, header
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

_MINIMAL: Final = header("Prefer", text(examples=["return=minimal"]), "`return=minimal`: answer without the records.")


def _changes(entity: Entity) -> Schema:
    id, values = id_of(f"the {entity.title.lower()}"), anything("Fields and their values, as in one record's request.")
    kinds = []
    if entity.access.create:
        made = {"operation": {"const": "create"}, "id": or_null(id), "values": values}
        kinds.append(shape(made, optional=("id", "values")))
    if entity.access.update:
        kinds.append(shape({"operation": {"const": "update"}, "id": id, "values": values}, optional=("values",)))
    if entity.access.delete:
        kinds.append(shape({"operation": {"const": "delete"}, "id": id}))
    return {"anyOf": kinds}


def _result(entity: Entity) -> Schema:
    members = {
        "id": id_of("the record"),
        "verdict": text("What became of it."),
        "code": text("The problem code of what was refused."),
        "reasons": listed(ref("Reason")),
        "record": ref(camel(entity.name)),
    }
    return shape(members, optional=("code", "reasons", "record"))


def _bulk(entity: Entity) -> Operation:
    modes = "; ".join(f"`{mode}`: {said}" for mode, said in MODES.items())
    records = listed(_changes(entity), minItems=1, maxItems=RECORDS_MAX)
    example: Any = {"mode": next(iter(MODES)), "records": [_example(entity)]}
    return Operation(
        id=f"write{camel(entity.table)}",
        tag=entity.title,
        summary=f"Make, change and delete many {fields.title_of(entity.table).lower()} in one transaction",
        help=f"{modes}. An id comes once.",
        parameters=(_MINIMAL, KEY),
        body=Body(shape({"mode": choice(*MODES), "records": records}), example),
        answers={
            200: Answer(
                "What became of each, in their order.",
                shape({"applied": whole(least=0), "results": listed(_result(entity))}),
                headers={"Preference-Applied": {"description": "`return=minimal`.", "schema": text()}},
            )
        },
        codes=(
            *(*faults.WRITTEN, "unknown_column", "unsafe_id", "unknown_member", "invalid_value", "too_many_records"),
            *("duplicate_id", "bulk_refused", "id_taken", "bad_idempotency_key", "idempotency_key_reused"),
            *("fresh_login_needed",),
        ),
    )


def _example(entity: Entity) -> Any:
    verb = next(v for v in ("create", "update", "delete") if getattr(entity.access, v))
    return {
        "operation": verb,
        "id": f"{entity.name.replace('_', '-')}-1",
        **({} if verb == "delete" else {"values": {}}),
    }


def _operations() -> Iterator[tuple[tuple[str, str], Operation]]:
    for entity in ENTITIES:
        if entity.access.create or entity.access.update or entity.access.delete:
            yield ("POST", f"/api/v1/{entity.table}/bulk"), _bulk(entity)


OPERATIONS: Final = dict(_operations())
