"""The schema as WatermelonDB wants it: version, tables, columns.

Owns: the JSON of GET /api/v1/sync/schema.
Must not know: engine, store.
Invariant: it names exactly the tables and columns that pulls send (tests/integration/test_pull.py); the TypeScript schema
of the SDK is made from the same facts (tests/unit/test_generate_mobile.py).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from erp_core.catalogue import SCHEMA_VERSION, SYNCED
from erp_core.language import Entity, Field
from erp_core.values import Reference


@cache
def schema_document() -> dict[str, Any]:
    """Make the document: `{version, tables: [{name, columns: [{name, type, isOptional?, isIndexed?}]}]}`."""
    return {"version": SCHEMA_VERSION, "tables": [_table(entity) for entity in SYNCED]}


def _table(entity: Entity) -> dict[str, Any]:
    return {"name": entity.table, "columns": [column(field) for field in entity.all_fields]}


def column(field: Field) -> dict[str, Any]:
    """Describe one column in the words of WatermelonDB's `tableSchema`."""
    described: dict[str, Any] = {"name": field.name, "type": field.type.plain_kind}
    if not field.required:
        described["isOptional"] = True
    if isinstance(field.type, Reference):
        described["isIndexed"] = True
    return described
