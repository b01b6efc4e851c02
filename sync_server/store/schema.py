"""The live schema: which revision the database is at, what it consists of, and the stamp of what it should consist of.

Owns: reading PostgreSQL's catalogue as a list of objects and definitions, and the `schema_stamp` row.
Must not know: the migrations; whoever asks compares.
Invariant: two databases that the same migrations made give the same objects, whatever PostgreSQL's minor version, the
search path or the order of creation; what an extension or an administrator's statistics add does not count
(tests/integration/test_migrations.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sync_server.store.database import Connection

_OBJECTS: Final = r"""
WITH relation AS (
  SELECT c.oid, c.relname, c.relkind, c.relrowsecurity FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT 'relation ' || relname AS name, concat_ws(' ', relkind, relrowsecurity) AS definition FROM relation
UNION ALL
SELECT format('column %s.%s', r.relname, a.attname),
  concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
    pg_get_expr(d.adbin, d.adrelid))
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE r.relkind <> 'S'
UNION ALL
-- An index that a failed CREATE INDEX CONCURRENTLY left behind is there and not valid.
SELECT 'index ' || i.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid)
FROM relation r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
-- NOT NULL has been a constraint since PostgreSQL 18; it is compared with its column.
SELECT format('constraint %s.%s', r.relname, k.conname), concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.contype <> 'n'
UNION ALL
SELECT format('trigger %s.%s', r.relname, t.tgname), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('policy %s.%s', r.relname, p.polname),
  concat_ws(' ', p.polcmd, p.polpermissive, ARRAY(SELECT oid::regrole::text FROM unnest(p.polroles) AS oid ORDER BY 1),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
-- What the server's own role may do; whom else an administrator lets in is no business of ours.
SELECT format('rights %s', r.relname), string_agg(given.privilege, ' ' ORDER BY given.privilege)
FROM relation r CROSS JOIN LATERAL (
  SELECT acl.privilege_type, acl.grantee FROM pg_class c, aclexplode(c.relacl) acl WHERE c.oid = r.oid
  UNION ALL
  SELECT format('%s(%s)', acl.privilege_type, a.attname), acl.grantee FROM pg_attribute a, aclexplode(a.attacl) acl
  WHERE a.attrelid = r.oid AND NOT a.attisdropped
) AS given(privilege, grantee) WHERE given.grantee = to_regrole('cotton_app') GROUP BY r.relname
UNION ALL
SELECT format('function %s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
  concat_ws(' ', p.prokind, pg_get_function_result(p.oid), l.lanname, p.provolatile, p.prosecdef, p.proisstrict,
    p.proconfig::text, p.prosrc, pg_get_function_sqlbody(p.oid),
    CASE WHEN EXISTS (SELECT FROM aclexplode(p.proacl) WHERE grantee = to_regrole('cotton_app')) THEN 'for cotton_app' END)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1
"""

_PARTS: Final = """
SELECT to_regclass('public.alembic_version') IS NOT NULL AS has_version,
       to_regclass('public.schema_stamp') IS NOT NULL AS has_stamp,
       current_setting('server_version_num')::integer / 10000 AS server
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the last migration left: its revision, the phase of each revision, and every object's digest.

    `server`: PostgreSQL's major version, because another one may word the same definition otherwise.
    """

    revision: str
    phases: Mapping[str, str]
    objects: Mapping[str, str]
    server: int


@dataclass(frozen=True, slots=True)
class LiveSchema:
    """What the database is: its revision (None: no migration has run), its objects, its server, its stamp."""

    revision: str | None
    objects: Mapping[str, str]
    server: int
    stamp: Stamp | None


async def read_schema(connection: Connection) -> LiveSchema:
    """Read the schema of one point in time. Cost: at most four statements over the catalogue, some 20 ms."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        parts = await connection.fetchrow(_PARTS)
        revision = (
            await connection.fetchval("SELECT version_num FROM public.alembic_version")
            if parts["has_version"]
            else None
        )
        stamp = await _read_stamp(connection) if parts["has_stamp"] else None
        # With an empty path every name is printed with its schema, whatever the path of whoever asks.
        await connection.execute("SET LOCAL search_path = ''")
        rows = await connection.fetch(_OBJECTS)
    return LiveSchema(revision, {row["name"]: _digest(row["definition"]) for row in rows}, parts["server"], stamp)


async def write_stamp(connection: Connection, live: LiveSchema, phases: Mapping[str, str]) -> None:
    """Remember `live` as what the schema should be from now on."""
    assert live.revision is not None, "an empty database has nothing to stamp"
    fingerprint = {"server": live.server, "phases": phases, "objects": live.objects}
    await connection.execute(
        """
        INSERT INTO public.schema_stamp (id, revision, fingerprint, stamped_at) VALUES (1, $1, $2, now())
        ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, fingerprint = excluded.fingerprint, stamped_at = now()
        """,
        live.revision,
        orjson.dumps(fingerprint).decode(),
    )


async def _read_stamp(connection: Connection) -> Stamp | None:
    row = await connection.fetchrow("SELECT revision, fingerprint FROM public.schema_stamp")
    if row is None:
        return None
    fingerprint: dict[str, Any] = orjson.loads(row["fingerprint"])
    return Stamp(row["revision"], fingerprint["phases"], fingerprint["objects"], fingerprint["server"])


def _digest(definition: str) -> str:
    """Shorten a definition to 64 bits: it guards against slips, not against forgers."""
    return hashlib.sha256(definition.encode()).hexdigest()[:16]
