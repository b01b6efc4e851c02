"""What is known of a user beside their records: sessions, devices, and what happened at the doors.

Owns: these statements.
Must not know: who asks, which records tell of whom.
Invariant: every row is the user's own (tests/integration/test_privacy_api.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sync_server.store.database import Connection

ROWS_MAX: Final = 10_000

_OF_USER: Final[Mapping[str, str]] = {
    "sessions": "SELECT id, created_at, expires_at, revoked_at FROM session WHERE org_id = $1 AND user_id = $2"
    " ORDER BY created_at DESC LIMIT $3",
    "devices": "SELECT id, name, platform, app_version, registered_at, last_seen_at FROM device"
    " WHERE org_id = $1 AND user_id = $2 ORDER BY registered_at DESC LIMIT $3",
    "notices": "SELECT email, push, quiet_from, quiet_until, daily_at, zone, muted FROM notice_wish"
    " WHERE org_id = $1 AND user_id = $2 LIMIT $3",
    "phones": "SELECT device_id, service, token, set_at FROM push_address WHERE org_id = $1 AND user_id = $2 LIMIT $3",
    "consents": "SELECT purpose, given, version, at FROM consent WHERE org_id = $1 AND user_id = $2 ORDER BY id DESC LIMIT $3",
    "doors": "SELECT at, kind, address, detail FROM security_event WHERE org_id = $1 AND user_id = $2"
    " ORDER BY id DESC LIMIT $3",
}


async def read_known(connection: Connection, org_id: str, user_id: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Give the rows of each kind, newest first, `ROWS_MAX` at most of each. Cost: six statements."""
    return {
        kind: [dict(row) for row in await connection.fetch(statement, org_id, user_id, ROWS_MAX)]
        for kind, statement in _OF_USER.items()
    }
