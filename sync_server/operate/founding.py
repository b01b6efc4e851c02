"""Founding an organisation: its own record, and the roles that every organisation begins with.

Owns: what belongs to the first transaction of an organisation.
Must not know: who founds it, people, the demo.
Invariant: an organisation has the ten roles from its first moment on (tests/integration/test_people_command.py).
"""

from __future__ import annotations

from typing import Any

from erp_core.entities.organisation import ORGANISATION
from sync_server.store import rows
from sync_server.store.database import Connection
from sync_server.store.organisations import found_roles


async def found_organisation(connection: Connection, *, org_id: str, legal_name: str, **fields: Any) -> None:
    """Insert an organisation with its roles, in a transaction; `fields` are those of its declaration, in the inside form.

    Raises asyncpg.UniqueViolationError if there is one of this id. An unknown field is a KeyError. Cost: two statements.
    """
    for name in fields:
        ORGANISATION.by_name[name]
    row = {**ORGANISATION.empty(), **fields, "legal_name": legal_name}
    async with connection.transaction():
        await rows.insert(connection, ORGANISATION, org_id, {org_id: row})
        await found_roles(connection, org_id)
