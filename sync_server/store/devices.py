"""Devices: one row per installation of the app and organisation.

Owns: whose an installation is, and since which position.
Must not know: sessions, tokens, what a device is sent.
Invariant: when an installation changes hands its `born` is a new position of the organisation's clock, so that every cursor
from before is below it (tests/integration/test_devices.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Claim:
    """What a device says of itself at a login. `public_key`: P-256 in PEM."""

    id: str
    name: str = ""
    platform: str = "unknown"
    app_version: str = ""
    schema_version: int | None = None
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """`born`: see `device.born`; `changed_hands`: the installation was somebody else's, or revoked, or wiped."""

    born: int
    changed_hands: bool


_TICK = """
INSERT INTO org_clock AS c (org_id, seq) VALUES ($1, 1)
ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + 1 RETURNING (c.epoch::bigint << 40) + c.seq
"""

_WRITE = """
INSERT INTO device AS d (org_id, id, user_id, name, platform, app_version, schema_version, public_key, trust_hash, born)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (org_id, id) DO UPDATE SET
  user_id = excluded.user_id, name = excluded.name, platform = excluded.platform, app_version = excluded.app_version,
  schema_version = excluded.schema_version, public_key = excluded.public_key, trust_hash = excluded.trust_hash,
  born = excluded.born, last_seen_at = now(), state = CASE d.state WHEN 'wiping' THEN d.state ELSE 'active' END,
  registered_at = CASE WHEN $11 THEN now() ELSE d.registered_at END,
  cursor = CASE WHEN $11 THEN NULL ELSE d.cursor END,
  pending = CASE WHEN $11 THEN NULL ELSE d.pending END,
  push_counter = CASE WHEN $11 THEN 0 ELSE d.push_counter END
"""


async def register(connection: Connection, org_id: str, user_id: str, claim: Claim, trust_hash: bytes) -> Registered:
    """Make the installation `claim.id` the user's; in a transaction.

    What is the user's already stays as it was born. A wipe that was ordered stays ordered: whoever logs in, what is on the
    device has to go. Cost: two or three statements; two more, and the organisation's clock, only if
    the installation changes hands.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", f"{org_id}/{claim.id}", _ONE_LOGIN
    )
    held = await connection.fetchrow(
        "SELECT user_id, state, born FROM device WHERE org_id = $1 AND id = $2 FOR UPDATE", org_id, claim.id
    )
    if held is None:
        changed = await connection.fetchval("SELECT is_known_installation($1)", claim.id)
    else:
        changed = held["user_id"] != user_id or held["state"] in ("revoked", "wiped")
    born = await connection.fetchval(_TICK, org_id) if changed else 0 if held is None else held["born"]
    if held is not None and changed:
        await _remember_holder(connection, org_id, claim.id, held, born)
    described = (claim.name, claim.platform, claim.app_version, claim.schema_version, claim.public_key)
    await connection.execute(_WRITE, org_id, claim.id, user_id, *described, trust_hash, born, changed)
    return Registered(born, changed)


async def _remember_holder(connection: Connection, org_id: str, device_id: str, held: Any, until: int) -> None:
    """Remember whose cursors those from before are; of an installation that was shut out nobody's are any good."""
    if held["state"] in ("revoked", "wiped"):
        await connection.execute("DELETE FROM device_past WHERE org_id = $1 AND device_id = $2", org_id, device_id)
    else:
        await connection.execute(
            "INSERT INTO device_past (org_id, device_id, until, since, user_id) VALUES ($1, $2, $3, $4, $5)",
            *(org_id, device_id, until, held["born"], held["user_id"]),
        )


_ONE_LOGIN = 0x6465766963
"""Seed of the advisory locks under which one login at a time registers an installation ("devic" in ASCII)."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was last heard of a device; None: nothing new."""

    org_id: str
    device_id: str
    seconds_ago: float
    cursor: int | None = None
    schema_version: int | None = None
    app_version: str | None = None
    pending: int | None = None


_SEEN = """
UPDATE device d SET
  last_seen_at = greatest(d.last_seen_at, now() - make_interval(secs => s.ago)),
  cursor = coalesce(s.cursor, d.cursor), schema_version = coalesce(s.schema_version, d.schema_version),
  app_version = coalesce(s.app_version, d.app_version), pending = coalesce(s.pending, d.pending)
FROM unnest($1::text[], $2::text[], $3::float8[], $4::bigint[], $5::int[], $6::text[], $7::int[])
  AS s(org_id, id, ago, cursor, schema_version, app_version, pending)
WHERE d.org_id = s.org_id AND d.id = s.id
"""


async def write_sightings(connection: Connection, sightings: Sequence[Sighting]) -> None:
    """Write down what was heard of devices, each at most once. Cost: one statement."""
    seen = sorted(sightings, key=lambda s: (s.org_id, s.device_id))  # one order of locks in all processes
    columns = zip(
        *((s.org_id, s.device_id, s.seconds_ago, s.cursor, s.schema_version, s.app_version, s.pending) for s in seen),
        strict=True,
    )
    await connection.execute(_SEEN, *(list(column) for column in columns))
