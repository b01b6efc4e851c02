"""The entities in the document: the schemas of their records, and the operations on them.

Owns: how a declaration of erp_core becomes components and operations; lists are in lists.py.
Must not know: any one entity.
Invariant: an entity has the operations that its access admits, and no other (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from erp_core.catalogue import ENTITIES
from erp_core.language import Entity, Phone
from sync_server.wire.openapi import faults, fields, lists
from sync_server.wire.openapi.examples import example_record
from sync_server.wire.openapi.lists import a_title
from sync_server.wire.openapi.operations import JSON, Answer, Body, Operation, Parameter, header, path, query
from sync_server.wire.openapi.shapes import Schema, camel, id_of, or_null, ref, shape, text

PATCH_JSON: Final = "application/merge-patch+json"
ETAG: Final = {"ETag": {"$ref": "#/components/headers/ETag"}}
LOCATION: Final = {"Location": {"description": "Where the record is.", "schema": text()}}
APPLIED: Final = {
    "Preference-Applied": {"description": "What of the preferences was done.", "schema": text(examples=["merge"])},
}
IF_MATCH: Final = header(
    "If-Match",
    text(),
    "The `ETag` of the record as you have it: nothing is applied if it has moved since in a way that clashes.",
)
PREFER: Final = header(
    "Prefer",
    text(examples=["merge"]),
    "`merge`: what both sides changed is decided by the policies of the fields; `return=minimal`: answer without the record.",
)
KEY: Final = header(
    "Idempotency-Key",
    text(pattern=r'^"?[!#-\[\]-~]{1,255}"?$'),
    "Of your own making: the same request again has no second effect, and gets the same answer.",
)
KEYED: Final = ("bad_idempotency_key", "idempotency_key_reused")
MINIMAL: Final = "As `return=minimal` has it."
AT: Final = query("at", text(examples=["2026-11-23T10:00:00Z"]), "As it was: at a position, or at a moment (RFC 3339).")
RECORD: Final = ("unknown_column", "unsafe_id", *faults.WRITTEN)
FRESH: Final = ("fresh_login_needed",)


# --- Schemas ------------------------------------------------------------------------------------------------------------


def schemas(entity: Entity) -> Iterator[tuple[str, Schema]]:
    """Give the components of an entity: name -> schema."""
    name, id = camel(entity.name), id_of(f"the {entity.title.lower()}")
    yield name, _record(entity, id)
    yield f"{name}Page", lists.page(entity)
    yield f"{name}Part", _part(entity, id)
    if entity.access.create:
        yield f"New{name}", _new(entity, id)
    if entity.access.update:
        yield f"{name}Patch", _patch(entity, id)


def _record(entity: Entity, id: Schema) -> Schema:
    """A field that not every reader sees is left out for those who do not."""
    members = {"id": id, **{field.name: fields.given(field) for field in entity.all_fields}}
    optional = [field.name for field in entity.all_fields if field.read]
    return shape(members, optional=optional, title=entity.title, help=_about(entity))


def _part(entity: Entity, id: Schema) -> Schema:
    members = {"id": id, **{field.name: fields.given(field) for field in entity.all_fields}}
    optional = [field.name for field in entity.all_fields]
    return shape(
        members, optional=optional, title=f"Part of {a_title(entity)}", help="Only the `fields` that were asked for."
    )


def _new(entity: Entity, id: Schema) -> Schema:
    needed = {f.name: fields.must_be_given(entity, f) for f in entity.all_fields}
    members = {f.name: fields.sent(f, needed=needed[f.name]) for f in entity.all_fields}
    own = {"id": or_null({**id, "description": "Of your own making, or left out: then the server makes one."})}
    optional = ["id", *(name for name, must in needed.items() if not must)]
    return shape({**own, **members}, optional=optional, title=f"New {entity.title.lower()}")


def _patch(entity: Entity, id: Schema) -> Schema:
    members = {f.name: fields.sent(f, needed=f.required and not f.derived) for f in entity.all_fields}
    said = "A merge patch (RFC 7396): null empties a field, what is left out stays."
    own = {"id": {**id, "description": "That of the path; it cannot be changed."}}
    return shape({**own, **members}, optional=["id", *members], title=f"{entity.title} patch", help=said)


def _about(entity: Entity) -> str:
    on_phones = {
        Phone.NONE: "Phones do not hold it.",
        Phone.DOWN: "Phones hold it and do not change it.",
        Phone.BOTH: "Phones hold and change it.",
    }
    machines = (
        f"`{field}`: " + "; ".join(f"{w} → {', '.join(after) or 'nothing'}" for w, after in machine.moves.items()) + "."
        for field, machine in entity.machines.items()
    )
    return " ".join((on_phones[entity.phone], *machines))


# --- Operations ---------------------------------------------------------------------------------------------------------


def operations(entity: Entity) -> Iterator[tuple[str, str, Operation]]:
    """Give (method, path, operation) of what an entity's access admits."""
    base = f"/api/v1/{entity.table}"
    one = f"{base}/{{id}}"
    yield "GET", base, lists.listing(entity)
    yield "GET", one, _read(entity)
    if entity.access.create:
        yield "POST", base, _create(entity)
    if entity.access.update:
        yield "PATCH", one, _change(entity)
    if entity.access.delete:
        yield "DELETE", one, _delete(entity)


