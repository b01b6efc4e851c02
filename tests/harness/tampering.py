"""Whoever has the database to themselves: changes to the log and its seals, past every trigger, as a superuser makes them.

Owns: the ways to tamper, and making a chain anew so that it holds.
Must not know: how tampering is found.
Invariant: a change is committed whole; triggers are asleep only for it (tests/integration/test_audit.py).
"""

from __future__ import annotations

import secrets

import asyncpg

from sync_server.engine.sealing import digest_of, first_digest, leaf_of
from sync_server.operate.postgres import Cluster
from sync_server.store.seals import CONTENT, Content
from tests.harness import clusters
from tests.harness.world import House


async def tamper(house: House, script: str) -> None:
    """Run statements as the superuser, with every trigger asleep."""
    connection = await superuser(house)
    try:
        await connection.execute(f"SET session_replication_role = replica; BEGIN; {script}; COMMIT")
    finally:
        await connection.close()


async def superuser(house: House) -> asyncpg.Connection:
    """Connect to the house's database as the superuser."""
    name = await house.one("SELECT current_database()")
    return await asyncpg.connect(Cluster(clusters.session_folder()).url(name, admin=True))


async def swap(house: House, one: int, other: int) -> None:
    """Let two events change places."""
    await tamper(
        house,
        f"UPDATE event SET position = -1 WHERE org_id = '{house.org_id}' AND position = {one};"
        f"UPDATE event SET position = {one} WHERE org_id = '{house.org_id}' AND position = {other};"
        f"UPDATE event SET position = {other} WHERE org_id = '{house.org_id}' AND position = -1",
    )


async def put_in(house: House, position: int) -> None:
    """Put in an event that nobody made."""
    await tamper(
        house,
        "INSERT INTO event (org_id, position, entity, record_id, op, new, actor, at)"
        f" VALUES ('{house.org_id}', {position}, 'units', 'forged', 'u', '{{}}', 'agent1', now())",
    )


async def cut(house: House, after: int) -> None:
    """Cut the log and its seals off after a position, and let the end of the chain be there."""
    await tamper(
        house,
        f"DELETE FROM event WHERE org_id = '{house.org_id}' AND position > {after};"
        f"DELETE FROM event_seal WHERE org_id = '{house.org_id}' AND position > {after};"
        f"UPDATE seal_head h SET sealed = s.position, digest = s.digest FROM event_seal s"
        f" WHERE h.org_id = s.org_id AND s.org_id = '{house.org_id}' AND s.position = {after}",
    )


async def make_anew(house: House) -> None:
    """Seal the log as it is now from its first event on, so that the chain holds."""
    connection = await superuser(house)
    try:
        await connection.execute("SET session_replication_role = replica")
        sealed = await connection.fetchval("SELECT sealed FROM seal_head WHERE org_id = $1", house.org_id)
        events = await connection.fetch(
            f"SELECT e.position, {CONTENT} FROM event e WHERE e.org_id = $1 AND e.position <= $2 ORDER BY 1",
            *(house.org_id, sealed),
        )
        digest = first_digest(house.org_id)
        async with connection.transaction():
            await connection.execute("DELETE FROM event_seal WHERE org_id = $1", house.org_id)
            for row in events:
                salt = secrets.token_bytes(16)
                leaf = leaf_of(house.org_id, salt, Content(*row[1:]))
                digest = digest_of(digest, row[0], leaf)
                await connection.execute(
                    "INSERT INTO event_seal VALUES ($1, $2, $3, $4, $5)", house.org_id, row[0], salt, leaf, digest
                )
            await connection.execute(
                "UPDATE seal_head SET sealed = $2, digest = $3 WHERE org_id = $1", house.org_id, events[-1][0], digest
            )
    finally:
        await connection.close()
