"""People: who can log in.

Owns: how a login name is spelt and how a person is added.
Must not know: HTTP, or what a person may see.
Invariant: two names that a person would take for one are one (tests/integration/test_login.py).
"""

from __future__ import annotations

import unicodedata

from sync_server.identity.passwords import hash_password
from sync_server.store.database import Connection
from sync_server.store.users import insert_person


def login_name(typed: str) -> str:
    """Give the spelling under which a name is kept and looked up.

    >>> login_name(" Agent1 ")
    'agent1'
    """
    return unicodedata.normalize("NFKC", typed).strip().casefold()


async def add_user(
    conn: Connection,
    *,
    org_id: str,
    user_id: str,
    username: str,
    name: str,
    role: str,
    branch_id: str | None,
    password: str,
) -> None:
    """Add a person who can log in as `username`, a name that is unique over all organisations.

    Raises asyncpg.UniqueViolationError if the id or the name is taken. Cost: 40 ms in a thread, and two statements.
    """
    password_hash = await hash_password(password)
    await insert_person(
        conn,
        org_id=org_id,
        user_id=user_id,
        username=login_name(username),
        name=name,
        role=role,
        branch_id=branch_id,
        password_hash=password_hash,
    )