def _id(entity: Entity) -> Parameter:
    return path("id", id_of(f"the {entity.title.lower()}"))


def _read(entity: Entity) -> Operation:
    return Operation(
        id=f"read{camel(entity.name)}",
        tag=entity.title,
        summary=f"Read {a_title(entity)}",
        parameters=(_id(entity), AT),
        answers={
            200: Answer(
                "The record; as it was, of fields that were there.",
                _as_it_was(entity),
                headers=ETAG,
                example=example_record(entity),
            )
        },
        codes=("not_found", "forbidden", "bad_parameter"),
    )


def _as_it_was(entity: Entity) -> Schema:
    """An older record lacks the fields that came since."""
    return {"anyOf": [ref(camel(entity.name)), ref(f"{camel(entity.name)}Part")]}


def written(entity: Entity) -> Schema:
    """What a write answers: the record, or only its id if it went out of the author's sight by it."""
    return {"anyOf": [ref(camel(entity.name)), ref("OutOfSight")]}


def _create(entity: Entity) -> Operation:
    answer = Answer("The record was there already, with just these contents.", written(entity), headers=ETAG)
    made = Answer("It was made.", written(entity), headers={**ETAG, **LOCATION}, links=_links(entity))
    return Operation(
        id=f"create{camel(entity.name)}",
        tag=entity.title,
        summary=f"Make {a_title(entity)}",
        help="Send an `id` if you may have to repeat it: the same again answers 200 with the record.",
        body=Body(ref(f"New{camel(entity.name)}"), example=example_record(entity, new=True)),
        parameters=(IF_MATCH, PREFER, KEY),
        answers={200: answer, 201: made, 204: Answer(MINIMAL, headers=ETAG)},
        codes=(*RECORD, *KEYED, "id_taken", *_fresh(entity)),
    )


def _links(entity: Entity) -> Mapping[str, Mapping[str, str]]:
    admitted = {"read": entity.access.read, "change": entity.access.update, "delete": entity.access.delete}
    return {f"{verb}{camel(entity.name)}": {"id": "$response.body#/id"} for verb, codes in admitted.items() if codes}


def _change(entity: Entity) -> Operation:
    return Operation(
        id=f"change{camel(entity.name)}",
        tag=entity.title,
        summary=f"Change {a_title(entity)}",
        parameters=(_id(entity), IF_MATCH, PREFER, KEY),
        body=Body(ref(f"{camel(entity.name)}Patch"), types=(PATCH_JSON, JSON)),
        answers={
            200: Answer("The record as it is now.", written(entity), headers={**ETAG, **APPLIED}),
            204: Answer(MINIMAL, headers={**ETAG, **APPLIED}),
        },
        codes=(*RECORD, *KEYED, "invalid_value", *_fresh(entity)),
    )


def _delete(entity: Entity) -> Operation:
    return Operation(
        id=f"delete{camel(entity.name)}",
        tag=entity.title,
        summary=f"Delete {a_title(entity)}",
        parameters=(_id(entity), IF_MATCH, PREFER, KEY),
        answers={204: Answer("It is gone.")},
        codes=(*faults.WRITTEN, *KEYED, *_fresh(entity)),
    )


def _fresh(entity: Entity) -> tuple[str, ...]:
    """What says who may do what is changed within minutes of a login only (web/records.py)."""
    return FRESH if entity.name in ("role", "grant", "user") else ()


def out_of_sight() -> Schema:
    """What is told of a record that its author does not see any more."""
    return shape(
        {"id": id_of("the record")}, help="The write went through, and the record is not yours to see any more."
    )


def entity_tags() -> list[Schema]:
    """Describe the tags of the entities."""
    return [{"name": entity.title, "description": _about(entity)} for entity in ENTITIES]
