"""Finding what somebody named: an organisation, a user, a role, a branch, a partner.

Owns: how each may be called, and what is said if there is no such thing.
Must not know: what it is wanted for, SQL.
Invariant: who errs is told what there is instead (tests/integration/test_people_command.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from sync_server.identity.people import login_name
from sync_server.store import roster
from sync_server.store.database import Connection
from sync_server.store.roster import ListedRole, Named


class NotDone(Exception):
    """What was asked for cannot be done; the message says why, and what there is instead."""


async def known_organisation(connection: Connection, org_id: str) -> None:
    """Refuse the name of an organisation that there is not. Raises NotDone."""
    if not await roster.holds_organisation(connection, org_id):
        known = await roster.list_organisations(connection)
        raise NotDone(f"There is no organisation {org_id!r}. {_there_is(known)}")


async def user_of(connection: Connection, org_id: str, username: str) -> Named:
    """Find a user by login name or id. Raises NotDone."""
    await known_organisation(connection, org_id)
    found = await roster.find_user(connection, org_id, login_name(username))
    found = found or await roster.find_user(connection, org_id, username)
    if found is None:
        raise NotDone(
            f"Nobody of {org_id} has the login name {username!r}; `cotton-sync grant list` shows who there is."
        )
    return found


async def role_of(connection: Connection, org_id: str, named: str) -> ListedRole:
    """Find a role by id or title. Raises NotDone."""
    known = await roster.list_roles(connection, org_id)
    found = next((role for role in known if named in (role.id, role.title)), None)
    if found is None:
        raise NotDone(f"There is no role {named!r}. {_there_is(role.id for role in known)}")
    return found


async def branch_of(connection: Connection, org_id: str, named: str | None) -> str | None:
    """Find the id of a branch by id, code or name; None stays None. Raises NotDone."""
    if named is None:
        return None
    known = await roster.list_branches(connection, org_id)
    found = next((branch for branch in known if named in (branch.id, branch.short, branch.full)), None)
    if found is None:
        shown = (f"{branch.short} ({branch.full})" for branch in known)
        raise NotDone(f"There is no branch {named!r}. {_there_is(shown)}")
    return found.id


async def partner_of(connection: Connection, org_id: str, named: str | None) -> str | None:
    """Find the id of a partner by id, GSTIN or legal name; None stays None. Raises NotDone."""
    if named is None:
        return None
    found = await roster.find_partners(connection, org_id, named)
    if not found:
        raise NotDone(f"There is no partner {named!r}; give the id, the GSTIN or the whole legal name.")
    if len(found) > 1:
        raise NotDone(f"Several partners are called {named!r}; give the id or the GSTIN.")
    return found[0].id


def _there_is(known: Iterable[str]) -> str:
    return f"There is: {', '.join(known) or 'none yet'}."
