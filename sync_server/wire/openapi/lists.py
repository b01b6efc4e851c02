"""The lists of an entity in the document: every parameter that one can be asked with, and the page that it gives.

Owns: how the tables `PARAMETERS` (wire/listing.py) and `OPERATORS` (wire/filters.py) become parameters.
Must not know: any one entity.
Invariant: a list takes each parameter that is described (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from erp_core.catalogue import BY_NAME
from erp_core.language import Entity, Field
from sync_server.wire.filters import SEVERAL_MAX, VALUE_MAX, Operator, is_sortable, operators_of
from sync_server.wire.listing import INCLUDE_MAX, PAGE_DEFAULT, PAGE_MAX, PARAMETERS, SORT_MAX
from sync_server.wire.openapi import fields
from sync_server.wire.openapi.operations import Answer, Operation, Parameter, header, query
from sync_server.wire.openapi.shapes import Schema, camel, choice, listed, or_null, ref, shape, text, whole
from sync_server.wire.places import TOKEN_MAX

COUNT: Final = header("Prefer", text(examples=["count=exact"]), "`count=exact`: say how many all pages hold.")


def a_title(entity: Entity) -> str:
    """Name one of the entity's records, with its article."""
    name = entity.title.lower()
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def page(entity: Entity) -> Schema:
    """Describe a page; with `fields` its records are parts."""
    name = camel(entity.name)
    records = listed({"anyOf": [ref(name), ref(f"{name}Part")]}, maxItems=PAGE_MAX)
    targets = {BY_NAME[target].table: listed(ref(camel(target))) for _, target in entity.references}
    members = {
        "records": records,
        "next": or_null(text("`after` of the next page; null: this is the last.")),
        "included": shape(targets, optional=tuple(targets), help="table -> records that these name."),
        "count": whole("How many all pages hold.", least=0),
        "count_is": choice("exact", "at_least"),
    }
    return shape(members, optional=("included", "count", "count_is"))


def listing(entity: Entity) -> Operation:
    """Describe the list of an entity."""
    plural = fields.title_of(entity.table).lower()
    applied = {"description": "`count=exact`, if all were counted.", "schema": {"const": "count=exact"}}
    return Operation(
        id=f"list{camel(entity.table)}",
        tag=entity.title,
        summary=f"List {plural}",
        help=f"A page of those {plural} that you see. It may be shorter than `limit`. At most eight conditions at once.",
        parameters=(*_parameters(entity), COUNT),
        answers={
            200: Answer("A page.", ref(f"{camel(entity.name)}Page"), headers={"Preference-Applied": applied}),
        },
        codes=("bad_parameter", "forbidden"),
    )


def _parameters(entity: Entity) -> Iterator[Parameter]:
    for name, said in PARAMETERS.items():
        make = _PLAIN.get(name)
        if make is None:
            yield query(name, text(most=VALUE_MAX), said, may_be_empty=True)
        else:
            schema = make(entity)
            yield query(name, schema, said, several=schema["type"] == "array", may_be_empty=name != "limit")
    for field in entity.all_fields:
        for suffix, operator in operators_of(field).items():
            if suffix or field.name not in PARAMETERS:
                yield _condition(field, suffix, operator)


def _names(names: Iterator[str], most: int) -> Schema:
    allowed = list(names)
    if not allowed:
        return text(most=0)
    return listed({"enum": allowed}, maxItems=most, uniqueItems=True)


def _sorts(entity: Entity) -> Iterator[str]:
    for name in ("id", *(field.name for field in entity.all_fields if is_sortable(field))):
        yield from (name, f"-{name}")


_PLAIN: Final[Mapping[str, Callable[[Entity], Schema]]] = {
    "limit": lambda _: whole(least=1, most=PAGE_MAX, default=PAGE_DEFAULT),
    "after": lambda _: text(most=min(TOKEN_MAX, 4_000)),  # an address has 8 kB, and the other parameters need room
    "sort": lambda entity: _names(_sorts(entity), SORT_MAX),
    "fields": lambda entity: _names((field.name for field in entity.all_fields), len(entity.all_fields)),
    "include": lambda entity: _names((field.name for field, _ in entity.references), INCLUDE_MAX),
}
"""Parameters whose values follow from the entity; any other is a text."""


def _condition(field: Field, suffix: str, operator: Operator) -> Parameter:
    name = f"{field.name}.{suffix}" if suffix else field.name
    said = f"{fields.title_of(field.name)} {operator.help}."
    if suffix == "null":
        return query(name, {"type": "boolean"}, said)
    if suffix in ("like", "has"):
        return query(name, text(most=VALUE_MAX), said)
    schema = fields.asked(field, VALUE_MAX)
    if operator.several:
        return query(name, listed(schema, minItems=1, maxItems=SEVERAL_MAX), said, several=True)
    return query(name, schema, said, may_be_empty=not suffix)
