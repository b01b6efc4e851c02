"""The office's look-ups: who and what there is in an organisation, by the names that people type.

Owns: the SQL of these look-ups.
Must not know: who types, what is done with it.
Invariant: nothing of another organisation is found (tests/integration/test_people_command.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sync_server.store.database import Connection

LISTED_MAX: Final = 200
"""Rows that a list shows; an office that has more looks somewhere else than at a terminal."""


@dataclass(frozen=True, slots=True)
class Named:
    """A record as people know it: its id, a short name (a branch's code, a user's login name) and a full one."""

    id: str
    short: str
    full: str


@dataclass(frozen=True, slots=True)
class ListedRole:
    """A role with its codes, sorted."""

    id: str
    title: str
    external: bool
    ships: bool
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedGrant:
    """A grant in words: whose, which role, and for which place: `branch`, `partner` or `agent`, or none of them."""

    id: str
    username: str
    role: str
    branch: str | None
    partner: str | None
    agent: str | None
    valid_from: datetime | None
    valid_until: datetime | None


async def list_organisations(connection: Connection) -> Sequence[str]:
    """Give the ids of the organisations, at most LISTED_MAX, in order."""
    found = await connection.fetch("SELECT org_id FROM organisations ORDER BY org_id LIMIT $1", LISTED_MAX)
    return [row["org_id"] for row in found]


async def holds_organisation(connection: Connection, org_id: str) -> bool:
    """Say whether there is an organisation of this id."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM organisations WHERE org_id = $1)", org_id)
    return found


async def list_branches(connection: Connection, org_id: str) -> Sequence[Named]:
    """Give the branches, at most LISTED_MAX, by code."""
    found = await connection.fetch(
        "SELECT id, code, name FROM branches WHERE org_id = $1 ORDER BY code LIMIT $2", org_id, LISTED_MAX
    )
    return [Named(*row) for row in found]


async def list_roles(connection: Connection, org_id: str) -> Sequence[ListedRole]:
    """Give the roles, at most LISTED_MAX, those that ship first, by id."""
    found = await connection.fetch(
        "SELECT id, title, external, ships, codes FROM roles WHERE org_id = $1 ORDER BY NOT ships, id LIMIT $2",
        *(org_id, LISTED_MAX),
    )
    return [
        ListedRole(row["id"], row["title"], row["external"], row["ships"], tuple(sorted(row["codes"]))) for row in found
    ]


async def find_user(connection: Connection, org_id: str, username: str) -> Named | None:
    """Find a user of the organisation by login name, in the spelling in which it is kept, or by id."""
    row = await connection.fetchrow(
        "SELECT id, username, name FROM users WHERE org_id = $1 AND (username = $2 OR id = $2)"
        " ORDER BY username <> $2 LIMIT 1",
        *(org_id, username),
    )
    return None if row is None else Named(*row)


async def find_partners(connection: Connection, org_id: str, known_as: str) -> Sequence[Named]:
    """Find the partners of this id, GSTIN or legal name; at most two, for one is wanted."""
    found = await connection.fetch(
        "SELECT id, coalesce(gstin, ''), legal_name FROM business_partners"
        " WHERE org_id = $1 AND (id = $2 OR gstin = $2 OR legal_name = $2) ORDER BY id LIMIT 2",
        *(org_id, known_as),
    )
    return [Named(*row) for row in found]


async def list_grants(
    connection: Connection, org_id: str, *, user_id: str | None = None, grant_id: str | None = None
) -> Sequence[ListedGrant]:
    """Give the grants, at most LISTED_MAX, by login name and role; those of one user, or one grant."""
    found = await connection.fetch(
        "SELECT g.id, u.username, g.role_id, b.code, p.legal_name, a.username, g.valid_from, g.valid_until"
        " FROM grants g JOIN users u ON u.org_id = g.org_id AND u.id = g.user_id"
        " LEFT JOIN branches b ON b.org_id = g.org_id AND b.id = g.branch_id"
        " LEFT JOIN business_partners p ON p.org_id = g.org_id AND p.id = g.partner_id"
        " LEFT JOIN users a ON a.org_id = g.org_id AND a.id = g.agent_id"
        " WHERE g.org_id = $1 AND ($2::text IS NULL OR g.user_id = $2) AND ($3::text IS NULL OR g.id = $3)"
        " ORDER BY u.username, g.role_id, g.id LIMIT $4",
        *(org_id, user_id, grant_id, LISTED_MAX),
    )
    return [ListedGrant(*row) for row in found]
