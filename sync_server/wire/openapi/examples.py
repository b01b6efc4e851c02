"""Examples in the document: values that a field's type takes, records that show all members.

Owns: making them from a declaration.
Must not know: any one entity; the ids that they name are nobody's.
Invariant: an example is valid by the schema beside it (tests/contract/test_openapi.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from erp_core.language import Entity, Field
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Plain, Reference, Text, Words
from sync_server.wire.openapi.fields import must_be_given, title_of


def example_of(field: Field) -> Plain:
    """Make a value that the field's type takes."""
    match field.type:
        case Text(example=example):
            return example or title_of(field.name)[: field.type.longest]
        case Reference(entity=entity):
            return f"{entity.replace('_', '-')}-1"[:64]
        case Choice(words=words):
            return words[0]
        case Integer() | Number() as number:
            return _number(number)
        case Words(allowed=allowed):
            return json.dumps(list(allowed[:1]) if allowed else ["one"])
        case Flag() | Day() | Instant() | Document() as kind:
            return _PLAIN[type(kind)]


_PLAIN: Mapping[type, Plain] = {Flag: True, Day: "2026-11-23", Instant: 1_795_430_000_123, Document: "{}"}


def _number(number: Integer | Number) -> Plain:
    if isinstance(number, Integer):
        return min(max(number.least, 10), number.most)
    return number.plain(min(max(number.least, Decimal(10)), number.ceiling).quantize(number.step))


def example_record(entity: Entity, *, new: bool = False) -> Mapping[str, Any]:
    """Make a record as it is given; `new`: only what makes one."""
    shown = (f for f in entity.all_fields if not new or (must_be_given(entity, f) and not f.derived))
    return {"id": f"{entity.name.replace('_', '-')}-1", **{field.name: example_of(field) for field in shown}}
