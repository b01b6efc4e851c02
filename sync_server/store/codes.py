"""One-time codes: which were asked for, for which number, and how often each was tried.

Owns: the statements on `code_request` and `code_budget`, and on `users` by their phone.
Must not know: what a code looks like, what a budget is (identity/code_rules.py), or how anything is sent.
Invariant: what is asked for a number is asked one at a time, and a code is tried under a lock on all codes of its number, so
that requests side by side cannot outrun a count (tests/integration/test_codes.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sync_server.store.actor import Actor
from sync_server.store.database import Connection

_ONE_PHONE = 0x70686F6E65
"""Seed of the advisory locks under which codes are asked for, one at a time for a number ("phone" in ASCII)."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A code that was asked for before: by whom, how long ago, and for how long it is good, in seconds. `used`: it was."""

    id: str
    asker: str
    session_id: str
    ago: float
    left: float
    used: bool = False


async def lock_phone(connection: Connection, phone: str, limit: int) -> Sequence[Earlier]:
    """Let nobody else ask for a code for `phone` until the end of the transaction; give those of the last day, newest first.

    Cost: two statements; the second sees what whoever held the lock before has committed.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", phone, _ONE_PHONE)
    rows = await connection.fetch(
        "SELECT id, asker, session_id, extract(epoch FROM clock_timestamp() - asked_at)::float8 AS ago,"
        " extract(epoch FROM expires_at - clock_timestamp())::float8 AS remaining, used_at IS NOT NULL FROM code_request"
        " WHERE phone = $1 AND asked_at > clock_timestamp() - interval '1 day' ORDER BY asked_at DESC LIMIT $2",
        *(phone, limit),
    )
    return [Earlier(*row) for row in rows]


async def spend(connection: Connection, shares: Mapping[str, float]) -> Mapping[str, float]:
    """Move budgets on by a share each, `name -> seconds`; give how far each is filled now, in seconds from now.

    The caller rolls back if one is overfull. Budgets are locked in the order that is given. Cost: one statement.
    """
    rows = await connection.fetch(
        """
        INSERT INTO code_budget AS b (name, filled_until)
        SELECT a.name, now() + make_interval(secs => a.share)
        FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS a(name, share, n) ORDER BY a.n
        ON CONFLICT (name) DO UPDATE SET
          filled_until = greatest(b.filled_until, clock_timestamp()) + (excluded.filled_until - now())
        RETURNING name, extract(epoch FROM filled_until - clock_timestamp())::float8 AS filled
        """,
        *(list(shares), list(shares.values())),
    )
    return {row["name"]: row["filled"] for row in rows}


async def insert_request(
    connection: Connection,
    *,
    id: str,
    phone: str,
    asker: str,
    device_id: str,
    digest: bytes,
    life: timedelta,
    mover: Actor | None,
) -> None:
    """Write down that a code was asked for; `mover`: who wants to move to the number, None for a login."""
    await connection.execute(
        "INSERT INTO code_request (id, phone, asker, device_id, digest, expires_at, org_id, user_id, session_id)"
        " VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6, $7, $8, $9)",
        *(id, phone, asker, device_id, digest, life),
        *(("", "", "") if mover is None else (mover.org_id, mover.user_id, mover.session_id)),
    )


async def write_delivery(connection: Connection, id: str, delivery: str, attempts: int) -> None:
    """Write down what became of sending a code."""
    await connection.execute(
        "UPDATE code_request SET delivery = $2, attempts = $3 WHERE id = $1", *(id, delivery, attempts)
    )


# --- Trying -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A code as it was asked for. `is_good`: neither used nor expired; `ago`: seconds."""

    id: str
    phone: str
    device_id: str
    digest: bytes
    org_id: str
    user_id: str
    session_id: str
    tries: int
    is_good: bool
    ago: float


async def lock_asked(connection: Connection, id: str, within: timedelta) -> Sequence[Asked]:
    """Lock every code that was asked for `within` that time for the number of request `id`; none if there is no such request.

    Cost: one statement.
    """
    rows = await connection.fetch(
        "SELECT id, phone, device_id, digest, org_id, user_id, session_id, tries,"
        " used_at IS NULL AND expires_at > clock_timestamp(),"
        " extract(epoch FROM clock_timestamp() - asked_at)::float8 FROM code_request"
        " WHERE phone = (SELECT phone FROM code_request WHERE id = $1) AND asked_at > clock_timestamp() - $2::interval"
        " ORDER BY id FOR UPDATE",
        *(id, within),
    )
    return [Asked(*row) for row in rows]


async def count_try(connection: Connection, id: str) -> None:
    """Count a try at a code."""
    await connection.execute("UPDATE code_request SET tries = tries + 1 WHERE id = $1", id)


async def use(connection: Connection, id: str) -> None:
    """Use a code up."""
    await connection.execute("UPDATE code_request SET used_at = clock_timestamp() WHERE id = $1", id)


async def give_back(connection: Connection, id: str) -> None:
    """Make a code good again that was used in vain."""
    await connection.execute("UPDATE code_request SET used_at = NULL WHERE id = $1", id)


async def count_unsent(connection: Connection, minutes: int) -> tuple[int, int]:
    """Count codes that have waited for `minutes` and can still be used, and those of the last hour that could not be sent."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE delivery = 'waiting' AND asked_at < now() - make_interval(mins => $1)"
        " AND expires_at > now()), count(*) FILTER (WHERE delivery = 'failed') FROM code_request"
        " WHERE asked_at > now() - interval '1 hour'",
        minutes,
    )
    return row[0], row[1]


async def forget(connection: Connection) -> None:
    """Forget codes from before two days, and budgets that are empty again."""
    await connection.execute("DELETE FROM code_request WHERE asked_at < now() - interval '2 days'")
    await connection.execute("DELETE FROM code_budget WHERE filled_until < now()")


# --- Whose number it is -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """An active user who has the number, and the name of the organisation."""

    org_id: str
    user_id: str
    org_name: str


HOLDERS_MAX = 50
"""Organisations in which one number is looked up; a person works for one or two."""


async def holders_of(connection: Connection, phone: str) -> Sequence[Holder]:
    """Give the active users who have this number, at most one in an organisation. Cost: one statement."""
    rows = await connection.fetch("SELECT * FROM find_people_by_phone($1, $2)", phone, HOLDERS_MAX)
    return [Holder(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Moved:
    """How moving a user to a number ended. `before`: the number of before, "" for none; `taken`: a colleague has it."""

    before: str
    taken: bool = False


async def move_phone(connection: Connection, actor: Actor, phone: str) -> Moved | None:
    """Give a user another number, as whoever the transaction acts for; None if there is no such active user.

    Cost: three statements, and the organisation's clock.
    """
    held = await connection.fetchrow(
        "SELECT phone FROM users WHERE org_id = $1 AND id = $2 AND is_active FOR UPDATE", actor.org_id, actor.user_id
    )
    if held is None:
        return None
    taken = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM users WHERE org_id = $1 AND phone = $2 AND id <> $3)",
        *(actor.org_id, phone, actor.user_id),
    )
    if not taken:
        await connection.execute(
            "UPDATE users SET phone = $3, updated_at = now(), updated_by = $2 WHERE org_id = $1 AND id = $2",
            *(actor.org_id, actor.user_id, phone),
        )
    return Moved(held["phone"] or "", taken)
