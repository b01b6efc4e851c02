"""The catalogue as JSON: tables, fields, types and states, with their titles in one language.

Owns: the shape of the document.
Must not know: who asks; rights are in `GET /api/v1/me`, and the engine judges.
Invariant: it is made of the declarations and of nothing else, so that a form drawn by it can hold every record
(tests/integration/test_console_files.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final

import orjson

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity, Field, Fixed, States
from erp_core.titles import LANGUAGES, entity_title, field_title, word_title
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Text, ValueType, Words
from sync_server.wire.problems import Problem

NAMES: Final = ("legal_name", "name", "title", "username", "lot_number", "number", "vehicle_number", "code", "key")
"""Fields by which people know a record, the first that an entity has; without one it is known by its id."""


@dataclass(frozen=True, slots=True)
class Written:
    """The document, and its tag."""

    body: bytes
    etag: str


def read_language(asked: str | None) -> str:
    """Read `?language=`. Raises Problem."""
    if asked is None:
        return LANGUAGES[0]
    if asked not in LANGUAGES:
        raise Problem("bad_parameter", f"language must be one of {', '.join(LANGUAGES)}.")
    return asked


@cache
def write_catalogue(language: str) -> Written:
    """Write the catalogue in a language. Cost: a few milliseconds, once in a process and language."""
    body = orjson.dumps({"language": language, "tables": [_table(entity, language) for entity in ENTITIES]})
    return Written(body, sha256(body).hexdigest()[:16])


def _table(entity: Entity, language: str) -> dict[str, Any]:
    access = entity.access
    return {
        "name": entity.name,
        "table": entity.table,
        "title": entity_title(entity, language),
        "named_by": next((name for name in NAMES if name in entity.by_name), None),
        "parent": entity.parent,
        "state": None if entity.states is None else entity.states.field,
        "machines": {name: _machine(machine) for name, machine in entity.machines.items()},
        "needs": {
            "read": access.read,
            "create": access.create,
            "update": access.update,
            "delete": access.delete,
        },
        "fields": [_field(entity, field, language) for field in entity.all_fields],
    }


def _machine(machine: States) -> dict[str, Any]:
    return {"begins": machine.begins, "moves": machine.moves, "needs": machine.needs, "ends_early": machine.breaks}


def _field(entity: Entity, field: Field, language: str) -> dict[str, Any]:
    change, blank = field.change, entity.blank[field.name]
    return {
        "name": field.name,
        "title": field_title(entity, field.name, language),
        "help": field.help,
        "required": field.required,
        "default": None if blank is None else field.type.plain(blank),
        "derived": field.derived,
        "change": change.kind.value,
        "fixed_when": None if change.when is None else _fixed(change.when),
        "read": field.read,
        "write": field.write,
        **_type(entity, field, language),
    }


def _fixed(when: Fixed) -> dict[str, Any]:
    return {"field": when.field, "words": when.words, "unless": when.unless}


def _type(entity: Entity, field: Field, language: str) -> Mapping[str, Any]:
    plain = {"json": field.type.plain_kind}
    return {**plain, **_bounds(field.type), **_words(entity, field, language)}


def _bounds(type: ValueType) -> Mapping[str, Any]:
    match type:
        case Text(longest=longest, example=example):
            return {"type": "text", "longest": longest, "example": example}
        case Reference(entity=target):
            return {"type": "reference", "to": BY_NAME[target].table}
        case Integer(least=least, most=most):
            return {"type": "integer", "least": least, "most": most}
        case Number(places=places, unit=unit, least=lowest):
            return {
                "type": "number",
                "places": places,
                "unit": unit,
                "least": float(lowest),
                "most": float(type.ceiling),
            }
    return {"type": _PLAIN[type.__class__]}


_PLAIN: Final[Mapping[type, str]] = {
    Choice: "choice",
    Flag: "flag",
    Day: "day",
    Instant: "instant",
    Words: "words",
    Document: "document",
}


def _words(entity: Entity, field: Field, language: str) -> Mapping[str, Any]:
    listed = field.type.words if isinstance(field.type, Choice) else None
    if isinstance(field.type, Words):
        listed = field.type.allowed
    if listed is None:
        return {}
    return {"words": [{"word": word, "title": word_title(entity, field.name, word, language)} for word in listed]}
