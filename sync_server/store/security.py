"""What happened at the doors: who got in, who did not, what was ended or changed.

Owns: the statements on `security_event`, which is only ever appended to.
Must not know: what is done about it.
Invariant: an event is written with what it tells of, and nobody can change it (tests/integration/test_sessions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Happening:
    """An event to write down. `kind`: a word of identity/happenings.py; "" where something does not apply."""

    org_id: str
    kind: str
    user_id: str = ""
    session_id: str = ""
    device_id: str = ""
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as it is listed."""

    id: int
    at: datetime
    kind: str
    user_id: str
    session_id: str
    device_id: str
    address: str
    detail: str


async def write_down(connection: Connection, *happenings: Happening) -> None:
    """Append events. Cost: one statement."""
    columns = zip(
        *((h.org_id, h.kind, h.user_id, h.session_id, h.device_id, h.address, h.detail) for h in happenings),
        strict=True,
    )
    await connection.execute(
        "INSERT INTO security_event (org_id, kind, user_id, session_id, device_id, address, detail)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])",
        *(list(column) for column in columns),
    )


async def list_happened(
    connection: Connection, org_id: str, *, before: int | None = None, limit: int = 100
) -> Sequence[Happened]:
    """List events of an organisation, newest first, those with an id below `before`."""
    rows = await connection.fetch(
        "SELECT id, at, kind, user_id, session_id, device_id, address, detail FROM security_event"
        " WHERE org_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        *(org_id, before, limit),
    )
    return [Happened(*row) for row in rows]
