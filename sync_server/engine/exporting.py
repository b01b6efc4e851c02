"""Exporting: what decides a clash, as data that a phone's resolver can go by.

Owns: which tables and columns are in it, and what is said of each.
Must not know: JSON, HTTP, TypeScript; wire/policies.py and mobile/generate_policies.py write it down.
Invariant: what is exported is what the engine goes by (tests/integration/test_policies.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from erp_core.catalogue import SCHEMA_VERSION, SYNCED
from erp_core.language import Entity
from sync_server.engine.policy_map import policies_of


def exported(entities: Iterable[Entity] = SYNCED, version: int = SCHEMA_VERSION) -> dict[str, Any]:
    """Give `{version, tables: {table: {columns: {column: policy}, deletion, stale_days}}}`, in catalogue order.

    `version` is that of the schema; `stale_days` None: no edit is ever too old to be merged. Cost: O(columns).
    """
    return {"version": version, "tables": {entity.table: _table(entity) for entity in entities}}


def _table(entity: Entity) -> dict[str, Any]:
    columns = {column: policy.as_json() for column, policy in policies_of(entity).items()}
    return {"columns": columns, "deletion": entity.deletion.value, "stale_days": entity.stale_days}
