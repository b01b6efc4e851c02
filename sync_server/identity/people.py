"""People: who can log in.

Owns: how a login name is spelt and how a person is added.
Must not know: HTTP, or what a person may see: that is in the grants.
Invariant: two names that a person would take for one are one (tests/integration/test_login.py).
"""

from __future__ import annotations

import unicodedata

from sync_server.identity.passwords import hash_password
from sync_server.store.database import Connection
from sync_server.store.people import insert_person


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
    password: str | None,
    branch_id: str | None = None,
    phone: str | None = None,
) -> None:
    """Add a person who can log in as `username`, a name that is unique over all organisations; what they may do, grants say.

    `password`: None for one who logs in with codes. `phone`: where those go, E.164. Raises asyncpg.UniqueViolationError if
    the id, the name or the phone is taken. Cost: 40 ms in a thread, and two statements.
    """
    password_hash = None if password is None else await hash_password(password)
    await insert_person(
        conn,
        org_id=org_id,
        user_id=user_id,
        username=login_name(username),
        name=name,
        password_hash=password_hash,
        branch_id=branch_id,
        phone=phone,
    )
